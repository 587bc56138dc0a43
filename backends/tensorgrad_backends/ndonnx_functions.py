"""The Array API namespace of ndonnx: with plain ONNX operators, and with some functions that it lacks."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

import ndonnx as ndx
import numpy as np
import spox.opset.ai.onnx.v21 as op

from tensorgrad.backend import is_basic
from tensorgrad_backends.ndonnx_arrays import (
    FLOATS,
    SERVED,
    OnnxArray,
    constant,
    getitem,
    in_dtype,
    ours,
    pair_of,
    sliced,
    traced,
)

_DENSE = 4096
"""Constants of so many numbers are written out, even if all are the same."""


# -- shapes and constants ---------------------------------------------------------------------------


def reshape(x: ndx.Array, /, shape: tuple[int, ...], **_: Any) -> OnnxArray:
    """The standard's `reshape`."""
    return traced(op.reshape(x.unwrap_spox(), constant(shape, np.int64), allowzero=int(0 in shape)))


def broadcast_to(x: ndx.Array, /, shape: tuple[int, ...]) -> OnnxArray:
    """The standard's `broadcast_to`."""
    return traced(op.expand(x.unwrap_spox(), constant(shape, np.int64)))


def _expand_dims(x: ndx.Array, /, *, axis: int | tuple[int, ...] = 0) -> OnnxArray:
    axes = (axis,) if isinstance(axis, int) else axis
    return traced(op.unsqueeze(x.unwrap_spox(), constant(axes, np.int64)))


def _squeeze(x: ndx.Array, /, axis: int | tuple[int, ...]) -> OnnxArray:
    axes = (axis,) if isinstance(axis, int) else axis
    return traced(op.squeeze(x.unwrap_spox(), constant(axes, np.int64)))


def _concat(arrays: Any, /, *, axis: int | None = 0) -> OnnxArray:
    if axis is None:
        arrays, axis = [reshape(x, (-1,)) for x in arrays], 0
    dtype = ndx.result_type(*arrays)
    return traced(op.concat([in_dtype(x, dtype) for x in arrays], axis=axis))


def _stack(arrays: Any, /, *, axis: int = 0) -> OnnxArray:
    return _concat([_expand_dims(x, axis=axis) for x in arrays], axis=axis)


def _unstack(x: ndx.Array, /, *, axis: int = 0) -> tuple[OnnxArray, ...]:
    before = (slice(None),) * (axis % x.ndim)
    return tuple(sliced(x, (*before, i, ...)) for i in range(x.shape[axis]))


def _where(condition: ndx.Array, x0: Any, x1: Any, /) -> OnnxArray:
    pair = pair_of(x0, x1, SERVED)
    if pair is None:
        return ours(ndx.where(condition, x0, x1))  # type: ignore[no-any-return]
    return traced(op.where(condition.unwrap_spox(), *pair))


def _extreme(name: str, operator: Callable[..., Any]) -> Callable[..., Any]:
    general = getattr(ndx, name)

    @wraps(general)
    def function(x0: Any, x1: Any, /) -> OnnxArray:
        if name == "maximum" and isinstance(x1, int) and x1 == 0 and x0.dtype in FLOATS:
            return traced(op.relu(x0.unwrap_spox()))
        pair = pair_of(x0, x1, FLOATS)
        made: OnnxArray = ours(general(x0, x1)) if pair is None else traced(operator(pair))
        return made

    return function


_maximum = _extreme("maximum", op.max)
_minimum = _extreme("minimum", op.min)


def _full(shape: int | tuple[int, ...], value: Any, *, dtype: Any = None, **_: Any) -> OnnxArray:
    lengths = (shape,) if isinstance(shape, int) else tuple(shape)
    if isinstance(value, ndx.Array):
        return broadcast_to(value if dtype is None else ndx.astype(value, dtype), lengths)
    array = np.array(value, None if dtype is None else dtype.unwrap_numpy())
    if math.prod(lengths) <= _DENSE:
        return traced(constant(np.broadcast_to(array, lengths)))
    return broadcast_to(traced(constant(array)), lengths)


