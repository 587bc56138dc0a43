"""Derivatives of the incomplete gamma and beta functions and of Student's t in their parameters.

Each is an integral from the argument into the nearer tail, of a density times its score: the derivative of
the logarithm of the density in the parameter. In a variable in which the density is log-concave, an interval
over which it falls by ``exp(-40)`` holds all of it that counts in float64, and Gauss' rule of 64 points gives
the integral to 1e-12 for parameters from 1e-3 to 1e3. The points are constants of the formula, so what is
returned has derivatives of any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.functions.special_beta import Betaln
from tensorgrad.functions.special_gamma import Gammaln, digamma_in

_FALL = 40.0  # of the logarithm of a density
_STEPS = 10  # of Newton's method: they start near the root
_CENTRE = 2.0  # of Student's t


def gammainc_in_a(op: Op, a: ArrayLike, x: ArrayLike) -> ArrayLike:
    """``d gammainc(a, x) / da``: in ``s = log t`` the density is ``exp(a s - exp s) / gamma(a)``.

    Its score is ``s - digamma(a)``.
    """
    xp, raw = op.xp, op.backend.xp
    a, x, inside = _within(op, (a, x), (0, math.inf), (0, math.inf))
    fixed_a, fixed_x = _fixed(a), _fixed(x)
    upper = fixed_x > fixed_a
    sign = raw.where(upper, raw.ones_like(fixed_a), -raw.ones_like(fixed_a))

    def fall(r: Array) -> tuple[Array, Array]:
        grown = raw.exp(sign * r)
        return fixed_x * raw.expm1(sign * r) - sign * fixed_a * r, sign * (fixed_x * grown - fixed_a)

    c = _FALL / fixed_x
    start = raw.where(upper, raw.log1p(c + raw.sqrt(2.0 * c)), _parabola(op, _FALL / fixed_a))
    r, weights = _points(op, _reach(fall, start))
    step = r * _last(raw, sign)
    s = _last(xp, xp.log(x)) + step
    logs = _last(xp, a) * s - _last(xp, x) * raw.exp(step) - _last(xp, op.nested(Gammaln(), a))
    score = s - _last(xp, digamma_in(op, a))
    return _where(op, inside, xp.sum(xp.exp(logs) * score * weights, axis=-1) * -sign)


def betainc_in_parameters(op: Op, a: ArrayLike, b: ArrayLike, x: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
    """The derivatives of ``betainc(a, b, x)`` in a and b.

    In ``s = log(t / (1 - t))`` the density is ``t**a (1 - t)**b / beta(a, b)``. Its scores are
    ``log t - digamma(a) + digamma(a + b)``, and so for b and 1 - t.
    """
    xp, raw = op.xp, op.backend.xp
    a, b, x, inside = _within(op, (a, b, x), (0, math.inf), (0, math.inf), (0, 1))
    turned = _fixed(x) * (_fixed(a) + _fixed(b)) > _fixed(a)  # betainc(a, b, x) = 1 - betainc(b, a, 1 - x)
    p, q = xp.where(turned, b, a), xp.where(turned, a, b)
    t = xp.where(turned, 1.0 - x, x)
    log_t, log_rest = xp.log(t), xp.log1p(-t)
    fixed_p, total, fixed_t = _fixed(p), _fixed(p) + _fixed(q), _fixed(t)

    def fall(r: Array) -> tuple[Array, Array]:
        share = fixed_t * raw.expm1(-r)
        slope = fixed_p - total * fixed_t * raw.exp(-r) / (1.0 + share)
        return fixed_p * r + total * raw.log1p(share), slope

    start = _parabola(op, _FALL * total / (fixed_p * _fixed(q)))
    r, weights = _points(op, _reach(fall, start))
    moved = xp.log1p(_last(xp, t) * raw.expm1(-r))
    logs, log_rests = _last(xp, log_t) - moved - r, _last(xp, log_rest) - moved
    density = _last(xp, p) * logs + _last(xp, q) * log_rests - _last(xp, op.nested(Betaln(), p, q))
    density = xp.exp(density) * weights
    both = digamma_in(op, p + q)
    in_p = xp.sum(density * (logs + _last(xp, both - digamma_in(op, p))), axis=-1)
    in_q = xp.sum(density * (log_rests + _last(xp, both - digamma_in(op, q))), axis=-1)
    in_a, in_b = xp.where(turned, -in_q, in_p), xp.where(turned, -in_p, in_q)
    return _where(op, inside, in_a), _where(op, inside, in_b)


def stdtr_in_df(op: Op, df: ArrayLike, t: ArrayLike) -> ArrayLike:
    """``d stdtr(df, t) / d df``: within 2 of the centre as an integral from 0 to t, outside by betainc.

    There the smaller side is ``betainc(df/2, 1/2, df / (df + t**2)) / 2``.
    """
    xp, raw = op.xp, op.backend.xp
    df, t, inside = _within(op, (df, t), (0, math.inf), (-math.inf, math.inf))
    outside = raw.abs(_fixed(t)) > _CENTRE
    half, halves = 0.5 * df, raw.full_like(_fixed(df), 0.5)
    scale = op.nested(Betaln(), half, xp.asarray(halves))

    near = xp.where(outside, halves, t)
    points, weights = _points(op, raw.ones_like(halves))
    many = _last(xp, df)
    u = _last(xp, near) * points
    z = u * u / many
    score = _last(xp, digamma_in(op, half + 0.5) - digamma_in(op, half) - 1.0 / df)
    score = 0.5 * (score - xp.log1p(z) + (many + 1.0) / many * (z / (z + 1.0)))
    density = xp.exp(-0.5 * (many + 1.0) * xp.log1p(z) - _last(xp, scale + 0.5 * xp.log(df)))
    centre = near * xp.sum(density * score * weights, axis=-1)

    far = xp.where(outside, xp.abs(t), 4.0 * halves)
    total = df + far * far
    in_a, _ = betainc_in_parameters(op, half, xp.asarray(halves), df / total)
    in_x = far * xp.exp((half - 1.0) * xp.log(df / total) - 1.5 * xp.log(total) - scale)
    tail = (0.25 * in_a + 0.5 * in_x) * -raw.sign(_fixed(t))
    return _where(op, inside, xp.where(outside, tail, centre))


# -- what they share ---------------------------------------------------------------------------------


@cache
def _rule() -> tuple[Any, Any]:
    """Points on (0, 1) and weights: those of Gauss and Legendre for the cubic root of the variable.

    Small parameters make the interval thousands of times as long as what is near its start is wide.
    """
    points, weights = np.polynomial.legendre.leggauss(64)
    root = 0.5 * (points + 1.0)
    return root**3, 1.5 * root**2 * weights


def _points(op: Op, reach: Array) -> tuple[Array, Array]:
    """Points between 0 and each of `reach`, along a new last axis, and their weights."""
    owner = op.backend
    at, weights = (owner.xp.astype(owner.from_numpy(x, owner.device(reach)), reach.dtype) for x in _rule())
    return _last(owner.xp, reach) * at, _last(owner.xp, reach) * weights


def _reach(fall: Callable[[Array], tuple[Array, Array]], start: Array) -> Array:
    """Where a convex function that starts at 0 reaches `_FALL`, by Newton's method from above."""
    r = start
    for _ in range(_STEPS):
        value, slope = fall(r)
        r = r - (value - _FALL) / slope
    return r


