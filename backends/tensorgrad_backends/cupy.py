"""CuPy arrays: NVIDIA GPUs through CUDA."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import blake2b
from typing import Any

import numpy as np

from tensorgrad.backend import (
    Array,
    Backend,
    BackendUnavailableError,
    importing,
    is_basic,
    native,
    no_device,
)

_INSTALL = "python -m pip install cupy-cuda12x (or cupy-cuda13x: as the CUDA version of the driver)"
_DRIVER = (
    "Install NVIDIA's driver (https://www.nvidia.com/drivers); when it works, the command `nvidia-smi` "
    "lists the GPU. In a container, start it with the GPU passed in (docker: --gpus all)."
)

with importing("CuPy", install=_INSTALL, mend=_DRIVER):
    import cupy
    import cupyx
    import cupyx.scipy.special

    from tensorgrad_backends.cuda_graphs import Program
    from tensorgrad_backends.cuda_kernels import KERNELS, Counter, scatter_rows
    from tensorgrad_backends.cuda_namespace import namespace, through_float32

_NO_DEVICE = 100  # cudaErrorNoDevice
_OLD_DRIVER = 35  # cudaErrorInsufficientDriver: also where there is none


class CupyBackend(Backend):
    """CuPy arrays. Random numbers are CuPy's own, drawn on the device.

    As everywhere in CuPy, computations run on the current device: that of ``with cupy.cuda.Device(n)``.
    """

    name = "cupy"
    temporary = 1 << 26  # 256 MiB of float32: what the patches of a convolution may fill
    xp = namespace()
    array_types = (cupy.ndarray,)

    def __init__(self) -> None:
        try:
            count = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise BackendUnavailableError(_why(error)) from error
        if count == 0:
            raise BackendUnavailableError(_no_device())
        self._counter = Counter()
        self._seeded = 0  # how often cuRAND got a new seed since `seed`
        self._begins: tuple[int | None, set[int]] = None, set()  # its seed, and the devices that have it
        self._kernels = {**KERNELS, "dropout": self._counter.dropout}

    @property
    def module(self) -> Any:
        return cupy

    # -- transfers -------------------------------------------------------------------------------

    def from_numpy(self, array: np.ndarray[Any, Any], device: Any = None) -> Array:
        with _device(device):
            return cupy.array(native(array), order="C")  # dense, as the kernels want weights that were turned

    sends_ahead = True

    def send(self, arrays: Sequence[np.ndarray[Any, Any]], device: Any = None) -> Callable[[], list[Array]]:
        """Copy on a stream of copies, through pinned memory, while the current stream computes.

        CuPy keeps the pinned memory until the copy is done. What earlier copies lay in may be used again, so
        the stream of copies first waits for what was computed so far, which may read it.
        """
        with _device(device):
            copies = _stream_of_copies()
            copies.wait_event(cupy.cuda.get_current_stream().record())
            with copies:
                made = [self.from_numpy(array, device) for array in arrays]
                done = copies.record()

        def arrived() -> list[Array]:
            with _device(device):
                cupy.cuda.get_current_stream().wait_event(done)
            return made

        return arrived

    def to_numpy(self, array: Array) -> np.ndarray[Any, Any]:
        with array.device:
            on_host: np.ndarray[Any, Any] = cupy.asnumpy(array)
        return on_host

    def to_device(self, array: Array, device: Any) -> Array:
        with _device(device):
            return cupy.asarray(array)

    def devices(self) -> list[str]:
        return _devices()

    # -- arrays ----------------------------------------------------------------------------------

    def copy(self, array: Array) -> Array:
        with array.device:
            return cupy.array(array)

    # -- what the standard leaves open -----------------------------------------------------------

    def scatter_add(self, base: Array, index: Any, values: Array) -> Array:
        with base.device:
            if (
                _whole_rows(base, index)
                and scatter_rows(base, index, _spread(values, base, index)) is not None
            ):
                return base
            if base.dtype.kind == "c" and not is_basic(index):
                cupyx.scatter_add(base.real, index, values.real)
                cupyx.scatter_add(base.imag, index, values.imag)
            elif is_basic(index) or base.dtype in _ATOMIC:
                cupyx.scatter_add(base, index, values)
            else:
                return super().scatter_add(base, index, values)
        return base

    def kernel(self, name: str) -> Callable[..., Any] | None:
        return self._kernels.get(name)

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return Program(function, self._counter)

    def seed(self, seed: int) -> None:
        self._begin_at(seed)
        self._counter.seed(seed)
        self._seeded = 0

    def random_state(self) -> Any:
        """cuRAND tells no state: from here on it draws from a new seed, which follows from the last given."""
        self._seeded += 1
        self._seed_anew()
        return super().random_state(), self._counter.state, self._seeded

    def set_random_state(self, state: Any) -> None:
        drawn_by_numpy, self._counter.state, self._seeded = state
        super().set_random_state(drawn_by_numpy)
        self._seed_anew()

    def _seed_anew(self) -> None:
        text = f"{self._counter.state[0]} {self._seeded}".encode()
        self._begin_at(int.from_bytes(blake2b(text, digest_size=4).digest()))

    def _begin_at(self, seed: int) -> None:
        self._begins = seed, set()
        self._seed_device()

    def _seed_device(self) -> None:
        """Seed cuRAND on the current device. Each has a generator of its own; some are never used."""
        (seed, devices), here = self._begins, cupy.cuda.runtime.getDevice()
        if seed is not None and here not in devices:
            cupy.random.seed(seed)
            devices.add(here)

    def uniform(self, shape: tuple[int, ...], dtype: Any, device: Any = None) -> Array:
        steps = {"float16": 2048, "bfloat16": 256}.get(np.dtype(dtype).name)
        with _device(device):
            self._seed_device()
            if steps is None:
                return cupy.random.random_sample(shape, dtype=dtype)
            draws = cupy.random.random_sample(shape, dtype=cupy.float32)
            return (cupy.floor(draws * steps) / steps).astype(dtype)  # all that it holds: none is 1

    def normal(self, shape: tuple[int, ...], dtype: Any, device: Any = None) -> Array:
        drawn = dtype if dtype in (cupy.float32, cupy.float64) else cupy.float32
        with _device(device):
            self._seed_device()
            return cupy.random.standard_normal(shape, dtype=drawn).astype(dtype, copy=False)

    def synchronize(self) -> None:
        cupy.cuda.Device().synchronize()

    has_marks = True

    def mark(self) -> Any:
        event = cupy.cuda.Event()
        event.record()
        return event

    def elapsed(self, start: Any, stop: Any) -> float:
        return float(cupy.cuda.get_elapsed_time(start, stop)) / 1e3

    def begin_range(self, name: str) -> None:
        cupy.cuda.nvtx.RangePush(name)

    def end_range(self) -> None:
        cupy.cuda.nvtx.RangePop()

    def memory_info(self) -> dict[str, int]:
        pool, measured = cupy.get_default_memory_pool(), _MEASURED.get()
        free, total = cupy.cuda.runtime.memGetInfo()
        used = pool.used_bytes()
        return {
            "used": used,
            "held": pool.total_bytes(),
            "peak": used if measured is None else measured.found["peak"],
            "free": free,
            "total": total,
        }

    @contextmanager
    def memory_peak(self) -> Iterator[dict[str, int]]:
        """A dict whose ``peak`` becomes the most bytes that this thread's arrays took within the ``with``."""
        peak = _Peak(cupy.get_default_memory_pool().used_bytes())
        token = _MEASURED.set(peak)
        try:
            with peak:
                yield peak.found
        finally:
            _MEASURED.reset(token)

    def allow_tf32(self, allowed: bool) -> None:
        """Whether products of float32 may be of TF32: 10 bits of mantissa, on tensor cores."""
        linalg = cupy._core._routines_linalg
        kind = linalg.COMPUTE_TYPE_TF32 if allowed else linalg.COMPUTE_TYPE_DEFAULT
        cupy._core.set_compute_type(np.dtype(np.float32), kind)

    def special(self, name: str) -> Any:
        if name == "polygamma":  # it takes no number for n, and widens float32
            return None
        found = getattr(cupyx.scipy.special, name, None)
        return None if found is None else through_float32(found)