def _zeros(shape: int | tuple[int, ...], *, dtype: Any = None, **_: Any) -> OnnxArray:
    return _full(shape, 0, dtype=dtype or ndx.float64)


def _ones(shape: int | tuple[int, ...], *, dtype: Any = None, **_: Any) -> OnnxArray:
    return _full(shape, 1, dtype=dtype or ndx.float64)


def _full_like(x: ndx.Array, /, value: Any, *, dtype: Any = None, **_: Any) -> OnnxArray:
    return _full(x.shape, value, dtype=dtype or x.dtype)


def _zeros_like(x: ndx.Array, /, *, dtype: Any = None, **_: Any) -> OnnxArray:
    return _full(x.shape, 0, dtype=dtype or x.dtype)


def _ones_like(x: ndx.Array, /, *, dtype: Any = None, **_: Any) -> OnnxArray:
    return _full(x.shape, 1, dtype=dtype or x.dtype)


def _asarray(value: Any, /, *, dtype: Any = None, copy: bool | None = None, **_: Any) -> OnnxArray:
    if isinstance(value, ndx.Array):
        return ours(ndx.asarray(value, dtype=dtype, copy=copy))  # type: ignore[no-any-return]
    if dtype is None and isinstance(value, int | float | list | tuple):
        value = np.asarray(value)
    return traced(constant(value, None if dtype is None else dtype.unwrap_numpy()))


def put(base: ndx.Array, index: Any, values: Any, reduction: str) -> OnnxArray:
    """`base` with values at an index, which replace what is there or are added to it."""
    numbers = np.arange(math.prod(base.shape)).reshape(base.shape)
    known = is_basic(index)
    places = traced(constant(numbers[index] if known else numbers))
    places = places if known else getitem(places, index)
    values = broadcast_to(traced(in_dtype(values, base.dtype)), places.shape)
    parts = (reshape(base, (-1,)), reshape(places, (-1, 1)), reshape(values, (-1,)))
    made = op.scatter_nd(*(x.unwrap_spox() for x in parts), reduction=reduction)
    return reshape(traced(made), base.shape)


# -- numbers ---------------------------------------------------------------------------------------


