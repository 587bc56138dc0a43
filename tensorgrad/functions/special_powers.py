"""Powers, exponentials and ratios that plain formulas get wrong somewhere: at 0, or by cancellation."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import add, div, mul, sub
from tensorgrad.functions.elementwise import abs, log, log1p, sqrt, square
from tensorgrad.functions.selection import where
from tensorgrad.functions.special import X, Y, evaluate, floats, polynomial, special_op

# -- formulas ----------------------------------------------------------------------------------------


def _cbrt(xp: Any, x: Array) -> Array:
    """The power 1/3 with the sign of x, and one step of Newton's, which puts the last digits right."""
    size = xp.abs(x)
    usual = (size > 0.0) & ~xp.isinf(size)
    some = xp.where(usual, size, xp.ones_like(size))
    root = some ** (1 / 3)
    root = root - (root - some / (root * root)) / 3.0
    return xp.sign(x) * xp.where(usual, root, size)


def _exprel(xp: Any, x: Array) -> Array:
    zero = x == 0.0
    y = xp.expm1(x) / xp.where(zero, xp.ones_like(x), x)
    y = xp.where(xp.isinf(x) & (x > 0.0), x, y)
    return xp.where(zero, xp.ones_like(x), y)


# -- ops ---------------------------------------------------------------------------------------------

_LN2, _LN10 = math.log(2), math.log(10)

Exp2 = special_op(
    "exp2", lambda xp, x: 2.0**x, Y, lambda op, gy, y: gy * (_LN2 * y), "``y = 2**x``; ``dy/dx = y log 2``."
)
Exp10 = special_op(
    "exp10",
    lambda xp, x: 10.0**x,
    Y,
    lambda op, gy, y: gy * (_LN10 * y),
    "``y = 10**x``; ``dy/dx = y log 10``.",
)
Cbrt = special_op(
    "cbrt", _cbrt, Y, lambda op, gy, y: gy / (3.0 * (y * y)), "``y**3 = x``; ``dy/dx = 1 / (3 y**2)``."
)


class Slopes(Op):
    """``y = integral of t**k e**(x t) from 0 to 1``, the k-th derivative of exprel; ``dy/dx`` is the next.

    For ``|x| < 1`` the series ``sum x**n / (n! (n + k + 1))``, else ``y_k = (e**x - k y_{k-1}) / x``.
    """

    saves = X
    fresh = True

    def __init__(self, k: int) -> None:
        self.k = k

    def forward(self, x: Array) -> Array:
        if self.k == 0:
            return evaluate(self, "exprel", _exprel, x)
        xp = self.xp
        near = xp.abs(x) < 1.0
        short = xp.where(near, x, xp.zeros_like(x))
        term, series = xp.ones_like(x), xp.zeros_like(x)
        for n in range(1, 22):
            series = series + term / float(n + self.k)
            term = term * short / float(n)
        long = xp.where(near, xp.ones_like(x), x)
        y = xp.expm1(long) / long
        for k in range(1, self.k + 1):
            y = (xp.exp(long) - k * y) / long
        return xp.where(near, series, y)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        return gy * self.nested(Slopes(self.k + 1), x)


class Sinc(Op):
    """The k-th derivative of ``sin(x) / x``; ``dy/dx`` is the next one.

    For ``|x| < 1`` the derivative of the series ``sum (-1)**m x**(2m) / (2m + 1)!``, else by the derivatives
    of ``x y = sin x``: ``y_k = (sin(x + k pi/2) - k y_{k-1}) / x``.
    """

    saves = X
    fresh = True

    def __init__(self, k: int) -> None:
        self.k = k

    def forward(self, x: Array) -> Array:
        xp, k = self.xp, self.k
        near = xp.abs(x) < 1.0
        short = xp.where(near, x, xp.zeros_like(x))
        powers = range(k, k + 21)  # of the terms that are differentiated k times: x**n / (n + 1)!
        terms = [
            0.0 if n % 2 else (-1.0) ** (n // 2) * math.perm(n, k) / math.factorial(n + 1) for n in powers
        ]
        long = xp.where(near, xp.ones_like(x), x)
        y = xp.sin(long) / long
        for i in range(1, k + 1):
            y = (xp.sin(long + i * math.pi / 2) - i * y) / long
        return xp.where(near, polynomial(tuple(terms[::-1]), short), y)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        return gy * self.nested(Sinc(self.k + 1), x)


# -- public functions --------------------------------------------------------------------------------

_ANY = (Sample(Real((2, 3))), Sample(Real((), -0.1, 0.1)), Sample(Real((3,), -5.0, 5.0)))


@samples(*_ANY)
def exp2(x: Any) -> Variable:
    """``2**x``, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.exp2(Variable(np.array([0.0, 3.0])))
    variable([1. 8.])
    """
    return Exp2()(*floats(x))  # type: ignore[no-any-return]


@samples(*_ANY)
def exp10(x: Any) -> Variable:
    """``10**x``, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.exp10(Variable(np.array([0.0, 3.0])))
    variable([   1. 1000.])
    """
    return Exp10()(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), 0.3, 2.0)), Sample(Real((3,), -9.0, -1.0)), Sample(Real((), 0.3, 2.0)))
