"""The modules of the double: CuPy's names and signatures over NumPy's functions."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections import defaultdict
from contextlib import contextmanager
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from cuda_double import arrays, bfloat16, cublas, emulator
from cuda_double.arrays import COPIES, CUBLAS, Device, computed, ndarray, unwrap, wait, wrap
from cuda_double.graphs import Graph, refuse
from cuda_double.signatures import checked
from cuda_double.streams import TOLD, Event, Stream, current_stream

WAITING = ("nonzero", "flatnonzero", "argwhere", "unique", "array_equal", "allclose", "bincount")
"""Functions whose results, or whose shapes, the host has to know."""

PRODUCTS = ("matmul", "dot", "tensordot", "vdot", "inner", "einsum")
"""Functions that CuPy computes by cuBLAS, which it does not capture; so are all of ``cupy.linalg``."""

BACKWARDS = [False]
"""Whether the threads of a block run by falling numbers: what a kernel gives must not depend on it."""

RANGES: list[str | None] = []
"""What NVTX was told: the names of ranges that begin, None where one ends."""

LAUNCHED: list[str] = []
"""The names of the kernels that were launched, in order."""


def install() -> None:
    """Put the double in CuPy's place. The installed CuPy must not have been used for anything before."""
    made = doubles()
    for name in [n for n in sys.modules if n.partition(".")[0] in ("cupy", "cupyx")]:
        del sys.modules[name]
    sys.modules.update(made)


def doubles() -> dict[str, ModuleType]:
    """The modules of the double, by name. Where no CuPy is installed, names and signatures are NumPy's."""
    real, real_x, special = map(_real, ("cupy", "cupyx", "cupyx.scipy.special"))
    arrays.REAL = real
    linalg, fft, random = (getattr(real, name, None) for name in ("linalg", "fft", "random"))
    modules = [
        cupy := _over("cupy", real, np),
        _over("cupy.linalg", linalg, np.linalg),
        _over("cupy.fft", fft, np.fft),
        _random(random),
        cuda := _cuda(),
        _named("cupy.cuda.device", Device=cuda.Device, get_cublas_handle=lambda: cublas.HANDLE),
        _cupyx(real_x),
        _named("cupyx.scipy"),
        _over("cupyx.scipy.special", special, importlib.import_module("scipy.special")),
    ]
    made = {module.__name__: module for module in modules}
    for module in modules:
        parent, _, name = module.__name__.rpartition(".")
        if parent:
            setattr(made[parent], name, module)
    _finish(cupy, real)
    return made


def _real(name: str) -> ModuleType | None:
    """A module of the CuPy that is installed, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy warns when it finds no CUDA
        try:
            return importlib.import_module(name)
        except ImportError:
            return None


def _over(name: str, real: Any, over: Any) -> ModuleType:
    """A module with the public names of one of CuPy's, each by NumPy's function of that name."""
    module = _named(name)
    real = over if real is None else real
    for key in [key for key in dir(real) if not key.startswith("_")]:
        value = getattr(real, key)
        if isinstance(value, ModuleType):
            continue
        if not callable(value) or isinstance(value, type):
            setattr(module, key, value)
        else:
            function = checked(value, _function(f"{name}.{key}", key, getattr(over, key, None)))
            function.types = getattr(value, "types", ())
            setattr(module, key, function)
    return module


def _named(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = []  # it may have modules in it
    vars(module).update(contents)
    return module


def _function(name: str, key: str, function: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        if function is None:
            raise AssertionError(f"the double of CuPy lacks {name}; give it to tests/cuda_double")
        if key in WAITING:
            wait(key)
        if key in PRODUCTS or name.startswith("cupy.linalg."):
            refuse(CUBLAS, NotImplementedError)
        args, kwargs = unwrap(args), unwrap(kwargs)
        return computed(lambda: bfloat16.applied(key, function, *args, **kwargs))

    call.__name__ = key
    return call


def _finish(cupy: ModuleType, real: Any) -> None:
    """What is not NumPy's."""

    def array(  # noqa: PLR0917  # CuPy's signature
        obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False
    ):
        if isinstance(obj, ndarray):
            obj = obj._a
        elif isinstance(obj, np.ndarray | list):
            refuse("the current stream is capturing, so synchronous API calls are disallowed")
            COPIES[f"{np.asarray(obj).dtype} of {np.ndim(obj)} axes"] += 1
            TOLD.append(("copy", current_stream(), np.shape(obj)))
        return computed(lambda: np.array(obj, dtype=dtype, order=order, ndmin=ndmin))

    def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
        there = isinstance(a, ndarray) and a.device == Device()
        if there and not copy and (dtype is None or a.dtype == dtype) and order is None:
            return a
        return array(a, dtype=dtype, order=order or "K")

    def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
        return a.get(order=order, out=out, blocking=blocking)

    def empty(shape, dtype=float, order="C"):
        made = np.empty(shape, dtype)
        made.reshape(-1).view(np.uint8)[:] = 0x7F  # what nobody wrote is seen
        return ndarray(made)

    def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
        return empty(prototype.shape if shape is None else shape, dtype or prototype.dtype)

    def memoize(for_each_device=False):
        def decorate(function):
            cached = cache(lambda _device, *args: function(*args))
            return lambda *args: cached(Device().id if for_each_device else None, *args)

        return decorate

    pool = Pool()
    own = {
        "array": array,
        "asarray": asarray,
        "ascontiguousarray": lambda a, dtype=None: (
            a if a.flags.c_contiguous else computed(lambda: np.ascontiguousarray(a._a))
        ),
        "asnumpy": asnumpy,
        "empty": empty,
        "empty_like": empty_like,
        "memoize": memoize,
        "get_default_memory_pool": lambda: pool,
        "get_default_pinned_memory_pool": lambda: pool,
    }
    for name, function in own.items():
        setattr(cupy, name, checked(getattr(real, name, None), function))
    kinds = {"COMPUTE_TYPE_TF32": "TF32", "COMPUTE_TYPE_DEFAULT": "default"}
    cupy._core = SimpleNamespace(
        _routines_linalg=SimpleNamespace(**kinds),
        compute_type=(np.float32, "default"),
        get_compute_type=lambda dtype: cupy._core.compute_type[1],
        set_compute_type=lambda dtype, kind: setattr(cupy._core, "compute_type", (dtype, kind)),
    )
    cupy.ndarray = ndarray
    cupy.RawModule = checked(getattr(real, "RawModule", None), RawModule)
    cupy.__version__ = getattr(real, "__version__", "0")


