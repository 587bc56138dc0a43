"""tensorgrad's backend for tinyarray: all that a backend must have."""

from __future__ import annotations

from typing import Any

import tinyarray

from tensorgrad.backend import Backend


class TinyarrayBackend(Backend):
    """Arrays of tinyarray."""

    name = "tinyarray"
    xp = tinyarray
    array_types = (tinyarray.Array,)
    writable = False

    def from_numpy(self, array: Any, device: Any = None) -> Any:
        return tinyarray.from_host(array)

    def to_numpy(self, array: Any) -> Any:
        return tinyarray.to_host(array)
