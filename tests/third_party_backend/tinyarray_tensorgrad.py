"""tensorgrad's backend for tinyarray: all that a backend must have."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Backend, importing

with importing("tinyarray", install="python -m pip install tinyarray"):
    import tinyarray


class TinyarrayBackend(Backend):
    """Arrays of tinyarray."""

    name = "tinyarray"  # v.to("tinyarray")
    xp = tinyarray  # the library's Array API namespace
    array_types = (tinyarray.Array,)
    writable = False  # x[i] += y does not work

    def from_numpy(self, array: Any, device: Any = None) -> Any:
        return tinyarray.from_host(array)

    def to_numpy(self, array: Any) -> Any:
        return tinyarray.to_host(array)
