"""Functions of one variable, element by element: each a line of a table, the gradient beside the value.

A line gives the value as a function of the namespace and x, says which of x and y backward needs, and
gives the gradient of x as a function of the namespace, the gradient of y and what is saved. The
trigonometric and hyperbolic lines are in `tensorgrad.functions.trigonometric`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import Div
from tensorgrad.functions.manipulation import owner_of
from tensorgrad.functions.selection import Where

X = Input(0)
Y = Output(0)


def unary(
    name: str,
    value: Callable[[Any, Array], Array],
    saves: Input | Output,
    gradient: Callable[[Any, ArrayLike, ArrayLike], ArrayLike],
) -> type[Op]:
    """An op ``y = value(xp, x)`` with ``gx = gradient(xp, gy, x)``, or ``y`` for ``x`` if that is saved.

    The gradient must be a new array.
    """

    def forward(self: Op, x: Array) -> Array:
        return value(self.xp, x)

    def backward(self: Op, gy: ArrayLike) -> ArrayLike:
        (saved,) = self.saved
        return gradient(self.xp, gy, saved)

    doc = f"``y = {name.lower()}(x)``."
    body: dict[str, Any] = {"__doc__": doc, "saves": saves, "fresh": True, "elementwise": True}
    body |= {"forward": forward, "backward": backward}
    return type(name, (Op,), {**body, "__module__": __name__})


_LN2 = math.log(2)
_LN10 = math.log(10)

Exp = unary("Exp", lambda xp, x: xp.exp(x), Y, lambda xp, gy, y: gy * y)
Expm1 = unary("Expm1", lambda xp, x: xp.expm1(x), Y, lambda xp, gy, y: gy * (y + 1))
Log = unary("Log", lambda xp, x: xp.log(x), X, lambda xp, gy, x: gy / x)
Log2 = unary("Log2", lambda xp, x: xp.log2(x), X, lambda xp, gy, x: gy / (_LN2 * x))
Log10 = unary("Log10", lambda xp, x: xp.log10(x), X, lambda xp, gy, x: gy / (_LN10 * x))
Log1p = unary("Log1p", lambda xp, x: xp.log1p(x), X, lambda xp, gy, x: gy / (1 + x))
Sqrt = unary("Sqrt", lambda xp, x: xp.sqrt(x), Y, lambda xp, gy, y: gy / (2 * y))
Square = unary("Square", lambda xp, x: x * x, X, lambda xp, gy, x: gy * (2 * x))
Reciprocal = unary("Reciprocal", lambda xp, x: 1 / x, Y, lambda xp, gy, y: -gy * (y * y))
Abs = unary("Abs", lambda xp, x: xp.abs(x), X, lambda xp, gy, x: gy * xp.sign(x))

for _op in (Exp, Expm1, Log, Log2, Log10, Log1p, Square, Reciprocal):  # they soon leave the range of float16
    _op.precision = "full"


class Sign(Op):
    """``y = sign x``; ``dy/dx = 0``."""

    fresh = True

    def forward(self, x: Array) -> Array:
        return self.xp.sign(x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.xp.zeros_like(gy)


class LogAddExp(Op):
    """``y = log(e**x0 + e**x1)``; ``dy/dxi = e**(xi - y)``."""

    precision = "full"
    saves = (Input(0, needed_by=0), Input(1, needed_by=1), Output(0))
    fresh = True

    def forward(self, x0: Array, x1: Array) -> Array:
        return self.xp.logaddexp(x0, x1)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        *xs, y = self.saved
        gx0, gx1 = (None if x is None else gy * self.xp.exp(x - y) for x in xs)
        return gx0, gx1


_ANY = (Sample(Real((2, 3))), Sample(Real()))
_POSITIVE = (Sample(Real((2, 3), 0.3, 2.0)), Sample(Real((), 0.3, 2.0)))
_BOTH_SIDES = (*_POSITIVE, Sample(Real((3,), -2.0, -0.3)))


@samples(*_ANY)
def exp(x: Any) -> Variable:
    """Exponential, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.exp(Variable(np.array([0.0, 1.0])))
    variable([1.         2.71828183])
    """
    return Exp()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def expm1(x: Any) -> Variable:
    """``exp(x) - 1``, element by element, exact for small `x` too.

    Parameters
    ----------
    x : Variable or array, any shape, floating

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.expm1(Variable(np.array([0.0, 1e-20])))
    variable([0.e+00 1.e-20])
    """
    return Expm1()(x)  # type: ignore[no-any-return]


@samples(*_POSITIVE)
def log(x: Any) -> Variable:
    """Natural logarithm, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        Positive; ``-inf`` comes of 0, and nan of what is negative.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.log(Variable(np.array([1.0, np.e])))
    variable([0. 1.])
    """
    return Log()(x)  # type: ignore[no-any-return]


@samples(*_POSITIVE)
def log2(x: Any) -> Variable:
    """Logarithm to base 2, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        Positive; ``-inf`` comes of 0, and nan of what is negative.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.log2(Variable(np.array([1.0, 8.0])))
    variable([0. 3.])
    """
    return Log2()(x)  # type: ignore[no-any-return]


@samples(*_POSITIVE)
def log10(x: Any) -> Variable:
    """Logarithm to base 10, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        Positive; ``-inf`` comes of 0, and nan of what is negative.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.log10(Variable(np.array([1.0, 100.0])))
    variable([0. 2.])
    """
    return Log10()(x)  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), -0.7, 2.0)), Sample(Real((), -0.7, 2.0)))
def log1p(x: Any) -> Variable:
    """``log(1 + x)``, element by element, exact for small `x` too.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        Greater than -1; ``-inf`` comes of -1, and nan of what is below.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.log1p(Variable(np.array([0.0, 1e-20])))
    variable([0.e+00 1.e-20])
    """
    return Log1p()(x)  # type: ignore[no-any-return]


@samples(*_POSITIVE)
def sqrt(x: Any) -> Variable:
    """Square root, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        Not negative; nan comes of what is. At 0 the gradient is infinite.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.sqrt(Variable(np.array([4.0, 9.0])))
    variable([2. 3.])
    """
    return Sqrt()(x)  # type: ignore[no-any-return]


@samples(*_ANY)
def square(x: Any) -> Variable:
    """Square, element by element.

    Parameters
    ----------
    x : Variable or array, any shape

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.square(Variable(np.array([2.0, -3.0])))
    variable([4. 9.])
    """
    return Square()(x)  # type: ignore[no-any-return]


@samples(*_BOTH_SIDES)
def reciprocal(x: Any) -> Variable:
    """``1 / x``, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, floating
        Not 0, where the result is infinite.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.reciprocal(Variable(np.array([2.0, -4.0])))
    variable([ 0.5  -0.25])
    """
    return Reciprocal()(x)  # type: ignore[no-any-return]


@samples(*_BOTH_SIDES)
def abs(x: Any) -> Variable:
    """Absolute value, element by element: ``abs(x)`` too.

    Parameters
    ----------
    x : Variable or array, any shape
        At 0, the kink, the gradient is 0.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.abs(Variable(np.array([2.0, -3.0])))
    variable([2. 3.])
    """
    return Abs()(x)  # type: ignore[no-any-return]


@samples(*_BOTH_SIDES)
def sign(x: Any) -> Variable:
    """-1, 0 or 1 by the sign of each element; of a complex one ``x / abs(x)``.

    Parameters
    ----------
    x : Variable or array, any shape

    Returns
    -------
    Variable, shape of `x`
        Where real its gradient is 0: the steps have no slope, and the jump at 0 counts as none.

    Examples
    --------
    >>> F.sign(Variable(np.array([2.0, 0.0, -3.0])))
    variable([ 1.  0. -1.])
    """
    if hasattr(x, "dtype") and owner_of("sign", x).is_complex(x.dtype):
        size = abs(x)
        zero = size == 0
        return Where()(zero, 0.0, Div()(x, Where()(zero, 1.0, size)))  # type: ignore[no-any-return]
    return Sign()(x)  # type: ignore[no-any-return]


@samples(
    Sample(Real((2, 3)), Real((2, 3))),
    Sample(Real((2, 1)), Real((4, 1, 3))),
    Sample(Real((2, 3)), 0.5),
    Sample(0.5, Real()),
)
def logaddexp(x0: Any, x1: Any) -> Variable:
    """``log(exp(x0) + exp(x1))`` without overflow.

    Parameters
    ----------
    x0, x1 : Variable, array or number, floating
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.logaddexp(Variable(np.array([0.0, 1000.0])), 0.0)
    variable([6.93147181e-01 1.00000000e+03])
    """
    return LogAddExp()(x0, x1)  # type: ignore[no-any-return]
