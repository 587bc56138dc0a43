"""`tensorgrad.cuda` and the CuPy backend: what can be shown without a GPU, and what needs one.

Without one, the backend's own code runs on a double of CuPy (see `cuda_double`), and every name of CuPy that
it uses is looked up in the CuPy that is installed.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections import OrderedDict, defaultdict
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import array_api_compat
import array_api_compat.numpy
import numpy as np
import pytest

import tensorgrad as tg
from cuda_double import emulator, modules, streams
from cuda_double.arrays import Device, counting
from cuda_double.signatures import signature
from tensorgrad import backend as contract
from tensorgrad import cuda
from tensorgrad.backend import Backend, BackendUnavailableError, get_backend

PACKAGE = Path(importlib.util.find_spec("tensorgrad").origin).parent
BACKENDS = Path(importlib.util.find_spec("tensorgrad_backends").origin).parent
SOURCES = (BACKENDS / "cupy.py", *BACKENDS.glob("cuda_*.py"), *BACKENDS.glob("cuda_kernels/*.py"))

needs_compiler = pytest.mark.skipif(emulator.compiler() is None, reason="no C++ compiler is installed")
without_gpu = pytest.mark.skipif(cuda.is_available(), reason="there is a GPU")


# -- without a GPU -------------------------------------------------------------------------------


@without_gpu
def test_why_there_is_no_gpu():
    assert cuda.gpu_enable is False
    assert cuda.is_available() is False
    why = cuda.why_unavailable()
    assert why.startswith("backend 'cupy': CuPy ")
    assert "not installed" in why or "driver" in why  # what is missing
    assert "pip install" in why or "nvidia-smi" in why  # how to mend it


@without_gpu
@pytest.mark.parametrize(
    "use",
    [
        lambda: cuda.as_cupy(np.zeros(2)),
        lambda: cuda.to_gpu([np.zeros(2)]),
        lambda: cuda.Device(0),
        cuda.synchronize,
        cuda.memory_info,
        cuda.memory_limit,
        cuda.memory_peak,
        cuda.free_all_blocks,
        lambda: cuda.allow_tf32(True),
        cuda.Stream,
        cuda.Event,
        lambda: cuda.cupy.zeros(3),
        lambda: tg.Variable(np.zeros(2)).to_gpu(),
        lambda: get_backend("cupy"),
    ],
)
def test_each_says_what_is_missing(use):
    with pytest.raises(BackendUnavailableError, match=re.escape(cuda.why_unavailable())):
        use()


@without_gpu
def test_what_stands_for_cupy():
    assert not cuda.cupy
    assert "why_unavailable" in repr(cuda.cupy)
    assert not hasattr(cuda.cupy, "__wrapped__")
    with pytest.raises(BackendUnavailableError, match=r"^cupy\.asarray: backend 'cupy': CuPy"):
        cuda.cupy.asarray([1.0])


def test_the_book_s_imports():
    from tensorgrad.cuda import as_cupy, as_numpy, cupy, get_array_module, gpu_enable

    assert bool(cupy) is gpu_enable
    assert callable(as_cupy)
    assert get_array_module(as_numpy(1.0)) is np


def test_an_unknown_name():
    with pytest.raises(AttributeError, match=r"^module 'tensorgrad.cuda' has no attribute 'gpus'$"):
        _ = cuda.gpus


# -- on every backend ----------------------------------------------------------------------------


def test_get_array_module(backend):
    array = backend.from_numpy(np.zeros(2))
    assert cuda.get_array_module(array) is backend.module
    assert cuda.get_array_module(tg.Variable(array)) is backend.module
    for other in (1.0, [1.0], None, np.float32(1), tg.Variable(None)):
        assert cuda.get_array_module(other) is np


def test_as_numpy(backend):
    array = backend.from_numpy(np.array([1.0, 2.0], dtype=np.float32))
    for x in (array, tg.Variable(array)):
        got = cuda.as_numpy(x)
        assert type(got) is np.ndarray
        assert got.dtype == np.float32
        assert got.tolist() == [1.0, 2.0]


def test_as_numpy_of_numbers_and_lists():
    for x in (2.0, [1.0, 2.0], np.float64(3.0)):
        got = cuda.as_numpy(x)
        assert type(got) is np.ndarray
        np.testing.assert_array_equal(got, x)


class Pair(NamedTuple):
    x: Any
    t: Any


def test_to_cpu_of_anything(backend):
    v = tg.Variable(backend.from_numpy(np.array([1.0, 2.0])))
    given = {
        "list": [backend.from_numpy(np.zeros(2)), 3, "text", None],
        "named": Pair(backend.from_numpy(np.ones(1)), (v,)),
    }
    moved = cuda.to_cpu(given)
    assert moved is not given
    assert type(moved["list"][0]) is np.ndarray
    assert moved["list"][1:] == [3, "text", None]
    assert type(moved["named"]) is Pair
    assert type(moved["named"].x) is np.ndarray
    assert moved["named"].t[0] is v
    assert type(v.data) is np.ndarray


# -- moves, with a stand-in for the GPU ----------------------------------------------------------


class OnDevice(np.ndarray):
    """Stands for an array on a GPU."""


class StandIn(Backend):
    name = "cupy"
    xp = array_api_compat.numpy
    array_types = (OnDevice,)
    module = SimpleNamespace(cuda=SimpleNamespace(Device=Device))

    def from_numpy(self, array, device=None):
        made = np.array(array).view(OnDevice)
        made.number = device
        return made

    def to_numpy(self, array):
        return np.array(array)

    def to_device(self, array, device):
        return self.from_numpy(array, device)

    def memory_info(self):
        return {"used": 1, "free": 2}


@pytest.fixture
def stand_in(monkeypatch):
    backend = StandIn()
    monkeypatch.setitem(contract._BY_NAME, "cupy", backend)
    monkeypatch.setitem(contract.BY_TYPE, OnDevice, backend)
    cuda.why_unavailable.cache_clear()
    yield backend
    cuda.why_unavailable.cache_clear()


def test_to_gpu_of_anything(stand_in):
    class Inner:
        def to_gpu(self, device=None):
            self.device = device

    class Dated(list):
        pass

    v, inner = tg.Variable(np.ones(2)), Inner()
    nested = defaultdict(list, a=[np.zeros(2), (v, inner)], b=OrderedDict(n=1, s="text"))
    moved = cuda.to_gpu(nested)
    assert type(moved) is defaultdict
    assert moved.default_factory is list
    assert type(moved["a"][0]) is OnDevice
    assert moved["a"][1] == (v, inner)
    assert type(v.data) is OnDevice
    assert inner.device is None
    assert type(moved["b"]) is OrderedDict
    assert dict(moved["b"]) == {"n": 1, "s": "text"}
    assert type(nested["a"][0]) is np.ndarray

    assert type(cuda.to_gpu(Dated([np.zeros(1)]))) is Dated
    assert type(cuda.to_cpu(moved)["a"][0]) is np.ndarray
    assert type(v.data) is np.ndarray
    assert cuda.to_gpu(tg.Variable) is tg.Variable  # a class has nothing to move


def test_to_gpu_of_a_number(stand_in):
    array, v = cuda.to_gpu((np.zeros(1), tg.Variable(np.zeros(1))), 3)
    assert array.number == 3
    assert v.data.number == 3
    assert cuda.to_gpu(array) is array
    assert cuda.to_gpu(array, 4).number == 4


def test_as_cupy(stand_in):
    for x in (np.ones(1), tg.Variable(np.ones(1)), [1.0], 1.0):
        assert type(cuda.as_cupy(x)) is OnDevice
    there = cuda.as_cupy(1.0)
    assert cuda.as_cupy(there) is there


def test_device_is_current_within_with(stand_in):
    device = cuda.Device(2)
    assert (device.id, repr(device)) == (2, "<tensorgrad.cuda.Device 2>")
    with device as entered:
        assert entered is device
        assert Device.current[-1] == 2
        assert cuda.Device().id == 2
        with cuda.Device(1), device:
            assert Device.current[-1] == 2
        assert Device.current[-1] == 2
    assert Device.current == [0]


def test_there_is_a_gpu(stand_in):
    assert cuda.gpu_enable is True
    assert cuda.why_unavailable() is None
    assert cuda.cupy is stand_in.module
    assert cuda.memory_info() == {"used": 1, "free": 2}
    cuda.synchronize()


# -- the backend's own code, on a double of CuPy -------------------------------------------------


@pytest.fixture
def on_double(monkeypatch):
    """The module of the CuPy backend, imported over the double."""
    ours = ("tensorgrad_backends.cupy", "tensorgrad_backends.cuda_", "array_api_compat.cupy")

    for name in [n for n in sys.modules if n.startswith(ours)]:
        monkeypatch.delitem(sys.modules, name)
    for name, module in modules.doubles().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delattr(array_api_compat, "cupy", raising=False)
    module = importlib.import_module("tensorgrad_backends.cupy")
    monkeypatch.setitem(contract.BY_TYPE, module.cupy.ndarray, None)  # owned by the test below
    yield module
    for name in [n for n in sys.modules if n.startswith(ours)]:
        del sys.modules[name]
    vars(array_api_compat).pop("cupy", None)


@pytest.fixture
def double(on_double, monkeypatch):
    backend = on_double.CupyBackend()
    monkeypatch.setitem(contract.BY_TYPE, on_double.cupy.ndarray, backend)
    return backend


@pytest.mark.parametrize("dtype", [">f8", "f4", "c16", "i8", "?"])
def test_there_and_back_on_the_double(double, dtype):
    array = np.array([[0.0, 1.5], [2.0, -3.0]]).astype(dtype)
    there = double.from_numpy(array, "cuda:1")
    assert isinstance(there, double.array_types)
    assert there.dtype.isnative
    back = double.to_numpy(there)
    assert type(back) is np.ndarray
    np.testing.assert_array_equal(back, array)
    assert double.from_numpy(np.asfortranarray(array)).flags.c_contiguous
    twin = double.copy(there)
    twin[:] = 0
    np.testing.assert_array_equal(double.to_numpy(there), array)
    assert double.to_device(there, 0) is not there
    assert double.to_device(there, 1) is there
    assert Device.current == [0]


@needs_compiler
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16", "i4", "i8", "u8"])
@pytest.mark.parametrize(
    "index",
    [1, slice(None, None, -1), (0, ...), np.array([0, 2, 2]), (np.array([0, 0]), np.array([1, 1]))],
    ids=["int", "slice", "ellipsis", "rows", "pairs"],
)
def test_scatter_add_on_the_double(double, index, dtype):
    base = (np.arange(12.0).reshape(4, 3) * (1j if "c" in dtype else 1)).astype(dtype)
    values = np.ones(base[index].shape, dtype) * 2
    want = base.copy()
    np.add.at(want, index, values)
    there = index
    if isinstance(index, np.ndarray):
        there = double.from_numpy(index)
    elif isinstance(index, tuple):
        there = tuple(double.from_numpy(i) if isinstance(i, np.ndarray) else i for i in index)
    got = double.scatter_add(double.from_numpy(base), there, double.from_numpy(values))
    np.testing.assert_array_equal(double.to_numpy(got), want)


def test_random_numbers_on_the_double(double, on_double, monkeypatch):
    largest = lambda size, dtype: on_double.cupy.full(size, 1 - 2**-24, dtype)  # noqa: E731
    monkeypatch.setattr(on_double.cupy.random, "random_sample", largest)
    for dtype in (np.float16, np.float32, np.float64):
        u, n = double.uniform((2, 3), dtype), double.normal((2, 3), dtype, device=1)
        assert (u.dtype, u.shape) == (dtype, (2, 3))
        assert (n.dtype, n.shape) == (dtype, (2, 3))
        assert u.max() < 1
    double.seed(5)
    one = double.normal((3,), np.float64)
    double.seed(5)
    assert (one == double.normal((3,), np.float64)).all()
    double.seed(5)
    assert (one == double.normal((3,), np.float64, 1)).all()  # every device has a generator of its own


def test_what_people_read_on_the_double(double):
    assert double.devices() == ["cuda:0 (Double 0)", "cuda:1 (Double 1)"]
    assert double.memory_info() == {"used": 10, "held": 20, "peak": 10, "free": 30, "total": 40}
    assert double.module is sys.modules["cupy"]
    assert double.special("erf") is not None
    assert double.special("no_such_function") is None
    double.synchronize()


@pytest.fixture
def as_cupy(double, monkeypatch):
    """`tensorgrad.cuda` finds the double in CuPy's place."""
    monkeypatch.setitem(contract._BY_NAME, "cupy", double)
    cuda.why_unavailable.cache_clear()
    yield double.module
    cuda.why_unavailable.cache_clear()


