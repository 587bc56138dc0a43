"""NumPy's element by element functions and reductions on Variables, and what gives constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.core import Variable
from tensorgrad.core.variable import make_variable
from tensorgrad.functions import (
    arithmetic,
    complex_parts,
    joining,
    manipulation,
    selection,
    standard,
    transfer,
    trigonometric,
)
from tensorgrad.functions.indexing import take, take_along_axis
from tensorgrad.functions.numpy_support import (
    Unsupported,
    anchor,
    arrays,
    dtype_for,
    implements,
    space,
)


def _named(text: str) -> frozenset[str]:
    return frozenset(text.split())


STEPS = _named("""
    all allclose any argmax argmin argpartition argsort argwhere array2string array_equal array_equiv
    array_str can_cast common_type count_nonzero diag_indices_from digitize empty_like
    flatnonzero histogram_bin_edges isclose iscomplex iscomplexobj isin isneginf isposinf isreal isrealobj
    lexsort linalg.matrix_rank may_share_memory min_scalar_type nanargmax nanargmin ndim nonzero ones_like
    ravel_multi_index result_type save savetxt savez savez_compressed searchsorted shape shares_memory
    size tril_indices_from triu_indices_from unravel_index zeros_like
    """)
"""What gives constants: over NumPy, NumPy itself computes it from the values."""

WRITERS = _named("copyto fill_diagonal place put put_along_axis putmask")
"""What writes into its first argument."""


# -- element by element --------------------------------------------------------------------------


@implements("clip")
def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = (min if a_min is None else a_min), (max if a_max is None else a_max)
    if low is None and high is None:
        return manipulation.same_value(a)
    v = anchor(a, low, high)
    a, low, high = (x if x is None or isinstance(x, int | float) else arrays(x, v)[0] for x in (a, low, high))
    return selection.clip(a, low, high)


@implements("where")
def _where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    if x is None and y is None:
        return space(condition).nonzero(condition)
    v = anchor(condition, x, y)
    condition = arrays(condition, v)[0]
    if "bool" not in str(condition.dtype):
        condition = condition != 0
    if not hasattr(x, "dtype") and not hasattr(y, "dtype"):
        x, y, _ = arrays(x, y, v)
    x, y = (arrays(z, v)[0] if isinstance(z, list | tuple) else z for z in (x, y))
    return selection.where(condition, x, y)


@implements("select")
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError(
            f"numpy.select: expected as many conditions as choices; got {len(condlist)} and {len(choicelist)}"
        )
    y = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        y = _where(condition, choice, y) if _holds(condition, choice, y) else np.where(condition, choice, y)
    return y


def _holds(*values: Any) -> bool:
    return any(isinstance(x, Variable) for x in values)


@implements("round", "around")
def _round(a: Any, decimals: int = 0) -> Any:
    xp = space(a)
    return xp.round(a) if decimals == 0 else xp.round(a * 10.0**decimals) / 10.0**decimals


@implements("fix")
def _fix(x: Any) -> Any:
    return space(x).trunc(x)


@implements("real")
def _real(val: Any) -> Any:
    return complex_parts.real(val)


@implements("imag")
def _imag(val: Any) -> Any:
    return complex_parts.imag(val)


@implements("angle")
def _angle(z: Any, deg: bool = False) -> Any:
    y, x = complex_parts.imag(z), complex_parts.real(z)
    angle = trigonometric.atan2(y, x)
    return angle * (180 / np.pi) if deg else angle


@implements("nan_to_num")
def _nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    if not copy:
        raise Unsupported("copy=False is not supported with Variables")
    v = anchor(x)
    xp = space(v)
    limits = v.backend.xp.finfo(v.dtype)
    y = selection.where(xp.isnan(v), nan, v)
    y = selection.where(v == float("inf"), float(limits.max) if posinf is None else posinf, y)
    return selection.where(v == -float("inf"), float(limits.min) if neginf is None else neginf, y)


@implements("sinc")
def _sinc(x: Any) -> Any:
    return of_functions("sinc")(x)


@implements("unwrap")
def _unwrap(p: Any, discont: float | None = None, axis: int = -1, *, period: float = 2 * np.pi) -> Any:
    v = anchor(p)
    jumps = np.unwrap(v.backend.to_numpy(v.data), discont, axis, period=period) - v.backend.to_numpy(v.data)
    return v + v.backend.from_numpy(jumps.astype(str(v.dtype).rpartition(".")[2]), v.device)


@implements("copy")
def _copy(a: Any) -> Any:
    return transfer.copy(a)


@implements("astype")
def _astype(x: Any, dtype: Any, /, *, copy: bool = True) -> Any:
    return transfer.astype(x, dtype, copy=copy)


@implements("interp")
def _interp(  # noqa: PLR0917  # NumPy's signature
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    x, xp, fp = arrays(x, xp, fp)
    if period is None:
        return of_functions("interp")(x, xp, fp, left=left, right=right)
    x, xp = arithmetic.remainder(x, period), arithmetic.remainder(xp, period)
    order = _argsort(xp).data
    xp, fp = take(xp, order, 0), take(fp, order, 0)
    xp = joining.concat([xp[-1:] - period, xp, xp[:1] + period])
    return of_functions("interp")(x, xp, joining.concat([fp[-1:], fp, fp[:1]]))


@implements("convolve")
def _convolve(a: Any, v: Any, mode: str = "full") -> Any:
    return of_functions("convolve")(*arrays(a, v), mode=mode)


@implements("correlate")
def _correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    a, v = arrays(a, v)
    turned = complex_parts.conj(space(a, v).flip(v))
    if mode != "full" and a.shape[0] < v.shape[0]:
        raise Unsupported(f"mode={mode!r} with the shorter array first is not supported with Variables")
    return of_functions("convolve")(a, turned, mode=mode)


@implements("pad")
def _pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    if isinstance(pad_width, dict):
        ndim = len(array.shape)
        pad_width = [pad_width.get(i, pad_width.get(i - ndim, (0, 0))) for i in range(ndim)]
        pad_width = [(w, w) if isinstance(w, int) else w for w in pad_width]
    width = pad_width if isinstance(pad_width, int) else np.asarray(pad_width).tolist()
    kwargs = {"constant_values": constant_values} if mode == "constant" else {}
    return of_functions("pad")(array, width, mode, **kwargs)


@implements("diff")
def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    v = anchor(a, prepend, append)
    (a,) = arrays(a, v)[:1]
    axis = manipulation.axis_of("diff", axis, len(a.shape))
    parts = [_slab(x, a, axis, v) for x in (prepend, a, append) if x is not None]
    return space(v).diff(space(v).concat(parts, axis=axis) if len(parts) > 1 else a, axis=axis, n=n)


def _slab(x: Any, a: Any, axis: int, v: Variable) -> Any:
    """What is put before or after along an axis: a number takes the shape of one element of it."""
    (x,) = arrays(x, v)[:1]
    if x.shape:
        return x
    return manipulation.broadcast_to(x, tuple(1 if i == axis else n for i, n in enumerate(a.shape)))


def of_functions(name: str) -> Any:
    """A function of tensorgrad's that the Array API has no name for."""
    import tensorgrad.functions as F  # noqa: PLC0415  # the package imports this module's neighbours

    return getattr(F, name)


