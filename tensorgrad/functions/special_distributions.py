"""Distribution functions of statistics: chi-squared, gamma, Poisson, Student's t and F."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from tensorgrad.backend import Array, backend_of
from tensorgrad.core import ArrayLike, Input, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import add, div, mul
from tensorgrad.functions.selection import maximum
from tensorgrad.functions.special import evaluate, floats, saved_operands
from tensorgrad.functions.special_beta import Betaln
from tensorgrad.functions.special_incomplete import (
    SHAPES,
    betainc,
    betainc_by_formula,
    gammainc,
    gammaincc,
)
from tensorgrad.functions.special_parameters import stdtr_in_df


def stdtr_by_formula(xp: Any, df: Array, t: Array, beta: Callable[..., Array] = betainc_by_formula) -> Array:
    """Half of ``betainc(df/2, 1/2, df / (df + t**2))`` in the tail of t's side."""
    ones = xp.ones_like(df * t)
    df, t = df * ones, t * ones
    square = t * t
    tail = 0.5 * beta(xp, 0.5 * df, 0.5 * ones, df / (df + square))
    tail = xp.where(xp.isinf(square) & (df > 0.0) & ~xp.isinf(df), xp.zeros_like(tail), tail)
    return xp.where(t < 0.0, tail, 1.0 - tail)


class Stdtr(Op):
    """``y = P(T < t)``; ``dy/dt`` is the density of Student's t, ``dy/ddf`` an integral of it."""

    saves = (Input(0), Input(1))
    fresh = True

    def forward(self, df: Array, t: Array) -> Array:
        return evaluate(self, "stdtr", partial(stdtr_by_formula, beta=self._betainc), df, t)

    def _betainc(self, _: Any, *xs: Array) -> Array:
        return evaluate(self, "betainc", betainc_by_formula, *xs)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        xp = self.xp
        df, t = saved_operands(self)
        to_df, to_t = self.needs
        gdf = gy * stdtr_in_df(self, df, t) if to_df else None
        if not to_t:
            return gdf, None
        scale = self.nested(Betaln(), 0.5 * df, xp.full_like(df, 0.5)) + 0.5 * xp.log(df)
        return gdf, gy * xp.exp(-0.5 * (df + 1.0) * xp.log1p(t * t / df) - scale)


@samples(*SHAPES)
def chdtr(v: Any, x: Any) -> Variable:
    """Distribution function of the chi-squared distribution, element by element.

    Parameters
    ----------
    v : Variable, array or number, real, positive
        Degrees of freedom.
    x : Variable, array or number, real, not negative
        Broadcast against `v`.

    Returns
    -------
    Variable, the broadcast shape
        ``gammainc(v / 2, x / 2)``.

    Examples
    --------
    >>> F.chdtr(2.0, Variable(np.array([0.0, 2.0])))
    variable([0.         0.63212056])
    """
    v, x = floats(v, x)
    return gammainc(div(v, 2.0), div(x, 2.0))


@samples(*SHAPES)
def chdtrc(v: Any, x: Any) -> Variable:
    """``1 - chdtr(v, x)``, exactly: the probability of more than `x`.

    Parameters
    ----------
    v, x
        As for `chdtr`; below 0 the result is 1.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.chdtrc(2.0, Variable(np.array([0.0, 2.0])))
    variable([1.         0.36787944])
    """
    v, x = floats(v, x)
    return gammaincc(div(v, 2.0), div(maximum(x, 0.0), 2.0))


@samples(
    Sample(3.0, Real((2, 3))),
    Sample(Real((), 0.5, 9.0), Real((), -5.0, -2.5)),
    Sample(Real((2, 1), 3.0, 40.0), Real((3,), -1.0, 1.0)),
    Sample(0.5, Real((3,), 1.0, 5.0)),
    Sample(80.0, Real((), -3.0, -1.0)),
)
def stdtr(df: Any, t: Any) -> Variable:
    """Distribution function of Student's t, element by element.

    Parameters
    ----------
    df : Variable, array or number, real, positive
        Degrees of freedom.
    t : Variable, array or number, real
        Broadcast against `df`.

    Returns
    -------
    Variable, the broadcast shape
        In [0, 1].

    References
    ----------
    M. Abramowitz, I. A. Stegun (eds.), "Handbook of Mathematical Functions", equation 26.7.1.

    Examples
    --------
    >>> F.stdtr(1.0, Variable(np.array([0.0, 1.0])))
    variable([0.5  0.75])
    """
    return Stdtr()(*floats(df, t))  # type: ignore[no-any-return]


