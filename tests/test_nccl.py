"""NcclCommunicator against a double of ``cupy.cuda.nccl``: no machine with GPUs runs these tests.

The double takes the arguments that the calls of CuPy 14.2.0 with NCCL 2.32.3 take (``SIGNATURES`` are from
their docstrings), notes them, and moves the memory of a single rank, as NCCL does with one GPU.
"""

from __future__ import annotations

import ctypes
import re
import sys
import warnings
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tensorgrad import backend as registry
from tensorgrad.backend import Backend
from tensorgrad.communicator import LocalCommunicator
from tensorgrad.distributed import nccl as ours

SIGNATURES = {
    "allGather": "(self, intptr_t sendbuf, intptr_t recvbuf, size_t count, int datatype, intptr_t stream)",
    "allReduce": (
        "(self, intptr_t sendbuf, intptr_t recvbuf, size_t count, int datatype, int op, intptr_t stream)"
    ),
    "bcast": "(self, intptr_t buff, size_t count, int datatype, int root, intptr_t stream)",
    "recv": "(self, intptr_t recvbuf, size_t count, int datatype, int peer, intptr_t stream)",
    "reduceScatter": (
        "(self, intptr_t sendbuf, intptr_t recvbuf, size_t recvcount, int datatype, int op, intptr_t stream)"
    ),
    "send": "(self, intptr_t sendbuf, size_t count, int datatype, int peer, intptr_t stream)",
}
SIZES = {"NCCL_UINT8": 1, "NCCL_INT32": 4, "NCCL_FLOAT32": 4, "NCCL_FLOAT64": 8}
STREAM = 77


class Nothing:
    """A stream, an event or a device that does nothing but take what it is given."""

    ptr = STREAM
    done = True

    def __init__(self, *args, **kwargs):
        pass

    def record(self, stream=None):
        pass

    def wait_event(self, event):
        pass

    def use(self):
        pass


class FakeArray:
    """A device array: its memory is on the host."""

    def __init__(self, array):
        self.array = np.ascontiguousarray(array)
        self.shape, self.dtype = array.shape, self.array.dtype
        self.size, self.nbytes = array.size, array.nbytes
        self.data = SimpleNamespace(ptr=self.array.ctypes.data)

    def reshape(self, shape):
        made = FakeArray.__new__(FakeArray)
        made.__dict__.update(self.__dict__)
        made.array = self.array.reshape(shape)
        made.shape = tuple(shape)
        return made

    def astype(self, dtype):
        return FakeArray(self.array.astype(dtype))

    def copy(self):
        return FakeArray(self.array.copy())

    def __itruediv__(self, number):
        self.array /= number
        return self


FakeArray.__module__ = "cupy"


class FakeBackend(Backend):
    name = "cupy"
    array_types = (FakeArray,)
    xp = SimpleNamespace(
        empty=lambda shape, dtype, device: FakeArray(np.empty(shape, dtype)),
        isdtype=lambda dtype, kind: np.isdtype(np.float32 if dtype.name == "bfloat16" else dtype, kind),
    )

    def device(self, array):
        return 0

    def from_numpy(self, array, device=None):
        return FakeArray(np.array(array))

    def to_numpy(self, array):
        return array.array


class FakeComm:
    """One rank of one, with the signatures of CuPy's."""

    def __init__(self, ndev, commId, rank):
        assert (ndev, len(commId), rank) == (1, 128, 0)
        self.calls = []
        self.group = None

    def note(self, name, *args):
        wanted = [a.split()[-1] for a in SIGNATURES[name].strip("()").split(", ")[1:]]
        assert len(args) == len(wanted), name
        assert all(isinstance(a, int | str) for a in args)
        given = dict(zip(wanted, args, strict=True))
        assert given["stream"] == STREAM
        kept = ("count", "recvcount", "datatype", "op", "root", "peer")
        self.calls.append((name, *(given[k] for k in kept if k in given)))

    def move(self, source, target, count, datatype):
        ctypes.memmove(target, source, count * SIZES[datatype])

    def allReduce(self, *args):  # noqa: N802  # as in CuPy
        self.note("allReduce", *args)
        self.move(*args[:4])

    def allGather(self, *args):  # noqa: N802  # as in CuPy
        self.note("allGather", *args)
        self.move(*args[:4])

    def reduceScatter(self, *args):  # noqa: N802  # as in CuPy
        self.note("reduceScatter", *args)
        self.move(*args[:4])

    def bcast(self, *args):
        self.note("bcast", *args)

    def send(self, *args):
        self.note("send", *args)
        self.sent = args[0]

    def recv(self, *args):
        self.note("recv", *args)
        self.move(self.sent, *args[:3])


@pytest.fixture
def comm(monkeypatch):
    grouped = []
    module = ModuleType("cupy.cuda.nccl")
    for name in ("SUM", "PROD", "MAX", "MIN", *(n.upper() for n in ours.REDUCED)):
        setattr(module, f"NCCL_{name}", f"NCCL_{name}")
    module.available = True
    module.NcclCommunicator = FakeComm
    module.get_unique_id = lambda: bytes(128)
    module.groupStart = lambda: grouped.append("start")
    module.groupEnd = lambda: grouped.append("end")
    cuda = SimpleNamespace(
        Stream=Nothing,
        Event=Nothing,
        Device=Nothing,
        get_current_stream=Nothing,
        runtime=SimpleNamespace(getDeviceCount=lambda: 1),
    )
    cupy = SimpleNamespace(
        __name__="cupy",
        cuda=cuda,
        ascontiguousarray=lambda x: FakeArray(np.ascontiguousarray(x.array)),
        empty=lambda shape, dtype: FakeArray(np.empty(shape, dtype)),
    )
    backend = FakeBackend()
    monkeypatch.setattr(FakeBackend, "module", cupy)
    monkeypatch.setitem(registry.BY_TYPE, FakeArray, backend)
    monkeypatch.setattr(ours, "get_backend", lambda name: backend)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "cupy.cuda", cuda)
    monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", module)
    made = ours.NcclCommunicator(LocalCommunicator())
    made.grouped = grouped
    return made