class Pool:
    """CuPy's pool of memory, of 40 bytes on a device."""

    limit = 0
    held = 20

    def malloc(self, size):
        raise AssertionError("arrays of the double are NumPy's: nothing asks for memory")

    def used_bytes(self):
        return 10

    def total_bytes(self):
        return self.held

    def free_all_blocks(self):
        self.held = self.used_bytes()

    def set_limit(self, size=None, fraction=None):
        self.limit = int(40 * fraction) if size is None else size

    def get_limit(self):
        return self.limit


@contextmanager
def _using_allocator(allocator=None):
    yield


class MemoryHook:
    """What CuPy tells of memory that it gives and takes back; the double calls `told`."""

    name = "MemoryHook"
    active: list[Any] = []  # noqa: RUF012

    def __enter__(self):
        if any(hook.name == self.name for hook in MemoryHook.active):
            raise KeyError(f"memory hook {self.name} already exists")
        MemoryHook.active.append(self)
        return self

    def __exit__(self, *exception):
        MemoryHook.active.remove(self)

    @staticmethod
    def told(event, mem_size, mem_ptr=1):
        for hook in MemoryHook.active:
            getattr(hook, event)(device_id=0, size=mem_size, mem_size=mem_size, mem_ptr=mem_ptr, pmem_id=0)


class RawModule:
    """Kernels that run on the host."""

    def __init__(self, code: str, options: tuple[str, ...] = ()) -> None:
        self.code = code

    def get_function(self, name: str) -> Any:
        def kernel(grid, block, args, *, shared_mem=0):
            (blocks,), (threads,) = grid, block
            assert 0 < threads <= 1024
            assert threads % 32 == 0
            given = tuple(x._a if isinstance(x, ndarray) else x for x in args)

            def launch():
                LAUNCHED.append(name)
                emulator.launch(self.code, name, blocks, threads, given, backwards=BACKWARDS[0])

            computed(launch)

        return kernel


def _random(real: Any) -> ModuleType:
    module = _over("cupy.random", real, SimpleNamespace())  # all others are missing
    states = defaultdict(lambda: np.random.RandomState(0))  # of each device

    def drawn(name, dtype, *args):
        refuse("calling cuRAND API during stream capture is currently unsupported", NotImplementedError)
        return wrap(np.asarray(getattr(states[Device().id], name)(*args)).astype(dtype))

    own = {
        "random_sample": lambda size=None, dtype=float: drawn("random_sample", dtype, size),
        "standard_normal": lambda size=None, dtype=float: drawn("standard_normal", dtype, size),
        "randint": lambda low, high=None, size=None, dtype="l": drawn(
            "randint", dtype, low, high, size, dtype
        ),
        "seed": lambda seed=None: states[Device().id].seed(seed),
    }
    for name, function in own.items():
        setattr(module, name, checked(getattr(real, name, None), function))
    return module


def _cuda() -> ModuleType:
    module = _named("cupy.cuda")

    class CUDARuntimeError(RuntimeError):
        def __init__(self, status):
            super().__init__(f"cudaError {status}")
            self.status = status

    module.Device, module.Event, module.Stream, module.MemoryHook = Device, Event, Stream, MemoryHook
    module.Graph, module.MemoryPool, module.using_allocator = Graph, Pool, _using_allocator
    module.get_current_stream = current_stream
    module.cublas = cublas
    module.nvtx = SimpleNamespace(RangePush=RANGES.append, RangePop=lambda: RANGES.append(None))
    module.get_elapsed_time = lambda start, end: 1.0
    module.runtime = SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        driverGetVersion=lambda: 12090,
        getDevice=lambda: Device().id,
        getDeviceCount=lambda: 2,
        getDeviceProperties=lambda number: {"name": b"Double %d" % number},
        memGetInfo=lambda: (30, 40),
        runtimeGetVersion=lambda: 12090,
    )
    return module


def _cupyx(real: Any) -> ModuleType:
    module = _named("cupyx")

    def scatter_add(a, slices, value):
        items = slices if isinstance(slices, tuple) else (slices,)
        if any(isinstance(i, ndarray) for i in items) and a.dtype.char not in "iILQefd":
            raise TypeError("scatter_add only supports int32, float16, float32, float64, ...")
        if a.dtype == np.int64 and any(isinstance(i, ndarray) for i in items):
            raise TypeError("scatter_add only supports ...")
        at, index, values = a._a, unwrap(slices), unwrap(value)
        computed(lambda: np.add.at(at, index, values))

    def empty_pinned(shape, dtype=float, order="C"):
        return np.empty(shape, dtype, order)

    @contextmanager
    def allow_synchronize(allow):
        yield

    for function in (scatter_add, empty_pinned, allow_synchronize):
        setattr(module, function.__name__, checked(getattr(real, function.__name__, None), function))
    return module
