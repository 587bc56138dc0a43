"""array-api-strict: the standard and nothing more. It shows that code needs only the standard."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backend import Array, Backend, importing, native

with importing("array-api-strict", install="python -m pip install array-api-strict"):
    import array_api_strict


class ArrayApiStrictBackend(Backend):
    """Arrays of array-api-strict. They lie on the host; devices other than CPU_DEVICE are pretended."""

    name = "array_api_strict"
    xp = array_api_strict
    array_types = (type(array_api_strict.zeros(())),)

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any = None) -> Array:
        return array_api_strict.asarray(native(array), device=_device(device), copy=True)

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.array(array.to_device(_device("cpu")))

    def to_device(self, array: Array, device: Any) -> Array:
        return array.to_device(_device(device))

    def as_device(self, device: Any) -> Any:
        return None if device is None else _device(device)

    def devices(self) -> list[str]:
        devices = array_api_strict.__array_namespace_info__().devices()
        return [str(device).split("'")[1] for device in devices]  # ...Device('CPU_DEVICE')


def _device(device: Any) -> Any:
    if device is None or device == "cpu":
        device = "CPU_DEVICE"
    return array_api_strict.Device(device) if isinstance(device, str) else device