# -- searching and sorting -----------------------------------------------------------------------


@implements("sort")
def _sort(a: Any, axis: int | None = -1) -> Any:
    return standard.sort(manipulation.ravel(a), axis=-1) if axis is None else standard.sort(a, axis=axis)


@implements("argsort")
def _argsort(a: Any, axis: int | None = -1) -> Any:
    a, axis = (manipulation.ravel(a), -1) if axis is None else (a, axis)
    return space(a).argsort(a, axis=axis)


@implements("partition")
def _partition(a: Any, kth: Any, axis: int | None = -1) -> Any:
    del kth  # a sorted array is partitioned at any place
    return _sort(a, axis)


@implements("argmax")
def _argmax(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    return space(a).argmax(a, axis=axis, keepdims=keepdims)


@implements("argmin")
def _argmin(a: Any, axis: int | None = None, *, keepdims: bool = False) -> Any:
    return space(a).argmin(a, axis=axis, keepdims=keepdims)


@implements("count_nonzero")
def _count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return space(a).count_nonzero(a, axis=axis, keepdims=keepdims)


@implements("nonzero")
def _nonzero(a: Any) -> Any:
    return space(a).nonzero(a)


@implements("searchsorted")
def _searchsorted(a: Any, v: Any, side: str = "left") -> Any:
    return space(a, v).searchsorted(*arrays(a, v), side=side)


@implements("isclose")
def _isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    xp = space(a, b)
    a, b = (make_variable(x.data if isinstance(x, Variable) else x, None, 0) for x in arrays(a, b))
    finite = xp.logical_and(xp.isfinite(a), xp.isfinite(b))
    near = xp.logical_and(finite, xp.abs(a - b) <= atol + rtol * xp.abs(b))
    near = xp.logical_or(near, a == b)
    return xp.logical_or(near, xp.logical_and(xp.isnan(a), xp.isnan(b))) if equal_nan else near


@implements("allclose")
def _allclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    return bool(space(a, b).all(_isclose(a, b, rtol, atol, equal_nan)))


@implements("array_equal")
def _array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    a1, a2 = arrays(a1, a2)
    if tuple(a1.shape) != tuple(a2.shape):
        return False
    return _allclose(a1, a2, 0.0, 0.0, equal_nan)


@implements("unique")
def _unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False
) -> Any:
    found = space(ar).unique_all(ar)
    index = space(ar).take(found.indices, space(ar).argsort(found.values))
    values = take(manipulation.ravel(ar), index.data, 0)
    if not (return_index or return_inverse or return_counts):
        return values
    order = space(ar).argsort(found.values)
    place = space(ar).argsort(order)
    extra = [
        *([index] if return_index else []),
        *([space(ar).take(place, manipulation.ravel(found.inverse_indices))] if return_inverse else []),
        *([space(ar).take(found.counts, order)] if return_counts else []),
    ]
    if return_inverse:
        at = 1 + return_index
        extra[at - 1] = manipulation.reshape(extra[at - 1], ar.shape)
    return values, *extra


