"""Functions of one example, for a batch of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from numbers import Integral
from operator import index
from typing import Any

from tensorgrad.backend import is_array
from tensorgrad.core import Variable, namespace_of
from tensorgrad.core.tree import tree_leaves, tree_map
from tensorgrad.core.variable import make_variable

Axes = Any
"""An int, None, or a container of them: each is for all that stands at its place in the arguments."""


def vmap(function: Callable[..., Any], in_axes: Axes = 0, out_axes: Axes = 0) -> Callable[..., Any]:
    """A function that applies `function` to every element of a batch.

    `function` is called once for each element, with slices of the arguments, and its results are stacked.
    So it may do whatever Python can, branches on values included; it is as fast as that loop, no faster,
    and where `function` has a form for batches (``x @ W`` for ``W.T @ x``) that is the faster one.

    Parameters
    ----------
    function : callable
        From arrays, or nested containers of them, to the same. What else it takes is passed on.
    in_axes : int, None, or a sequence with one of these or a container of them for each argument
        The batch axis of each array; None for what is the same for all. Keyword arguments are always
        mapped over their first axis.
    out_axes : int, None, or a container of them, default 0
        Where the batch axis is in the results. None takes the result of the last call, for what is the
        same for all.

    Returns
    -------
    callable
        Takes arrays or Variables. It gives Variables if an argument is one or a result requires a
        gradient, arrays otherwise. It can be differentiated, and nests with itself and with the other
        transforms, to any depth.

    Raises
    ------
    ValueError
        When called, if nothing is mapped, the lengths of the batch differ, the batch is empty, or
        `in_axes` or `out_axes` do not fit.
    TypeError
        When called, if something that is no array is to be mapped.

    Examples
    --------
    >>> dot = tg.vmap(lambda x, y: (x * y).sum(), in_axes=(0, None))
    >>> dot(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 1.0]))
    array([12., 34.])
    >>> tg.vmap(tg.grad(lambda x: x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """

    @wraps(function, updated=())
    def transformed(*args: Any, **kwargs: Any) -> Any:
        axes = _spread("in_axes", _for_arguments(in_axes, len(args)), list(args))
        axes += _spread("in_axes", 0, kwargs)
        leaves = [*tree_leaves(list(args)), *tree_leaves(kwargs)]
        n = _length(leaves, axes)
        columns = [_rows(x, axis, n) for x, axis in zip(leaves, axes, strict=True)]
        results = []
        for row in zip(*columns, strict=True):
            values = iter(row)
            filled = tree_map(lambda _: next(values), list(args))  # noqa: B023  # used at once
            named = tree_map(lambda _: next(values), kwargs)  # noqa: B023
            results.append(function(*filled, **named))
        places = iter(_spread("out_axes", out_axes, results[0]))
        stacked = tree_map(lambda *ys: _stacked(ys, next(places)), *results)
        kept = any(isinstance(x, Variable) for x in leaves)
        if kept or any(isinstance(y, Variable) and y.requires_grad for y in tree_leaves(stacked)):
            return stacked
        return tree_map(lambda y: y.data if isinstance(y, Variable) else y, stacked)

    return transformed


vectorize = vmap


def _for_arguments(in_axes: Axes, n: int) -> Axes:
    """`in_axes` as a list with an entry for each argument."""
    if in_axes is None or isinstance(in_axes, Integral):
        return [in_axes] * n
    if len(in_axes) != n:
        raise ValueError(f"vmap: expected in_axes for each of {n} arguments; got {len(in_axes)}: {in_axes}")
    return list(in_axes)


def _spread(name: str, axes: Axes, tree: Any) -> list[int | None]:
    """The axis of each leaf of a container, where `axes` has the upper part of its structure."""
    if axes is None or isinstance(axes, Integral):
        return [None if axes is None else index(axes)] * len(tree_leaves(tree))
    if isinstance(axes, dict) and isinstance(tree, dict) and axes.keys() == tree.keys():
        return [axis for key in tree for axis in _spread(name, axes[key], tree[key])]
    both = isinstance(axes, list | tuple) and isinstance(tree, list | tuple)
    if both and len(axes) == len(tree):
        return [axis for a, t in zip(axes, tree, strict=True) for axis in _spread(name, a, t)]
    length = f" of {len(tree)}" if isinstance(tree, list | tuple | dict) else ""
    raise ValueError(
        f"vmap: expected {name} with int or None where the values have arrays or containers; "
        f"got {axes!r} for {type(tree).__name__}{length}"
    )


def _length(leaves: list[Any], axes: list[int | None]) -> int:
    """The length of the batch."""
    lengths: dict[int, str] = {}
    for x, axis in zip(leaves, axes, strict=True):
        if axis is None:
            continue
        if not isinstance(x, Variable) and not is_array(x):
            raise TypeError(
                f"vmap: expected an array to map over; got {type(x).__name__}. Give it in_axes=None."
            )
        if not -len(x.shape) <= axis < len(x.shape):
            raise ValueError(f"vmap: expected an array with axis {axis}; got shape {tuple(x.shape)}")
        lengths.setdefault(x.shape[axis], f"{x.shape[axis]} (axis {axis} of {tuple(x.shape)})")
    if len(lengths) != 1:
        got = " and ".join(lengths.values()) or "in_axes of None alone"
        raise ValueError(f"vmap: expected one length of the batch; got {got}")
    n = next(iter(lengths))
    if n == 0:
        raise ValueError(
            "vmap: expected one element or more; got an empty batch, whose results have no shape"
        )
    return n


def _rows(x: Any, axis: int | None, n: int) -> list[Any]:
    """What each call gets in the place of `x`."""
    if axis is None:
        return [x] * n
    v = x if isinstance(x, Variable) else make_variable(x, None, 0)
    return list(namespace_of(v.backend).unstack(v, axis=axis))


def _stacked(ys: tuple[Any, ...], axis: int | None) -> Any:
    """The results for one place, as one."""
    if axis is None:
        return ys[-1]
    like = next((y for y in ys if isinstance(y, Variable) or is_array(y)), None)
    if like is None:
        raise TypeError(
            f"vmap: expected a result that is an array; got {type(ys[0]).__name__}. Give it out_axes=None."
        )
    owner = (like if isinstance(like, Variable) else make_variable(like, None, 0)).backend
    return namespace_of(owner).stack(
        [y if hasattr(y, "shape") else owner.xp.asarray(y) for y in ys], axis=axis
    )
