"""A communicator over NCCL: CuPy arrays go from GPU to GPU, everything else over MPI.

There was no machine with GPUs to run this on: it is tested against doubles, on one rank with the signatures
of CuPy 14.2 and NCCL 2.32, on two ranks with what the calls do to memory.
"""

from __future__ import annotations

import pickle
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from tensorgrad.backend import Array, Backend, get_backend
from tensorgrad.communicator import Communicator, Transfer

REDUCED = ("int8", "uint8", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64")


class NcclCommunicator(Communicator):
    """The ranks of an MPI program, each with a GPU of its own.

    Transfers run on a stream of their own, beside what is computed: a result is ordered after its transfer on
    the current stream, and the host waits for nothing. NCCL calls of all ranks must come in the same order.

    Parameters
    ----------
    host : Communicator
        Over MPI: it brings the ranks together, and carries objects and arrays of other libraries.

    Raises
    ------
    BackendUnavailableError
        If CuPy does not work here.
    ImportError
        If CuPy finds no NCCL.
    ValueError
        If a machine has more ranks than GPUs.
    """

    name: ClassVar[str] = "nccl"

    def __init__(self, host: Communicator) -> None:
        self.host = host
        self.rank, self.size, self.local_rank = host.rank, host.size, host.local_rank
        cupy: Any = get_backend("cupy").module
        self._cupy = cupy
        self._nccl: Any = import_module(f"{cupy.__name__}.cuda.nccl")
        if not getattr(self._nccl, "available", True):
            raise ImportError(
                "CuPy finds no NCCL. Install it: pip install nvidia-nccl-cu12 (or -cu13: as CuPy's CUDA)"
            )
        count = cupy.cuda.runtime.getDeviceCount()
        if self.local_rank >= count:
            raise ValueError(
                f"NcclCommunicator: expected a GPU for each rank of a machine; got {count} GPUs, and rank "
                f"{self.rank} is number {self.local_rank} on its machine. Start fewer ranks on each."
            )
        cupy.cuda.Device(self.local_rank).use()
        unique = host.bcast_object(self._nccl.get_unique_id() if self.rank == 0 else None)
        self._comm = self._nccl.NcclCommunicator(self.size, unique, self.rank)
        self._stream = cupy.cuda.Stream(non_blocking=True)

    # -- what goes over MPI ----------------------------------------------------------------------

    def barrier(self) -> None:
        self.host.barrier()

    def bcast_object(self, value: Any, root: int = 0) -> Any:
        return self.host.bcast_object(value, root)

    def allgather_object(self, value: Any) -> list[Any]:
        return self.host.allgather_object(value)

    def split(self, color: int, key: int | None = None) -> NcclCommunicator:
        return NcclCommunicator(self.host.split(color, key))

    def abort(self, code: int = 1) -> None:
        self.host.abort(code)

    def _check(self, name: str, x: Any = None, **options: Any) -> None:
        self.host._check(name, x, **options)

    # -- the transport ---------------------------------------------------------------------------

    def takes(self, owner: Backend) -> bool:
        return owner.name in ("numpy", "cupy")

    def _buffer(self, x: Array, owner: Backend) -> tuple[Any, Any]:
        if owner.name != "cupy":
            return self.host._buffer(x, owner)
        contiguous = self._cupy.ascontiguousarray(x).reshape(x.shape)
        return contiguous, lambda y: y if y.dtype == x.dtype else y.astype(x.dtype)

    def _allreduce(self, buffer: Any, received: Any, op: str) -> Transfer:
        if isinstance(buffer, np.ndarray):
            return self.host._allreduce(buffer, received, op)
        count, dtype = self._counted(buffer, op)
        code = getattr(self._nccl, f"NCCL_{op.upper()}")
        return self._run(
            lambda stream: self._comm.allReduce(
                buffer.data.ptr, received.data.ptr, count, dtype, code, stream
            ),
            buffer,
            received,
        )

    def _broadcast(self, buffer: Any, root: int) -> Transfer:
        if isinstance(buffer, np.ndarray):
            return self.host._broadcast(buffer, root)
        byte = self._nccl.NCCL_UINT8
        return self._run(
            lambda stream: self._comm.bcast(buffer.data.ptr, buffer.nbytes, byte, root, stream), buffer
        )

    def _allgather(self, buffer: Any, received: Any) -> Transfer:
        if isinstance(buffer, np.ndarray):
            return self.host._allgather(buffer, received)
        byte = self._nccl.NCCL_UINT8
        return self._run(
            lambda stream: self._comm.allGather(
                buffer.data.ptr, received.data.ptr, buffer.nbytes, byte, stream
            ),
            buffer,
            received,
        )

    def _reduce_scatter(self, buffer: Any, received: Any) -> Transfer:
        if isinstance(buffer, np.ndarray):
            return self.host._reduce_scatter(buffer, received)
        count, dtype = self._counted(received, "sum")
        code = self._nccl.NCCL_SUM
        return self._run(
            lambda stream: self._comm.reduceScatter(
                buffer.data.ptr, received.data.ptr, count, dtype, code, stream
            ),
            buffer,
            received,
        )

    def _alltoall(self, buffer: Any, received: Any) -> Transfer:
        if isinstance(buffer, np.ndarray):
            return self.host._alltoall(buffer, received)
        part, byte = buffer.nbytes // self.size, self._nccl.NCCL_UINT8

        def exchange(stream: int) -> None:
            self._nccl.groupStart()
            for peer in range(self.size):
                self._comm.send(buffer.data.ptr + peer * part, part, byte, peer, stream)
                self._comm.recv(received.data.ptr + peer * part, part, byte, peer, stream)
            self._nccl.groupEnd()

        return self._run(exchange, buffer, received)

    def _send(self, buffer: Any, dest: int, tag: int) -> None:
        """What it is goes ahead over MPI; a CuPy array then goes from GPU to GPU."""
        on_device = not isinstance(buffer, np.ndarray)
        what = pickle.dumps((on_device, tuple(buffer.shape), np.dtype(buffer.dtype).str))
        self.host._send(np.frombuffer(what, np.uint8), dest, tag)
        if not on_device:
            self.host._send(buffer, dest, tag)
            return
        byte = self._nccl.NCCL_UINT8
        self._run(
            lambda stream: self._comm.send(buffer.data.ptr, buffer.nbytes, byte, dest, stream), buffer
        ).wait()

    def _receive(self, source: int, tag: int) -> Any:
        on_device, shape, dtype = pickle.loads(self.host._receive(source, tag).tobytes())
        if not on_device:
            return self.host._receive(source, tag)
        received, byte = self._cupy.empty(shape, dtype), self._nccl.NCCL_UINT8
        self._run(
            lambda stream: self._comm.recv(received.data.ptr, received.nbytes, byte, source, stream), received
        ).wait()
        return received

    def _counted(self, buffer: Any, op: str) -> tuple[int, int]:
        """How many numbers of which type NCCL reduces: complex ones are pairs."""
        name, count = np.dtype(buffer.dtype).name, buffer.size
        if name.startswith("complex"):
            if op != "sum":
                raise TypeError(f"allreduce: NCCL sums complex numbers, and nothing else; got {op}")
            name, count = {"complex64": "float32", "complex128": "float64"}[name], 2 * count
        if name not in REDUCED:
            raise TypeError(f"allreduce: NCCL knows {', '.join(REDUCED)}; got {name}. Convert it first.")
        return count, getattr(self._nccl, f"NCCL_{name.upper()}")

    def _run(self, start: Any, *buffers: Any) -> _OnStream:
        """Start a transfer when what was computed so far is there."""
        cuda = self._cupy.cuda
        ready = cuda.Event(disable_timing=True)
        ready.record(cuda.get_current_stream())
        self._stream.wait_event(ready)
        start(self._stream.ptr)
        done = cuda.Event(disable_timing=True)
        done.record(self._stream)
        return _OnStream(cuda, done, buffers)


class _OnStream:
    """A transfer on the communicator's stream. Its buffers live until the current stream is behind it."""

    def __init__(self, cuda: Any, done: Any, buffers: tuple[Any, ...]) -> None:
        self._cuda = cuda
        self._done = done
        self._buffers = buffers

    def test(self) -> bool:
        return bool(self._done.done)

    def wait(self) -> None:
        self._cuda.get_current_stream().wait_event(self._done)
        self._buffers = ()
