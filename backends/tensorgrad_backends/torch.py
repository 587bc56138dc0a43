"""PyTorch tensors, on every device that PyTorch has. Its own autograd stays off.

Tensors that take part in PyTorch's autograd are refused: two graphs of one computation help nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType, ModuleType
from typing import Any

import numpy as np

from tensorgrad.backend import Array, Backend, importing, is_basic, native, no_device

with importing("PyTorch", install="python -m pip install torch"):
    import array_api_compat.torch
    import torch


def _result_type(*arrays_and_dtypes: Any) -> Any:
    """array-api-compat's; where PyTorch does not promote (unsigned integers of 16 bits and more), NumPy's."""
    try:
        return array_api_compat.torch.result_type(*arrays_and_dtypes)
    except RuntimeError:
        dtypes = (getattr(x, "dtype", x) for x in arrays_and_dtypes)
        names = (str(x).removeprefix("torch.") if isinstance(x, torch.dtype) else x for x in dtypes)
        return getattr(torch, np.result_type(*names).name)


def _unique_all(x: Array, /) -> tuple[Array, Array, Array, Array]:
    """What array-api-compat lacks: PyTorch does not say where a value occurs first."""
    values, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True)
    order = torch.argsort(inverse.reshape(-1), stable=True)
    return values, order[torch.cumsum(counts, 0) - counts], inverse, counts


def _sign(x: Array, /) -> Array:
    """array-api-compat's puts the nan in by an index, which waits for the device if `x` is 0-d."""
    if not x.dtype.is_floating_point:
        return array_api_compat.torch.sign(x)
    return torch.where(torch.isnan(x), x, torch.sign(x))


class _Info(array_api_compat.torch.__array_namespace_info__):  # type: ignore[misc]  # a class without types
    """array-api-compat's, but for the devices: it tries some that PyTorch warns of."""

    def devices(self) -> list[torch.device]:
        kind = torch.accelerator.current_accelerator()
        count = torch.accelerator.device_count()
        return [torch.device("cpu"), *(torch.device(kind.type, i) for i in range(count))]


def _namespace() -> ModuleType:
    """array-api-compat's namespace, with mends."""
    namespace = ModuleType("tensorgrad_backends.torch.xp", array_api_compat.torch.__doc__)
    kept = {name: value for name, value in vars(array_api_compat.torch).items() if not name.startswith("__")}
    vars(namespace).update(kept, __array_namespace_info__=_Info)
    vars(namespace).update(result_type=_result_type, unique_all=_unique_all)
    vars(namespace).update(sign=_sign)
    return namespace


_UNPROMOTED = frozenset(
    (
        *("add", "subtract", "multiply", "divide", "floor_divide", "pow", "remainder"),
        *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"),
    )
)
"""0-d tensors have no say in the dtype beside others, where both are integers or both are floats."""