def test_memory_on_the_double(as_cupy):
    hook = modules.MemoryHook
    assert cuda.memory_limit() == 0
    assert cuda.memory_limit(30) == 30
    assert cuda.memory_limit(fraction=0.5) == 20
    assert cuda.memory_limit(0) == 0
    assert cuda.memory_info()["held"] == 20
    cuda.free_all_blocks()
    assert cuda.memory_info()["held"] == 10
    with cuda.memory_peak() as memory:
        hook.told("malloc_postprocess", 100)
        hook.told("free_postprocess", 100)
        with cuda.memory_peak() as within:
            hook.told("malloc_postprocess", 50)
            assert cuda.memory_info()["peak"] == 60
        assert within == {"peak": 60}
        assert cuda.memory_info()["peak"] == 110
        hook.told("malloc_postprocess", 1000, mem_ptr=0)  # as CuPy tells of memory that it could not get
        assert memory == {"peak": 110}
    hook.told("malloc_postprocess", 1000)
    assert memory == {"peak": 110}
    assert cuda.memory_info()["peak"] == 10


def test_streams_and_events_on_the_double(as_cupy):
    stream, done, later = cuda.Stream(), cuda.Event(), cuda.Event()
    with counting() as waits:
        with stream as entered:
            assert entered is stream
            assert as_cupy.cuda.get_current_stream() is stream._stream
            done.record()
        other = cuda.Stream()
        other.wait(done)
        assert streams.TOLD[-1] == ("wait", other._stream, done._event)
        assert as_cupy.cuda.get_current_stream().null
        assert not waits
        later.record()
        assert done.milliseconds(later) > 0
        stream.synchronize()
        done.synchronize()
    assert waits == {"Event.synchronize": 2, "Stream.synchronize": 1}


