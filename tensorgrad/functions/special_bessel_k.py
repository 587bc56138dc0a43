"""Modified Bessel functions of the second kind, of orders 0 and 1."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.special import X, Y, chebyshev, floats, special_op
from tensorgrad.functions.special_bessel import i0_by_formula, i1_by_formula

# Chebyshev coefficients, by mpmath in 40 digits. For x in [0, 2], in x**2 / 2 - 1: of K0(x) + log(x/2) I0(x)
# and x (K1(x) - log(x / 2) I1(x)). For x >= 2, in 4 / x - 1: of sqrt(x) exp(x) times K0(x) and K1(x).
_K0_NEAR = (
    *(-0.2676636966169514, 0.3442898999246285, 0.0359799365153615, 0.001264615411446926),
    *(2.286212103119452e-05, 2.5347910790261494e-07, 1.904516377220209e-09, 1.0349695257633625e-11),
    *(4.2598161427910826e-14, 1.3744654358807508e-16),
)
_K1_NEAR = (
    *(0.7626501136694739, -0.3531559607765449, -0.12261118082265715, -0.006975723859639864),
    *(-0.0001730288957513052, -2.4334061415659684e-06, -2.213387630734726e-08, -1.4114883926335278e-10),
    *(-6.666901694199329e-13, -2.427449850519366e-15),
)
_K0_FAR = (
    *(1.2201515410329777, -0.0314481013119645, 0.0015698838857300533, -0.00012849549581627802),
    *(1.3949813718876499e-05, -1.8317555227191195e-06, 2.766813639445015e-07, -4.660489897687948e-08),
    *(8.574034017414227e-09, -1.6975345093890614e-09, 3.5773972814003283e-10, -7.957489244477396e-11),
    *(1.8559491149549264e-11, -4.514597883374519e-12, 1.1403405882073441e-12, -2.9800969231481784e-13),
    *(8.032890775068375e-14, -2.2275133267462965e-14, 6.340076476276646e-15, -1.848593377920907e-15),
    *(5.5120559994043335e-16, -1.6782311257549006e-16, 5.2103917776435543e-17),
)
_K1_FAR = (
    *(1.3603130952422213, 0.10392373657681724, -0.002857816859622779, 0.00019521551847135162),
    *(-1.936197974166083e-05, 2.406484947837217e-06, -3.5019606030878126e-07, 5.7410841254500495e-08),
    *(-1.0345762465678097e-08, 2.0150497551970347e-09, -4.1903547593419254e-10, 9.218315187605315e-11),
    *(-2.129967838427791e-11, 5.139639673482343e-12, -1.2891739609498229e-12, 3.348419666052243e-13),
    *(-8.976705182010146e-14, 2.4771544242195988e-14, -7.019837089214769e-15, 2.038703166239861e-15),
    *(-6.057047270643018e-16, 1.8380935752430455e-16, -5.689462849193648e-17),
)


# -- formulas ----------------------------------------------------------------------------------------


def _k_near(xp: Any, x: Array, order: int) -> Array:
    """K0 or K1 for x in (0, 2]."""
    logs, t = xp.log(0.5 * x), 0.5 * x * x - 1.0
    if order:
        return logs * i1_by_formula(xp, x) + chebyshev(_K1_NEAR, t) / x
    return chebyshev(_K0_NEAR, t) - logs * i0_by_formula(xp, x)


def _k(xp: Any, x: Array, order: int, scaled: bool) -> Array:
    some = xp.where(x > 0.0, x, xp.ones_like(x))
    short, long = xp.minimum(some, 2.0), xp.maximum(some, 2.0)
    near = _k_near(xp, short, order)
    far = chebyshev(_K1_FAR if order else _K0_FAR, 4.0 / long - 1.0) / xp.sqrt(long)
    y = xp.where(some <= 2.0, near * xp.exp(short), far)
    if not scaled:
        y = xp.where(some <= 2.0, near, far * xp.exp(-long))
    y = xp.where(x > 0.0, y, xp.full_like(y, math.inf))
    return xp.where((x < 0.0) | xp.isnan(x), xp.full_like(y, math.nan), y)


def k0_by_formula(xp: Any, x: Array) -> Array:
    """K0 of positive numbers, to 1e-14 of its value in float64: two Chebyshev expansions."""
    return _k(xp, x, 0, scaled=False)


def k1_by_formula(xp: Any, x: Array) -> Array:
    """K1, as `k0_by_formula`."""
    return _k(xp, x, 1, scaled=False)


def k0e_by_formula(xp: Any, x: Array) -> Array:
    """``exp(x) K0(x)``, as `k0_by_formula`."""
    return _k(xp, x, 0, scaled=True)


def k1e_by_formula(xp: Any, x: Array) -> Array:
    """``exp(x) K1(x)``, as `k0_by_formula`."""
    return _k(xp, x, 1, scaled=True)


# -- ops ---------------------------------------------------------------------------------------------


K0 = special_op(
    "k0",
    k0_by_formula,
    X,
    lambda op, gy, x: -gy * op.nested(K1(), x),
    "``y = K0(x)``; ``dy/dx = -K1(x)``.",
)


K1: type[Op] = special_op(
    "k1",
    k1_by_formula,
    (X, Y),
    lambda op, gy, x, y: -gy * (op.nested(K0(), x) + y / x),
    "``y = K1(x)``; ``dy/dx = -K0(x) - y / x``.",
)


K0e = special_op(
    "k0e",
    k0e_by_formula,
    (X, Y),
    lambda op, gy, x, y: gy * (y - op.nested(K1e(), x)),
    "``y = exp(x) K0(x)``; ``dy/dx = y - exp(x) K1(x)``.",
)


K1e: type[Op] = special_op(
    "k1e",
    k1e_by_formula,
    (X, Y),
    lambda op, gy, x, y: gy * (y - op.nested(K0e(), x) - y / x),
    "``y = exp(x) K1(x)``; ``dy/dx = y - exp(x) K0(x) - y / x``.",
)


# -- public functions --------------------------------------------------------------------------------

_POSITIVE = (Sample(Real((2,), 0.2, 4.0)),)


@samples(*_POSITIVE)
def k0(x: Any) -> Variable:
    """Modified Bessel function of the second kind of order 0, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real, positive
        0 gives infinity, what is below it nan.

    Returns
    -------
    Variable, shape of `x`
        Underflows near 705 in float64: see `k0e`.

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.k0(Variable(np.array([1.0, 2.0])))
    variable([0.42102444 0.11389387])
    """
    return K0()(*floats(x))  # type: ignore[no-any-return]


@samples(*_POSITIVE)
def k0e(x: Any) -> Variable:
    """``exp(x) * k0(x)``, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real, positive
        0 gives infinity, what is below it nan.

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.k0e(Variable(np.array([1.0, 2.0])))
    variable([1.14446308 0.84156822])
    """
    return K0e()(*floats(x))  # type: ignore[no-any-return]


@samples(*_POSITIVE)
def k1(x: Any) -> Variable:
    """Modified Bessel function of the second kind of order 1, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real, positive
        0 gives infinity, what is below it nan.

    Returns
    -------
    Variable, shape of `x`
        Underflows near 705 in float64: see `k1e`.

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.k1(Variable(np.array([1.0, 2.0])))
    variable([0.60190723 0.13986588])
    """
    return K1()(*floats(x))  # type: ignore[no-any-return]


@samples(*_POSITIVE)
def k1e(x: Any) -> Variable:
    """``exp(x) * k1(x)``, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real, positive
        0 gives infinity, what is below it nan.

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.k1e(Variable(np.array([1.0, 2.0])))
    variable([1.63615349 1.03347685])
    """
    return K1e()(*floats(x))  # type: ignore[no-any-return]