class TorchBackend(Backend):
    """PyTorch tensors.

    Random numbers are PyTorch's own, drawn on the device from its default generator there: that which
    ``torch.manual_seed`` seeds, and `tensorgrad.seed`.
    """

    name = "torch"
    unpromoted = _UNPROMOTED
    xp = _namespace()
    array_types = (torch.Tensor,)

    @property
    def module(self) -> Any:
        return torch

    # -- transfers -------------------------------------------------------------------------------

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any = None) -> Array:
        contiguous = np.ascontiguousarray(native(array)).reshape(array.shape)
        return torch.tensor(contiguous, device=self._known(device))

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        """Share the memory of a tensor on the host. NumPy has no bfloat16: that becomes float32."""
        array = array.detach().cpu().resolve_conj().resolve_neg()
        on_host: np.ndarray[Any, Any] = (array.float() if array.dtype == torch.bfloat16 else array).numpy()
        return on_host

    def to_device(self, array: Array, device: Any) -> Array:
        return array.to(self._known(device))

    def _known(self, device: Any) -> Any:
        """The device, if this PyTorch has it; what it says itself are a dozen kinds of errors."""
        if device is None or device in _FOUND:
            return device
        try:
            torch.empty(0, device=device)
        except (AssertionError, RuntimeError, TypeError) as error:
            raise no_device(self.name, self.devices(), device) from error
        _FOUND.add(device)
        return device

    def devices(self) -> list[str]:
        kind = torch.accelerator.current_accelerator()
        count = torch.accelerator.device_count()
        return ["cpu", *(f"{kind.type}:{i}{_named(kind.type, i)}" for i in range(count))]

    # -- arrays ----------------------------------------------------------------------------------

    def adopt(self, array: Array) -> Array:
        if array.requires_grad:
            raise TypeError(
                "torch: expected a tensor that PyTorch's autograd does not follow; got one with "
                "requires_grad=True. Pass x.detach(): the gradients are computed here, not there."
            )
        return array

    def copy(self, array: Array) -> Array:
        return array.detach().clone(memory_format=torch.contiguous_format)

    # -- what the standard leaves open -----------------------------------------------------------

    def getitem(self, array: Array, index: Any) -> Array:
        items = index if isinstance(index, tuple) else (index,)
        return _backwards(array, items) if _turned(items) else array[index]

    def setitem(self, base: Array, index: Any, values: Any) -> Array:
        items = index if isinstance(index, tuple) else (index,)
        if not _turned(items):
            base[index] = values
            return base
        positions = torch.arange(base.numel(), device=base.device).reshape(base.shape)
        positions = self.getitem(positions, index)
        values = torch.as_tensor(values, dtype=base.dtype, device=base.device).expand(positions.shape)
        base.view(-1)[positions.reshape(-1)] = values.reshape(-1)
        return base

    def scatter_add(self, base: Array, index: Any, values: Array) -> Array:
        items = index if isinstance(index, tuple) else (index,)
        if is_basic(index) and not _turned(items):
            base[index] += values
            return base
        if all(isinstance(item, torch.Tensor) for item in items):
            return base.index_put_(items, values, accumulate=True)
        positions = torch.arange(base.numel(), device=base.device).reshape(base.shape)
        positions = self.getitem(positions, index)
        flat = base.reshape(-1)
        flat.index_add_(0, positions.reshape(-1), values.expand(positions.shape).reshape(-1))
        return flat.reshape(base.shape)

    def kernel(self, name: str) -> Callable[..., Any] | None:
        return _KERNELS.get(name)

    def seed(self, seed: int) -> None:
        super().seed(seed)
        torch.manual_seed(seed)

    def random_state(self) -> Any:
        there = [module.get_rng_state(i).numpy() for module, i in _generators()]
        return super().random_state(), torch.get_rng_state().numpy(), there

    def set_random_state(self, state: Any) -> None:
        drawn_by_numpy, here, there = state
        super().set_random_state(drawn_by_numpy)
        torch.set_rng_state(torch.from_numpy(here))
        for (module, i), of_device in zip(_generators(), there, strict=False):
            module.set_rng_state(torch.from_numpy(of_device), i)

    def uniform(self, shape: tuple[int, ...], dtype: Any, device: Any = None) -> Array:
        return torch.rand(shape, dtype=dtype, device=device)

    def normal(self, shape: tuple[int, ...], dtype: Any, device: Any = None) -> Array:
        return torch.randn(shape, dtype=dtype, device=device)

    def synchronize(self) -> None:
        if torch.accelerator.is_available():
            torch.accelerator.synchronize()

    def memory_info(self) -> dict[str, int]:
        if not torch.cuda.is_available():
            return {}
        free, total = torch.cuda.mem_get_info()
        used, held = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
        return {"used": used, "held": held, "free": free, "total": total}

    def special(self, name: str) -> Any:
        return None if name in _LESS_EXACT else getattr(torch.special, name, None)


_FOUND: set[Any] = set()
"""The devices that were there when they were first asked for."""

