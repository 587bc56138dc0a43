"""Discrete Fourier transforms, as the extension ``fft`` of the Array API has them.

Four linear ops do it all. The gradient of each is another of them, so there are derivatives of any order.
"""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable, default_backend
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.core.variable import make_variable
from tensorgrad.functions.complex_parts import imag, real
from tensorgrad.functions.manipulation import as_tuple, axis_of, owner_of, shape_of
from tensorgrad.functions.rearrangement import roll
from tensorgrad.functions.special import floats

TURNED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The normalisation of the way back that has the same factor."""

# -- ops ---------------------------------------------------------------------------------------------


class Resize(Op):
    """`x` cut off at the end of each axis, or filled with zeros there, to `shape`; so is gy, to that of x."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Array) -> Array:
        xp = self.xp
        self.before = tuple(x.shape)
        x = x[tuple(slice(0, min(n, m)) for n, m in zip(self.shape, self.before, strict=True))]
        for axis, n in enumerate(self.shape):
            missing = n - x.shape[axis]
            if missing:
                rest = (*x.shape[:axis], missing, *x.shape[axis + 1 :])
                zeros = xp.zeros(rest, dtype=x.dtype, device=self.backend.device(x))
                x = xp.concat((x, zeros), axis=axis)
        return x

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(Resize(self.before), gy)


class Fft(Op):
    """``y_k = c sum x_j exp(-+2 pi i j k / n)`` along each axis: a symmetric matrix, so gx is that of gy."""

    fresh = True

    def __init__(self, axes: tuple[int, ...], norm: str, *, inverse: bool) -> None:
        self.axes = axes
        self.norm = norm
        self.inverse = inverse

    def forward(self, x: Array) -> Array:
        y = _as_complex(self, x)
        transform = self.xp.fft.ifftn if self.inverse else self.xp.fft.fftn
        for first in range(0, len(self.axes), 3):  # JAX takes three at most
            y = transform(y, axes=self.axes[first : first + 3], norm=self.norm)
        return y

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(Fft(self.axes, self.norm, inverse=self.inverse), gy)


class Rfft(Op):
    """The first ``n//2 + 1`` of what `Fft` gives of n real numbers along an axis.

    ``gx_j = c Re sum gy_k exp(2 pi i j k / n)``: the `Irfft` of ``gy / 2``, of gy at its real ends.
    """

    fresh = True

    def __init__(self, axis: int, norm: str) -> None:
        self.axis = axis
        self.norm = norm

    def forward(self, x: Array) -> Array:
        self.n = x.shape[self.axis]
        self.dtype = x.dtype
        return self.xp.fft.rfft(x, axis=self.axis, norm=self.norm)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        gy = self.xp.conj(gy)  # the engine has conjugated it
        gy = gy * _inner(self, gy, self.dtype, 0.5)
        return self.nested(Irfft(self.n, self.axis, TURNED[self.norm]), gy)


class Irfft(Op):
    """n real numbers of the first ``n//2 + 1`` of their transform along an axis: the inverse of `Rfft`.

    ``gx_k = 2 c sum gy_j exp(-2 pi i j k / n)``: twice the `Rfft` of gy, once at its real ends.
    """

    fresh = True

    def __init__(self, n: int, axis: int, norm: str) -> None:
        self.n = n
        self.axis = axis
        self.norm = norm

    def forward(self, x: Array) -> Array:
        y = self.xp.fft.irfft(_as_complex(self, x), n=self.n, axis=self.axis, norm=self.norm)
        self.dtype = y.dtype
        return y

    def backward(self, gy: ArrayLike) -> ArrayLike:
        gx = self.nested(Rfft(self.axis, TURNED[self.norm]), gy)
        return gx * _inner(self, gx, self.dtype, 2.0)


def _as_complex(op: Op, x: Array) -> Array:
    xp = op.xp
    if op.backend.is_complex(x.dtype):
        return x
    return xp.astype(x, xp.complex64 if xp.finfo(x.dtype).bits <= 32 else xp.complex128)


def _inner(op: Rfft | Irfft, like: ArrayLike, dtype: Any, factor: float) -> Array:
    """A constant: 1 for the frequencies 0 and n/2, which are real, and `factor` for those between."""
    xp, array = op.backend.xp, like.data if isinstance(like, Variable) else like
    size = op.n // 2 + 1
    weights = xp.full((size,), factor, dtype=dtype, device=op.backend.device(array))
    twice = 2 * xp.arange(size, device=op.backend.device(array))
    weights = xp.where((twice == 0) | (twice == op.n), xp.ones_like(weights), weights)
    return xp.reshape(weights, tuple(size if i == op.axis else 1 for i in range(len(array.shape))))