def cbrt(x: Any) -> Variable:
    """Cube root, element by element, of negative numbers too.

    Parameters
    ----------
    x : Variable or array, any shape, real
        At 0 the gradient is infinite.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.cbrt(Variable(np.array([27.0, -8.0])))
    variable([ 3. -2.])
    """
    return Cbrt()(*floats(x))  # type: ignore[no-any-return]


@samples(*_ANY)
def exprel(x: Any) -> Variable:
    """``(exp(x) - 1) / x``, element by element, and 1 at 0.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.exprel(Variable(np.array([0.0, 1.0])))
    variable([1.         1.71828183])
    """
    return Slopes(0)(*floats(x))  # type: ignore[no-any-return]


@samples(*_ANY)
def sinc(x: Any) -> Variable:
    """``sin(pi x) / (pi x)``, element by element, and 1 at 0.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.sinc(Variable(np.array([0.0, 0.5])))
    variable([1.         0.63661977])
    """
    return Sinc(0)(mul(floats(x)[0], math.pi))  # type: ignore[no-any-return]


_TRANSFORMED = (
    Sample(Real((2, 3), 0.3, 3.0), Real((2, 3))),
    Sample(Real((3,), 0.3, 3.0), 0.0),
    Sample(Real((2, 1), 0.3, 3.0), Real((3,), -0.01, 0.01)),
)


@samples(*_TRANSFORMED)
def boxcox(x: Any, lmbda: Any) -> Variable:
    """The transformation of Box and Cox: ``(x**lmbda - 1) / lmbda``, and ``log(x)`` where `lmbda` is 0.

    Parameters
    ----------
    x : Variable, array or number, real, positive
    lmbda : Variable, array or number, real
        Broadcast against `x`.

    Returns
    -------
    Variable, the broadcast shape

    References
    ----------
    G. E. P. Box, D. R. Cox, "An analysis of transformations", J. R. Statist. Soc. B 26 (1964) 211-252.

    Examples
    --------
    >>> F.boxcox(Variable(np.array([1.0, 4.0])), 0.5)
    variable([0. 2.])
    """
    x, lmbda = floats(x, lmbda)
    logs = log(x)
    return mul(logs, exprel(mul(lmbda, logs)))


@samples(*_TRANSFORMED)
def boxcox1p(x: Any, lmbda: Any) -> Variable:
    """`boxcox` of ``1 + x``, exact for small `x` too.

    Parameters
    ----------
    x : Variable, array or number, real
        Greater than -1.
    lmbda : Variable, array or number, real
        Broadcast against `x`.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.boxcox1p(Variable(np.array([0.0, 3.0])), 0.5)
    variable([0. 2.])
    """
    x, lmbda = floats(x, lmbda)
    logs = log1p(x)
    return mul(logs, exprel(mul(lmbda, logs)))


_RESIDUALS = (
    Sample(1.5, Real((2, 3), -1.0, 1.0)),
    Sample(Real((3, 1), 0.5, 1.5), Real((2,), 2.0, 4.0)),
    Sample(1.0, Real((), -4.0, -2.0)),
)


@samples(*_RESIDUALS)
def huber(delta: Any, r: Any) -> Variable:
    """Huber's loss, element by element: ``r**2 / 2`` near 0, ``delta (|r| - delta / 2)`` beyond `delta`.

    Parameters
    ----------
    delta : Variable, array or number, real, not negative
    r : Variable, array or number, real
        The residuals. Broadcast against `delta`.

    Returns
    -------
    Variable, the broadcast shape
        Infinite where `delta` is negative.

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35 (1964) 73-101.

    Examples
    --------
    >>> F.huber(1.0, Variable(np.array([0.5, 3.0])))
    variable([0.125 2.5  ])
    """
    delta, r = floats(delta, r)
    size = abs(r)
    y = where(size <= delta, mul(0.5, square(r)), mul(delta, sub(size, mul(0.5, delta))))
    return where(delta < 0.0, math.inf, y)


@samples(*_RESIDUALS)
def pseudo_huber(delta: Any, r: Any) -> Variable:
    """A smooth relative of `huber`: ``delta**2 (sqrt(1 + (r / delta)**2) - 1)``, element by element.

    Parameters
    ----------
    delta : Variable, array or number, real, positive
    r : Variable, array or number, real
        The residuals. Broadcast against `delta`.

    Returns
    -------
    Variable, the broadcast shape

    References
    ----------
    P. Charbonnier and others, "Deterministic edge-preserving regularization in computed imaging", IEEE
    Trans. Image Process. 6 (1997) 298-311.

    Examples
    --------
    >>> F.pseudo_huber(1.0, Variable(np.array([0.0, 0.75])))
    variable([0.   0.25])
    """
    delta, r = floats(delta, r)
    u = square(div(r, delta))
    return mul(square(delta), div(u, add(sqrt(add(u, 1.0)), 1.0)))  # (sqrt(1 + u) - 1), without cancellation
