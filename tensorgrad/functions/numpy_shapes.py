"""NumPy's functions for shapes, parts and pieces on Variables."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from tensorgrad.core import Variable
from tensorgrad.functions import joining, manipulation, rearrangement, standard, transfer
from tensorgrad.functions.indexing import get_item, take
from tensorgrad.functions.numpy_support import anchor, arrays, converted, implements, space

# -- shape ---------------------------------------------------------------------------------------


@implements("reshape")
def _reshape(a: Any, /, shape: Any = None, *, newshape: Any = None, copy: bool | None = None) -> Any:
    return standard.reshape(a, newshape if shape is None else shape, copy=copy)


@implements("ravel")
def _ravel(a: Any) -> Any:
    return manipulation.ravel(a)


@implements("transpose", "permute_dims")
def _transpose(a: Any, axes: Any = None) -> Any:
    return manipulation.transpose(a, axes)


@implements("matrix_transpose", "linalg.matrix_transpose")
def _matrix_transpose(x: Any, /) -> Any:
    return manipulation.matrix_transpose(x)


@implements("moveaxis")
def _moveaxis(a: Any, source: Any, destination: Any) -> Any:
    return manipulation.moveaxis(a, source, destination)


@implements("swapaxes")
def _swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    order = list(range(len(a.shape)))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return manipulation.permute_dims(a, tuple(order))


@implements("rollaxis")
def _rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    n = len(a.shape)
    axis = manipulation.axis_of("rollaxis", axis, n)
    start = start + n if start < 0 else start
    return manipulation.moveaxis(a, axis, start - 1 if axis < start else start)


@implements("expand_dims")
def _expand_dims(a: Any, axis: Any) -> Any:
    return manipulation.expand_dims(a, axis)


@implements("squeeze")
def _squeeze(a: Any, axis: Any = None) -> Any:
    return manipulation.squeeze(a, axis)


@implements("broadcast_to")
def _broadcast_to(array: Any, shape: Any) -> Any:
    return manipulation.broadcast_to(array, manipulation.as_tuple(shape))


@implements("broadcast_arrays")
def _broadcast_arrays(*args: Any) -> Any:
    return standard.broadcast_arrays(*arrays(*args))


def _at_least(n: int, arys: tuple[Any, ...]) -> Any:
    made = tuple(_raised(x, n) for x in arrays(*arys))
    return made[0] if len(made) == 1 else made


def _raised(x: Any, n: int) -> Any:
    """An array with n axes or more: a vector is the second of three, and the last of two."""
    shape = tuple(x.shape)
    if len(shape) >= n:
        return manipulation.same_value(x)
    if n == 3 and shape:
        return manipulation.reshape(x, (1, *shape, 1) if len(shape) == 1 else (*shape, 1))
    return manipulation.reshape(x, (*[1] * (n - len(shape)), *shape))


@implements("atleast_1d")
def _atleast_1d(*arys: Any) -> Any:
    return _at_least(1, arys)


@implements("atleast_2d")
def _atleast_2d(*arys: Any) -> Any:
    return _at_least(2, arys)


@implements("atleast_3d")
def _atleast_3d(*arys: Any) -> Any:
    return _at_least(3, arys)


# -- joining -------------------------------------------------------------------------------------


def _parts(xs: Any, dtype: Any = None) -> list[Any]:
    return converted(dtype, *arrays(*xs))


@implements("concatenate", "concat")
def _concatenate(arrays: Any, /, axis: int | None = 0, *, dtype: Any = None) -> Any:
    return joining.concat(_parts(arrays, dtype), axis)


@implements("stack")
def _stack(arrays: Any, axis: int = 0, *, dtype: Any = None) -> Any:
    return joining.stack(_parts(arrays, dtype), axis)


@implements("vstack")
def _vstack(tup: Any, *, dtype: Any = None) -> Any:
    return joining.concat([_raised(x, 2) for x in _parts(tup, dtype)], 0)


@implements("hstack")
def _hstack(tup: Any, *, dtype: Any = None) -> Any:
    parts = [_raised(x, 1) for x in _parts(tup, dtype)]
    return joining.concat(parts, 0 if len(parts[0].shape) == 1 else 1)


@implements("dstack")
def _dstack(tup: Any) -> Any:
    return joining.concat([_raised(x, 3) for x in _parts(tup)], 2)


@implements("column_stack")
def _column_stack(tup: Any) -> Any:
    parts = _parts(tup)
    return joining.concat([x if len(x.shape) > 1 else manipulation.reshape(x, (-1, 1)) for x in parts], 1)


@implements("block")
def _block(arrays: Any) -> Any:
    v = anchor(arrays)
    depth = _depth(arrays)
    ndim = max(depth, _ndim(arrays, v))

    def joined(part: Any, level: int) -> Any:
        if not isinstance(part, list):
            return _raised_first(_parts([part, v])[0], ndim)
        return joining.concat([joined(x, level + 1) for x in part], level - depth)

    return joined(arrays, 0)


def _depth(part: Any) -> int:
    return 1 + _depth(part[0]) if isinstance(part, list) else 0


def _ndim(part: Any, v: Variable) -> int:
    if isinstance(part, list):
        return max(_ndim(x, v) for x in part)
    return len(_parts([part, v])[0].shape)


def _raised_first(x: Any, n: int) -> Any:
    return manipulation.reshape(x, (*[1] * (n - len(x.shape)), *x.shape))


@implements("append")
def _append(arr: Any, values: Any, axis: int | None = None) -> Any:
    return joining.concat(_parts([arr, values]), axis)


# -- pieces --------------------------------------------------------------------------------------


@implements("split")
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    if not isinstance(indices_or_sections, Integral):
        indices_or_sections = [int(i) for i in indices_or_sections]
    return list(joining.split(ary, indices_or_sections, axis))


@implements("array_split")
def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    if isinstance(indices_or_sections, Integral):
        size, larger = divmod(ary.shape[axis], indices_or_sections)
        lengths = [size + 1] * larger + [size] * (indices_or_sections - larger)
        indices_or_sections = np.cumsum(lengths)[:-1].tolist()
    return _split(ary, indices_or_sections, axis)


@implements("vsplit")
def _vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return _split(ary, indices_or_sections, 0)


@implements("hsplit")
def _hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return _split(ary, indices_or_sections, 0 if len(ary.shape) == 1 else 1)


@implements("dsplit")
def _dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    return _split(ary, indices_or_sections, 2)


@implements("unstack")
def _unstack(x: Any, /, *, axis: int = 0) -> Any:
    return joining.unstack(x, axis)


@implements("take")
def _take(a: Any, indices: Any, axis: int | None = None) -> Any:
    a, indices = arrays(a, indices)
    return take(a, indices.data if isinstance(indices, Variable) else indices, axis)


@implements("compress")
def _compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    a, axis = (manipulation.ravel(a), 0) if axis is None else (a, axis)
    kept = np.flatnonzero(_on_host(condition))
    return take(a, _like_index(kept, a), axis)


@implements("extract")
def _extract(condition: Any, arr: Any) -> Any:
    return _compress(_on_host(condition).ravel(), arr)


@implements("delete")
def _delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    arr, axis = (manipulation.ravel(arr), 0) if axis is None else (arr, axis)
    obj = obj if isinstance(obj, slice) else _on_host(obj)
    kept = np.delete(np.arange(arr.shape[axis]), obj)
    return take(arr, _like_index(kept, arr), axis)


def _on_host(x: Any) -> Any:
    return x.backend.to_numpy(x.data) if isinstance(x, Variable) else np.asarray(x)


def _like_index(index: Any, x: Any) -> Any:
    v = anchor(x)
    return v.backend.from_numpy(index, v.device)


@implements("diagonal")
def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return space(a).linalg.diagonal(manipulation.moveaxis(a, (axis1, axis2), (-2, -1)), offset=offset)


@implements("diag")
def _diag(v: Any, k: int = 0) -> Any:
    if len(v.shape) == 2:
        return _diagonal(v, k)
    if len(v.shape) != 1:
        raise ValueError(f"numpy.diag: expected one or two axes; got shape {v.shape}")
    n = v.shape[0] + abs(k)
    at = np.arange(v.shape[0])
    rows, columns = at + max(-k, 0), at + max(k, 0)
    back = np.full((n, n), v.shape[0])  # a zero behind the last element
    back[rows, columns] = at
    zero = space(v).zeros((1,), dtype=v.dtype, device=v.device)
    return take_grid(joining.concat([v, zero], 0), back)


def take_grid(x: Any, index: Any) -> Any:
    """Elements of a vector in the shape of an array of integers of the host."""
    flat = take(x, _like_index(index.reshape(-1), x), 0)
    return manipulation.reshape(flat, index.shape)


@implements("diagflat")
def _diagflat(v: Any, k: int = 0) -> Any:
    return _diag(manipulation.ravel(v), k)


@implements("tril")
def _tril(m: Any, k: int = 0) -> Any:
    return rearrangement.tril(m, k)


@implements("triu")
def _triu(m: Any, k: int = 0) -> Any:
    return rearrangement.triu(m, k)


# -- order ---------------------------------------------------------------------------------------


@implements("flip")
def _flip(m: Any, axis: Any = None) -> Any:
    return rearrangement.flip(m, axis)


@implements("fliplr")
def _fliplr(m: Any) -> Any:
    return rearrangement.flip(m, 1)


@implements("flipud")
def _flipud(m: Any) -> Any:
    return rearrangement.flip(m, 0)


@implements("roll")
def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    return rearrangement.roll(a, shift, axis)


@implements("rot90")
def _rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    one, other = axes
    k %= 4
    if k == 0:
        return manipulation.same_value(m)
    if k == 2:
        return rearrangement.flip(m, (one, other))
    if k == 1:
        return _swapaxes(rearrangement.flip(m, other), one, other)
    return rearrangement.flip(_swapaxes(m, one, other), other)


@implements("repeat")
def _repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    (a,) = arrays(a, anchor(a, repeats))[:1]
    if not isinstance(repeats, Integral):
        repeats = arrays(repeats, anchor(a))[0]
        repeats = repeats.data if isinstance(repeats, Variable) else repeats
    return rearrangement.repeat(a, repeats, axis)


@implements("tile")
def _tile(A: Any, reps: Any) -> Any:
    return rearrangement.tile(A, reps)


@implements("meshgrid")
def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    grid = standard.meshgrid(*(manipulation.ravel(x) for x in arrays(*xi)), indexing=indexing)
    if not sparse:
        return tuple(transfer.copy(x) for x in grid) if copy else grid
    order = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        order[:2] = [1, 0]
    lines = [tuple(slice(None) if i == axis else slice(0, 1) for i in range(len(xi))) for axis in order]
    return tuple(get_item(x, line) for x, line in zip(grid, lines, strict=True))


@implements("linspace")
def _linspace(  # noqa: PLR0917  # NumPy's signature
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    v = anchor(start, stop)
    xp = space(v)
    parts = max(num - 1 if endpoint else num, 1)
    first, last = standard.broadcast_arrays(*arrays(start, stop))
    like = (first + last).dtype
    t = (
        manipulation.reshape(xp.arange(num, dtype=like, device=v.device), (num, *[1] * len(first.shape)))
        / parts
    )
    y = first * (1 - t) + last * t
    (y,) = converted(dtype, manipulation.moveaxis(y, 0, axis))
    return (y, (last - first) / parts) if retstep else y
