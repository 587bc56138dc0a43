"""Incomplete gamma and beta functions. Their derivatives in the parameters are in `special_parameters`."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import sub
from tensorgrad.functions.special import evaluate, floats, saved_operands
from tensorgrad.functions.special_beta import Betaln, betaln_by_formula
from tensorgrad.functions.special_gamma import Gammaln, gammaln_by_formula, stirling_rest
from tensorgrad.functions.special_parameters import betainc_in_parameters, gammainc_in_a

_MOST = 20_000  # terms: enough for parameters up to a million
_BETWEEN = 16  # terms between two looks at what is left

# -- formulas ----------------------------------------------------------------------------------------


def _tiny(xp: Any, x: Array) -> Array:
    """`x`, or a very small number where it is 0: what Lentz's method divides by."""
    smallest = float(xp.finfo(x.dtype).smallest_normal) * 1e6
    return xp.where(xp.abs(x) < smallest, xp.full_like(x, smallest), x)


def _front(xp: Any, a: Array, x: Array) -> Array:
    """``x**a e**-x / gamma(a)``; from a = 10 on in Stirling's form, without the large terms that cancel."""
    plain = xp.exp(a * xp.log(x) - x - gammaln_by_formula(xp, a))
    big = xp.maximum(a, 10.0)
    off = xp.where(a < 10.0, xp.zeros_like(x), (x - big) / big)
    form = xp.sqrt(big / (2 * math.pi)) * xp.exp(big * (xp.log1p(off) - off) - stirling_rest(xp, big))
    return xp.where(a < 10.0, plain, form)


def gammainc_pair(xp: Any, a: Array, x: Array) -> tuple[Array, Array]:
    """The lower and the upper regularised incomplete gamma function, to 1e-12 for a up to 1e4.

    Below ``x = a + 1`` the series DLMF 8.7.1, above it the continued fraction DLMF 8.9.2 by Lentz's method:
    W. J. Lentz, Appl. Opt. 15 (1976) 668-671.
    """
    ones = xp.ones_like(a * x)
    a, x = a * ones, x * ones
    eps = float(xp.finfo(a.dtype).eps)
    valid = (a > 0.0) & (x > 0.0) & ~xp.isinf(x) & ~xp.isinf(a)
    low = x < a + 1.0
    a1 = xp.where(valid, a, ones)
    xs = xp.where(valid & low, x, ones)
    xf = xp.where(valid & ~low, x, a1 + 2.0)
    front = _front(xp, a1, xp.where(valid, x, ones))
    term = ones / a1
    total = term
    b = xf + 1.0 - a1
    c = ones / eps**2
    d = 1.0 / _tiny(xp, b)
    fraction = d
    for i in range(1, _MOST):
        term = term * (xs / (a1 + float(i)))
        total = total + term
        ratio = -float(i) * (float(i) - a1)
        b = b + 2.0
        d = 1.0 / _tiny(xp, ratio * d + b)
        c = _tiny(xp, b + ratio / c)
        fraction = fraction * (d * c)
        moving = (term > eps * total) | (xp.abs(d * c - 1.0) > 2 * eps)
        if i % _BETWEEN == 0 and not bool(xp.any(moving)):
            break
    lower = xp.where(low, front * total, 1.0 - front * fraction)
    upper = xp.where(low, 1.0 - front * total, front * fraction)
    below = ((x == 0.0) & (a > 0.0)) | (xp.isinf(a) & (a > 0.0) & (x >= 0.0) & ~xp.isinf(x))
    above = (xp.isinf(x) & (x > 0.0) & (a >= 0.0) & ~xp.isinf(a)) | ((a == 0.0) & (x > 0.0))
    nan = xp.full_like(ones, math.nan)
    zeros = xp.zeros_like(ones)
    lower = xp.where(valid, lower, xp.where(below, zeros, xp.where(above, ones, nan)))
    upper = xp.where(valid, upper, xp.where(below, ones, xp.where(above, zeros, nan)))
    return lower, upper


