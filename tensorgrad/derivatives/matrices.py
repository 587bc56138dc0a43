"""Jacobians, Hessians and products with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Literal

import numpy as np

from tensorgrad.core import Variable, namespace_of
from tensorgrad.core.tree import tree_leaves, tree_map
from tensorgrad.core.variable import make_variable
from tensorgrad.derivatives.transforms import Argnums, Linearization, directions, grad, vjp


def jacobian(
    function: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    mode: Literal["auto", "reverse", "forward"] = "auto",
) -> Callable[..., Any]:
    """A function that returns the Jacobian of `function`.

    Parameters
    ----------
    function : callable
        From arrays to an array, or to a container of arrays.
    argnums : int or sequence of int, default 0
        The arguments to differentiate by.
    mode : {'auto', 'reverse', 'forward'}
        A backward for each element of the value, or a push forward for each element of the arguments;
        'auto' takes what is less.

    Returns
    -------
    callable
        Its result has the shape of the value followed by the shape of the argument; in the structure of the
        value, and within it that of the arguments.

    Examples
    --------
    >>> tg.jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    if mode not in ("auto", "reverse", "forward"):
        raise ValueError(f"jacobian: expected mode 'auto', 'reverse' or 'forward'; got {mode!r}")

    @wraps(function)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        at = Linearization(function, args, kwargs, argnums)
        ys, xs = tree_leaves(at.value), tree_leaves(at.inputs)
        n_out, n_in = (sum(v.size for v in values) for values in (ys, xs))
        forward = mode == "forward" or (mode == "auto" and n_in < n_out)
        blocks = _columns(at, ys, xs) if forward else _rows(at, ys, xs)
        lines = iter(blocks)
        result = tree_map(lambda _: _like_inputs(at, next(lines)), at.value)
        return at.out(result)

    return transformed


def _like_inputs(at: Linearization, line: list[Variable]) -> Any:
    found = iter(line)
    filled = [tree_map(lambda _: next(found), x) for x in at.inputs]
    return filled[0] if at.single else tuple(filled)


def _rows(at: Linearization, ys: list[Variable], xs: list[Variable]) -> list[list[Variable]]:
    """For every output, for every input, the Jacobian: a backward for each element of the output."""
    lines = []
    for k, y in enumerate(ys):
        rows: list[list[Variable]] = [[] for _ in xs]
        for i in range(y.size):
            cotangents = [_unit(v, i if v is y and j == k else None) for j, v in enumerate(ys)]
            for row, g in zip(rows, tree_leaves(at.pull(cotangents)), strict=True):
                row.append(g)
        lines.append([_stacked(row, y, x, 0) for row, x in zip(rows, xs, strict=True)])
    return lines


def _columns(at: Linearization, ys: list[Variable], xs: list[Variable]) -> list[list[Variable]]:
    """The same by a push forward for each element of the inputs."""
    lines: list[list[Variable]] = [[] for _ in ys]
    for k, x in enumerate(xs):
        columns: list[list[Variable]] = [[] for _ in ys]
        for i in range(x.size):
            tangents = [_unit(v, i if j == k else None) for j, v in enumerate(xs)]
            for column, t in zip(columns, tree_leaves(at.push(tangents)), strict=True):
                column.append(t)
        for line, column, y in zip(lines, columns, ys, strict=True):
            line.append(_stacked(column, y, x, -1))
    return lines


def _unit(v: Variable, position: int | None) -> Variable:
    """An array like `v`, zero but for a one at this position of its elements in C order."""
    unit = np.zeros(v.size)
    if position is not None:
        unit[position] = 1.0
    backend = v.backend
    array = backend.from_numpy(unit.reshape(v.shape), backend.device(v.data))
    return make_variable(backend.xp.astype(array, v.dtype), None, 0)


def _stacked(parts: list[Variable], y: Variable, x: Variable, axis: int) -> Variable:
    shape = (*y.shape, *x.shape)
    xp = namespace_of(y.backend)
    if not parts:
        return xp.zeros(shape, dtype=y.dtype)  # type: ignore[no-any-return]
    return xp.reshape(xp.stack(parts, axis=axis), shape)  # type: ignore[no-any-return]


def hessian(function: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """A function that returns the matrix of second derivatives of `function`, which has a scalar value.

    Parameters
    ----------
    function : callable
    argnums : int, default 0
        The argument to differentiate by, an array.

    Returns
    -------
    callable
        Its result has the shape of the argument twice.

    Examples
    --------
    >>> tg.hessian(lambda x: (x**3).sum())(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    return jacobian(grad(function, argnums), argnums, mode="reverse")


def hvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of `function`, which has a scalar value, times a direction, without the Hessian.

    Parameters
    ----------
    function : callable
    primals, tangents : tuples or lists of arrays or Variables
        The arguments, and a direction for each.

    Returns
    -------
    tuple of arrays or Variables, shapes of `primals`

    Raises
    ------
    TypeError, ValueError
        If the tangents have not the structure and shapes of the primals.

    Examples
    --------
    >>> tg.hvp(lambda x: (x**3).sum(), [np.array([1.0, 2.0])], [np.array([1.0, 1.0])])
    (array([ 6., 12.]),)
    """
    # The Hessian is symmetric, so one backward over the gradient gives its product.
    along = directions("hvp", primals, tangents)
    _, pullback = vjp(grad(function, range(len(primals))), *primals)
    return pullback(tuple(along))
