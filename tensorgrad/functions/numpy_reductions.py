"""NumPy's reductions and running sums on Variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.core import Variable
from tensorgrad.core.variable import make_variable
from tensorgrad.functions import complex_parts, manipulation, reduction, selection, transfer
from tensorgrad.functions.numpy_support import anchor, arrays, converted, floating, implements, space
from tensorgrad.functions.numpy_ufuncs import REDUCTIONS


@implements("sum")
def _sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    return _reduced("add", a, axis, keepdims, dtype=dtype, initial=initial, where=where)


@implements("prod")
def _prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    keepdims: bool = False,
    initial: Any = None,
    where: Any = True,
) -> Any:
    return _reduced("multiply", a, axis, keepdims, dtype=dtype, initial=initial, where=where)


@implements("max", "amax")
def _max(a: Any, axis: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    return _reduced("maximum", a, axis, keepdims, initial=initial, where=where)


@implements("min", "amin")
def _min(a: Any, axis: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    return _reduced("minimum", a, axis, keepdims, initial=initial, where=where)


@implements("all")
def _all(a: Any, axis: Any = None, *, keepdims: bool = False, where: Any = True) -> Any:
    return _reduced("logical_and", a, axis, keepdims, where=where)


@implements("any")
def _any(a: Any, axis: Any = None, *, keepdims: bool = False, where: Any = True) -> Any:
    return _reduced("logical_or", a, axis, keepdims, where=where)


def _reduced(name: str, a: Any, axis: Any, keepdims: bool, *, where: Any, **kwargs: Any) -> Any:
    v = anchor(a, where)
    (a,) = arrays(a) if isinstance(a, Variable) else arrays(a, v)[:1]
    a = a if isinstance(a, Variable) else make_variable(a, None, 0)
    return REDUCTIONS[name](a, axis, keepdims, where=where, **kwargs)


@implements("nansum")
def _nansum(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    return _sum(_without_nan(a, 0), axis, dtype, keepdims=keepdims)


@implements("nanprod")
def _nanprod(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    return _prod(_without_nan(a, 1), axis, dtype, keepdims=keepdims)


@implements("nanmax")
def _nanmax(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _where_known(a, _max(_without_nan(a, -np.inf), axis, keepdims=keepdims), axis, keepdims)


@implements("nanmin")
def _nanmin(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _where_known(a, _min(_without_nan(a, np.inf), axis, keepdims=keepdims), axis, keepdims)


@implements("nanmean")
def _nanmean(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    (a,) = converted(dtype, a)
    return _nansum(a, axis, keepdims=keepdims) / _known(a, axis, keepdims)


@implements("nanvar")
def _nanvar(a: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    (a,) = converted(dtype, a)
    deviation = a - _nanmean(a, axis, keepdims=True)
    total = _nansum(deviation * complex_parts.conj(deviation), axis, keepdims=keepdims)
    return complex_parts.real(total) / (_known(a, axis, keepdims) - ddof)


@implements("nanstd")
def _nanstd(a: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    return _nanvar(a, axis, dtype, ddof=ddof, keepdims=keepdims) ** 0.5


def _without_nan(a: Any, value: float) -> Any:
    return selection.where(space(a).isnan(a), value, a)


def _known(a: Any, axis: Any, keepdims: bool) -> Any:
    """How many elements are not nan, in the dtype of `a`."""
    xp = space(a)
    known = xp.astype(xp.logical_not(xp.isnan(a)), complex_parts.real(a).dtype)
    return reduction.sum(known, axis, keepdims)


def _where_known(a: Any, y: Any, axis: Any, keepdims: bool) -> Any:
    return selection.where(_known(a, axis, keepdims) == 0, float("nan"), y)


@implements("mean")
def _mean(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, where: Any = True) -> Any:
    (a,) = converted(dtype, a)
    a = floating(a)
    if where is True:
        return reduction.mean(a, axis, keepdims)
    mask = manipulation.broadcast_to(arrays(where, a)[0], a.shape)
    count = reduction.sum(transfer.astype(mask, complex_parts.real(a).dtype), axis, keepdims)
    return _sum(a, axis, keepdims=keepdims, where=mask) / count


@implements("var")
def _var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    correction: float | None = None,
) -> Any:
    (a,) = converted(dtype, a)
    a = floating(a)
    correction = ddof if correction is None else correction
    if a.backend.is_complex(a.dtype):
        parts = complex_parts.real(a), complex_parts.imag(a)
        x, y = (reduction.var(p, axis, keepdims, correction=correction) for p in parts)
        return x + y
    return reduction.var(a, axis, keepdims, correction=correction)


@implements("std")
def _std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    correction: float | None = None,
) -> Any:
    (a,) = converted(dtype, a)
    a = floating(a)
    if a.backend.is_complex(a.dtype):
        return _var(a, axis, ddof=ddof, keepdims=keepdims, correction=correction) ** 0.5
    return reduction.std(a, axis, keepdims, correction=ddof if correction is None else correction)


@implements("ptp")
def _ptp(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _max(a, axis, keepdims=keepdims) - _min(a, axis, keepdims=keepdims)


@implements("cumsum")
def _cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    return _running("cumulative_sum", a, axis, dtype)


@implements("cumprod")
def _cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    return _running("cumulative_prod", a, axis, dtype)


@implements("nancumsum")
def _nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    return _running("cumulative_sum", _without_nan(a, 0), axis, dtype)


@implements("nancumprod")
def _nancumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    return _running("cumulative_prod", _without_nan(a, 1), axis, dtype)


def _running(name: str, a: Any, axis: int | None, dtype: Any) -> Any:
    (a,) = converted(dtype, a)
    a, axis = (manipulation.ravel(a), 0) if axis is None else (a, axis)
    return getattr(space(a), name)(a, axis=axis)


@implements("cumulative_sum")
def _cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    return space(x).cumulative_sum(*converted(dtype, x), axis=axis, include_initial=include_initial)


@implements("cumulative_prod")
def _cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    return space(x).cumulative_prod(*converted(dtype, x), axis=axis, include_initial=include_initial)
