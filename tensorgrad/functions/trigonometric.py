"""Trigonometric and hyperbolic functions and their inverses: more lines of the elementwise table."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.elementwise import X, Y, unary

# 1 - x*x is written as (1 - x) * (1 + x), which keeps its digits where x is near 1.

Sin = unary("Sin", lambda xp, x: xp.sin(x), X, lambda xp, gy, x: gy * xp.cos(x))
Cos = unary("Cos", lambda xp, x: xp.cos(x), X, lambda xp, gy, x: -gy * xp.sin(x))
Tan = unary("Tan", lambda xp, x: xp.tan(x), Y, lambda xp, gy, y: gy * (1 + y * y))
Asin = unary("Asin", lambda xp, x: xp.asin(x), X, lambda xp, gy, x: gy / xp.sqrt((1 - x) * (1 + x)))
Acos = unary("Acos", lambda xp, x: xp.acos(x), X, lambda xp, gy, x: -gy / xp.sqrt((1 - x) * (1 + x)))
Atan = unary("Atan", lambda xp, x: xp.atan(x), X, lambda xp, gy, x: gy / (1 + x * x))

Sinh = unary("Sinh", lambda xp, x: xp.sinh(x), X, lambda xp, gy, x: gy * xp.cosh(x))
Cosh = unary("Cosh", lambda xp, x: xp.cosh(x), X, lambda xp, gy, x: gy * xp.sinh(x))
Tanh = unary("Tanh", lambda xp, x: xp.tanh(x), Y, lambda xp, gy, y: gy * (1 - y * y))
Asinh = unary("Asinh", lambda xp, x: xp.asinh(x), X, lambda xp, gy, x: gy / xp.sqrt(1 + x * x))
Acosh = unary("Acosh", lambda xp, x: xp.acosh(x), X, lambda xp, gy, x: gy / (xp.sqrt(x - 1) * xp.sqrt(x + 1)))
Atanh = unary("Atanh", lambda xp, x: xp.atanh(x), X, lambda xp, gy, x: gy / ((1 - x) * (1 + x)))


class Atan2(Op):
    """``y = atan2(x0, x1)``; ``dy/dx0 = x1 / (x0**2 + x1**2)``, ``dy/dx1 = -x0 / (x0**2 + x1**2)``."""

    saves = (Input(0), Input(1))
    fresh = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return self.xp.atan2(x0, x1)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x0, x1 = self.saved
        to0, to1 = self.edges
        g = gy / (x0 * x0 + x1 * x1)
        return (g * x1 if to0 else None), (-g * x0 if to1 else None)


class Hypot(Op):
    """``y = sqrt(x0**2 + x1**2)``; ``dy/dxi = xi / y``."""

    saves = (Input(0, needed_by=0), Input(1, needed_by=1), Output(0))
    fresh = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return self.xp.hypot(x0, x1)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        *xs, y = self.saved
        gx0, gx1 = (None if x is None else gy * (x / y) for x in xs)
        return gx0, gx1


_ANY = (Sample(Real((2, 3))), Sample(Real()))
_INSIDE = (Sample(Real((2, 3), -0.8, 0.8)), Sample(Real((), -0.8, 0.8)))
_PAIRS = (
    Sample(Real((2, 3), 0.3, 2.0), Real((2, 3))),
    Sample(Real((2, 1)), Real((4, 1, 3), -2.0, -0.3)),
    Sample(Real((2, 3)), 0.5),
    Sample(-0.5, Real()),
)


@samples(*_ANY)
def sin(x: Any) -> Variable:
    """Sine, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        Radians.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.sin(Variable(np.array([0.0, np.pi / 2])))
    variable([0. 1.])
    """
    return Sin()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def cos(x: Any) -> Variable:
    """Cosine, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        Radians.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.cos(Variable(np.array([0.0, np.pi])))
    variable([ 1. -1.])
    """
    return Cos()(x)  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), -1.2, 1.2)), Sample(Real((), -1.2, 1.2)))
def tan(x: Any) -> Variable:
    """Tangent, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        Radians.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.tan(Variable(np.array([0.0, 1.0])))
    variable([0.         1.55740772])
    """
    return Tan()(x)  # type: ignore[no-any-return]


@samples(*_INSIDE)
def asin(x: Any) -> Variable:
    """Inverse sine, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        In [-1, 1]; nan comes of what is outside. At both ends the gradient is infinite.

    Returns
    -------
    Variable, shape of `x`
        Radians in [-pi/2, pi/2].

    Examples
    --------
    >>> F.asin(Variable(np.array([0.0, 1.0])))
    variable([0.         1.57079633])
    """
    return Asin()(x)  # type: ignore[no-any-return]


@samples(*_INSIDE)
def acos(x: Any) -> Variable:
    """Inverse cosine, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        In [-1, 1]; nan comes of what is outside. At both ends the gradient is infinite.

    Returns
    -------
    Variable, shape of `x`
        Radians in [0, pi].

    Examples
    --------
    >>> F.acos(Variable(np.array([0.0, 1.0])))
    variable([1.57079633 0.        ])
    """
    return Acos()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def atan(x: Any) -> Variable:
    """Inverse tangent, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating

    Returns
    -------
    Variable, shape of `x`
        Radians in [-pi/2, pi/2].

    Examples
    --------
    >>> F.atan(Variable(np.array([0.0, 1.0])))
    variable([0.         0.78539816])
    """
    return Atan()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def sinh(x: Any) -> Variable:
    """Hyperbolic sine, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.sinh(Variable(np.array([0.0, 1.0])))
    variable([0.         1.17520119])
    """
    return Sinh()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def cosh(x: Any) -> Variable:
    """Hyperbolic cosine, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.cosh(Variable(np.array([0.0, 1.0])))
    variable([1.         1.54308063])
    """
    return Cosh()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def tanh(x: Any) -> Variable:
    """Hyperbolic tangent, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.tanh(Variable(np.array([0.0, 1.0])))
    variable([0.         0.76159416])
    """
    return Tanh()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def asinh(x: Any) -> Variable:
    """Inverse hyperbolic sine, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.asinh(Variable(np.array([0.0, 1.0])))
    variable([0.         0.88137359])
    """
    return Asinh()(x)  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), 1.3, 3.0)), Sample(Real((), 1.3, 3.0)))
def acosh(x: Any) -> Variable:
    """Inverse hyperbolic cosine, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        At least 1, where the gradient is infinite; nan comes of what is less.

    Returns
    -------
    Variable, shape of `x`
        Not negative.

    Examples
    --------
    >>> F.acosh(Variable(np.array([1.0, 2.0])))
    variable([0.        1.3169579])
    """
    return Acosh()(x)  # type: ignore[no-any-return]


@samples(*_INSIDE)
def atanh(x: Any) -> Variable:
    """Inverse hyperbolic tangent, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        In (-1, 1); infinite at both ends, and nan outside.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.atanh(Variable(np.array([0.0, 0.5])))
    variable([0.         0.54930614])
    """
    return Atanh()(x)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def atan2(x0: Any, x1: Any) -> Variable:
    """Angle of the point ``(x1, x0)``: the inverse tangent of ``x0 / x1`` in the right quadrant.

    Parameters
    ----------
    x0, x1 : Variable, array or number, floating
        Ordinate and abscissa, broadcast against each other. Where both are 0 the gradient is nan.

    Returns
    -------
    Variable, the broadcast shape
        Radians in [-pi, pi].

    Examples
    --------
    >>> F.atan2(Variable(np.array([1.0, 1.0])), Variable(np.array([1.0, -1.0])))
    variable([0.78539816 2.35619449])
    """
    return Atan2()(x0, x1)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def hypot(x0: Any, x1: Any) -> Variable:
    """``sqrt(x0**2 + x1**2)`` without overflow.

    Parameters
    ----------
    x0, x1 : Variable, array or number, floating
        Broadcast against each other. Where both are 0 the gradient is nan.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.hypot(Variable(np.array([3.0, 5.0])), Variable(np.array([4.0, 12.0])))
    variable([ 5. 13.])
    """
    return Hypot()(x0, x1)  # type: ignore[no-any-return]
