"""Initialisers: what weights are before training.

Each is called with a shape and gives a NumPy array, drawn on the host from NumPy's global state or as
`tensorgrad.seed` says, so that weights are the same on every backend. The scale of most follows from the
fans, how many inputs each output sums (`fan_in`) and the other way round (`fan_out`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad import randomness

NumpyArray = np.ndarray[Any, Any]
Shape = tuple[int, ...]


class Initializer:
    """The base: `draw` gives the numbers for a shape and its fans.

    Examples
    --------
    >>> class Thirds(tg.layers.initializers.Initializer):
    ...     def draw(self, shape, fan_in, fan_out):
    ...         return np.full(shape, 1 / 3)
    >>> Thirds()((2,))
    array([0.33333334, 0.33333334], dtype=float32)
    """

    def __call__(
        self, shape: Shape, dtype: Any = np.float32, fan_in: int | None = None, fan_out: int | None = None
    ) -> NumpyArray:
        """An array of this shape and dtype.

        Parameters
        ----------
        shape : tuple of int
        dtype : NumPy dtype, default float32
        fan_in, fan_out : int, optional
            By default those of `Linear` for shape (in, out), and those of a convolution for
            (out, in, *kernel).
        """
        found_in, found_out = fans(shape)
        fan_in = found_in if fan_in is None else fan_in
        fan_out = found_out if fan_out is None else fan_out
        return self.draw(shape, fan_in, fan_out).astype(dtype)

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        """The numbers, in float64; subclasses define it."""
        raise NotImplementedError(
            f"{type(self).__name__} does not define draw. "
            "An Initializer needs draw(self, shape, fan_in, fan_out)."
        )


def fans(shape: Shape) -> tuple[int, int]:
    """How many inputs each output of weights of this shape sums, and the other way round.

    Examples
    --------
    >>> tg.layers.initializers.fans((3, 5)), tg.layers.initializers.fans((8, 4, 3, 3))
    ((3, 5), (36, 72))
    """
    if len(shape) == 2:
        return shape
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    area = math.prod(shape[2:])
    return shape[1] * area, shape[0] * area


class Constant(Initializer):
    """The same number everywhere."""

    def __init__(self, value: float) -> None:
        self.value = value

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        return np.full(shape, float(self.value))


class Zeros(Constant):
    """Zeros."""

    def __init__(self) -> None:
        super().__init__(0.0)


class Ones(Constant):
    """Ones."""

    def __init__(self) -> None:
        super().__init__(1.0)


class Normal(Initializer):
    """Normal, with mean 0 and this standard deviation."""

    def __init__(self, scale: float = 0.05) -> None:
        self.scale = scale

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        return _normal(shape) * self.scale


class Uniform(Initializer):
    """Uniform in ``[-scale, scale)``."""

    def __init__(self, scale: float = 0.05) -> None:
        self.scale = scale

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        return _uniform(shape, self.scale)


class TruncatedNormal(Initializer):
    """Normal, but none further from 0 than `bound` standard deviations: such are drawn again.

    Parameters
    ----------
    scale : float, default 0.05
        The standard deviation before the ends are cut; with the default `bound` it is 0.8796 of that after.
    bound : float, default 2.0

    Examples
    --------
    >>> bool(abs(tg.layers.initializers.TruncatedNormal(1.0)((100,))).max() <= 2)
    True
    """

    def __init__(self, scale: float = 0.05, bound: float = 2.0) -> None:
        if bound <= 0:
            raise ValueError(f"TruncatedNormal: expected a bound above 0; got {bound}")
        self.scale = scale
        self.bound = bound

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        found = _normal(shape).reshape(-1)
        while (outside := np.flatnonzero(np.abs(found) > self.bound)).size:
            found[outside] = _normal((outside.size,))
        return found.reshape(shape) * self.scale


class _Scaled(Initializer):
    """The base of those whose variance is `gain**2` over a fan."""

    gain = 1.0

    def __init__(self, gain: float | None = None) -> None:
        if gain is not None:
            self.gain = gain

    def fan(self, fan_in: int, fan_out: int) -> float:
        return fan_in

    def deviation(self, fan_in: int, fan_out: int) -> float:
        return self.gain * math.sqrt(1 / max(self.fan(fan_in, fan_out), 1))


class LeCunNormal(_Scaled):
    """Normal of variance ``1 / fan_in``: the variance of inputs stays in linear layers. The default.

    Parameters
    ----------
    gain : float, default 1
        A factor on all numbers.

    References
    ----------
    LeCun, Bottou, Orr, Müller 1998, "Efficient BackProp", section 4.6.
    """

    def __call__(
        self, shape: Shape, dtype: Any = np.float32, fan_in: int | None = None, fan_out: int | None = None
    ) -> NumpyArray:
        # As the book rounds: first to the dtype, then scaled.
        found_in, found_out = fans(shape)
        fan_in = found_in if fan_in is None else fan_in
        scale = self.deviation(fan_in, found_out if fan_out is None else fan_out)
        drawn = _normal(shape, dtype)
        drawn *= scale
        return drawn

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        return _normal(shape) * self.deviation(fan_in, fan_out)


class LeCunUniform(_Scaled):
    """Uniform of variance ``1 / fan_in``; see `LeCunNormal`."""

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        return _uniform(shape, math.sqrt(3) * self.deviation(fan_in, fan_out))


class GlorotNormal(_Scaled):
    """Normal of variance ``2 / (fan_in + fan_out)``: for tanh and the like.

    Parameters
    ----------
    gain : float, default 1

    References
    ----------
    Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, equation 12.
    """

    def fan(self, fan_in: int, fan_out: int) -> float:
        return (fan_in + fan_out) / 2

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        return _normal(shape) * self.deviation(fan_in, fan_out)


class GlorotUniform(GlorotNormal):
    """Uniform of variance ``2 / (fan_in + fan_out)``: equation 16 of the paper at `GlorotNormal`."""

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        return _uniform(shape, math.sqrt(3) * self.deviation(fan_in, fan_out))


class HeNormal(_Scaled):
    """Normal of variance ``2 / fan_in``: for relu, which sets half of its inputs to 0.

    Parameters
    ----------
    gain : float, default sqrt(2)

    References
    ----------
    He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015, equation 10.
    """

    gain = math.sqrt(2)

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        return _normal(shape) * self.deviation(fan_in, fan_out)


class HeUniform(HeNormal):
    """Uniform of variance ``2 / fan_in``; see `HeNormal`."""

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        return _uniform(shape, math.sqrt(3) * self.deviation(fan_in, fan_out))


class Orthogonal(Initializer):
    """Orthonormal rows, or columns where these are fewer; of more than two axes the last are taken as one.

    Parameters
    ----------
    gain : float, default 1
        A factor on all numbers.

    References
    ----------
    Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", ICLR 2014. Uniform over orthogonal matrices by the signs of Mezzadri, "How to
    generate random matrices from the classical compact groups", Notices AMS 54 (2007), section 5.

    Examples
    --------
    >>> W = tg.layers.initializers.Orthogonal()((3, 5))
    >>> bool(np.allclose(W @ W.T, np.eye(3), atol=1e-6))
    True
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def draw(self, shape: Shape, fan_in: int, fan_out: int) -> NumpyArray:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: expected a shape of two or more axes; got {shape}")
        rows, columns = shape[0], math.prod(shape[1:])
        q, r = np.linalg.qr(_normal((max(rows, columns), min(rows, columns))))
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
        found: NumpyArray = (q if rows >= columns else q.T).reshape(shape) * self.gain
        return found


_PART = 1 << 20
"""How many numbers are drawn at once: large weights of float32 need no array of float64 beside them."""


def _normal(shape: Shape, dtype: Any = np.float64) -> NumpyArray:
    host = randomness.host()
    drawn = np.empty(math.prod(shape), dtype)
    for start in range(0, drawn.size, _PART):  # the numbers are those of a single call
        part = drawn[start : start + _PART]
        part[:] = host.standard_normal(part.size)
    return drawn.reshape(shape)


def _uniform(shape: Shape, bound: float) -> NumpyArray:
    return np.asarray(randomness.host().random_sample(shape)) * (2 * bound) - bound
