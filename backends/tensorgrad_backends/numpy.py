"""NumPy, the default backend: arrays on the host."""

from __future__ import annotations

import importlib
from typing import Any

import array_api_compat.numpy
import numpy as np

from tensorgrad.backend import Array, Backend, is_basic


class NumpyBackend(Backend):
    """NumPy arrays."""

    name = "numpy"
    xp = array_api_compat.numpy
    array_types = (np.ndarray,)

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

    def copy(self, array: Array) -> Array:
        return np.array(array)

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

    def special(self, name: str) -> Any:
        try:
            library = importlib.import_module("scipy.special")
        except ImportError:
            return None
        return getattr(library, name, None)


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


def _check(device: Any) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f"numpy: expected device 'cpu' or None; got {device!r}")