def _parabola(op: Op, c: Array) -> Array:
    """Where ``r**2 / (2 + r)``, which is below ``r - 1 + exp(-r)``, reaches c."""
    return 0.5 * (c + op.backend.xp.sqrt(c * c + 8.0 * c))


def _fixed(x: ArrayLike) -> Array:
    """The array itself: a constant of the formula."""
    return x.data if isinstance(x, Variable) else x


def _last(xp: Any, x: Any) -> Any:
    return xp.expand_dims(x, axis=-1)


def _within(op: Op, xs: tuple[ArrayLike, ...], *bounds: tuple[float, float]) -> tuple[Any, ...]:
    """The operands in their common shape, with a harmless number in the place of what is out of bounds.

    And where all of them are within.
    """
    xp, raw = op.xp, op.backend.xp
    ones = sum(raw.zeros_like(_fixed(x)) for x in xs) + 1.0
    xs = tuple(x * ones for x in xs)
    inside = ones > 0.0
    for x, (low, high) in zip(xs, bounds, strict=True):
        inside = inside & (_fixed(x) > low) & (_fixed(x) < high)
    return *(xp.where(inside, x, raw.full_like(ones, 0.5)) for x in xs), inside


def _where(op: Op, inside: Array, x: ArrayLike) -> ArrayLike:
    return op.xp.where(inside, x, op.backend.xp.zeros_like(_fixed(x)))