def betainc_by_formula(xp: Any, a: Array, b: Array, x: Array) -> Array:
    """The regularised incomplete beta function, to 1e-12 for a and b up to 1e4.

    The continued fraction DLMF 8.17.22 by Lentz's method, on that side of the mean where it converges fast.
    """
    ones = xp.ones_like(a * b * x)
    a, b, x = a * ones, b * ones, x * ones
    eps = float(xp.finfo(ones.dtype).eps)
    valid = (a > 0.0) & (b > 0.0) & (x > 0.0) & (x < 1.0) & ~xp.isinf(a) & ~xp.isinf(b)
    a1, b1 = xp.where(valid, a, ones), xp.where(valid, b, ones)
    x1 = xp.where(valid, x, 0.5 * ones)
    front = xp.exp(a1 * xp.log(x1) + b1 * xp.log1p(-x1) - betaln_by_formula(xp, a1, b1))
    turned = x1 > (a1 + 1.0) / (a1 + b1 + 2.0)
    p, q = xp.where(turned, b1, a1), xp.where(turned, a1, b1)
    t = xp.where(turned, 1.0 - x1, x1)
    c = ones
    d = 1.0 / _tiny(xp, 1.0 - (p + q) * t / (p + 1.0))
    fraction = d
    for i in range(1, _MOST):
        m = float(i)
        ratio = m * (q - m) * t / ((p + (2.0 * m - 1.0)) * (p + 2.0 * m))
        d = 1.0 / _tiny(xp, 1.0 + ratio * d)
        c = _tiny(xp, 1.0 + ratio / c)
        fraction = fraction * (d * c)
        ratio = -(p + m) * (p + q + m) * t / ((p + 2.0 * m) * (p + (2.0 * m + 1.0)))
        d = 1.0 / _tiny(xp, 1.0 + ratio * d)
        c = _tiny(xp, 1.0 + ratio / c)
        fraction = fraction * (d * c)
        if i % _BETWEEN == 0 and not bool(xp.any(xp.abs(d * c - 1.0) > 2 * eps)):
            break
    y = front * fraction / p
    y = xp.where(turned, 1.0 - y, y)
    inside = (a > 0.0) & (b > 0.0)
    y = xp.where(valid, y, xp.full_like(y, math.nan))
    y = xp.where(inside & (x == 0.0), xp.zeros_like(y), y)
    return xp.where(inside & (x == 1.0), ones, y)


# -- ops ---------------------------------------------------------------------------------------------


class Gammainc(Op):
    """``y = integral of t**(a-1) e**-t from 0 to x / gamma(a)``; ``dy/dx = x**(a-1) e**-x / gamma(a)``.

    ``dy/da`` is the integral of that which is differentiated.
    """

    saves = (Input(0), Input(1))
    fresh = True
    sign = 1.0

    def forward(self, a: Array, x: Array) -> Array:
        return evaluate(self, "gammainc", lambda xp, a, x: gammainc_pair(xp, a, x)[0], a, x)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        xp = self.xp
        a, x = saved_operands(self)
        to_a, to_x = self.needs
        ga = gy * (self.sign * gammainc_in_a(self, a, x)) if to_a else None
        if not to_x:
            return ga, None
        density = (a - 1.0) * xp.log(x) - x - self.nested(Gammaln(), a)
        return ga, gy * (self.sign * xp.exp(density))


class Gammaincc(Gammainc):
    """``y = 1 - gammainc(a, x)``; the derivatives are those of `Gammainc` with the sign turned round."""

    sign = -1.0

    def forward(self, a: Array, x: Array) -> Array:
        return evaluate(self, "gammaincc", lambda xp, a, x: gammainc_pair(xp, a, x)[1], a, x)


class Betainc(Op):
    """``y = integral of t**(a-1) (1-t)**(b-1) from 0 to x / beta(a, b)``; ``dy/dx`` is what stands in it.

    ``dy/da`` and ``dy/db`` are the integrals of that which is differentiated.
    """

    saves = (Input(0), Input(1), Input(2))
    fresh = True

    def forward(self, a: Array, b: Array, x: Array) -> Array:
        return evaluate(self, "betainc", betainc_by_formula, a, b, x)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        xp = self.xp
        a, b, x = saved_operands(self)
        to_a, to_b, to_x = self.needs
        ga = gb = gx = None
        if to_a or to_b:
            in_a, in_b = betainc_in_parameters(self, a, b, x)
            ga, gb = gy * in_a if to_a else None, gy * in_b if to_b else None
        if to_x:
            logs = (a - 1.0) * xp.log(x) + (b - 1.0) * xp.log1p(-x)
            gx = gy * xp.exp(logs - self.nested(Betaln(), a, b))
        return ga, gb, gx


