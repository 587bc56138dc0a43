"""NumPy, the default backend: arrays on the host."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import lru_cache
from types import ModuleType, SimpleNamespace
from typing import Any

import array_api_compat.numpy
import numpy as np
from numpy.lib.stride_tricks import as_strided

from tensorgrad.backend import Array, Backend, is_basic
from tensorgrad_backends import allocator
from tensorgrad_backends.numpy_kernels import KERNELS

_BLOCK = 1 << 17  # elements: with the arrays that they come from they fit into the L2 cache


_add: Any = np.add  # the stubs know fewer forms of reduce than there are
_maximum: Any = np.maximum
_minimum: Any = np.minimum


def _sum(x: Array, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Array:
    return _add.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)


def _max(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    return _maximum.reduce(x, axis=axis, keepdims=keepdims)


def _min(x: Array, /, *, axis: Any = None, keepdims: bool = False) -> Array:
    return _minimum.reduce(x, axis=axis, keepdims=keepdims)


def _reshape(x: Array, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Array:
    return x.reshape(shape) if copy is None else array_api_compat.numpy.reshape(x, shape, copy=copy)


def _permute_dims(x: Array, /, axes: tuple[int, ...]) -> Array:
    return x.transpose(axes)


def _arange(
    start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None
) -> Array:
    _check(device)
    if stop is None:
        start, stop = 0, start
    return np.arange(start, stop, step, dtype=dtype)


def _zeros(shape: Any, *, dtype: Any = None, device: Any = None) -> Array:
    _check(device)
    return np.zeros(shape, dtype=dtype or np.float64)


def _astype(x: Array, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    _check(device)
    return x.astype(dtype, copy=copy)


def _expm1(x: Array, /) -> Array:
    """NumPy's, with the complex infinities, nans and zeros of the standard: ``exp(x) - 1`` has them."""
    if x.dtype.kind != "c":
        return np.expm1(x)
    y = np.asarray(np.where(np.isfinite(x), np.expm1(x), np.exp(x) - 1))
    y.real += 0.0  # no negative zero
    return y


def _namespace() -> ModuleType:
    """array-api-compat's namespace, with the functions that every step calls taken more directly.

    ``np.sum`` is ``np.add.reduce`` behind a Python function that takes as long as the sum of a hundred
    numbers; so are the others.
    """
    namespace = ModuleType("tensorgrad_backends.numpy.xp", array_api_compat.numpy.__doc__)
    kept = {name: value for name, value in vars(array_api_compat.numpy).items() if not name.startswith("__")}
    info = array_api_compat.numpy.__array_namespace_info__
    vars(namespace).update(kept, __array_namespace_info__=info)
    vars(namespace).update(sum=_sum, max=_max, min=_min, reshape=_reshape, arange=_arange, zeros=_zeros)
    vars(namespace).update(astype=_astype, expm1=_expm1, isdtype=lru_cache(array_api_compat.numpy.isdtype))
    vars(namespace).update(matmul=np.matmul, permute_dims=_permute_dims)
    vars(namespace).update(sign=np.sign)  # array-api-compat's divides 0j by 0
    return namespace


