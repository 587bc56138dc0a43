"""tensorgrad.distributed in a program that runs alone, and what it says where something is missing."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tensorgrad import distributed as D
from tensorgrad.communicator import Communicator, on_host
from tensorgrad.distributed import mpi
from tensorgrad.testing.arrays import to_numpy

LAUNCHERS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "MPI_LOCALNRANKS", "PMIX_RANK")


@pytest.fixture
def alone(monkeypatch):
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("alone")
def test_without_mpiexec_a_program_runs_alone():
    comm = D.create_communicator()
    assert isinstance(comm, D.LocalCommunicator)
    assert (comm.rank, comm.size, comm.local_rank, comm.is_main) == (0, 1, 0, True)
    assert "mpi4py" not in sys.modules or mpi.launched() == 0


@pytest.mark.usefixtures("alone")
def test_under_mpiexec_without_mpi4py_it_says_what_to_install(monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'tensorgrad[mpi]', and start")) as caught:
        D.create_communicator()
    assert "mpiexec -n 4 python train.py" in str(caught.value)


def test_an_mpiexec_of_another_library_is_noticed(monkeypatch):
    world = SimpleNamespace(size=1, rank=0)
    library = SimpleNamespace(COMM_WORLD=world, Get_library_version=lambda: "Some MPI 1.0\nof today")
    monkeypatch.setattr(mpi, "mpi", lambda: library)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    with pytest.raises(RuntimeError, match=r"started 4 processes, but each is alone.*\(Some MPI 1.0\)"):
        D.MpiCommunicator()


def test_launchers_are_known_by_their_variables(monkeypatch, alone):
    assert mpi.launched() == 0
    monkeypatch.setenv("PMIX_RANK", "0")
    assert mpi.launched() == 1
    monkeypatch.setenv("PMI_SIZE", "8")
    assert mpi.launched() == 8


def test_a_name_that_is_none():
    with pytest.raises(ValueError, match="expected auto, local, mpi or nccl; got 'gloo'"):
        D.create_communicator("gloo")


def test_what_a_program_that_runs_alone_sends_itself():
    comm = D.LocalCommunicator()
    comm.send(np.arange(3), 0)
    comm.send(np.arange(4), 0, tag=1)
    assert comm.recv(0, tag=1).shape == (4,)
    assert comm.recv(0).shape == (3,)
    with pytest.raises(RuntimeError, match="sent itself nothing with tag 0: it would wait forever"):
        comm.recv(0)


def test_objects_are_copies():
    comm = D.LocalCommunicator()
    value = [1, 2]
    (got,) = comm.allgather_object(value)
    assert got == value
    assert got is not value
    assert comm.bcast_object(value) is not value
    comm.barrier()
    assert comm.split(3).size == 1
    with pytest.raises(SystemExit):
        comm.abort(2)


def test_a_transport_of_ones_own_says_what_it_lacks():
    class Half(Communicator):
        pass

    for call in ("barrier", "abort"):
        with pytest.raises(NotImplementedError, match=f"Half does not define {call}"):
            getattr(Half(), call)()
    with pytest.raises(NotImplementedError, match="Half does not define _allreduce"):
        Half().allreduce(np.ones(2))


def test_bfloat16_is_the_nearest_to_even():
    from tensorgrad.distributed.compression import FORMATS

    encode, decode = FORMATS["bfloat16"]
    exact = np.array([0.0, -0.0, 1.0, -2.5, 2.0**127, np.inf, -np.inf, 2.0**-133], np.float32)
    np.testing.assert_array_equal(decode(encode(exact)).view(np.uint32), exact.view(np.uint32))
    step = 2.0**-7  # between the numbers from 1 to 2
    between = np.array([1 + step / 2, 1 + 3 * step / 2, 1 + 0.51 * step, 1 + 0.49 * step], np.float32)
    np.testing.assert_array_equal(decode(encode(between)), [1.0, 1 + 2 * step, 1 + step, 1.0])
    nan = np.array([0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    assert np.isnan(decode(encode(nan))).all()
    assert np.isinf(decode(encode(np.array([3.4e38], np.float32)))).all()  # beyond the largest
    draws = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    assert np.abs(decode(encode(draws)) / draws - 1).max() <= 2.0**-8


def test_arrays_of_half_precision_go_in_a_dtype_that_mpi_knows(backend, half):
    x = backend.from_numpy(np.array([1.0, 2.5], np.float32))
    x = backend.xp.astype(x, getattr(backend.xp, half))
    assert on_host(backend, x).dtype.name in {"float16", "float32"}
    comm = D.LocalCommunicator()
    for y in (comm.allreduce(x, "max"), comm.allgather(x)[0, ...], comm.broadcast(x)):
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(to_numpy(y).astype(np.float32), [1.0, 2.5])


def test_float16_beyond_its_range_is_infinite():
    from tensorgrad.distributed.compression import FORMATS

    encode, decode = FORMATS["float16"]
    np.testing.assert_array_equal(decode(encode(np.array([1e6, 0.5], np.float32))), [np.inf, 0.5])
