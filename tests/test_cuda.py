"""`tensorgrad.cuda` without a GPU, and with a stand-in for one."""

from __future__ import annotations

import re
from collections import OrderedDict, defaultdict
from types import SimpleNamespace
from typing import Any, NamedTuple

import array_api_compat
import array_api_compat.numpy
import numpy as np
import pytest

import tensorgrad as tg
from cuda_double.arrays import Device
from tensorgrad import backend as contract
from tensorgrad import cuda
from tensorgrad.backend import Backend, BackendUnavailableError, get_backend

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
