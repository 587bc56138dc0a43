"""Dask arrays: chunked, and computed when a value is asked for.

A forward and a backward describe a computation; ``v.item()``, ``print(v)`` or ``v.data.compute()`` runs it.
Shapes must be known: an array of unknown length is refused, and a boolean Dask array that is an index is
computed at once, because its count is a shape.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from tensorgrad.backend import Array, Backend, importing, is_basic

with importing("Dask", install="python -m pip install 'dask[array]'"):
    import array_api_compat.dask.array
    import dask
    import dask.array as da


class DaskBackend(Backend):
    """Dask arrays with NumPy chunks. Random numbers are NumPy's, drawn at once."""

    name = "dask"
    writable = False  # item assignment exists, but knows fewer indices than scatter_add
    xp = array_api_compat.dask.array
    array_types = (da.Array,)

    @property
    def module(self) -> Any:
        return da

    # -- transfers -------------------------------------------------------------------------------

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any = None) -> Array:
        _check(device)
        return da.from_array(np.array(array))

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(array.compute())

    def to_device(self, array: Array, device: Any) -> Array:
        _check(device)
        return array

    def device(self, array: Array) -> str:
        return "cpu"

    # -- arrays ----------------------------------------------------------------------------------

    def adopt(self, array: Array) -> Array:
        if any(math.isnan(n) for n in array.shape):
            raise ValueError(
                f"dask: expected an array of known shape; got {array.shape}. "
                "array.compute_chunk_sizes() computes it."
            )
        return array

    def copy(self, array: Array) -> Array:
        return array.copy()

    # -- what the standard leaves open -----------------------------------------------------------

    def getitem(self, array: Array, index: Any) -> Array:
        """Dask's own indexing where it has it; otherwise one task over the whole array."""
        items = index if isinstance(index, tuple) else (index,)
        arrays = [i for i in items if not is_basic(i)]
        if any(_is_mask(i) for i in arrays):
            items = tuple(i.compute() if _is_mask(i) else i for i in items)
            return self.getitem(array, items)
        own = not arrays or (len(arrays) == 1 and _is_list_of_numbers(arrays[0]))
        if own and array.dtype.kind != "c":  # Dask warns that it drops imaginary parts; it does not
            return array[index]
        like = np.broadcast_to(np.zeros((), array.dtype), array.shape)
        shape = like[tuple(_stand_in(i) for i in items)].shape  # without the values of Dask arrays
        picked = dask.delayed(_getitem, pure=True)(array, index)
        return da.from_delayed(picked, shape=shape, dtype=array.dtype)

    def setitem(self, base: Array, index: Any, values: Any) -> Array:
        """One task over the whole array."""
        changed = dask.delayed(_set_at, pure=True)(base, index, values)
        return da.from_delayed(changed, shape=base.shape, dtype=base.dtype)

    def scatter_add(self, base: Array, index: Any, values: Array) -> Array:
        """One task over the whole array."""
        added = dask.delayed(_add_at, pure=True)(base, index, values)
        return da.from_delayed(added, shape=base.shape, dtype=base.dtype)

    def special(self, name: str) -> Any:
        try:
            library = importlib.import_module("scipy.special")
        except ImportError:
            return None
        return getattr(library, name, None)


def _is_list_of_numbers(item: Any) -> bool:
    return getattr(item, "ndim", 0) == 1 and item.dtype.kind in "iu"


def _is_mask(item: Any) -> bool:
    return isinstance(item, da.Array) and item.dtype.kind == "b"


def _stand_in(item: Any) -> Any:
    return np.zeros(item.shape, dtype=np.intp) if isinstance(item, da.Array) else item


def _getitem(array: Any, index: Any) -> Any:
    return np.asarray(array[index])


def _add_at(base: Any, index: Any, values: Any) -> Any:
    total = np.array(base)
    np.add.at(total, index, values)
    return total


def _set_at(base: Any, index: Any, values: Any) -> Any:
    changed = np.array(base)
    changed[index] = values
    return changed


def _check(device: Any) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f"dask: expected device 'cpu' or None; got {device!r}")