# -- public functions --------------------------------------------------------------------------------

SHAPES = (
    Sample(2.5, Real((2, 3), 0.5, 6.0)),
    Sample(Real((), 0.5, 4.0), Real((), 0.5, 6.0)),
    Sample(Real((2, 1), 5.0, 40.0), Real((3,), 10.0, 30.0)),
    Sample(0.5, Real((), 0.2, 1.0)),
    Sample(30.0, Real((3,), 20.0, 40.0)),
)


@samples(*SHAPES)
def gammainc(a: Any, x: Any) -> Variable:
    """Regularised lower incomplete gamma function, element by element.

    Parameters
    ----------
    a : Variable, array or number, real, positive
    x : Variable, array or number, real, not negative
        Broadcast against `a`.

    Returns
    -------
    Variable, the broadcast shape
        In [0, 1]: the distribution function of the gamma distribution with shape `a`.

    References
    ----------
    NIST Digital Library of Mathematical Functions, sections 8.7 and 8.9.

    Examples
    --------
    >>> F.gammainc(1.0, Variable(np.array([0.0, 1.0])))
    variable([0.         0.63212056])
    """
    return Gammainc()(*floats(a, x))  # type: ignore[no-any-return]


@samples(*SHAPES)
def gammaincc(a: Any, x: Any) -> Variable:
    """Regularised upper incomplete gamma function, element by element: ``1 - gammainc(a, x)``, exactly.

    Parameters
    ----------
    a, x
        As for `gammainc`.

    Returns
    -------
    Variable, the broadcast shape
        In [0, 1].

    Examples
    --------
    >>> F.gammaincc(1.0, Variable(np.array([0.0, 100.0])))
    variable([1.00000000e+00 3.72007598e-44])
    """
    return Gammaincc()(*floats(a, x))  # type: ignore[no-any-return]


@samples(
    Sample(2.0, 3.0, Real((2, 3), 0.1, 0.9)),
    Sample(Real((2, 1), 5.0, 40.0), Real((3,), 5.0, 40.0), 0.4),
    Sample(Real((), 0.5, 4.0), Real((), 0.5, 4.0), Real((), 0.1, 0.9)),
    Sample(0.5, 0.5, Real((), 0.2, 0.4)),
    Sample(20.0, 40.0, Real((3,), 0.2, 0.5)),
)
def betainc(a: Any, b: Any, x: Any) -> Variable:
    """Regularised incomplete beta function, element by element.

    Parameters
    ----------
    a, b : Variable, array or number, real, positive
    x : Variable, array or number, real
        In [0, 1]. Broadcast against `a` and `b`.

    Returns
    -------
    Variable, the broadcast shape
        In [0, 1]: the distribution function of the beta distribution.

    References
    ----------
    NIST Digital Library of Mathematical Functions, equation 8.17.22.

    Examples
    --------
    >>> F.betainc(2.0, 1.0, Variable(np.array([0.5, 1.0])))
    variable([0.25 1.  ])
    """
    return Betainc()(*floats(a, b, x))  # type: ignore[no-any-return]


@samples(
    Sample(2.0, 3.0, Real((2, 3), 0.1, 0.9)),
    Sample(Real((), 0.5, 4.0), Real((), 0.5, 4.0), Real((), 0.1, 0.9)),
    Sample(0.5, 0.5, Real((), 0.2, 0.4)),
)
def betaincc(a: Any, b: Any, x: Any) -> Variable:
    """``1 - betainc(a, b, x)``, element by element.

    Parameters
    ----------
    a, b, x
        As for `betainc`.

    Returns
    -------
    Variable, the broadcast shape
        ``betainc(b, a, 1 - x)``.

    Examples
    --------
    >>> F.betaincc(2.0, 1.0, Variable(np.array([0.5, 1.0])))
    variable([0.75 0.  ])
    """
    a, b, x = floats(a, b, x)
    return betainc(b, a, sub(1.0, x))
