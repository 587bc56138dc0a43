"""Activations, element by element: sigmoid, the rectified family and its smooth relatives."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.comparison import greater
from tensorgrad.functions.elementwise import exp
from tensorgrad.functions.selection import Keep, where
from tensorgrad.functions.special import Erf


def sigmoid_of(xp: Any, x: Array) -> Array:
    """``1 / (1 + exp(-x))`` as ``e / (1 + e)``, to the last digits on both sides of 0.

    ``e = exp(x)`` is cut where ``e / (1 + e)`` rounds to 1, before it can overflow.
    """
    half = hasattr(xp, "float16") and x.dtype == xp.float16
    highest = 11.0 if half else 40.0
    y = xp.exp(xp.minimum(x, highest))
    y /= y + 1
    return y


class Sigmoid(Op):
    """``y = 1 / (1 + exp(-x))``; ``dy/dx = y (1 - y)``."""

    saves = Output(0)
    fresh = True

    def forward(self, x: Array) -> Array:
        return sigmoid_of(self.xp, x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (y,) = self.saved
        gx = 1 - y
        gx *= y
        gx *= gy
        return gx


class ReLU(Op):
    """``y = max(x, 0)``; ``dy/dx`` is 1 where x > 0, else 0."""

    saves = Output(0)
    fresh = True

    def forward(self, x: Array) -> Array:
        return self.xp.maximum(x, 0)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (y,) = self.saved
        return self.nested(Keep(), y > 0, gy)


class LeakyReLU(Op):
    """``y = x`` where x > 0, else ``slope x``; ``dy/dx`` is 1 or the slope, which is not negative."""

    saves = Output(0)
    fresh = True

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def forward(self, x: Array) -> Array:
        larger = self.xp.maximum if self.slope <= 1 else self.xp.minimum
        return larger(x, self.xp.multiply(x, self.slope))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (y,) = self.saved
        factor = self.xp.astype(y > 0, gy.dtype)
        factor *= 1 - self.slope
        factor += self.slope
        return gy * factor


_SQRT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)  # of the standard normal at 0


class GELU(Op):
    """``y = x P(x)``, P the standard normal's distribution; ``dy/dx = P(x) + x P'(x)``."""

    saves = (Input(0), Output(0))  # y: for the kernel; what comes after most often keeps it as well
    fresh = True

    def forward(self, x: Array) -> Array:
        y = self.fused("gelu", x)
        return x * self._below(x) if y is None else y

    def backward(self, gy: ArrayLike) -> ArrayLike:
        x, y = self.saved
        gx = self.fused("gelu_gradient", gy, x, y)
        if gx is not None:
            return gx
        density = _DENSITY * self.xp.exp(-0.5 * x * x)
        return gy * (self._below(x) + x * density)

    def _below(self, x: ArrayLike) -> ArrayLike:
        return 0.5 * (1 + self.nested(Erf(), x * _SQRT_HALF))


_TANH_SCALE = math.sqrt(2 / math.pi)
_TANH_CUBIC = 0.044715


class TanhGELU(Op):
    """``y = x (1 + t) / 2`` with ``t = tanh(sqrt(2/pi) (x + 0.044715 x**3))``."""

    saves = (Input(0), Output(0))  # y: for the kernel; what comes after most often keeps it as well
    fresh = True

    def forward(self, x: Array) -> Array:
        y = self.fused("tanh_gelu", x)
        return 0.5 * x * (1 + self._tanh(x)) if y is None else y

    def backward(self, gy: ArrayLike) -> ArrayLike:
        x, y = self.saved
        gx = self.fused("tanh_gelu_gradient", gy, x, y)
        if gx is not None:
            return gx
        t = self._tanh(x)
        inner = _TANH_SCALE * (1 + 3 * _TANH_CUBIC * x * x)
        return gy * (0.5 * (1 + t) * (1 + x * (1 - t) * inner))

    def _tanh(self, x: ArrayLike) -> ArrayLike:
        return self.xp.tanh(_TANH_SCALE * x * (1 + _TANH_CUBIC * x * x))


class SiLU(Op):
    """``y = x s`` with s the sigmoid of x; ``dy/dx = s (1 + x (1 - s))``."""

    saves = (Input(0), Output(0))  # y: for the kernel; what comes after most often keeps it as well
    fresh = True

    def forward(self, x: Array) -> Array:
        y = self.fused("silu", x)
        return x * sigmoid_of(self.xp, x) if y is None else y

    def backward(self, gy: ArrayLike) -> ArrayLike:
        x, y = self.saved
        gx = self.fused("silu_gradient", gy, x, y)
        if gx is not None:
            return gx
        s = self.nested(Sigmoid(), x)
        return gy * (s * (1 + x * (1 - s)))


class Softplus(Op):
    """``y = log(1 + exp(x))``; ``dy/dx = 1 - exp(-y)``."""

    saves = Output(0)
    fresh = True

    def forward(self, x: Array) -> Array:
        y = self.fused("softplus", x)
        if y is None:
            y = softplus_tail(self.xp, x)
            y += self.xp.maximum(x, 0)
        return y

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (y,) = self.saved
        gx = self.fused("softplus_gradient", gy, y)
        return -gy * self.xp.expm1(-y) if gx is None else gx


def softplus_tail(xp: Any, x: Array) -> Array:
    """``log(1 + exp(-|x|))``: what softplus has over ``max(x, 0)``. It cannot overflow."""
    if xp.isdtype(x.dtype, "complex floating"):  # some libraries have an order of complex numbers
        raise TypeError(f"softplus: expected a real floating dtype; got {x.dtype}")
    return xp.log1p(xp.exp(-xp.abs(x)))


_ANY = (Sample(Real((2, 3))), Sample(Real()), Sample(Real((2, 3), -20.0, 20.0)))


@samples(*_ANY)
def sigmoid(x: Any) -> Variable:
    """Logistic sigmoid ``1 / (1 + exp(-x))``, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real floating

    Returns
    -------
    Variable, shape of `x`
        In [0, 1], without overflow however large or small `x` is.

    Examples
    --------
    >>> F.sigmoid(Variable(np.array([-1000.0, 0.0, 1000.0])))
    variable([0.  0.5 1. ])
    """
    return Sigmoid()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def sigmoid_simple(x: Any) -> Variable:
    """Logistic sigmoid, composed of simpler functions as in the book; overflows far below 0.

    Parameters
    ----------
    x : Variable or array, any shape, real floating

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.sigmoid_simple(Variable(np.array([0.0])))
    variable([0.5])
    """
    return 1 / (1 + exp(-x))


@samples(*_ANY)
def relu(x: Any) -> Variable:
    """Rectified linear unit ``max(x, 0)``, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        At 0 the gradient is 0.

    Examples
    --------
    >>> F.relu(Variable(np.array([-1.0, 2.0])))
    variable([0. 2.])
    """
    return ReLU()(x)  # type: ignore[no-any-return]


@samples(*_ANY, Sample(Real((2, 3)), 2.0), Sample(Real((2, 3)), slope=0.0), Sample(Real((2, 3)), -0.5))
def leaky_relu(x: Any, slope: float = 0.2) -> Variable:
    """`x` where it is positive, ``slope * x`` elsewhere.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
    slope : float, default 0.2

    Returns
    -------
    Variable, shape of `x`
        At 0 the gradient is `slope`.

    Examples
    --------
    >>> F.leaky_relu(Variable(np.array([-1.0, 2.0])))
    variable([-0.2  2. ])
    """
    if slope < 0:  # the sign of the output does not tell that of x
        return where(greater(x, 0), x, x * slope)
    return LeakyReLU(slope)(x)  # type: ignore[no-any-return]


@samples(
    *(Sample(*s.args, approximate=how) for s in _ANY[:2] for how in ("none", "tanh")),
    Sample(Real((3, 4), -7.0, 7.0)),
)
def gelu(x: Any, approximate: str = "none") -> Variable:
    """Gaussian error linear unit: `x` times the standard normal's distribution function at `x`.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
    approximate : {'none', 'tanh'}
        With ``'tanh'`` the distribution function is approximated to about 5e-4, as some models were
        trained with.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `approximate` is something else.

    References
    ----------
    Hendrycks, Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415, section 2.

    Examples
    --------
    >>> F.gelu(Variable(np.array([-1.0, 0.0, 1.0])))
    variable([-0.15865525  0.          0.84134475])
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: expected approximate='none' or 'tanh'; got {approximate!r}")
    return (GELU if approximate == "none" else TanhGELU)()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def silu(x: Any) -> Variable:
    """Sigmoid linear unit ``x * sigmoid(x)``, element by element; also called swish.

    Parameters
    ----------
    x : Variable or array, any shape, real floating

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.silu(Variable(np.array([0.0, 1.0])))
    variable([0.         0.73105858])
    """
    return SiLU()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def softplus(x: Any) -> Variable:
    """``log(1 + exp(x))``, element by element, without overflow: a smooth relu.

    Parameters
    ----------
    x : Variable or array, any shape, real floating

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.softplus(Variable(np.array([0.0, 1000.0])))
    variable([6.93147181e-01 1.00000000e+03])
    """
    return Softplus()(x)  # type: ignore[no-any-return]
