"""Exponential integrals, the dilogarithm, and complete elliptic integrals."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import sub
from tensorgrad.functions.special import X, Y, evaluate, floats, polynomial, special_op, whole_number
from tensorgrad.functions.special_inv_boxcox import LogRatio

_EULER = 0.57721566490153286061
_NEAR = 2.0  # up to here exp1 is a series, from here on a continued fraction of so many steps
_STEPS = 70
_FAR = 40.0  # from here on expi is an asymptotic series
_POINTS = 18  # of the arithmetic-geometric mean: it starts from 1e-300 at least

# -- formulas ----------------------------------------------------------------------------------------


# Of ``sum of -(-x)**k / (k k!)`` from k = 1, the highest power first, without x itself.
_SERIES = tuple(-((-1.0) ** k) / (k * math.factorial(k)) for k in range(32, 0, -1))


def _fraction(n: int, x: Array) -> Array:
    """``exp(x) expn(n, x)`` of x from `_NEAR` on: DLMF 8.19.17, from the far end."""
    y = x
    for k in range(_STEPS, 0, -1):
        y = x + (n + k - 1.0) / (1.0 + k / y)
    return 1.0 / y


def expn_by_formula(xp: Any, n: int, x: Array) -> Array:
    """The exponential integral of order n, 1 or more, to 1e-14 of its value in float64.

    Up to 2 it comes from that of order 1 by ``n E[n+1] = exp(-x) - x E[n]``, which is
    ``-euler - log x + sum of -(-x)**k / (k k!)``.
    """
    inside = (x > 0.0) & ~xp.isinf(x)
    some = xp.where(inside, x, xp.ones_like(x))
    near, far = xp.minimum(some, _NEAR), xp.maximum(some, _NEAR)
    y = near * polynomial(_SERIES, near) - xp.log(near) - _EULER
    for k in range(1, n):
        y = (xp.exp(-near) - near * y) / k
    y = xp.where(some <= _NEAR, y, xp.exp(-far) * _fraction(n, far))
    y = xp.where(inside, y, xp.zeros_like(x))
    at_zero = math.inf if n == 1 else 1.0 / (n - 1)
    y = xp.where(x == 0.0, xp.full_like(x, at_zero), y)
    return xp.where((x < 0.0) | xp.isnan(x), xp.full_like(x, math.nan), y)


def expi_by_formula(xp: Any, x: Array) -> Array:
    """Ei, to 1e-14 (absolute near its zero 0.37): DLMF 6.6.2, 6.12.2 from 40 on, and -E1(-x) below 0."""
    near = xp.clip(x, 1e-300 if x.dtype == xp.float64 else 1e-37, _FAR)
    term, total = xp.ones_like(x), xp.zeros_like(x)
    for k in range(1, 150):
        term = term * near / float(k)
        total = total + term / float(k)
    y = total + xp.log(near) + _EULER
    far = xp.maximum(xp.where(xp.isinf(x), xp.ones_like(x), x), _FAR)
    term, total = xp.ones_like(x), xp.ones_like(x)
    for k in range(1, int(_FAR)):
        term = term * (float(k) / far)
        total = total + term
    half = xp.exp(0.5 * far)  # twice, as exp overflows before Ei does
    y = xp.where(x <= _FAR, y, half * (total / far) * half)
    y = xp.where(x < 0.0, -expn_by_formula(xp, 1, xp.abs(x)), y)
    y = xp.where(x == 0.0, xp.full_like(x, -math.inf), y)
    y = xp.where(xp.isinf(x) & (x > 0.0), x, y)
    return xp.where(xp.isnan(x), x, y)


# B[n] / (n + 1)!, for the even n from 2 on, the highest first: of the dilogarithm in -log(1 - z).
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798)
_DILOGARITHM = tuple(b / math.factorial(2 * k + 3) for k, b in enumerate(_BERNOULLI))[::-1]


def spence_by_formula(xp: Any, x: Array) -> Array:
    """The dilogarithm of 1 - x, to 1e-15: a series in log x in [1/2, 2], to which others are reflected.

    DLMF 25.12.4 and 25.12.6.
    """
    inside = (x > 0.0) & ~xp.isinf(x)
    some = xp.where(inside, x, xp.ones_like(x))
    above = some > 2.0
    t = xp.where(above, 1.0 / some, some)
    below = t < 0.5
    u = -xp.log(xp.where(below, 1.0 - t, t))
    square = u * u
    y = u - 0.25 * square + u * square * polynomial(_DILOGARITHM, square)
    reflected = math.pi**2 / 6 - xp.log(t) * xp.log1p(-xp.minimum(t, 0.5)) - y
    y = xp.where(below, reflected, y)
    y = xp.where(above, -0.5 * xp.log(some) ** 2 - y, y)
    y = xp.where(x == 0.0, xp.full_like(x, math.pi**2 / 6), y)
    return xp.where((x < 0.0) | xp.isinf(x) | xp.isnan(x), xp.full_like(x, math.nan), y)


def _means(xp: Any, p: Array) -> tuple[Array, Array]:
    """K of the parameter 1 - p by the arithmetic-geometric mean, and ``sum of 2**(n-1) c[n]**2`` from n = 1.

    DLMF 19.8.5 and 19.8.6.
    """
    a, b = xp.ones_like(p), xp.sqrt(p)
    total, weight = xp.zeros_like(p), 1.0
    for _ in range(_POINTS):
        c = 0.5 * (a - b)
        total = total + weight * c * c
        a, b = 0.5 * (a + b), xp.sqrt(a * b)
        weight *= 2.0
    return 0.5 * math.pi / a, total


def ellipkm1_by_formula(xp: Any, p: Array) -> Array:
    """K of the parameter ``1 - p``, to 1e-15 of its value."""
    inside = (p > 0.0) & ~xp.isinf(p)
    y, _ = _means(xp, xp.where(inside, p, xp.ones_like(p)))
    y = xp.where(inside, y, xp.zeros_like(p))
    y = xp.where(p == 0.0, xp.full_like(p, math.inf), y)
    return xp.where((p < 0.0) | xp.isnan(p), xp.full_like(p, math.nan), y)


# -- ops ---------------------------------------------------------------------------------------------


class Expn(Op):
    """``y = integral of exp(-x t) / t**n from 1 to infinity``; ``dy/dx = -expn(n - 1, x)``."""

    saves = X
    fresh = True
    elementwise = True

    def __init__(self, n: int) -> None:
        self.n = n

    def forward(self, x: Array) -> Array:
        if self.n == 0:
            return self.xp.exp(-x) / x
        if self.n == 1:
            return evaluate(self, "exp1", lambda xp, x: expn_by_formula(xp, 1, x), x)
        return expn_by_formula(self.xp, self.n, x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        if self.n == 0:
            y = self.xp.exp(-x) / x
            return -gy * (y + y / x)
        return -gy * self.nested(Expn(self.n - 1), x)


Expi = special_op(
    "expi",
    expi_by_formula,
    X,
    lambda op, gy, x: gy * (op.xp.exp(x) / x),
    "``y = integral of exp(t) / t from -infinity to x``, its principal value; ``dy/dx = exp(x) / x``.",
)


class Spence(Op):
    """``y = -integral of log(t) / (t - 1) from 1 to x``; ``dy/dx`` is what stands in it."""

    saves = X
    fresh = True
    elementwise = True

    def forward(self, x: Array) -> Array:
        return evaluate(self, "spence", spence_by_formula, x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        return -gy * self.nested(LogRatio(0), x - 1.0)


Ellipkm1 = special_op(
    "ellipkm1",
    ellipkm1_by_formula,
    X,
    lambda op, gy, p: -gy * op.nested(EllipkSlope(), p),
    "``y = K(1 - p)``; ``dy/dp`` is `EllipkSlope` with the sign turned round.",
)


class EllipkSlope(Op):
    """``y = dK/dm`` at ``m = 1 - p``: ``K (1/2 - sum / m) / (2 p)`` in the terms of `_means`, pi/8 at m = 0.

    The next derivative is that of Legendre's equation: ``m p K'' + (1 - 2 m) K' = K / 4`` (DLMF 19.4.8).
    """

    saves = (X, Y)
    fresh = True
    elementwise = True

    def forward(self, p: Array) -> Array:
        xp = self.xp
        k, total = _means(xp, p)
        m = 1.0 - p
        flat = m == 0.0
        part = xp.where(flat, xp.zeros_like(p), total / xp.where(flat, xp.ones_like(p), m))
        return k * (0.5 - part) / (2.0 * p)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        xp = self.xp
        p, y = self.saved
        m = 1.0 - p
        flat = m == 0.0
        product = xp.where(flat, xp.ones_like(p), m * p)
        second = (0.25 * self.nested(Ellipkm1(), p) - (1.0 - 2.0 * m) * y) / product
        return -gy * xp.where(flat, xp.full_like(p, 9 * math.pi / 64), second)


# -- public functions --------------------------------------------------------------------------------


@samples(Sample(Real((2,), 0.2, 9.0)))
def exp1(x: Any) -> Variable:
    """Exponential integral E1, element by element: of ``exp(-t) / t`` from `x` to infinity.

    Parameters
    ----------
    x : Variable or array, any shape, real, positive
        0 gives infinity, what is below it nan.

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    NIST Digital Library of Mathematical Functions, sections 6.6 and 6.9.

    Examples
    --------
    >>> F.exp1(Variable(np.array([1.0, 2.0])))
    variable([0.21938393 0.04890051])
    """
    return Expn(1)(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(3, Real((2,), 0.3, 4.0)))
def expn(n: Any, x: Any) -> Variable:
    """Generalised exponential integral, element by element: of ``exp(-x t) / t**n`` for t from 1 to infinity.

    Parameters
    ----------
    n : int, or an array of the same integer throughout
        Not negative.
    x : Variable or array, any shape, real, positive

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `n` is negative, no integer, or not the same throughout.

    References
    ----------
    NIST Digital Library of Mathematical Functions, section 8.19.

    Examples
    --------
    >>> F.expn(2, Variable(np.array([0.0, 1.0])))
    variable([1.         0.14849551])
    """
    return Expn(whole_number("expn", "the order", n))(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(Real((2,), -9.0, -0.5)))
def expi(x: Any) -> Variable:
    """Exponential integral Ei, element by element: of ``exp(t) / t`` from minus infinity to `x`.

    Parameters
    ----------
    x : Variable or array, any shape, real
        0 gives minus infinity.

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    NIST Digital Library of Mathematical Functions, sections 6.6 and 6.12.

    Examples
    --------
    >>> F.expi(Variable(np.array([-1.0, 1.0])))
    variable([-0.21938393  1.89511782])
    """
    return Expi()(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(Real((2,), 0.6, 1.9)), Sample(Real((), 2.1, 9.0)), Sample(Real((), 0.05, 0.45)))
def spence(x: Any) -> Variable:
    """Spence's function, element by element: the dilogarithm of ``1 - x``.

    Parameters
    ----------
    x : Variable or array, any shape, real, not negative

    Returns
    -------
    Variable, shape of `x`
        ``-integral of log(t) / (t - 1) from 1 to x``.

    References
    ----------
    NIST Digital Library of Mathematical Functions, section 25.12.

    Examples
    --------
    >>> F.spence(Variable(np.array([0.0, 1.0])))
    variable([1.64493407 0.        ])
    """
    return Spence()(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(Real((2,), -1.0, 0.9)))
def ellipk(m: Any) -> Variable:
    """Complete elliptic integral of the first kind, element by element.

    Parameters
    ----------
    m : Variable or array, any shape, real
        The parameter, the square of the modulus: below 1. Near 1, `ellipkm1` is more exact.

    Returns
    -------
    Variable, shape of `m`
        ``integral of (1 - m sin(t)**2)**-0.5 from 0 to pi/2``.

    References
    ----------
    NIST Digital Library of Mathematical Functions, sections 19.2 and 19.8.

    Examples
    --------
    >>> F.ellipk(Variable(np.array([0.0, 0.5])))
    variable([1.57079633 1.85407468])
    """
    (m,) = floats(m)
    return ellipkm1(sub(1.0, m))


@samples(Sample(Real((2,), 0.05, 0.95)))
def ellipkm1(p: Any) -> Variable:
    """``ellipk(1 - p)``, element by element, exact near 0 too.

    Parameters
    ----------
    p : Variable or array, any shape, real, positive

    Returns
    -------
    Variable, shape of `p`

    References
    ----------
    NIST Digital Library of Mathematical Functions, sections 19.2 and 19.8.

    Examples
    --------
    >>> F.ellipkm1(Variable(np.array([1e-9, 1.0])))
    variable([11.74792728  1.57079633])
    """
    return Ellipkm1()(*floats(p))  # type: ignore[no-any-return]
