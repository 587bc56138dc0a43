"""A program for ``mpiexec``: arrays of the double of CuPy (see `cuda_double`) go from rank to rank.

Once as buffers of an MPI library that knows CUDA: its memory is the host's, so that any MPI library reads it.
And once over a double of NCCL, whose calls have the arguments of CuPy's and move the memory by MPI.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cuda_double import modules  # found there, and to be in CuPy's place before it is imported
from cuda_double.arrays import counting

modules.install()

import cupy  # noqa: E402
import numpy as np  # noqa: E402
from mpi4py import MPI  # noqa: E402

import tensorgrad as tg  # noqa: E402
from tensorgrad import distributed as D  # noqa: E402
from tensorgrad import functions as F  # noqa: E402
from tensorgrad.distributed import nccl as ours  # noqa: E402

UNIQUE = bytes(range(128))
TYPES = dict(enumerate(ours.REDUCED))
OPERATIONS = (MPI.SUM, MPI.PROD, MPI.MAX, MPI.MIN)
WAITING: list[list[MPI.Request]] = []


class NcclByMpi:
    """CuPy's NcclCommunicator: addresses, counts and numbers of types."""

    def __init__(self, ndev, commId, rank):
        self.comm = MPI.COMM_WORLD.Dup()
        assert (ndev, commId, rank) == (self.comm.size, UNIQUE, self.comm.rank)

    def memory(self, address, count, datatype):
        dtype = np.dtype(TYPES[datatype])
        return np.frombuffer(MPI.buffer.fromaddress(address, count * dtype.itemsize), dtype)

    def allReduce(self, *args):  # noqa: N802  # as in CuPy
        sendbuf, recvbuf, count, datatype, op, _ = args
        buffers = (self.memory(address, count, datatype) for address in (sendbuf, recvbuf))
        self.comm.Allreduce(*buffers, OPERATIONS[op])

    def allGather(self, sendbuf, recvbuf, count, datatype, stream):  # noqa: N802  # as in CuPy
        received = self.memory(recvbuf, count * self.comm.size, datatype)
        self.comm.Allgather(self.memory(sendbuf, count, datatype), received)

    def reduceScatter(self, *args):  # noqa: N802  # as in CuPy
        sendbuf, recvbuf, recvcount, datatype, op, _ = args
        sent = self.memory(sendbuf, recvcount * self.comm.size, datatype)
        self.comm.Reduce_scatter_block(sent, self.memory(recvbuf, recvcount, datatype), OPERATIONS[op])

    def bcast(self, buff, count, datatype, root, stream):
        self.comm.Bcast(self.memory(buff, count, datatype), root)

    def send(self, sendbuf, count, datatype, peer, stream):
        self.pair(self.comm.Isend(self.memory(sendbuf, count, datatype), peer))

    def recv(self, recvbuf, count, datatype, peer, stream):
        self.pair(self.comm.Irecv(self.memory(recvbuf, count, datatype), peer))

    def pair(self, request):
        if WAITING:
            WAITING[-1].append(request)
        else:
            request.Wait()


def install_nccl():
    """Put the double of NCCL beside that of CuPy."""
    module = ModuleType("cupy.cuda.nccl")
    vars(module).update({f"NCCL_{name.upper()}": number for number, name in TYPES.items()})
    vars(module).update({f"NCCL_{name}": i for i, name in enumerate(("SUM", "PROD", "MAX", "MIN"))})
    module.available = True
    module.NcclCommunicator = NcclByMpi
    module.get_unique_id = lambda: UNIQUE
    module.groupStart = lambda: WAITING.append([])
    module.groupEnd = lambda: MPI.Request.Waitall(WAITING.pop())
    cupy.cuda.nccl = sys.modules["cupy.cuda.nccl"] = module


def numbers(rank, shape=(2, 3)):
    return np.random.default_rng([7, rank]).uniform(-1, 1, shape)


def collectives(comm):
    """What the ranks get is what the arrays of all of them say; no array goes by way of the host."""
    n, r = comm.size, comm.rank
    rows = np.stack([numbers(i, (n, 3)) for i in range(n)])
    x = cupy.asarray(rows[r])
    with counting() as waits:
        got = {
            **{op: comm.allreduce(x, op) for op in ("sum", "mean", "prod", "min", "max")},
            "view": comm.allreduce(x.T),
            "complex": comm.allreduce(x + 1j * x),
            "half": comm.allreduce(x.astype(np.float16)),
            "broadcast": comm.broadcast(x, n - 1),
            "allgather": comm.allgather(x),
            "reduce_scatter": comm.reduce_scatter(x),
            "alltoall": comm.alltoall(x),
        }
        comm.send(x, (r + 1) % n)
        got["recv"] = comm.recv((r - 1) % n, like=x)
    assert not [what for what in waits if "get" in what or "asnumpy" in what], waits
    assert all(isinstance(y, cupy.ndarray) for y in got.values())
    total = rows.sum(0)
    want = {
        "sum": total,
        "mean": total / n,
        "prod": rows.prod(0),
        "min": rows.min(0),
        "max": rows.max(0),
        "view": total.T,
        "complex": total + 1j * total,
        "broadcast": rows[-1],
        "allgather": rows,
        "reduce_scatter": total[r],
        "alltoall": rows[:, r],
        "recv": rows[r - 1],
    }
    for name, y in want.items():
        np.testing.assert_allclose(got[name].get(), y, rtol=1e-13, err_msg=name)
    np.testing.assert_allclose(got["half"].get(), total, atol=4e-3)
    assert got["half"].dtype == np.float16
    assert comm.bcast_object(r) == 0
    np.testing.assert_array_equal(comm.allreduce(np.ones(2)), np.full(2, float(n)))


def training(comm):
    """Every way of sending gradients gives the update of one rank with all the examples."""
    n, r = comm.size, comm.rank
    x = numbers(99, (2 * n, 3))
    w = np.array([[0.5], [-1.0], [2.0]])
    gradient = 2 * x.T @ (x @ w) / len(x)
    for kind, options in (
        (D.DistributedOptimizer, {}),
        (D.DistributedOptimizer, {"compression": "float16"}),
        (D.DistributedOptimizer, {"compression": "bfloat16"}),
        (D.ShardedOptimizer, {}),
    ):
        p = tg.Parameter(cupy.asarray(w + r))  # the ranks begin with the values of rank 0
        optimizer = kind(tg.optimizers.SGD(0.1), comm, **options).setup([p])
        F.mean((cupy.asarray(x[2 * r : 2 * r + 2]) @ p) ** 2).backward()
        optimizer.update()
        assert isinstance(p.data, cupy.ndarray)
        tolerance = 5e-3 if options else 1e-13
        np.testing.assert_allclose(p.data.get(), w - 0.1 * gradient, rtol=tolerance, atol=tolerance)


install_nccl()
host = D.create_communicator("mpi", cuda_aware=True, debug=True)
for each in (host, D.create_communicator("nccl", debug=True)):
    collectives(each)
    training(each)
    sys.stdout.write(f"{each.name}: right on rank {each.rank} of {each.size}\n")