def test_copies_ahead_are_in_order_on_the_double(as_cupy):
    """Copies wait for all that was computed before, what is computed with them waits for the copies."""
    backend = get_backend("cupy")
    streams.TOLD.clear()
    batch = [np.ones((4, 3), np.float32), np.zeros(4, np.int64)]
    with counting() as waits:
        arrived = backend.send(batch)
        arrays = arrived()
    assert not waits
    computing, copying = streams.Stream.null, streams.TOLD[1][1]
    assert copying.non_blocking
    before, copied = streams.TOLD[0][2], streams.TOLD[4][2]
    order = [
        ("record", computing, before),
        ("wait", copying, before),
        ("copy", copying, (4, 3)),
        ("copy", copying, (4,)),
        ("record", copying, copied),
        ("wait", computing, copied),
    ]
    assert order == streams.TOLD
    for array, given in zip(arrays, batch, strict=True):
        np.testing.assert_array_equal(array.get(), given)
    backend.send(batch)
    assert streams.TOLD[7][:2] == ("wait", copying)  # the same stream


@needs_compiler
def test_an_old_device_adds_no_halves_atomically(double, monkeypatch):
    base, rows, values = np.zeros((2, 3)), np.array([1, 1, 0]), np.ones((3, 3))
    monkeypatch.setattr(Device, "compute_capability", "61")
    for dtype, launches in ((np.float16, 0), (np.float32, 1)):
        modules.LAUNCHED.clear()
        table = double.from_numpy(base.astype(dtype))
        got = double.scatter_add(table, double.from_numpy(rows), double.from_numpy(values.astype(dtype)))
        np.testing.assert_array_equal(got.get(), [[1] * 3, [2] * 3])
        assert len(modules.LAUNCHED) == launches