# -- convolution -------------------------------------------------------------------------------------


def _settings(windows: Any, *arrays: Array) -> tuple[Any, ...] | None:
    """Stride, pad and dilation as PyTorch takes them; None where it does not: two pads, or no floats."""
    dtypes = {a.dtype for a in arrays}
    served = len(dtypes) == 1 and arrays[0].is_floating_point() and all(a.numel() for a in arrays)
    if not served or any(before != behind for before, behind in windows.pad):
        return None
    return windows.stride, [before for before, _ in windows.pad], windows.dilation


def _convolution(x: Array, W: Array, windows: Any, groups: int) -> Array | None:
    settings = _settings(windows, x, W)
    if settings is None:
        return None
    return torch.convolution(x, W, None, *settings, False, [0] * len(windows.pad), groups)


def _transposed(y: Array, W: Array, windows: Any, groups: int, lengths: tuple[int, ...]) -> Array | None:
    settings = _settings(windows, y, W)
    if settings is None:
        return None
    behind = [n - least for n, least in zip(lengths, windows.lengths(tuple(y.shape[2:])), strict=True)]
    return torch.convolution(y, W, None, *settings, True, behind, groups)


def _kernel_gradient(x: Array, y: Array, windows: Any, groups: int) -> Array | None:
    settings = _settings(windows, x, y)
    if settings is None:
        return None
    like = x.new_empty((y.shape[1], x.shape[1] // groups, *windows.kernel))
    none = [0] * len(windows.pad)
    backward = torch.ops.aten.convolution_backward
    return backward(y, x, like, None, *settings, False, none, groups, [False, True, False])[1]


_KERNELS: dict[str, Callable[..., Any]] = {
    "convolution": _convolution,
    "transposed_convolution": _transposed,
    "kernel_gradient": _kernel_gradient,
}


_LESS_EXACT = frozenset(("gammainc", "gammaincc", "polygamma"))
"""Special functions that are right to ten digits only in float64: tensorgrad's formulas are better."""


def _generators() -> list[tuple[Any, int]]:
    """PyTorch's module for the accelerator, with each of its devices: each has a generator of its own."""
    kind = torch.accelerator.current_accelerator()
    module = None if kind is None else getattr(torch, kind.type)
    return [(module, i) for i in range(torch.accelerator.device_count())] if module is not None else []


def _named(kind: str, number: int) -> str:
    return f" ({torch.cuda.get_device_name(number)})" if kind == "cuda" else ""


def _turned(items: tuple[Any, ...]) -> bool:
    """Whether an index has a slice with a negative step."""
    return any(isinstance(i, slice) and i.step is not None and i.step < 0 for i in items)


def _backwards(array: Array, items: tuple[Any, ...]) -> Array:
    """``array[items]`` where slices have negative steps, which PyTorch lacks.

    Those axes are cut out first with the steps turned round, and flipped; the rest is PyTorch's.
    """
    used = sum(_axes(item) for item in items)
    axis = 0
    cuts: list[slice] = [slice(None)] * array.ndim
    flipped: list[int] = []
    rest: list[Any] = []
    for item in items:
        if _turned((item,)):
            taken = range(*item.indices(array.shape[axis]))[::-1]
            cuts[axis] = slice(taken.start, taken.stop, taken.step) if taken else slice(0, 0)
            flipped.append(axis)
            item = slice(None)  # noqa: PLW2901  # what is left to do on this axis
        rest.append(item)
        axis += array.ndim - used if isinstance(item, EllipsisType) else _axes(item)
    return torch.flip(array[tuple(cuts)], flipped)[tuple(rest)]


def _axes(item: Any) -> int:
    """How many axes of an array an item of an index is for."""
    if item is None or isinstance(item, bool | EllipsisType):
        return 0
    dtype = str(getattr(item, "dtype", ""))
    return item.ndim if "bool" in dtype else 1
