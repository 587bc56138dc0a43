"""dpnp arrays: the devices that SYCL finds, Intel's GPUs and, through OpenCL, processors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backend import Array, Backend, BackendUnavailableError, importing, native, no_device

_MEND = (
    "Its libraries lie in the folder `lib` of the Python environment: put that folder in the "
    "environment variable LD_LIBRARY_PATH."
)

with importing("dpnp", install="python -m pip install dpnp", mend=_MEND):
    import dpctl
    import dpnp

_FOUND: set[str] = set()
"""The names of devices that were there when they were first asked for."""


class DpnpBackend(Backend):
    """dpnp arrays. Nothing is computed on the host: random numbers alone come from there (NumPy's)."""

    name = "dpnp"
    xp = dpnp
    array_types = (dpnp.ndarray,)

    def __init__(self) -> None:
        if not dpctl.get_devices():
            raise BackendUnavailableError(
                "dpnp is installed, but SYCL finds no device. For an Intel GPU install its driver; "
                "to compute on the processor, set OCL_ICD_FILENAMES to the file libintelocl.so in "
                "the folder `lib` of the Python environment (and LD_LIBRARY_PATH to that folder)."
            )

    # -- transfers -------------------------------------------------------------------------------

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any = None) -> Array:
        array = native(array)
        made = dpnp.array(array, device=self._known(device), copy=True)
        if made.dtype != array.dtype:
            raise TypeError(
                f"dpnp: expected data that the device {made.sycl_device.name} can hold; "
                f"got {array.dtype}, which it would make {made.dtype}. "
                f"Convert it yourself: array.astype({str(made.dtype)!r})"
            )
        return made

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        on_host: np.ndarray[Any, Any] = dpnp.asnumpy(array)
        return on_host

    def to_device(self, array: Array, device: Any) -> Array:
        return dpnp.asarray(array, device=self._known(device))

    def _known(self, device: Any) -> Any:
        """The device, if SYCL has it."""
        if isinstance(device, str) and device not in _FOUND:
            try:
                dpctl.SyclDevice(device)
            except (ValueError, dpctl.SyclDeviceCreationError) as error:
                raise no_device(self.name, self.devices(), device) from error
            _FOUND.add(device)
        return device

    def devices(self) -> list[str]:
        return [f"{d.filter_string} ({d.name.strip()})" for d in dpctl.get_devices()]

    # -- what the standard leaves open -----------------------------------------------------------

    def getitem(self, array: Array, index: Any) -> Array:
        """Backwards slices are copied: of complex arrays with negative strides dpnp 0.20 loses values."""
        items = index if isinstance(index, tuple) else (index,)
        y = self.as_array(array[index])
        backwards = any(isinstance(i, slice) and i.step is not None and i.step < 0 for i in items)
        return dpnp.copy(y, order="C") if backwards else y

    def scatter_add(self, base: Array, index: Any, values: Array) -> Array:
        """Real numbers by `bincount`, which adds on the device; everything else as by default."""
        items = index if isinstance(index, tuple) else (index,)
        counted = all(isinstance(i, dpnp.ndarray) and i.dtype.kind in "iu" for i in items)
        if not counted or base.dtype.kind != "f" or base.size == 0:
            return super().scatter_add(base, index, values)
        lead, rows = base.shape[: len(items)], base.shape[len(items) :]
        width = int(np.prod(rows))
        arange = dpnp.arange(base.size // width, device=base.device)
        first = arange.reshape(lead)[items] * width
        if first.size == 0:
            return base
        positions = dpnp.expand_dims(first, -1) + dpnp.arange(width, device=base.device)
        weights = dpnp.broadcast_to(values, (*first.shape, *rows))
        sums = dpnp.bincount(positions.reshape(-1), weights.reshape(-1), minlength=base.size)
        return base + dpnp.astype(sums, base.dtype, copy=False).reshape(base.shape)

    def synchronize(self) -> None:
        for device in dpctl.get_devices():
            dpnp.get_normalized_queue_device(device=device).wait()

    def memory_info(self) -> dict[str, int]:
        return {"total": dpctl.select_default_device().global_mem_size}

    def special(self, name: str) -> Any:
        special = getattr(getattr(dpnp, "scipy", None), "special", None)
        return getattr(special, name, None)