@needs_compiler
def test_kernels_leave_arrays_on_other_devices_alone(double):
    """CuPy passes any address to a kernel: one of another device would be an illegal access."""
    x, labels = np.ones((2, 3)), np.zeros(2, np.int64)
    here, there = double.from_numpy(x), double.from_numpy(x, 1)
    softmax, entropy = double.kernel("softmax"), double.kernel("softmax_cross_entropy")
    assert softmax(there, -1) is None
    assert not double.kernel("sgd")([there], [there], 0.1)
    np.testing.assert_allclose(softmax(here, -1).get(), np.full((2, 3), 1 / 3))
    with Device(1):
        assert softmax(there, -1) is not None
    with pytest.raises(
        ValueError,
        match=r"^softmax_cross_entropy: expected arrays on the current device, 0; got one on 1\. Move it, or",
    ):
        entropy(here, double.from_numpy(labels, 1))


def test_tf32_on_the_double(as_cupy):
    cuda.allow_tf32(True)
    assert as_cupy._core.compute_type == (np.float32, "TF32")
    cuda.allow_tf32(False)
    assert as_cupy._core.compute_type == (np.float32, "default")


@pytest.mark.parametrize("name", ["cpu", "tpu:1", "cuda:one"])
def test_a_device_that_cupy_does_not_have(double, name):
    with pytest.raises(ValueError, match=rf"^cupy: expected a device such as 0 or 'cuda:0'; got '{name}'$"):
        double.from_numpy(np.zeros(1), name)


