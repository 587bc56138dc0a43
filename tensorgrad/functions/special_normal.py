"""The normal distribution: its distribution function, the logarithm and the inverse of it."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.special import (
    Erfcx,
    X,
    Y,
    erfc_by_formula,
    erfcx_by_formula,
    evaluate,
    floats,
    polynomial,
    special_op,
)

# Coefficients of Wichura's rational approximations, highest power first.
_CENTRE_P = (
    2.5090809287301226727e3,
    3.3430575583588128105e4,
    6.7265770927008700853e4,
    4.5921953931549871457e4,
    1.3731693765509461125e4,
    1.9715909503065514427e3,
    1.3314166789178437745e2,
    3.3871328727963666080e0,
)
_CENTRE_Q = (
    5.2264952788528545610e3,
    2.8729085735721942674e4,
    3.9307895800092710610e4,
    2.1213794301586595867e4,
    5.3941960214247511077e3,
    6.8718700749205790830e2,
    4.2313330701600911252e1,
    1.0,
)
_MIDDLE_P = (
    7.74545014278341407640e-4,
    2.27238449892691845833e-2,
    2.41780725177450611770e-1,
    1.27045825245236838258e0,
    3.64784832476320460504e0,
    5.76949722146069140550e0,
    4.63033784615654529590e0,
    1.42343711074968357734e0,
)
_MIDDLE_Q = (
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    1.51986665636164571966e-2,
    1.48103976427480074590e-1,
    6.89767334985100004550e-1,
    1.67638483018380384940e0,
    2.05319162663775882187e0,
    1.0,
)
_FAR_P = (
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    1.24266094738807843860e-3,
    2.65321895265761230930e-2,
    2.96560571828504891230e-1,
    1.78482653991729133580e0,
    5.46378491116411436990e0,
    6.65790464350110377720e0,
)
_FAR_Q = (
    2.04426310338993978564e-15,
    1.42151175831644588870e-7,
    1.84631831751005468180e-5,
    7.86869131145613259100e-4,
    1.48753612908506148525e-2,
    1.36929880922735805310e-1,
    5.99832206555887937690e-1,
    1.0,
)

_SQRT2 = math.sqrt(2)
_DENSITY = 1 / math.sqrt(2 * math.pi)


# -- formulas ----------------------------------------------------------------------------------------


def ndtr_by_formula(xp: Any, x: Array) -> Array:
    """``erfc(-x / sqrt 2) / 2``."""
    return 0.5 * erfc_by_formula(xp, x * (-1 / _SQRT2))


def log_ndtr_by_formula(xp: Any, x: Array) -> Array:
    """``log(erfcx(-x / sqrt 2) / 2) - x**2 / 2`` below -1, ``log1p(-ndtr(-x))`` above."""
    below, above = xp.minimum(x, -1.0), xp.maximum(x, -1.0)
    far = xp.log(0.5 * erfcx_by_formula(xp, below * (-1 / _SQRT2))) - 0.5 * below * below
    return xp.where(x < -1.0, far, xp.log1p(-ndtr_by_formula(xp, -above)))


def _quantile(xp: Any, centre: Array, tail: Array) -> Array:
    """Where the normal distribution function is ``centre + 1/2``; `tail` is it or 1 minus it, the smaller.

    M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Appl. Statist. 37
    (1988) 477-484: PPND16, to 1e-16 of the value.
    """
    inner = xp.clip(centre, -0.425, 0.425)
    square = 0.180625 - inner * inner
    y = inner * (polynomial(_CENTRE_P, square) / polynomial(_CENTRE_Q, square))
    smallest = float(xp.finfo(tail.dtype).smallest_normal)
    root = xp.sqrt(-xp.log(xp.clip(tail, smallest, 0.5)))
    near, far = xp.clip(root, 1.0, 5.0) - 1.6, xp.maximum(root, 5.0) - 5.0
    middle = polynomial(_MIDDLE_P, near) / polynomial(_MIDDLE_Q, near)
    size = xp.where(root <= 5.0, middle, polynomial(_FAR_P, far) / polynomial(_FAR_Q, far))
    size = xp.where(tail == 0.0, xp.full_like(size, math.inf), size)
    size = xp.where((tail >= 0.0) & (tail <= 0.5), size, xp.full_like(size, math.nan))
    return xp.where(xp.abs(centre) <= 0.425, y, xp.sign(centre) * size)


def ndtri_by_formula(xp: Any, p: Array) -> Array:
    """Wichura's formula."""
    return _quantile(xp, p - 0.5, xp.minimum(p, 1.0 - p))


def erfinv_by_formula(xp: Any, x: Array) -> Array:
    """Wichura's formula at ``(x + 1) / 2``, without the rounding error of that sum."""
    return _quantile(xp, 0.5 * x, 0.5 * (1.0 - xp.abs(x))) * (1 / _SQRT2)


def erfcinv_by_formula(xp: Any, x: Array) -> Array:
    """Wichura's formula at ``x / 2``, with the sign turned round."""
    return _quantile(xp, 0.5 * (1.0 - x), 0.5 * xp.minimum(x, 2.0 - x)) * (1 / _SQRT2)