class _Peak(cupy.cuda.MemoryHook):  # type: ignore[misc]  # a class without types
    """Follows what CuPy's pool gives and takes back."""

    def __init__(self, used: int) -> None:
        super().__init__()
        self.name = f"tensorgrad peak {id(self)}"  # CuPy takes no two hooks of one name
        self.used = used
        self.found = {"peak": used}

    def malloc_postprocess(self, **sizes: Any) -> None:
        if not sizes["mem_ptr"]:  # there was none left
            return
        self.used += sizes["mem_size"]
        self.found["peak"] = max(self.found["peak"], self.used)

    def free_postprocess(self, **sizes: Any) -> None:
        self.used -= sizes["mem_size"]


_MEASURED: ContextVar[_Peak | None] = ContextVar("tensorgrad.measured", default=None)
"""Of the innermost `memory_peak` that is open."""


_ATOMIC = frozenset(map(np.dtype, ("f2", "f4", "f8", "i4", "u4", "u8")))
"""The dtypes that ``cupyx.scatter_add`` adds with integer indices."""


@cupy.memoize(for_each_device=True)  # type: ignore[untyped-decorator]
def _stream_of_copies() -> Any:
    return cupy.cuda.Stream(non_blocking=True)


def _whole_rows(base: Array, index: Any) -> bool:
    """Whether an index picks rows of a table by an array of integers."""
    return isinstance(index, cupy.ndarray) and index.dtype.kind in "iu" and base.ndim > 0