@pytest.mark.parametrize("number", [2, -1, "cuda:2"])
def test_a_device_that_is_not_there(double, number):
    there = re.escape("cuda:0 (Double 0), cuda:1 (Double 1)")
    with pytest.raises(
        ValueError, match=rf"^cupy: expected a device that is here \({there}\); got {number!r}$"
    ):
        double.to_device(double.from_numpy(np.zeros(1)), number)


@pytest.mark.parametrize(
    ("status", "driver", "message"),
    [
        (35, 0, r"^CuPy \S+ is installed, but NVIDIA's driver is not\. Install .* `nvidia-smi` lists"),
        (
            35,
            11040,
            r"needs a driver for CUDA 12\.9; the one installed is for CUDA 11\.4\. Update the",
        ),
        (100, 12090, r"driver are installed, but there is no CUDA device\. .*CUDA_VISIBLE_DEVICES"),
        (999, 12090, r"^CuPy \S+ is installed, but CUDA does not work: cudaError 999\. Install "),
    ],
    ids=["no driver", "old driver", "no device", "other"],
)
def test_what_is_missing_is_told_apart(on_double, monkeypatch, status, driver, message):
    def fails():
        raise on_double.cupy.cuda.runtime.CUDARuntimeError(status)

    monkeypatch.setattr(on_double.cupy.cuda.runtime, "getDeviceCount", fails)
    monkeypatch.setattr(on_double.cupy.cuda.runtime, "driverGetVersion", lambda: driver)
    with pytest.raises(BackendUnavailableError, match=message):
        on_double.CupyBackend()


def test_a_driver_that_finds_nothing(on_double, monkeypatch):
    monkeypatch.setattr(on_double.cupy.cuda.runtime, "getDeviceCount", lambda: 0)
    with pytest.raises(BackendUnavailableError, match="there is no CUDA device"):
        on_double.CupyBackend()


# -- the names of the installed CuPy -------------------------------------------------------------


def dotted(node: ast.AST) -> list[str]:
    """The parts of ``a.b.c``, or nothing for another expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else []


def names_of_cupy() -> list[str]:
    """Every ``cupy.x.y`` and ``cupyx.x.y`` in the sources of the backend."""
    nodes = (node for source in SOURCES for node in ast.walk(ast.parse(source.read_text())))
    found = {".".join(dotted(node)) for node in nodes}
    return sorted(name for name in found if name.startswith(("cupy.", "cupyx.")))


def names_of_xp() -> list[str]:
    """Every ``xp.name`` in the sources of tensorgrad: what ops ask of a namespace."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            parts = dotted(node)
            if "xp" in parts[:-1]:
                name, *inner = parts[parts.index("xp") + 1 :]
                found |= {name, f"{name}.{inner[0]}"} if inner and name in ("linalg", "fft") else {name}
    return sorted(found)