def _reduction(operator: Callable[..., Any], name: str) -> Callable[..., Any]:
    """One ONNX operator over axes, for the dtypes that it serves; otherwise ndonnx's several."""
    general = getattr(ndx, name)
    served = {ndx.bool} if name in ("any", "all") else FLOATS if name == "mean" else SERVED

    @wraps(general)
    def function(x: ndx.Array, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        if x.dtype not in served or 0 in x.shape or not axes:
            return ours(general(x, axis=axis, keepdims=keepdims))
        var = constant([a % x.ndim for a in axes], np.int64)
        return traced(operator(x.unwrap_spox(), var, keepdims=keepdims))

    return function


def _expm1(x: ndx.Array, /) -> OnnxArray:
    """``e**x - 1``; near 0 by ``2 t / (1 - t)``, t = tanh(x / 2), which cancels nothing."""
    t = ours(ndx.tanh(0.5 * x))
    return _where(ours(ndx.abs(x)) < 1, 2 * t / (1 - t), ours(ndx.exp(x)) - 1)


def _log1p(x: ndx.Array, /) -> OnnxArray:
    """``log(u) x / (u - 1)`` with ``u = 1 + x``: what the rounding of u adds, both have (Goldberg 1991)."""
    u = 1 + x
    same = (u == 1) | ours(ndx.isinf(u))
    return _where(same, x, ours(ndx.log(u)) * x / _where(same, 1.0, u - 1))


def _hypot(x0: Any, x1: Any, /) -> OnnxArray:
    """The root of the sum of the squares, the larger taken out first."""
    a, b = ours(ndx.abs(x0)), ours(ndx.abs(x1))
    top, low = _maximum(a, b), _minimum(a, b)
    ratio = _where((top == 0) | ours(ndx.isinf(top)), 0.0, low / top)
    return ours(top * ndx.sqrt(1 + ratio * ratio))  # type: ignore[no-any-return]


def _atan2(x0: Any, x1: Any, /) -> OnnxArray:
    """The angle of a point: by atan in the right half plane, and half a turn more in the left one."""
    angle = ours(ndx.atan(x0 / _where(x1 == 0, 1.0, x1)))
    turned = _where(x0 >= 0, angle + math.pi, angle - math.pi)
    upright = ours(ndx.sign(x0)) * (math.pi / 2)
    return _where(x1 > 0, angle, _where(x1 < 0, turned, upright))


def _cumulative_prod(x: ndx.Array, /, *, axis: int | None = None, dtype: Any = None, **_: Any) -> OnnxArray:
    """One product after the other: ONNX has no operator, and logarithms would need positive numbers."""
    x = ours(x if dtype is None else ndx.astype(x, dtype))
    parts = list(_unstack(x, axis=0 if axis is None else axis))
    for i in range(1, len(parts)):
        parts[i] = parts[i - 1] * parts[i]
    return _stack(parts, axis=0 if axis is None else axis % x.ndim)


def _vector_norm(
    x: ndx.Array, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, ord: float = 2
) -> OnnxArray:
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    var = constant([a % x.ndim for a in axes], np.int64)
    if ord in (1, 2):
        return traced((op.reduce_l1 if ord == 1 else op.reduce_l2)(x.unwrap_spox(), var, keepdims=keepdims))
    size = ours(ndx.abs(x))
    if math.isinf(ord):
        operator = op.reduce_max if ord > 0 else op.reduce_min
        return traced(operator(size.unwrap_spox(), var, keepdims=keepdims))
    total = traced(op.reduce_sum((size**ord).unwrap_spox(), var, keepdims=keepdims))
    return total ** (1 / ord)  # type: ignore[no-any-return]


def _diagonal(x: ndx.Array, /, *, offset: int = 0) -> OnnxArray:
    places = np.arange(math.prod(x.shape[-2:])).reshape(x.shape[-2:]).diagonal(offset)
    flat = reshape(x, (*x.shape[:-2], -1))
    return traced(op.gather(flat.unwrap_spox(), constant(places), axis=flat.ndim - 1))


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        return ours(function(*args, **options))

    return call


def namespace() -> ModuleType:
    """The namespace; its `linalg` has only what is here."""
    made = ModuleType("tensorgrad_backends.ndonnx.xp", ndx.__doc__)
    for name in ndx.__all__:
        value = getattr(ndx, name)
        is_function = callable(value) and not isinstance(value, type | ndx.DType)
        setattr(made, name, _wrapped(value) if is_function and name != "isdtype" else value)
    reductions = {"max": op.reduce_max, "min": op.reduce_min, "mean": op.reduce_mean}
    reductions |= {"any": op.reduce_max, "all": op.reduce_min}
    vars(made).update({name: _reduction(operator, name) for name, operator in reductions.items()})
    linalg = ModuleType("tensorgrad_backends.ndonnx.xp.linalg")
    vars(linalg).update(vector_norm=_vector_norm, diagonal=_diagonal)
    vars(made).update(
        linalg=linalg,
        cumulative_prod=_cumulative_prod,
        asarray=_asarray,
        atan2=_atan2,
        broadcast_to=broadcast_to,
        concat=_concat,
        expand_dims=_expand_dims,
        expm1=_expm1,
        full=_full,
        full_like=_full_like,
        hypot=_hypot,
        log1p=_log1p,
        matmul=lambda x0, x1, /: x0 @ x1,
        maximum=_maximum,
        minimum=_minimum,
        ones=_ones,
        ones_like=_ones_like,
        reshape=reshape,
        squeeze=_squeeze,
        stack=_stack,
        unstack=_unstack,
        where=_where,
        zeros=_zeros,
        zeros_like=_zeros_like,
    )
    return made
