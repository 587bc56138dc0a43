"""The CuPy backend's own code, on a double of CuPy (see `cuda_double`)."""

from __future__ import annotations

import importlib
import re
import sys

import array_api_compat
import array_api_compat.numpy
import numpy as np
import pytest

from cuda_double import emulator, modules, streams
from cuda_double.arrays import Device, counting
from tensorgrad import backend as contract
from tensorgrad import cuda
from tensorgrad.backend import BackendUnavailableError, get_backend

needs_compiler = pytest.mark.skipif(emulator.compiler() is None, reason="no C++ compiler is installed")


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
