"""Communicators: how the processes of one program, its ranks, exchange arrays and objects.

`Communicator` is the contract. What carries the data is in `tensorgrad.distributed`; a program that runs
alone has a `LocalCommunicator`, so that the same script works with and without ``mpiexec``.
"""

from __future__ import annotations

import copy
import pickle
from collections import deque
from typing import Any, ClassVar, Protocol

import numpy as np

from tensorgrad.backend import Array, Backend, backend_of

REDUCTIONS = ("sum", "mean", "prod", "min", "max")

_OF_16_BITS = ("float16", "bfloat16")  # MPI knows neither


class Transfer(Protocol):
    """A transfer that was started: what a transport gives."""

    def test(self) -> bool:
        """Whether it is complete; transports make progress in this call."""

    def wait(self) -> None:
        """Return when it is complete."""


class Request:
    """A collective that was started; `wait` gives its result.

    Examples
    --------
    >>> request = tg.distributed.LocalCommunicator().iallreduce(np.ones(2))
    >>> request.wait()
    array([1., 1.])
    """

    def __init__(self, transfer: Transfer, received: Any, finish: Any = None) -> None:
        self._transfer = transfer
        self._received = received
        self._finish = finish

    def test(self) -> bool:
        """Whether the result is there. Calls while other work is done help the transfer along."""
        return self._transfer.test()

    def wait(self) -> Any:
        """The result, when it is there."""
        self._transfer.wait()
        if self._finish is not None:
            self._received, self._finish = self._finish(self._received), None
        return self._received