def test_collectives_call_nccl_with_counts_and_types(comm):
    x = FakeArray(np.arange(6.0).reshape(1, 6))
    for call, want in (
        (lambda: comm.allreduce(x), ("allReduce", 6, "NCCL_FLOAT64", "NCCL_SUM")),
        (lambda: comm.allreduce(x, "mean"), ("allReduce", 6, "NCCL_FLOAT64", "NCCL_SUM")),
        (lambda: comm.allreduce(x, "max"), ("allReduce", 6, "NCCL_FLOAT64", "NCCL_MAX")),
        (lambda: comm.broadcast(x), ("bcast", 48, "NCCL_UINT8", 0)),
        (lambda: comm.allgather(x), ("allGather", 48, "NCCL_UINT8")),
        (lambda: comm.reduce_scatter(x), ("reduceScatter", 6, "NCCL_FLOAT64", "NCCL_SUM")),
    ):
        comm._comm.calls.clear()
        y = call()
        assert comm._comm.calls == [want]
        assert isinstance(y, FakeArray)
        np.testing.assert_array_equal(y.array.ravel(), np.arange(6.0))


def test_complex_numbers_are_pairs_and_16_bits_are_summed_in_float32(comm):
    z = FakeArray(np.array([1 + 2j, 3j], np.complex64))
    np.testing.assert_array_equal(comm.allreduce(z).array, z.array)
    half = FakeArray(np.array([1.0, 2.0], np.float16))
    assert comm.allreduce(half).dtype == np.float16
    assert comm._comm.calls == [
        ("allReduce", 4, "NCCL_FLOAT32", "NCCL_SUM"),
        ("allReduce", 2, "NCCL_FLOAT32", "NCCL_SUM"),
    ]
    with pytest.raises(TypeError, match="NCCL sums complex numbers, and nothing else; got prod"):
        comm.allreduce(z, "prod")
    with pytest.raises(TypeError, match=r"NCCL knows int8, uint8, .*; got int16\. Convert it first"):
        comm.allreduce(FakeArray(np.array([1], np.int16)))


def test_alltoall_is_one_group_of_sends_and_receives(comm):
    y = comm.alltoall(FakeArray(np.arange(3.0).reshape(1, 3)))
    np.testing.assert_array_equal(y.array, [[0.0, 1.0, 2.0]])
    assert comm.grouped == ["start", "end"]
    assert comm._comm.calls == [("send", 24, "NCCL_UINT8", 0), ("recv", 24, "NCCL_UINT8", 0)]


def test_what_it_is_goes_ahead_of_what_is_sent(comm):
    comm.send(FakeArray(np.arange(4, dtype=np.int32)), 0, tag=3)
    y = comm.recv(0, tag=3)
    assert isinstance(y, FakeArray)
    np.testing.assert_array_equal(y.array, np.arange(4))
    comm.send(np.arange(2.0), 0)
    np.testing.assert_array_equal(comm.recv(0), np.arange(2.0))


def test_arrays_on_the_host_and_objects_go_over_mpi(comm):
    np.testing.assert_array_equal(comm.allreduce(np.ones(2)), np.ones(2))
    assert comm.bcast_object("text") == "text"
    assert comm.allgather_object(1) == [1]
    comm.barrier()
    assert comm.split(0).size == 1
    assert comm._comm.calls == []


def test_more_ranks_than_gpus(comm, monkeypatch):
    host = LocalCommunicator()
    monkeypatch.setattr(host, "local_rank", 1)
    with pytest.raises(ValueError, match="got 1 GPUs, and rank 0 is number 1 on its machine"):
        ours.NcclCommunicator(host)
    sys.modules["cupy.cuda.nccl"].available = False
    with pytest.raises(ImportError, match=re.escape("CuPy finds no NCCL. Install it: pip install nvi")):
        ours.NcclCommunicator(LocalCommunicator())


@pytest.mark.cuda
def test_bfloat16_is_summed_in_float32(comm):
    bfloat16 = pytest.importorskip("ml_dtypes", reason="has the dtype").bfloat16
    assert comm.allreduce(FakeArray(np.array([1.0, 2.0], bfloat16))).dtype == bfloat16
    assert comm._comm.calls == [("allReduce", 2, "NCCL_FLOAT32", "NCCL_SUM")]


@pytest.mark.cuda
def test_the_signatures_are_those_of_the_cupy_that_is_installed():
    pytest.importorskip("cupy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy warns when it finds no NCCL
        from cupy.cuda import nccl

        available = nccl.available
    if not available:
        pytest.skip("CuPy finds no NCCL: pip install nvidia-nccl-cu12")
    for name, signature in SIGNATURES.items():
        shown = getattr(nccl.NcclCommunicator, name).__doc__.splitlines()[0]
        assert shown == f"NcclCommunicator.{name}{signature}"
    for name in ("SUM", "PROD", "MAX", "MIN", *(n.upper() for n in ours.REDUCED)):
        assert isinstance(getattr(nccl, f"NCCL_{name}"), int)
    assert len(nccl.get_unique_id()) == 128
