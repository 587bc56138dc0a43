"""JAX arrays, and its tracers inside ``jax.jit`` and its other transforms. They are never changed in place.

JAX computes in float32 unless ``jax_enable_x64`` is set; data of 64 bits is refused then, not narrowed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.backend import Array, Backend, CannotCompileError, importing, is_basic, native, no_device

with importing("JAX", install="python -m pip install jax"):
    import jax
    import jax.numpy as jnp
    import jax.scipy.special


class JaxBackend(Backend):
    """JAX arrays on any device that JAX has.

    Random numbers are NumPy's: one drawn while ``jax.jit`` traces is a constant of what it compiles.
    """

    name = "jax"
    writable = False
    unpromoted = frozenset({"pow"})  # integers keep the dtype of the base
    xp = jnp
    array_types = (jax.Array,)

    # -- transfers -------------------------------------------------------------------------------

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any = None) -> Array:
        array = native(array)
        made = jnp.array(array, device=_device(device))
        if made.dtype != array.dtype:
            _check_narrowing(array, made.dtype)
        return made

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        return np.asarray(array)

    def to_device(self, array: Array, device: Any) -> Array:
        return jax.device_put(array, _device(device))

    def device(self, array: Array) -> Any:
        """The device, or the sharding of an array on several; None for a tracer: it is on none yet."""
        return getattr(array, "device", None)

    def as_device(self, device: Any) -> Any:
        return None if device is None else _device(device)

    def devices(self) -> list[str]:
        return [str(device) for device in jax.devices()]

    # -- arrays ----------------------------------------------------------------------------------

    def copy(self, array: Array) -> Array:
        return jnp.array(array, copy=True)

    # -- what the standard leaves open -----------------------------------------------------------

    def getitem(self, array: Array, index: Any) -> Array:
        if is_basic(index):
            np.broadcast_to(False, array.shape)[index]  # an IndexError where JAX would take the last element
        return array[index]

    def setitem(self, base: Array, index: Any, values: Any) -> Array:
        return base.at[index].set(values)

    def scatter_add(self, base: Array, index: Any, values: Array) -> Array:
        return base.at[index].add(values)

    def kernel(self, name: str) -> Callable[..., Any] | None:
        return _KERNELS.get(name)

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        program = jax.jit(function)

        def call(*args: Any) -> Any:
            try:
                return program(*args)
            except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError) as error:
                first = str(error).partition("\n")[0]
                raise CannotCompileError(f"it looks at values while jax.jit traces it: {first}") from error

        return call

    def synchronize(self) -> None:
        jax.block_until_ready(jax.live_arrays())

    def memory_info(self) -> dict[str, int]:
        known = jax.devices()[0].memory_stats() or {}
        names = {"bytes_in_use": "used", "pool_bytes": "held", "bytes_limit": "total"}
        return {ours: known[theirs] for theirs, ours in names.items() if theirs in known}

    def special(self, name: str) -> Any:
        return None if name in _LESS_EXACT else getattr(jax.scipy.special, name, None)


# -- convolution: linear in images and in kernels, so XLA transposes it -------------------------------


def _convolution(x: Array, W: Array, windows: Any, groups: int) -> Array | None:
    if x.dtype != W.dtype or not jnp.issubdtype(x.dtype, jnp.floating):
        return None
    return jax.lax.conv_general_dilated(
        x, W, windows.stride, windows.pad, rhs_dilation=windows.dilation, feature_group_count=groups
    )


def _transposed(y: Array, W: Array, windows: Any, groups: int, lengths: tuple[int, ...]) -> Array | None:
    if y.dtype != W.dtype or not jnp.issubdtype(y.dtype, jnp.floating):
        return None
    x = jax.ShapeDtypeStruct((y.shape[0], W.shape[1] * groups, *lengths), y.dtype)
    return jax.linear_transpose(lambda x: _convolution(x, W, windows, groups), x)(y)[0]


def _kernel_gradient(x: Array, y: Array, windows: Any, groups: int) -> Array | None:
    if x.dtype != y.dtype or not jnp.issubdtype(x.dtype, jnp.floating):
        return None
    W = jax.ShapeDtypeStruct((y.shape[1], x.shape[1] // groups, *windows.kernel), x.dtype)
    return jax.linear_transpose(lambda W: _convolution(x, W, windows, groups), W)(y)[0]


_KERNELS: dict[str, Callable[..., Any]] = {
    "convolution": _convolution,
    "transposed_convolution": _transposed,
    "kernel_gradient": _kernel_gradient,
}


_LESS_EXACT = frozenset(("betaln",))
"""Special functions that are right to six digits only: tensorgrad's formulas are better."""


def _device(device: Any) -> Any:
    """A device of JAX for what people write: ``cpu``, ``gpu:1``."""
    if not isinstance(device, str):
        return device
    kind, _, number = device.partition(":")
    try:
        return jax.devices(kind)[int(number or 0)]
    except (IndexError, RuntimeError, ValueError) as error:
        raise no_device("jax", [str(found) for found in jax.devices()], device) from error


def _check_narrowing(array: np.ndarray[Any, Any], dtype: Any) -> None:
    """Let integers pass that fit into 32 bits; refuse anything else that JAX made smaller."""
    if array.dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        if array.size == 0 or (array.min() >= bounds.min and array.max() <= bounds.max):
            return
    raise TypeError(
        f"jax: expected data that JAX keeps as it is; got {array.dtype}, which it would make "
        f"{dtype}. Call jax.config.update('jax_enable_x64', True) first, or convert the "
        f"data yourself: array.astype({str(dtype)!r})"
    )
