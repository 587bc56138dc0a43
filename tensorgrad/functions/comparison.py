"""Comparisons and the logic of their results, element by element: constants, without gradients."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from tensorgrad.core import Function, Variable
from tensorgrad.core.sample import Ints, Real, Sample, samples

_PAIRS = (
    Sample(Real((2, 3)), Real((3,)), differentiable=False),
    Sample(Real((2, 3)), 0.5, differentiable=False),
    Sample(Ints((4,), 2), Ints((4,), 2), differentiable=False),
    Sample(Real(), Real(), differentiable=False),
)


def _constant(name: str, compute: Callable[..., Any], formula: str) -> type[Function]:
    """A function that brings no gradient."""
    doc = f"``y = {formula}``, without a gradient."
    body = {"__doc__": doc, "forward": staticmethod(compute)}
    return type(name, (Function,), {**body, "no_grad_inputs": (0, 1), "__module__": __name__})


Equal = _constant("Equal", operator.eq, "x0 == x1")
NotEqual = _constant("NotEqual", operator.ne, "x0 != x1")
Less = _constant("Less", operator.lt, "x0 < x1")
LessEqual = _constant("LessEqual", operator.le, "x0 <= x1")
Greater = _constant("Greater", operator.gt, "x0 > x1")
GreaterEqual = _constant("GreaterEqual", operator.ge, "x0 >= x1")
And = _constant("And", operator.and_, "x0 & x1")
Or = _constant("Or", operator.or_, "x0 | x1")
Xor = _constant("Xor", operator.xor, "x0 ^ x1")
LeftShift = _constant("LeftShift", operator.lshift, "x0 << x1")
RightShift = _constant("RightShift", operator.rshift, "x0 >> x1")
Invert = _constant("Invert", operator.invert, "~x")


@samples(*_PAIRS)
def equal(x0: Any, x1: Any) -> Variable:
    """Where ``x0 == x1``.

    Parameters
    ----------
    x0, x1 : Variable, array or number
        Broadcast against each other.

    Returns
    -------
    Variable of bool, the broadcast shape
        A constant.

    Examples
    --------
    >>> F.equal(Variable(np.array([1.0, 2.0])), 2.0)
    variable([False  True])
    """
    return Equal()(x0, x1)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def not_equal(x0: Any, x1: Any) -> Variable:
    """Where ``x0 != x1``.

    Parameters
    ----------
    x0, x1 : Variable, array or number
        Broadcast against each other.

    Returns
    -------
    Variable of bool, the broadcast shape
        A constant.

    Examples
    --------
    >>> F.not_equal(Variable(np.array([1.0, 2.0])), 2.0)
    variable([ True False])
    """
    return NotEqual()(x0, x1)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def less(x0: Any, x1: Any) -> Variable:
    """Where ``x0 < x1``.

    Parameters
    ----------
    x0, x1 : Variable, array or number, real
        Broadcast against each other.

    Returns
    -------
    Variable of bool, the broadcast shape
        A constant.

    Examples
    --------
    >>> F.less(Variable(np.array([1.0, 2.0])), 2.0)
    variable([ True False])
    """
    return Less()(x0, x1)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def less_equal(x0: Any, x1: Any) -> Variable:
    """Where ``x0 <= x1``.

    Parameters
    ----------
    x0, x1 : Variable, array or number, real
        Broadcast against each other.

    Returns
    -------
    Variable of bool, the broadcast shape
        A constant.

    Examples
    --------
    >>> F.less_equal(Variable(np.array([1.0, 2.0])), 2.0)
    variable([ True  True])
    """
    return LessEqual()(x0, x1)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def greater(x0: Any, x1: Any) -> Variable:
    """Where ``x0 > x1``.

    Parameters
    ----------
    x0, x1 : Variable, array or number, real
        Broadcast against each other.

    Returns
    -------
    Variable of bool, the broadcast shape
        A constant.

    Examples
    --------
    >>> F.greater(Variable(np.array([1.0, 2.0])), 1.0)
    variable([False  True])
    """
    return Greater()(x0, x1)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def greater_equal(x0: Any, x1: Any) -> Variable:
    """Where ``x0 >= x1``.

    Parameters
    ----------
    x0, x1 : Variable, array or number, real
        Broadcast against each other.

    Returns
    -------
    Variable of bool, the broadcast shape
        A constant.

    Examples
    --------
    >>> F.greater_equal(Variable(np.array([1.0, 2.0])), 1.5)
    variable([False  True])
    """
    return GreaterEqual()(x0, x1)  # type: ignore[no-any-return]