def _spread(values: Array, base: Array, rows: Array) -> Array:
    return cupy.broadcast_to(values, (*rows.shape, *base.shape[1:]))


def _device(device: Any) -> Any:
    """A device of CuPy, the current one for None, for what people write: ``1``, ``cuda:1``."""
    if isinstance(device, str):
        kind, _, digits = device.partition(":")
        if kind not in ("cuda", "gpu") or not (digits or "0").isdecimal():
            raise ValueError(f"cupy: expected a device such as 0 or 'cuda:0'; got {device!r}")
        number = int(digits or 0)
    elif device is None:
        return cupy.cuda.Device()
    else:
        number = int(device)
    if not 0 <= number < cupy.cuda.runtime.getDeviceCount():
        raise no_device("cupy", _devices(), device)
    return cupy.cuda.Device(number)


def _devices() -> list[str]:
    runtime = cupy.cuda.runtime
    names = [runtime.getDeviceProperties(i)["name"] for i in range(runtime.getDeviceCount())]
    return [f"cuda:{i} ({name.decode()})" for i, name in enumerate(names)]


def _why(error: Any) -> str:
    """Why CUDA gives no device: what is missing, and how to mend it."""
    if error.status == _NO_DEVICE:
        return _no_device()
    found = cupy.cuda.runtime.driverGetVersion()
    if error.status == _OLD_DRIVER and found == 0:
        return f"CuPy {cupy.__version__} is installed, but NVIDIA's driver is not. {_DRIVER}"
    if error.status == _OLD_DRIVER:
        needed = cupy.cuda.runtime.runtimeGetVersion()
        return (
            f"CuPy {cupy.__version__} needs a driver for CUDA {_version(needed)}; the one installed "
            f"is for CUDA {_version(found)}. Update the driver, or install the CuPy for this one."
        )
    return f"CuPy {cupy.__version__} is installed, but CUDA does not work: {error}. {_DRIVER}"


def _no_device() -> str:
    return (
        f"CuPy {cupy.__version__} and the driver are installed, but there is no CUDA device. "
        "Does `nvidia-smi` list one? Does CUDA_VISIBLE_DEVICES hide it?"
    )


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
