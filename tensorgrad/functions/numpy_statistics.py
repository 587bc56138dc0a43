"""NumPy's statistics and polynomials on Variables."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from tensorgrad.core import Variable
from tensorgrad.functions import complex_parts, joining, linalg, manipulation, reduction, selection, standard
from tensorgrad.functions.indexing import get_item, take
from tensorgrad.functions.numpy_support import (
    Unsupported,
    anchor,
    arrays,
    converted,
    floating,
    implements,
    space,
)


@implements("average")
def _average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False
) -> Any:
    v = anchor(a, weights)
    a = floating(arrays(a, v)[0])
    if weights is None:
        mean = reduction.mean(a, axis, keepdims)
        return (mean, space(v).full(mean.shape, a.size / mean.size, dtype=mean.dtype)) if returned else mean
    weights = arrays(weights, v)[0]
    if tuple(weights.shape) != tuple(a.shape):
        if not isinstance(axis, Integral) or len(weights.shape) != 1:
            raise Unsupported("weights= of another shape than the array needs an integer axis=")
        weights = manipulation.moveaxis(
            manipulation.reshape(weights, (*[1] * (len(a.shape) - 1), -1)), -1, axis
        )
        weights = manipulation.broadcast_to(weights, a.shape)
    total = reduction.sum(weights, axis, keepdims)
    mean = reduction.sum(a * weights, axis, keepdims) / total
    return (mean, total) if returned else mean


@implements("median")
def _median(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _quantile(a, 0.5, axis, keepdims=keepdims)


@implements("percentile")
def _percentile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    return _quantile(a, _host(q) / 100, axis, method=method, keepdims=keepdims)


@implements("quantile")
def _quantile(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    """From the sorted values: the gradient goes to the two neighbours of each quantile."""
    if method not in ("linear", "lower", "higher", "midpoint"):
        raise Unsupported(f"method={method!r} is not supported with Variables")
    v = anchor(a)
    a, q = floating(a), _host(q)
    if ((q < 0) | (q > 1)).any():
        raise ValueError("numpy.quantile: expected q between 0 and 1")
    n_axes = len(a.shape)
    axes = tuple(range(n_axes)) if axis is None else manipulation.axes_of("quantile", axis, n_axes)
    rest = tuple(i for i in range(n_axes) if i not in axes)
    rows = manipulation.permute_dims(a, (*rest, *axes))
    kept = tuple(a.shape[i] for i in rest)
    rows = standard.sort(manipulation.reshape(rows, (*kept, a.size // max(_size(kept), 1))), axis=-1)
    if not rows.shape[-1]:
        raise ValueError(
            f"numpy.quantile: expected an element or more along axis {axis}; got shape {a.shape}"
        )
    place = q.reshape(-1) * (rows.shape[-1] - 1)
    low, high = np.floor(place), np.ceil(place)
    share = {"linear": place - low, "lower": 0 * low, "higher": 0 * low + 1, "midpoint": 0.5 * (high > low)}
    below, above = (take(rows, v.backend.from_numpy(i.astype(np.int64), v.device), -1) for i in (low, high))
    part = v.backend.from_numpy(share[method], v.device)
    part = space(v).astype(part, rows.dtype)
    y = below + (above - below) * part
    y = selection.where(space(v).isnan(rows[..., -1:]), float("nan"), y)
    y = manipulation.reshape(manipulation.moveaxis(y, -1, 0), (*q.shape, *kept))
    if not keepdims:
        return y
    lengths = tuple(1 if i in axes else n for i, n in enumerate(a.shape))
    return manipulation.reshape(y, (*q.shape, *lengths))


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _host(q: Any) -> Any:
    """Where quantiles are asked for: constants, on the host."""
    if isinstance(q, Variable) and q.requires_grad:
        raise Unsupported("q that requires a gradient is not supported")
    return np.asarray(q.backend.to_numpy(q.data) if isinstance(q, Variable) else q, dtype=np.float64)


@implements("cov")
def _cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    *,
    dtype: Any = None,
) -> Any:
    v = anchor(m, y)
    xs = [floating(x) for x in converted(dtype, *(arrays(z, v)[0] for z in (m, y) if z is not None))]
    rows = [manipulation.reshape(x, (1, -1)) if len(x.shape) < 2 else x for x in xs]
    if not rowvar:
        rows = [r if len(x.shape) < 2 else manipulation.transpose(r) for r, x in zip(rows, xs, strict=True)]
    x = joining.concat(rows, 0) if len(rows) > 1 else rows[0]
    x = x - reduction.mean(x, -1, True)
    correction = (0 if bias else 1) if ddof is None else ddof
    c = linalg.matmul(x, complex_parts.conj(manipulation.transpose(x))) / (x.shape[-1] - correction)
    return manipulation.squeeze(c)


@implements("corrcoef")
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = _cov(x, y, rowvar, dtype=dtype)
    if not c.shape:
        return c / c
    spread = complex_parts.real(space(c).linalg.diagonal(c)) ** 0.5
    c = c / manipulation.expand_dims(spread, 1) / manipulation.expand_dims(spread, 0)
    return c if c.backend.is_complex(c.dtype) else selection.clip(c, -1.0, 1.0)


@implements("trapezoid", "trapz")
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    v = anchor(y, x, dx)
    y = arrays(y, v)[0]
    axis = manipulation.axis_of("trapezoid", axis, len(y.shape))
    if x is not None:
        x = arrays(x, v)[0]
        if len(x.shape) == 1:
            x = manipulation.reshape(x, tuple(-1 if i == axis else 1 for i in range(len(y.shape))))
        dx = _between(x, axis, 1) - _between(x, axis, 0)
    return reduction.sum((_between(y, axis, 0) + _between(y, axis, 1)) * dx / 2, axis)


def _between(x: Any, axis: int, start: int) -> Any:
    """All elements along an axis but the last (0) or the first (1)."""
    n = x.shape[axis]
    return get_item(x, (*[slice(None)] * axis, slice(start, n - 1 + start)))


@implements("gradient")
def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    if edge_order != 1:
        raise Unsupported("edge_order=2 is not supported with Variables")
    v = anchor(f, varargs)
    f = arrays(f, v)[0]
    n = len(f.shape)
    axes = tuple(range(n)) if axis is None else manipulation.axes_of("gradient", axis, n)
    steps = varargs or (1.0,)
    steps = steps * len(axes) if len(steps) == 1 else steps
    slopes = tuple(_slope(f, h, i, v) for h, i in zip(steps, axes, strict=True))
    return slopes[0] if len(slopes) == 1 else slopes


def _slope(f: Any, h: Any, axis: int, v: Variable) -> Any:
    """Differences along one axis: at each inner place a mean of both sides, weighted for their order."""
    sides = _between(f, axis, 1) - _between(f, axis, 0)
    if getattr(h, "shape", ()) or isinstance(h, list | tuple):
        h = manipulation.reshape(arrays(h, v)[0], tuple(-1 if i == axis else 1 for i in range(len(f.shape))))
        gaps = _between(h, axis, 1) - _between(h, axis, 0)
        slopes = sides / gaps
        left, right = _between(gaps, axis, 0), _between(gaps, axis, 1)
        inner = (_between(slopes, axis, 0) * right + _between(slopes, axis, 1) * left) / (left + right)
    else:
        slopes = sides / h
        inner = (_between(slopes, axis, 0) + _between(slopes, axis, 1)) / 2
    first, last = ((*[slice(None)] * axis, part) for part in (slice(0, 1), slice(-1, None)))
    return joining.concat([get_item(slopes, first), inner, get_item(slopes, last)], axis)


@implements("polyval")
def _polyval(p: Any, x: Any) -> Any:
    p, x = arrays(p, x)
    y = x * 0
    for i in range(p.shape[0]):
        y = y * x + p[i]
    return y


@implements("vander")
def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    n = x.shape[0] if N is None else N
    powers = [space(x).ones_like(x)]
    for _ in range(n - 1):
        powers.append(powers[-1] * x)
    return joining.stack(powers[:n] if increasing else powers[:n][::-1], 1)


@implements("ediff1d")
def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    v = anchor(ary, to_end, to_begin)
    flat = manipulation.ravel(arrays(ary, v)[0])
    middle = _between(flat, 0, 1) - _between(flat, 0, 0)
    ends = [None if x is None else manipulation.ravel(arrays(x, v)[0]) for x in (to_begin, to_end)]
    parts = [x for x in (ends[0], middle, ends[1]) if x is not None]
    return joining.concat(parts, 0) if len(parts) > 1 else middle