# -- ops ---------------------------------------------------------------------------------------------

_INVERSE_SLOPE = math.sqrt(math.pi) / 2

Ndtr = special_op(
    "ndtr",
    ndtr_by_formula,
    X,
    lambda op, gy, x: gy * (_DENSITY * op.xp.exp(-0.5 * x * x)),
    "``y = erfc(-x / sqrt 2) / 2``; ``dy/dx = exp(-x**2 / 2) / sqrt(2 pi)``.",
)
Ndtri = special_op(
    "ndtri",
    ndtri_by_formula,
    Y,
    lambda op, gy, y: gy * ((1 / _DENSITY) * op.xp.exp(0.5 * y * y)),
    "``ndtr(y) = x``; ``dy/dx = sqrt(2 pi) exp(y**2 / 2)``.",
)
Erfinv = special_op(
    "erfinv",
    erfinv_by_formula,
    Y,
    lambda op, gy, y: gy * (_INVERSE_SLOPE * op.xp.exp(y * y)),
    "``erf(y) = x``; ``dy/dx = sqrt(pi)/2 exp(y**2)``.",
)
Erfcinv = special_op(
    "erfcinv",
    erfcinv_by_formula,
    Y,
    lambda op, gy, y: gy * (-_INVERSE_SLOPE * op.xp.exp(y * y)),
    "``erfc(y) = x``; ``dy/dx = -sqrt(pi)/2 exp(y**2)``.",
)


class LogNdtr(Op):
    """``y = log ndtr x``; ``dy/dx = sqrt(2/pi) / erfcx(-x / sqrt 2)``, the ratio of density and ndtr."""

    saves = X
    fresh = True

    def forward(self, x: Array) -> Array:
        # Beyond this erfcx overflows; the slope is 0 there but for the last subnormal numbers.
        self.limit = 0.98 * math.sqrt(2.0 * math.log(float(self.xp.finfo(x.dtype).max)))
        return evaluate(self, "log_ndtr", log_ndtr_by_formula, x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        x = self.xp.where(x > self.limit, self.xp.full_like(x, self.limit), x)
        return gy * (2.0 * _DENSITY) / self.nested(Erfcx(), x * (-1 / _SQRT2))


# -- public functions --------------------------------------------------------------------------------


@samples(Sample(Real((2, 3))), Sample(Real((3, 4), -7.0, 7.0)), Sample(Real()))
def ndtr(x: Any) -> Variable:
    """Distribution function of the standard normal, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        In [0, 1]: the probability of less than `x`.

    Examples
    --------
    >>> F.ndtr(Variable(np.array([0.0, 1.96])))
    variable([0.5       0.9750021])
    """
    return Ndtr()(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3))), Sample(Real((3, 4), -9.0, 9.0)), Sample(Real()))
def log_ndtr(x: Any) -> Variable:
    """Logarithm of `ndtr`, element by element, exact in both tails.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        Nats, 0 at most.

    Examples
    --------
    >>> F.log_ndtr(Variable(np.array([0.0, -100.0])))
    variable([-6.93147181e-01 -5.00552421e+03])
    """
    return LogNdtr()(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), 0.1, 0.9)), Sample(Real((3, 4), 0.02, 0.1)), Sample(Real((), 0.9, 0.99)))
def ndtri(p: Any) -> Variable:
    """Quantile of the standard normal, element by element: the inverse of `ndtr`.

    Parameters
    ----------
    p : Variable or array, any shape, real
        In [0, 1]; nan comes of what is not, and infinity of 0 and 1.

    Returns
    -------
    Variable, shape of `p`

    References
    ----------
    M. J. Wichura, "Algorithm AS 241", Appl. Statist. 37 (1988) 477-484.

    Examples
    --------
    >>> F.ndtri(Variable(np.array([0.5, 0.975])))
    variable([0.         1.95996398])
    """
    return Ndtri()(*floats(p))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), -0.8, 0.8)), Sample(Real((3,), 0.8, 0.95)), Sample(Real((), -0.1, 0.1)))
def erfinv(x: Any) -> Variable:
    """Inverse of `erf`, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real
        In [-1, 1]; nan comes of what is not, and infinity of the ends.

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    M. J. Wichura, as for `ndtri`.

    Examples
    --------
    >>> F.erfinv(Variable(np.array([0.0, 0.5])))
    variable([0.         0.47693628])
    """
    return Erfinv()(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), 0.2, 1.8)), Sample(Real((3,), 0.05, 0.2)), Sample(Real((), 0.9, 1.1)))
def erfcinv(x: Any) -> Variable:
    """Inverse of `erfc`, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real
        In [0, 2]; nan comes of what is not, and infinity of the ends.

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    M. J. Wichura, as for `ndtri`.

    Examples
    --------
    >>> F.erfcinv(Variable(np.array([1.5, 0.5])))
    variable([-0.47693628  0.47693628])
    """
    return Erfcinv()(*floats(x))  # type: ignore[no-any-return]