class Communicator:
    """The ranks of a program, and what they do together.

    Arrays may belong to any registered library; the results belong to the same one and lie on the same
    device. A collective is called by all ranks, in the same order, with arrays of the same shape and dtype.

    Subclasses define the transport: the methods ``_allreduce``, ``_broadcast``, ``_allgather``,
    ``_reduce_scatter``, ``_alltoall``, ``_send`` and ``_receive``, which start a transfer of buffers,
    `barrier`, `bcast_object`, `allgather_object`, `split` and `abort`.

    Attributes
    ----------
    rank : int
        The number of this process, from 0.
    size : int
        How many there are.
    local_rank : int
        The number of this process among those on its machine: that of its GPU, for example.
    """

    name: ClassVar[str] = ""
    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, which alone logs, draws and writes files."""
        return self.rank == 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} rank {self.rank} of {self.size}>"

    # -- collectives on arrays -------------------------------------------------------------------

    def allreduce(self, x: Array, op: str = "sum") -> Array:
        """Combine the arrays of all ranks, element by element; every rank gets the result.

        Parameters
        ----------
        x : array, any shape
        op : {'sum', 'mean', 'prod', 'min', 'max'}

        Returns
        -------
        array, shape and dtype of `x`
            The same bits on every rank. Numbers of 16 bits are combined in float32.

        Raises
        ------
        ValueError
            If there is no such `op`.
        TypeError
            If `x` holds no numbers, or complex ones which have no order, or is to be averaged and holds
            integers.
        """
        return self.iallreduce(x, op).wait()

    def iallreduce(self, x: Array, op: str = "sum") -> Request:
        """Start `allreduce`, whose result ``wait()`` of what is returned gives.

        Parameters
        ----------
        x : array
            Must not be changed before the result is there.
        op : {'sum', 'mean', 'prod', 'min', 'max'}
        """
        owner = self._owner("allreduce", x)
        _check_reduction(op, owner, x)
        self._check("allreduce", x, op=op)
        buffer, back = self._buffer(x, owner)
        if str(buffer.dtype) in _OF_16_BITS:
            buffer = buffer.astype(np.float32)
        received = _like(buffer, buffer.shape)
        transfer = self._allreduce(buffer, received, "sum" if op == "mean" else op)

        def finish(y: Any) -> Any:
            if op == "mean":
                y /= self.size
            return back(y)

        return Request(transfer, received, finish)

    def broadcast(self, x: Array, root: int = 0) -> Array:
        """Give every rank the array of one.

        Parameters
        ----------
        x : array, any shape
            What it holds on the other ranks does not matter.
        root : int, default 0
        """
        owner = self._owner("broadcast", x)
        self._check_rank("broadcast", "root", root)
        self._check("broadcast", x, root=root)
        buffer, back = self._buffer(x, owner)
        buffer = buffer.copy()
        self._broadcast(buffer, root).wait()
        return back(buffer)

    def allgather(self, x: Array) -> Array:
        """The arrays of all ranks, one behind the other along a new first axis.

        Parameters
        ----------
        x : array, shape (...)

        Returns
        -------
        array, shape (size, ...)
        """
        return self.iallgather(x).wait()

    def iallgather(self, x: Array) -> Request:
        """Start `allgather`, whose result ``wait()`` of what is returned gives."""
        owner = self._owner("allgather", x)
        self._check("allgather", x)
        buffer, back = self._buffer(x, owner)
        received = _like(buffer, (self.size, *buffer.shape))
        return Request(self._allgather(buffer, received), received, back)

    def reduce_scatter(self, x: Array) -> Array:
        """Sum the arrays of all ranks; each rank gets its part of the first axis.

        Parameters
        ----------
        x : array, shape (size, ...)

        Returns
        -------
        array, shape (...)
            ``x[rank]``, summed over the ranks.

        Raises
        ------
        ValueError
            If the first axis has not one element for each rank.
        """
        return self.ireduce_scatter(x).wait()

    def ireduce_scatter(self, x: Array) -> Request:
        """Start `reduce_scatter`, whose result ``wait()`` of what is returned gives."""
        buffer, back = self._parts("reduce_scatter", x)
        if str(buffer.dtype) in _OF_16_BITS:
            buffer = buffer.astype(np.float32)
        received = _like(buffer, buffer.shape[1:])
        return Request(self._reduce_scatter(buffer, received), received, back)

    def alltoall(self, x: Array) -> Array:
        """Send ``x[i]`` to rank i; element j of the result is what rank j sent here.

        Parameters
        ----------
        x : array, shape (size, ...)

        Returns
        -------
        array, shape (size, ...)

        Raises
        ------
        ValueError
            If the first axis has not one element for each rank.
        """
        return self.ialltoall(x).wait()

    def ialltoall(self, x: Array) -> Request:
        """Start `alltoall`, whose result ``wait()`` of what is returned gives."""
        buffer, back = self._parts("alltoall", x)
        received = _like(buffer, buffer.shape)
        return Request(self._alltoall(buffer, received), received, back)

    def _parts(self, name: str, x: Array) -> tuple[Any, Any]:
        """The buffer of an array with a part for each rank."""
        owner = self._owner(name, x)
        if not x.shape or x.shape[0] != self.size:
            raise ValueError(
                f"{name}: expected an array with {self.size} elements along its first axis, one for each "
                f"rank; got shape {tuple(x.shape)}"
            )
        if name == "reduce_scatter":
            _check_reduction("sum", owner, x)
        self._check(name, x)
        return self._buffer(x, owner)

    # -- between two ranks -----------------------------------------------------------------------

    def send(self, x: Array, dest: int, tag: int = 0) -> None:
        """Send an array to one rank, which calls `recv`. Returns when `x` may be changed again.

        Parameters
        ----------
        x : array, any shape
        dest : int
            The rank that receives it.
        tag : int, default 0
            Tells apart what the same rank sends; NCCL has none.
        """
        owner = self._owner("send", x)
        self._check_rank("send", "dest", dest)
        self._send(self._buffer(x, owner)[0], dest, tag)

    def recv(self, source: int, tag: int = 0, like: Array = None) -> Array:
        """Receive the array that one rank sends.

        Parameters
        ----------
        source : int
            The rank that sends it.
        tag : int, default 0
        like : array, optional
            Of the library and on the device where the result goes; a NumPy array by default.

        Returns
        -------
        array
            In the shape and dtype that it was sent in; bfloat16, which NumPy lacks, comes as float32.
        """
        self._check_rank("recv", "source", source)
        received = self._receive(source, tag)
        if like is None:
            return received
        owner = self._owner("recv", like)
        sent_by: Any = backend_of(received)
        if sent_by is owner:
            return received
        return owner.from_numpy(sent_by.to_numpy(received), owner.device(like))

    # -- objects and the rest --------------------------------------------------------------------

    def barrier(self) -> None:
        """Wait until every rank is here."""
        raise _undefined(self, "barrier")

    def bcast_object(self, value: Any, root: int = 0) -> Any:
        """Give every rank a copy of an object of one, by pickle."""
        raise _undefined(self, "bcast_object")

    def allgather_object(self, value: Any) -> list[Any]:
        """The objects of all ranks, in their order, by pickle."""
        raise _undefined(self, "allgather_object")

    def split(self, color: int, key: int | None = None) -> Communicator:
        """Communicators of groups of ranks: those that give the same `color` are together.

        Parameters
        ----------
        color : int
        key : int, optional
            The order within a group; that of the ranks by default.
        """
        raise _undefined(self, "split")

    def abort(self, code: int = 1) -> None:
        """End the processes of all ranks at once."""
        raise _undefined(self, "abort")

    # -- for transports --------------------------------------------------------------------------

    def _allreduce(self, buffer: Any, received: Any, op: str) -> Transfer:
        raise _undefined(self, "_allreduce")

    def _broadcast(self, buffer: Any, root: int) -> Transfer:
        raise _undefined(self, "_broadcast")

    def _allgather(self, buffer: Any, received: Any) -> Transfer:
        raise _undefined(self, "_allgather")

    def _reduce_scatter(self, buffer: Any, received: Any) -> Transfer:
        raise _undefined(self, "_reduce_scatter")

    def _alltoall(self, buffer: Any, received: Any) -> Transfer:
        raise _undefined(self, "_alltoall")

    def _send(self, buffer: Any, dest: int, tag: int) -> None:
        raise _undefined(self, "_send")

    def _receive(self, source: int, tag: int) -> Any:
        raise _undefined(self, "_receive")

    def _check(self, name: str, x: Any = None, **options: Any) -> None:
        """Before each collective: where a debug mode compares the ranks."""

    def takes(self, owner: Backend) -> bool:
        """Whether arrays of this library are sent from where they lie: those of others go by way of NumPy."""
        return owner.name == "numpy"

    def _buffer(self, x: Array, owner: Backend) -> tuple[Any, Any]:
        """A contiguous buffer that the transport can read, and a function from one of these to a result."""
        if owner.name == "numpy":
            dtype = x.dtype
            return on_host(owner, x), lambda y: np.asarray(y).astype(dtype, copy=False)
        buffer = on_host(owner, x)
        device = owner.device(x)

        def back(y: Any) -> Any:
            made = owner.from_numpy(np.asarray(y), device)
            return made if made.dtype == x.dtype else owner.xp.astype(made, x.dtype)

        return buffer, back

    def _owner(self, name: str, x: Any) -> Backend:
        owner = backend_of(x)
        if owner is None:
            raise TypeError(f"{name}: expected an array; got {type(x).__name__}. Objects have bcast_object.")
        return owner

    def _check_rank(self, name: str, what: str, rank: int) -> None:
        if not 0 <= rank < self.size:
            raise ValueError(f"{name}: expected {what} from 0 to {self.size - 1}; got {rank}")


def on_host(owner: Backend, x: Array) -> np.ndarray[Any, Any]:
    """A contiguous NumPy array of what an array holds; bfloat16, of which MPI knows nothing, as float32."""
    array = np.asarray(owner.to_numpy(x), order="C")
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _like(buffer: Any, shape: tuple[int, ...]) -> Any:
    """An empty buffer of the same library, device and dtype."""
    if isinstance(buffer, np.ndarray):
        return np.empty(shape, buffer.dtype)
    owner = backend_of(buffer)
    assert owner is not None, "a buffer is an array"
    return owner.xp.empty(shape, dtype=buffer.dtype, device=owner.device(buffer))


def _check_reduction(op: str, owner: Backend, x: Any) -> None:
    if op not in REDUCTIONS:
        raise ValueError(f"allreduce: expected op to be one of {', '.join(REDUCTIONS)}; got {op!r}")
    if owner.xp.isdtype(x.dtype, "bool"):
        raise TypeError("allreduce: expected numbers; got bools. Convert them to int8 first.")
    if op in ("min", "max") and owner.is_complex(x.dtype):
        raise TypeError(f"allreduce: expected real numbers for {op}; got {x.dtype}")
    if op == "mean" and not owner.is_floating(x.dtype):
        raise TypeError(f"allreduce: expected floating numbers for mean; got {x.dtype}")


def _undefined(comm: Communicator, method: str) -> NotImplementedError:
    return NotImplementedError(f"{type(comm).__name__} does not define {method}")


class Done:
    """A transfer that was complete when it was started."""

    def test(self) -> bool:
        return True

    def wait(self) -> None:
        """Nothing to wait for."""


DONE = Done()


class LocalCommunicator(Communicator):
    """The communicator of a program that runs alone: rank 0 of 1.

    Examples
    --------
    >>> comm = tg.distributed.LocalCommunicator()
    >>> comm.allreduce(np.array([1.0, 2.0]))
    array([1., 2.])
    >>> comm.allgather(np.array([1.0, 2.0])).shape
    (1, 2)
    """

    name = "local"

    def __init__(self) -> None:
        self._sent: dict[int, deque[Any]] = {}

    def barrier(self) -> None:
        """Nothing to wait for."""

    def bcast_object(self, value: Any, root: int = 0) -> Any:
        self._check_rank("bcast_object", "root", root)
        return pickle.loads(pickle.dumps(value))

    def allgather_object(self, value: Any) -> list[Any]:
        return [pickle.loads(pickle.dumps(value))]

    def split(self, color: int, key: int | None = None) -> LocalCommunicator:
        return copy.copy(self)

    def abort(self, code: int = 1) -> None:
        raise SystemExit(code)

    def _allreduce(self, buffer: Any, received: Any, op: str) -> Transfer:
        received[...] = buffer
        return DONE

    def _broadcast(self, buffer: Any, root: int) -> Transfer:
        return DONE

    def _allgather(self, buffer: Any, received: Any) -> Transfer:
        received[0, ...] = buffer
        return DONE

    def _reduce_scatter(self, buffer: Any, received: Any) -> Transfer:
        received[...] = buffer[0]
        return DONE

    def _alltoall(self, buffer: Any, received: Any) -> Transfer:
        received[...] = buffer
        return DONE

    def _send(self, buffer: Any, dest: int, tag: int) -> None:
        self._sent.setdefault(tag, deque()).append(buffer.copy())

    def _receive(self, source: int, tag: int) -> Any:
        waiting = self._sent.get(tag)
        if not waiting:
            raise RuntimeError(
                f"recv: a program that runs alone has sent itself nothing with tag {tag}: it would "
                "wait forever"
            )
        return waiting.popleft()
