"""A search along a line for a step that satisfies the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

ARMIJO = 1e-4
CURVATURE = 0.9
"""Nocedal, Wright 2006, page 62: their values for quasi-Newton methods."""


class Point(NamedTuple):
    """A place on the line, the value and the slope there."""

    t: float
    value: float
    slope: float


def strong_wolfe(
    at: Callable[[float], Point], start: Point, t: float, *, evaluations: int = 25, shortest: float = 1e-12
) -> Point:
    """A place with ``value <= start.value + c1 t start.slope`` and ``|slope| <= c2 |start.slope|``.

    Parameters
    ----------
    at : callable
        The point at a place.
    start : Point
        At 0; its slope is negative.
    t : float
        Where to look first.
    evaluations : int, default 25
        How often `at` may be called.
    shortest : float, default 1e-12
        An interval of this length is not divided any more.

    Returns
    -------
    Point
        The latest that `at` gave. Where none satisfies both conditions in time, the lowest that was found;
        where none is lower, `start`'s.

    References
    ----------
    Nocedal, Wright 2006, "Numerical optimization", algorithms 3.5 and 3.6, with the cubic of eq. 3.59.
    """
    before = start
    for i in range(evaluations):
        here = at(t)
        if not _falls(start, here) or (i and here.value >= before.value):
            return _zoom(at, start, (before, here), evaluations - i - 1, shortest)
        if abs(here.slope) <= -CURVATURE * start.slope:
            return here
        if here.slope >= 0:
            return _zoom(at, start, (here, before), evaluations - i - 1, shortest)
        longest = 10 * here.t
        t = min(max(_minimum(before, here, longest), here.t + 0.01 * (here.t - before.t)), longest)
        before = here
    return before


def _zoom(
    at: Callable[[float], Point], start: Point, ends: tuple[Point, Point], evaluations: int, shortest: float
) -> Point:
    """Algorithm 3.6: there is such a place between the ends, of which the first is the lowest so far."""
    low, high = ends
    latest = low if low.t > high.t else high
    for _ in range(evaluations):
        width = abs(high.t - low.t)
        if width <= shortest:
            break
        middle = (low.t + high.t) / 2
        t = _minimum(low, high, middle)
        if not min(low.t, high.t) + 0.1 * width <= t <= max(low.t, high.t) - 0.1 * width:
            t = middle  # close to an end, the interval would hardly shrink
        latest = here = at(t)
        if not _falls(start, here) or here.value >= low.value:
            high = here
            continue
        if abs(here.slope) <= -CURVATURE * start.slope:
            return here
        if here.slope * (high.t - low.t) >= 0:
            high = low
        low = here
    return low if latest is low else at(low.t)


def _falls(start: Point, here: Point) -> bool:
    """Armijo's condition; not where the value is no number."""
    return here.value <= start.value + ARMIJO * here.t * start.slope


def _minimum(a: Point, b: Point, otherwise: float) -> float:
    """Where the cubic through two points with their slopes is lowest."""
    if not all(map(math.isfinite, (*a, *b))) or a.t == b.t:
        return otherwise
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return otherwise
    d2 = math.copysign(math.sqrt(square), b.t - a.t)
    below = b.slope - a.slope + 2 * d2
    return b.t - (b.t - a.t) * (b.slope + d2 - d1) / below if below else otherwise