_SCALED = (Sample(Real((), 0.5, 2.0), Real((), 0.5, 4.0), Real((), 0.3, 4.0)),)


@samples(*_SCALED)
def gdtr(a: Any, b: Any, x: Any) -> Variable:
    """Distribution function of the gamma distribution, element by element.

    Parameters
    ----------
    a : Variable, array or number, real, positive
        The rate, 1 over the scale.
    b : Variable, array or number, real, positive
        The shape.
    x : Variable, array or number, real, not negative
        All three are broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape
        ``gammainc(b, a x)``.

    Examples
    --------
    >>> F.gdtr(2.0, 1.0, Variable(np.array([0.0, 0.5])))
    variable([0.         0.63212056])
    """
    a, b, x = floats(a, b, x)
    return gammainc(b, mul(a, x))


@samples(*_SCALED)
def gdtrc(a: Any, b: Any, x: Any) -> Variable:
    """``1 - gdtr(a, b, x)``, exactly: the probability of more than `x`.

    Parameters
    ----------
    a, b, x
        As for `gdtr`.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.gdtrc(2.0, 1.0, Variable(np.array([0.0, 0.5])))
    variable([1.         0.36787944])
    """
    a, b, x = floats(a, b, x)
    return gammaincc(b, mul(a, x))


@samples(Sample(2.0, Real((), 0.3, 5.0)))
def pdtr(k: Any, m: Any) -> Variable:
    """Distribution function of the Poisson distribution, element by element.

    Parameters
    ----------
    k : Variable, array or number, real, not negative
        How many events at most; rounded down, so it gets no gradient.
    m : Variable, array or number, real, positive
        The mean. Broadcast against `k`.

    Returns
    -------
    Variable, the broadcast shape
        ``gammaincc(floor(k) + 1, m)``.

    Examples
    --------
    >>> F.pdtr(0.0, Variable(np.array([0.5, 1.0])))
    variable([0.60653066 0.36787944])
    """
    k, m = floats(k, m)
    count = k.data if isinstance(k, Variable) else k
    owner = backend_of(count)
    whole = math.floor(count) if owner is None else owner.xp.asarray(owner.xp.floor(count))
    return gammaincc(add(whole, 1.0), m)


_RATIOS = (
    Sample(3.0, 5.0, Real((2, 3), 0.2, 3.0)),
    Sample(Real((), 1.0, 9.0), Real((), 1.0, 9.0), Real((), 0.2, 3.0)),
    Sample(10.0, 2.0, Real((), 0.5, 1.0)),
)


@samples(*_RATIOS)
def fdtr(dfn: Any, dfd: Any, x: Any) -> Variable:
    """Distribution function of the F distribution, element by element.

    Parameters
    ----------
    dfn, dfd : Variable, array or number, real, positive
        Degrees of freedom of numerator and denominator.
    x : Variable, array or number, real, not negative
        Broadcast against them.

    Returns
    -------
    Variable, the broadcast shape
        In [0, 1].

    References
    ----------
    M. Abramowitz, I. A. Stegun (eds.), "Handbook of Mathematical Functions", equation 26.6.2.

    Examples
    --------
    >>> F.fdtr(2.0, 2.0, Variable(np.array([0.0, 1.0])))
    variable([0.  0.5])
    """
    dfn, dfd, x = floats(dfn, dfd, x)
    part = mul(dfn, x)
    return betainc(div(dfn, 2.0), div(dfd, 2.0), div(part, add(dfd, part)))


@samples(*_RATIOS)
def fdtrc(dfn: Any, dfd: Any, x: Any) -> Variable:
    """``1 - fdtr(dfn, dfd, x)``, exactly: the probability of more than `x`.

    Parameters
    ----------
    dfn, dfd, x
        As for `fdtr`.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.fdtrc(2.0, 2.0, Variable(np.array([0.0, 3.0])))
    variable([1.   0.25])
    """
    dfn, dfd, x = floats(dfn, dfd, x)
    return betainc(div(dfd, 2.0), div(dfn, 2.0), div(dfd, add(dfd, mul(dfn, x))))