# -- arguments ---------------------------------------------------------------------------------------


def checked(name: str, x: Any, norm: str, *, real_only: bool = False) -> Any:
    """The input of a transform as floating numbers, or an error in its name."""
    if norm not in TURNED:
        raise ValueError(f"{name}: expected norm 'backward', 'ortho' or 'forward'; got {norm!r}")
    shape_of(name, x)
    (x,) = floats(x)
    if real_only and owner_of(name, x).is_complex(x.dtype):
        raise TypeError(f"{name}: expected real numbers; got {x.dtype}. {name[1:]} takes complex ones.")
    return x


def length_of(name: str, n: int) -> int:
    """A length that a transform can have, or an error in its name."""
    if n < 1:
        raise ValueError(f"{name}: expected a length of 1 or more; got {n}")
    return n


def resized(name: str, x: Any, axes: tuple[int, ...], sizes: tuple[int, ...]) -> Any:
    """`x` with these lengths along these axes."""
    shape = list(shape_of(name, x))
    before = tuple(shape)
    for axis, n in zip(axes, sizes, strict=True):
        shape[axis] = length_of(name, n)
    return x if tuple(shape) == before else Resize(tuple(shape))(x)


def axes_and_sizes(name: str, x: Any, s: Any, axes: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of an n-dimensional transform, and the lengths along them (-1: as it is)."""
    shape = shape_of(name, x)
    if axes is None:
        axes = range(len(shape)) if s is None else range(len(shape) - len(s), len(shape))
    found = tuple(axis_of(name, axis, len(shape)) for axis in axes)
    if len(set(found)) != len(found):
        raise ValueError(f"{name}: expected axes that differ; got {tuple(axes)}")
    if s is None:
        return found, tuple(shape[axis] for axis in found)
    if len(s) != len(found):
        raise ValueError(f"{name}: expected as many lengths as axes; got s={tuple(s)} for axes {found}")
    return found, tuple(shape[axis] if n == -1 else n for axis, n in zip(found, s, strict=True))


def _one(name: str, x: Any, n: int | None, axis: int, norm: str, *, inverse: bool) -> Variable:
    x = checked(name, x, norm)
    shape = shape_of(name, x)
    axis = axis_of(name, axis, len(shape))
    x = resized(name, x, (axis,), (shape[axis] if n is None else n,))
    return Fft((axis,), norm, inverse=inverse)(x)  # type: ignore[no-any-return]


def _many(name: str, x: Any, s: Any, axes: Any, norm: str, *, inverse: bool) -> Variable:
    x = checked(name, x, norm)
    found, sizes = axes_and_sizes(name, x, s, axes)
    return Fft(found, norm, inverse=inverse)(resized(name, x, found, sizes))  # type: ignore[no-any-return]


def _parts(*ys: Any) -> tuple[Any, ...]:
    """Real and imaginary parts: what the tests compare."""
    if isinstance(ys[0], Variable):
        return tuple(part(y) for y in ys for part in (real, imag))
    return tuple(part for y in ys for part in (y.real, y.imag))


# -- public functions --------------------------------------------------------------------------------

ONE = (
    Sample(Real((4,)), through=_parts),
    Sample(Real((2, 5)), through=_parts, axis=0),
    Sample(Real((2, 5)), through=_parts, norm="ortho"),
    Sample(Real((2, 5)), through=_parts, n=3, norm="forward"),
    Sample(Real((2, 3)), through=_parts, n=4),
)
SEVERAL = (
    Sample(Real((2, 3)), through=_parts),
    Sample(Real((2, 3, 4)), through=_parts, axes=(2, 0), norm="ortho"),
    Sample(Real((2, 3, 2)), through=_parts, s=(4, 2), axes=(0, 1), norm="forward"),
)


@samples(*ONE)
def fft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Variable:
    """Discrete Fourier transform along an axis.

    Parameters
    ----------
    x : Variable or array, real or complex
    n : int, optional
        Cut `x` off at this length, or fill it with zeros.
    axis : int, default -1
    norm : {'backward', 'ortho', 'forward'}
        Which way is divided by n: back, both by its root, or this one.

    Returns
    -------
    Variable, complex, shape of `x` with n along `axis`
        ``y_k = sum of x_j exp(-2 pi i j k / n)``.

    Raises
    ------
    ValueError
        If there is no such axis or norm, or `n` is less than 1.

    Examples
    --------
    >>> F.fft(Variable(np.array([1.0, 2.0, 3.0])))
    variable([ 6. +0.j        -1.5+0.8660254j -1.5-0.8660254j])
    """
    return _one("fft", x, n, axis, norm, inverse=False)


@samples(*ONE)
def ifft(x: Any, n: int | None = None, axis: int = -1, norm: str = "backward") -> Variable:
    """Inverse of `fft`; its parameters, result and errors are the same.

    Examples
    --------
    >>> F.ifft(Variable(np.array([6.0, 0.0, 0.0])))
    variable([2.+0.j 2.+0.j 2.+0.j])
    """
    return _one("ifft", x, n, axis, norm, inverse=True)


@samples(*SEVERAL)
def fftn(x: Any, s: Any = None, axes: Any = None, norm: str = "backward") -> Variable:
    """Discrete Fourier transform along several axes.

    Parameters
    ----------
    x : Variable or array, real or complex
    s : sequence of int, optional
        The length along each of `axes`: cut off or filled with zeros; -1 leaves it.
    axes : sequence of int, optional
        By default all, or the last ones if there is `s`.
    norm : {'backward', 'ortho', 'forward'}
        As for `fft`.

    Returns
    -------
    Variable, complex

    Raises
    ------
    ValueError
        If there is no such axis or norm, an axis occurs twice, or `s` does not go with `axes`.

    Examples
    --------
    >>> F.fftn(Variable(np.eye(2)))
    variable([[2.+0.j 0.+0.j]
              [0.+0.j 2.+0.j]])
    """
    return _many("fftn", x, s, axes, norm, inverse=False)


@samples(*SEVERAL)
def ifftn(x: Any, s: Any = None, axes: Any = None, norm: str = "backward") -> Variable:
    """Inverse of `fftn`; its parameters, result and errors are the same.

    Examples
    --------
    >>> F.ifftn(Variable(2 * np.eye(2)))
    variable([[1.+0.j 0.+0.j]
              [0.+0.j 1.+0.j]])
    """
    return _many("ifftn", x, s, axes, norm, inverse=True)


_SHIFTED = (
    Sample(Real((4,))),
    Sample(Real((2, 3))),
    Sample(Real((3, 5, 2)), axes=1),
    Sample(Real((3, 5)), axes=(-1,)),
)


@samples(*_SHIFTED)
def fftshift(x: Any, axes: Any = None) -> Variable:
    """What a transform gives, with the frequency 0 in the middle of each axis.

    Parameters
    ----------
    x : Variable or array
    axes : int or sequence of int, optional
        All by default.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> F.fftshift(Variable(np.array([0.0, 1.0, -1.0])))
    variable([-1.  0.  1.])
    """
    return _shifted("fftshift", x, axes, 1)


@samples(*_SHIFTED)
def ifftshift(x: Any, axes: Any = None) -> Variable:
    """Inverse of `fftshift`; its parameters, result and errors are the same.

    Examples
    --------
    >>> F.ifftshift(Variable(np.array([-1.0, 0.0, 1.0])))
    variable([ 0.  1. -1.])
    """
    return _shifted("ifftshift", x, axes, -1)


def _shifted(name: str, x: Any, axes: Any, way: int) -> Variable:
    shape = shape_of(name, x)
    axes = range(len(shape)) if axes is None else as_tuple(axes)
    found = tuple(axis_of(name, axis, len(shape)) for axis in axes)
    shifts = tuple(way * (shape[axis] // 2) for axis in found)
    return roll(x, shifts, axis=found)


def fftfreq(n: int, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Variable:
    """The frequency of each element of an `fft`, on the default backend.

    Parameters
    ----------
    n : int
        Length of the signal.
    d : float, default 1.0
        Distance of its samples.
    dtype, device : optional

    Returns
    -------
    Variable, shape (n,)
        Without a gradient: cycles per unit of `d`; the second half is negative.

    Examples
    --------
    >>> tg.fft.fftfreq(4)
    variable([ 0.    0.25 -0.5  -0.25])
    """
    return _frequencies("fftfreq", n, d, dtype, device)


def rfftfreq(n: int, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Variable:
    """The frequency of each element of an `rfft`, on the default backend.

    Parameters
    ----------
    n, d, dtype, device
        As for `fftfreq`.

    Returns
    -------
    Variable, shape (n // 2 + 1,)
        Without a gradient.

    Examples
    --------
    >>> tg.fft.rfftfreq(4)
    variable([0.   0.25 0.5 ])
    """
    return _frequencies("rfftfreq", n, d, dtype, device)


def _frequencies(name: str, n: int, d: float, dtype: Any, device: Any) -> Variable:
    xp = default_backend().xp
    made = getattr(xp.fft, name)(length_of(name, n), d=d, device=device)
    return make_variable(made if dtype is None else xp.astype(made, dtype, copy=False), None, 0)