def test_the_search_for_names_finds_them():
    names = names_of_cupy()
    assert {"cupy.asarray", "cupy.cuda.Device", "cupyx.scatter_add"} <= set(names)
    assert len(names) > 20
    assert {"exp", "where", "zeros_like", "searchsorted", "linalg.svd", "fft.rfft"} <= set(names_of_xp())


@pytest.mark.cuda
def test_the_names_of_cupy_exist():
    pytest.importorskip("cupy", exc_type=ImportError)
    assert [name for name in names_of_cupy() if not exists(name)] == []
    assert not exists("cupy.scatter_add")  # moved to cupyx long ago: the search would notice


def exists(name: str) -> bool:
    """Whether a dotted name can be imported, or looked up."""
    root, *parts = name.split(".")
    found = importlib.import_module(root)
    for i, part in enumerate(parts):
        if not hasattr(found, part) and isinstance(found, ModuleType):
            try:
                importlib.import_module(".".join([root, *parts[: i + 1]]))
            except ImportError:
                return False
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


@pytest.mark.cuda
def test_the_names_of_the_namespace_over_cupy_exist():
    pytest.importorskip("cupy", exc_type=ImportError)
    importlib.import_module("array_api_compat.cupy")
    assert [name for name in names_of_xp() if not exists(f"array_api_compat.cupy.{name}")] == []


@pytest.mark.cuda
def test_methods_and_signatures_of_cupy():
    cupy = pytest.importorskip("cupy", exc_type=ImportError)
    for method in ("used_bytes", "total_bytes", "free_all_blocks", "set_limit", "get_limit"):
        assert callable(getattr(cupy.get_default_memory_pool(), method))
    for method in ("__enter__", "__exit__", "synchronize", "id"):
        assert hasattr(cupy.cuda.Device, method)
    for method in ("malloc_postprocess", "free_postprocess", "__enter__", "__exit__"):
        assert hasattr(cupy.cuda.MemoryHook, method)
    for method in ("__enter__", "__exit__", "synchronize", "wait_event"):
        assert hasattr(cupy.cuda.Stream, method)
    assert callable(cupy.cuda.get_elapsed_time)
    assert callable(cupy.cuda.get_current_stream)
    for attribute in ("device", "dtype", "real", "imag", "astype"):
        assert hasattr(cupy.ndarray, attribute)
    inspect.signature(cupy.random.random_sample).bind((2,), dtype=np.float32)
    inspect.signature(cupy.random.standard_normal).bind((2,), dtype=np.float32)
    inspect.signature(importlib.import_module("cupyx").scatter_add).bind(None, None, None)


@pytest.mark.cuda
def test_what_is_used_of_cublas():
    pytest.importorskip("cupy", exc_type=ImportError)
    try:
        from cupy.cuda import cublas
    except ImportError:
        pytest.skip("CuPy finds no cuBLAS: pip install nvidia-cublas-cu12, and its folder in LD_LIBRARY_PATH")
    ours = importlib.import_module("cuda_double.cublas")
    name = "gemmStridedBatchedEx"
    known = signature(getattr(cublas, name))
    assert list(known.parameters) == list(inspect.signature(getattr(ours, name)).parameters)
    for constant in [key for key in vars(ours) if key.startswith("CUBLAS_")]:
        assert getattr(cublas, constant) == getattr(ours, constant)


@pytest.mark.cuda
@without_gpu
def test_the_installed_cupy_says_what_it_lacks():
    cupy = pytest.importorskip("cupy", exc_type=ImportError)
    assert cuda.why_unavailable().startswith(f"backend 'cupy': CuPy {cupy.__version__} ")
    with pytest.raises(cupy.cuda.runtime.CUDARuntimeError) as e:
        cupy.cuda.runtime.getDeviceCount()
    module = importlib.import_module("tensorgrad_backends.cupy")
    assert module._why(e.value) in cuda.why_unavailable()


# -- on a GPU ------------------------------------------------------------------------------------