@implements("unique_values")
def _unique_values(x: Any) -> Any:
    return _unique(x)


@implements("take_along_axis")
def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    arr, indices = arrays(arr, indices)
    arr, axis = (manipulation.ravel(arr), 0) if axis is None else (arr, axis)
    return take_along_axis(arr, indices.data if isinstance(indices, Variable) else indices, axis)


# -- creation and questions ----------------------------------------------------------------------


@implements("zeros_like")
def _zeros_like(a: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    return _like(a, 0, dtype, shape)


@implements("ones_like")
def _ones_like(a: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    return _like(a, 1, dtype, shape)


@implements("empty_like")
def _empty_like(prototype: Any, /, dtype: Any = None, *, shape: Any = None) -> Any:
    return _like(prototype, 0, dtype, shape)


@implements("full_like")
def _full_like(a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    return _like(a, fill_value, dtype, shape)


def _like(a: Any, value: Any, dtype: Any, shape: Any) -> Any:
    v = anchor(a)
    dtype = v.dtype if dtype is None else dtype_for(v, dtype)
    if not isinstance(value, int | float | complex):
        filled = manipulation.broadcast_to(arrays(value, v)[0], v.shape if shape is None else shape)
        return transfer.astype(filled, dtype, copy=False)
    return space(v).full(v.shape if shape is None else shape, value, dtype=dtype, device=v.device)


@implements("shape")
def _shape(a: Any) -> tuple[int, ...]:
    return tuple(a.shape)


@implements("ndim")
def _ndim(a: Any) -> int:
    return len(a.shape)


@implements("size")
def _size(a: Any, axis: int | None = None) -> int:
    return int(a.size) if axis is None else int(a.shape[axis])


@implements("iscomplexobj")
def _iscomplexobj(x: Any) -> bool:
    return bool(x.backend.is_complex(x.dtype))


@implements("isrealobj")
def _isrealobj(x: Any) -> bool:
    return not _iscomplexobj(x)


@implements("result_type")
def _result_type(*arrays_and_dtypes: Any) -> Any:
    v = anchor(arrays_and_dtypes)
    return v.backend.xp.result_type(*(x.data if isinstance(x, Variable) else x for x in arrays_and_dtypes))


@implements("array_repr")
def _array_repr(arr: Any) -> str:
    return repr(arr)


@implements("array_str")
def _array_str(a: Any) -> str:
    return str(a.backend.to_numpy(a.data))