class NumpyBackend(Backend):
    """NumPy arrays."""

    name = "numpy"
    temporary = 2 * _BLOCK
    xp = _namespace()
    array_types = (np.ndarray,)

    def __init__(self) -> None:
        allocator.start()

    @property
    def module(self) -> Any:
        return np

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any = None) -> Array:
        _check(device)
        return np.array(array)

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(array)

    def to_device(self, array: Array, device: Any) -> Array:
        _check(device)
        return array

    def device(self, array: Array) -> str:
        return "cpu"

    def as_array(self, value: Any) -> Array:
        return np.asarray(value)

    def getitem(self, array: Array, index: Any) -> Array:
        return np.asarray(array[index])

    def copy(self, array: Array) -> Array:
        return np.array(array)

    def last_writers(self, positions: Array, size: int) -> tuple[Array, Array]:
        last = np.full(size, -1)
        last[positions] = np.arange(positions.size)
        written = last >= 0
        last[~written] = 0
        return written, last

    def may_overwrite(self, holder: Any) -> bool:
        array = holder.data
        if array.base is not None or not array.flags.writeable:
            return False
        del array
        return _references(holder) <= _OF_THE_HOLDER

    def scatter_add(self, base: Array, index: Any, values: Array) -> Array:
        if is_basic(index) or (isinstance(index, np.ndarray) and index.dtype == np.bool_):
            base[index] += values
            return base
        items = index if isinstance(index, tuple) else (index,)
        counted = all(isinstance(i, np.ndarray) and i.dtype.kind in "iu" for i in items)
        if counted and base.flags.c_contiguous:
            _add_rows(base, items, values)
        else:
            np.add.at(base, index, values)
        return base

    def _drawn(self, draws: np.ndarray[Any, Any], dtype: Any, device: Any) -> Array:
        _check(device)
        return draws.astype(dtype, copy=False)

    def ones_like(self, array: Array) -> Array:
        return np.ones(array.shape, array.dtype) if array.ndim else np.array(1, array.dtype)

    def windows(
        self, x: Array, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
    ) -> Array:
        axes = len(kernel)
        shape, steps = x.shape[:-axes], x.strides[:-axes]
        along = list(zip(x.shape[-axes:], kernel, stride, dilation, x.strides[-axes:], strict=True))
        counts = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d, _ in along]
        shape = (*shape, *kernel, *counts)
        steps = (*steps, *(d * step for _, _, _, d, step in along), *(s * step for _, _, s, _, step in along))
        return _view(x, shape, steps)

    def masked(self, x: Array, mask: Array) -> Array:
        """By a product of its bits, which a nan or an infinity does no harm: four times as fast."""
        bits = _BITS.get(x.dtype)
        return super().masked(x, mask) if bits is None else (x.view(bits) * mask).view(x.dtype)

    def add_distinct(self, base: Array, index: Any, values: Array) -> Array:
        base[index] += values
        return base

    def add_scaled(self, base: Array, values: Array, scale: float) -> Array:
        """In blocks that stay in the cache: a temporary of full size costs more in page faults."""
        whole = base.size > _BLOCK and base.flags.c_contiguous and values.flags.c_contiguous
        if not whole or base.dtype != values.dtype:
            base += scale * values
            return base
        flat, added = base.reshape(-1), values.reshape(-1)
        scaled = np.empty(_BLOCK, base.dtype)
        for start in range(0, flat.size, _BLOCK):
            part = added[start : start + _BLOCK]
            block = np.multiply(part, scale, out=scaled[: part.size])
            flat[start : start + _BLOCK] += block
        return base

    def blocks(self, arrays: list[Array]) -> list[tuple[Array, ...]] | None:
        """Pieces that stay in the cache with their temporaries: one of full size costs page faults."""
        size = arrays[0].size
        step = _BLOCK // 4
        if size <= step or not all(a.flags.c_contiguous for a in arrays):
            return None
        flat = [a.reshape(-1) for a in arrays]
        return [tuple([a[i : i + step] for a in flat]) for i in range(0, size, step)]

    def kernel(self, name: str) -> Callable[..., Any] | None:
        return KERNELS.get(name)

    def special(self, name: str) -> Any:
        try:
            library = importlib.import_module("scipy.special")
        except ImportError:
            return None
        return getattr(library, name, None)


def _references(holder: Any) -> int:
    """How many references to the array there are, as far as the interpreter counts them."""
    return sys.getrefcount(holder.data) if hasattr(sys, "getrefcount") else sys.maxsize


_OF_THE_HOLDER = _references(SimpleNamespace(data=np.zeros(()))) if hasattr(sys, "getrefcount") else 0


def _add_rows(base: Array, items: tuple[Array, ...], values: Array) -> None:
    """``np.add.at`` with integers on the leading axes, through one flat index: 1.5 to 5 times as fast."""
    lengths = base.shape[: len(items)]
    rows = base.shape[len(items) :]
    size = int(np.prod(rows))
    counted = [np.where(i < 0, i + n, i) for i, n in zip(items, lengths, strict=True)]
    flat = np.ravel_multi_index(np.broadcast_arrays(*counted), lengths)
    positions = (flat[..., None] * size + np.arange(size)).reshape(-1)
    values = np.broadcast_to(values, (*flat.shape, *rows)).reshape(-1)
    np.add.at(base.reshape(-1), positions, values)


_BITS: dict[Any, Any] = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}
"""Integers as long as a floating dtype."""


def _view(x: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """``as_strided`` without the 5 us that its checks and its dummy object take."""
    return (
        np.ndarray(shape, x.dtype, x, 0, strides) if x.flags.c_contiguous else as_strided(x, shape, strides)
    )


def _check(device: Any) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f"numpy: expected device 'cpu' or None; got {device!r}")
