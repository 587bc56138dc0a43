"""Trigonometric functions of degrees, and the cosine less 1."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import div
from tensorgrad.functions.special import X, floats, special_op

_DEGREE = math.pi / 180


def _turned(xp: Any, x: Array, quarters: int) -> Array:
    """``cos(x - 90 quarters)`` of degrees: exact at multiples of 30, as the angle left is reduced first."""
    turns = xp.round(x / 90.0)
    left = (x - 90.0 * turns) * _DEGREE
    quarter = xp.remainder(turns - quarters, xp.full_like(turns, 4.0))
    cos, sin = xp.cos(left), xp.sin(left)
    y = xp.where(quarter == 0.0, cos, -sin)
    y = xp.where(quarter == 2.0, -cos, y)
    return xp.where(quarter == 3.0, sin, y)


def cosdg_by_formula(xp: Any, x: Array) -> Array:
    """The cosine of degrees."""
    return _turned(xp, x, 0)


def sindg_by_formula(xp: Any, x: Array) -> Array:
    """The sine of degrees."""
    return _turned(xp, x, 1)


Cosdg = special_op(
    "cosdg",
    cosdg_by_formula,
    X,
    lambda op, gy, x: gy * (-_DEGREE * op.nested(Sindg(), x)),
    "``y = cos(pi/180 x)``; ``dy/dx = -pi/180 sin(pi/180 x)``.",
)


Sindg: type[Op] = special_op(
    "sindg",
    sindg_by_formula,
    X,
    lambda op, gy, x: gy * (_DEGREE * op.nested(Cosdg(), x)),
    "``y = sin(pi/180 x)``; ``dy/dx = pi/180 cos(pi/180 x)``.",
)


def _cosm1(xp: Any, x: Array) -> Array:
    half = xp.sin(0.5 * x)
    return -2.0 * half * half


Cosm1 = special_op(
    "cosm1", _cosm1, X, lambda op, gy, x: gy * -op.xp.sin(x), "``y = cos(x) - 1``; ``dy/dx = -sin(x)``."
)


# -- public functions --------------------------------------------------------------------------------

_ANGLES = (Sample(Real((2, 3), -400.0, 400.0)),)
_BESIDE = (Sample(Real((2, 3), 10.0, 80.0)),)


@samples(*_ANGLES)
def cosdg(x: Any) -> Variable:
    """Cosine of an angle, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real
        Degrees.

    Returns
    -------
    Variable, shape of `x`
        Exactly 0 at odd multiples of 90.

    Examples
    --------
    >>> F.cosdg(Variable(np.array([0.0, 60.0, 180.0])))
    variable([ 1.   0.5 -1. ])
    """
    return Cosdg()(*floats(x))  # type: ignore[no-any-return]


@samples(*_ANGLES)
def sindg(x: Any) -> Variable:
    """Sine of an angle, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real
        Degrees.

    Returns
    -------
    Variable, shape of `x`
        Exactly 0 at multiples of 180.

    Examples
    --------
    >>> F.sindg(Variable(np.array([0.0, 30.0, 90.0])))
    variable([0.  0.5 1. ])
    """
    return Sindg()(*floats(x))  # type: ignore[no-any-return]


@samples(*_BESIDE)
def tandg(x: Any) -> Variable:
    """Tangent of an angle, element by element: ``sindg(x) / cosdg(x)``.

    Parameters
    ----------
    x : Variable or array, any shape, real
        Degrees.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.tandg(Variable(np.array([0.0, 45.0])))
    variable([0. 1.])
    """
    (x,) = floats(x)
    return div(sindg(x), cosdg(x))


@samples(*_BESIDE)
def cotdg(x: Any) -> Variable:
    """Cotangent of an angle, element by element: ``cosdg(x) / sindg(x)``.

    Parameters
    ----------
    x : Variable or array, any shape, real
        Degrees.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.cotdg(Variable(np.array([45.0, 135.0])))
    variable([ 1. -1.])
    """
    (x,) = floats(x)
    return div(cosdg(x), sindg(x))


@samples(Sample(Real((2, 3))))
def cosm1(x: Any) -> Variable:
    """``cos(x) - 1``, element by element, exact near 0 too.

    Parameters
    ----------
    x : Variable or array, any shape, real
        Radians.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.cosm1(Variable(np.array([0.0, 1e-9])))
    variable([ 0.e+00 -5.e-19])
    """
    return Cosm1()(*floats(x))  # type: ignore[no-any-return]