@pytest.mark.gpu
def test_there_and_back_on_the_gpu():
    v = tg.Variable(np.array([1.0, -2.0]), name="v")
    (v * v).sum().backward()
    assert v.to_gpu() is v
    assert cuda.get_array_module(v) is cuda.cupy
    assert v.grad.backend.name == "cupy"
    v.cleargrad()
    (v * v).sum().backward()
    assert v.to_cpu().data.tolist() == [1.0, -2.0]
    assert v.grad.data.tolist() == [2.0, -4.0]


@pytest.mark.gpu
def test_nested_on_the_gpu():
    moved = cuda.to_gpu({"x": [np.zeros(2), 1]})
    assert isinstance(moved["x"][0], cuda.cupy.ndarray)
    assert cuda.to_cpu(moved)["x"][0].tolist() == [0.0, 0.0]


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16", "i4", "i8"])
def test_scatter_add_on_the_gpu(dtype):
    backend = get_backend("cupy")
    rng = np.random.default_rng(0)
    rows = rng.integers(-4, 4, 20)
    base = rng.integers(0, 9, (4, 3)).astype(dtype)
    values = rng.integers(0, 9, (20, 3)).astype(dtype)  # sums of small integers are exact
    got = backend.scatter_add(*map(backend.from_numpy, (base, rows, values)))
    np.add.at(base, rows, values)
    np.testing.assert_array_equal(backend.to_numpy(got), base)


@pytest.mark.gpu
def test_random_numbers_on_the_gpu():
    backend = get_backend("cupy")
    for dtype in (np.float16, np.float32, np.float64):
        backend.seed(3)
        one = backend.to_numpy(backend.uniform((100, 100), dtype))
        backend.seed(3)
        np.testing.assert_array_equal(one, backend.to_numpy(backend.uniform((100, 100), dtype)))
        assert 0 <= one.min() < one.max() < 1
        assert backend.normal((), dtype).dtype == dtype


@pytest.mark.gpu
def test_devices_and_memory_on_the_gpu():
    before = cuda.memory_info()
    with cuda.Device(0) as device:
        held = cuda.cupy.zeros(2**20, dtype=np.uint8)
    cuda.synchronize()
    after = cuda.memory_info()
    assert device.id == 0
    assert after["used"] - before["used"] == held.nbytes
    assert after["held"] >= after["used"]
    assert 0 < after["free"] <= after["total"]
    assert get_backend("cupy").devices()[0].startswith("cuda:0 (")


@pytest.mark.gpu
def test_the_peak_of_memory_on_the_gpu():
    with cuda.memory_peak() as memory:
        before = memory["peak"]
        held = cuda.cupy.zeros(2**20, dtype=np.uint8)
        del held
        cuda.cupy.zeros(2**10, dtype=np.uint8)
    assert memory["peak"] - before == 2**20


@pytest.mark.gpu
def test_streams_on_the_gpu():
    begin, end, stream = cuda.Event(), cuda.Event(), cuda.Stream()
    begin.record()
    made = cuda.cupy.ones(1000)
    end.record()
    with stream:
        stream.wait(end)
        total = made.sum()
        stream.synchronize()
    assert int(total) == 1000
    assert begin.milliseconds(end) >= 0


@pytest.mark.gpu
def test_batches_are_copied_ahead_on_the_gpu():
    """Each is whole where it is used, though memory of earlier ones is used again."""
    data = [(np.full(1 << 16, i, np.float32), i) for i in range(64)]
    loader = tg.DataLoader(data, 4, shuffle=False, workers=1, gpu=True)
    sums = [(x * 2).sum() for x, _ in loader]
    want = [sum(2 * i << 16 for i in range(k, k + 4)) for k in range(0, 64, 4)]
    np.testing.assert_allclose([float(s) for s in sums], want)


@pytest.mark.gpu
def test_tf32_on_the_gpu():
    a = cuda.as_cupy(np.random.default_rng(0).standard_normal((256, 256)).astype(np.float32))
    exact = cuda.as_numpy(a).astype(np.float64)
    exact = exact @ exact
    try:
        for allowed, tolerance in ((True, 2e-1), (False, 1e-3)):
            cuda.allow_tf32(allowed)
            np.testing.assert_allclose(cuda.as_numpy(a @ a), exact, atol=tolerance)
    finally:
        cuda.allow_tf32(False)
