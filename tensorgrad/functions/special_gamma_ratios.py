"""What is made of gamma functions: the reciprocal, Pochhammer's symbol, the principal logarithm."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.special import X, Y, evaluate, floats, saved_operands, special_op
from tensorgrad.functions.special_gamma import (
    Gamma,
    digamma_in,
    gamma_by_formula,
    gammaln_by_formula,
)

# -- formulas ----------------------------------------------------------------------------------------


def _is_pole(xp: Any, x: Any) -> Any:
    """Where the gamma function has a pole: 0 and the negative integers."""
    return (x <= 0.0) & (xp.floor(x) == x)


def rgamma_by_formula(xp: Any, x: Array) -> Array:
    """``1 / gamma(x)``, 0 at the poles and where gamma overflows."""
    pole = _is_pole(xp, x)
    y = 1.0 / gamma_by_formula(xp, xp.where(pole, xp.ones_like(x), x))
    return xp.where(pole, xp.zeros_like(x), y)


def _sign(xp: Any, x: Array) -> Array:
    """The sign of ``gamma(x)``."""
    odd = xp.remainder(xp.floor(x), xp.full_like(x, 2.0)) != 0.0
    return xp.where((x < 0.0) & odd, -xp.ones_like(x), xp.ones_like(x))


def poch_by_formula(xp: Any, z: Array, m: Array) -> Array:
    """``gamma(z + m) / gamma(z)`` by logarithms; nan where z is a pole of gamma."""
    end = z + m
    y = xp.exp(gammaln_by_formula(xp, end) - gammaln_by_formula(xp, z))
    y = _sign(xp, z) * _sign(xp, end) * y
    return xp.where(m == 0.0, xp.ones_like(y), y)


def _loggamma(xp: Any, x: Array) -> Array:
    return xp.where(x >= 0.0, gammaln_by_formula(xp, xp.abs(x)), xp.full_like(x, math.nan))


# -- ops ---------------------------------------------------------------------------------------------


class Rgamma(Op):
    """``y = 1 / gamma(x)``; ``dy/dx = -y digamma(x)``, ``(-1)**n n!`` at the pole -n."""

    saves = (X, Y)
    fresh = True
    elementwise = True

    def forward(self, x: Array) -> Array:
        return evaluate(self, "rgamma", rgamma_by_formula, x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        xp = self.xp
        x, y = self.saved
        pole = _is_pole(xp, x)
        some = xp.where(pole, xp.ones_like(x), x)
        factorial = self.nested(Gamma(), xp.where(pole, 1.0 - x, xp.ones_like(x)))
        at_pole = xp.where(xp.remainder(x, xp.full_like(x, 2.0)) == 0.0, factorial, -factorial)
        return gy * xp.where(pole, at_pole, -y * digamma_in(self, some))


class Poch(Op):
    """``y = gamma(z + m) / gamma(z)``; ``dy/dm = y digamma(z + m)``, ``dy/dz = dy/dm - y digamma(z)``."""

    saves = (Input(0), Input(1), Y)
    fresh = True
    elementwise = True

    def forward(self, z: Array, m: Array) -> Array:
        return evaluate(self, "poch", poch_by_formula, z, m)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        z, m, y = saved_operands(self)
        to_z, to_m = self.needs
        gm = gy * (y * digamma_in(self, z + m))
        return gm - gy * (y * digamma_in(self, z)) if to_z else None, gm if to_m else None


Loggamma = special_op(
    "loggamma",
    _loggamma,
    X,
    lambda op, gy, x: gy * digamma_in(op, x),
    "``y = log(gamma(x))`` of positive x; ``dy/dx = digamma(x)``.",
)


# -- public functions --------------------------------------------------------------------------------


@samples(Sample(Real((2, 3), 0.3, 4.0)), Sample(Real((3,), -1.8, -1.2)))
def rgamma(x: Any) -> Variable:
    """Reciprocal of the gamma function, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        0 at 0 and at the negative integers, where gamma has its poles. There it has a gradient, but the
        second one is not that of the function.

    References
    ----------
    NIST Digital Library of Mathematical Functions, section 5.7.

    Examples
    --------
    >>> F.rgamma(Variable(np.array([0.0, 1.0, 3.0])))
    variable([0.  1.  0.5])
    """
    return Rgamma()(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), 0.3, 4.0), Real((2, 3), 0.2, 2.0)), Sample(Real((2,), -1.8, -1.6), 0.5))
def poch(z: Any, m: Any) -> Variable:
    """Pochhammer's symbol, the rising factorial, element by element: ``gamma(z + m) / gamma(z)``.

    Parameters
    ----------
    z, m : Variable, array or number, real
        Broadcast against each other. Where `z` is 0 or a negative integer the value is nan, unless the
        array library has a function of its own (SciPy, CuPy and JAX do).

    Returns
    -------
    Variable, the broadcast shape
        ``z (z + 1) ... (z + m - 1)`` for whole numbers m.

    References
    ----------
    NIST Digital Library of Mathematical Functions, equation 5.2.5.

    Examples
    --------
    >>> F.poch(Variable(np.array([1.0, 2.0])), 3.0)
    variable([ 6. 24.])
    """
    return Poch()(*floats(z, m))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), 0.3, 9.0)))
def loggamma(x: Any) -> Variable:
    """Principal branch of the logarithm of the gamma function, of real numbers, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real
        Negative numbers give nan, where `gammaln` gives the logarithm of the absolute value.

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    NIST Digital Library of Mathematical Functions, section 5.11.

    Examples
    --------
    >>> F.loggamma(Variable(np.array([1.0, 5.0])))
    variable([0.         3.17805383])
    """
    return Loggamma()(*floats(x))  # type: ignore[no-any-return]
