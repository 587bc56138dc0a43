"""Collectives of several ranks, with gradients: for models that are spread over ranks.

The value that is differentiated is the sum of what the ranks call ``backward`` on: a rank's gradient counts
what became of its value on all of them. Every rank must call backward, so that its part of the collectives
runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.functions.manipulation import moveaxis, owner_of, reshape, shape_of


class Collective(Op):
    """The base: an op of all ranks of a communicator."""

    def __init__(self, comm: Any) -> None:
        self.comm = comm


class Sum(Collective):
    """``y = sum of x`` over the ranks; ``gx = sum of gy`` over the ranks."""

    def forward(self, x: Array) -> Array:
        return self.comm.allreduce(self.backend.as_array(x))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(Sum(self.comm), gy)


class SumOnce(Collective):
    """``y = sum of x`` over the ranks, which go on alike; ``gx = gy``."""

    def forward(self, x: Array) -> Array:
        return self.comm.allreduce(self.backend.as_array(x))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(Replicate(self.comm), gy)


class Replicate(Collective):
    """``y = x``, the same on all ranks, which go on each in its way; ``gx = sum of gy`` over the ranks."""

    def forward(self, x: Array) -> Array:
        return self.backend.copy(self.backend.as_array(x))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(SumOnce(self.comm), gy)


class Gather(Collective):
    """``y[r]`` is x of rank r; ``gx = sum of gy[own rank]`` over the ranks."""

    def forward(self, x: Array) -> Array:
        return self.comm.allgather(self.backend.as_array(x))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(SumParts(self.comm), gy)


class SumParts(Collective):
    """``y = sum of x[own rank]`` over the ranks; ``gx[r]`` is gy of rank r."""

    def forward(self, x: Array) -> Array:
        return self.comm.reduce_scatter(x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(Gather(self.comm), gy)


class GatherOnce(Collective):
    """``y[r]`` is x of rank r; the ranks go on alike; ``gx = gy[own rank]``."""

    def forward(self, x: Array) -> Array:
        return self.comm.allgather(self.backend.as_array(x))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(OwnPart(self.comm), gy)


class OwnPart(Collective):
    """``y = x[own rank]`` of an x that is the same on all ranks; ``gx[r]`` is gy of rank r."""

    def forward(self, x: Array) -> Array:
        return self.backend.copy(x[self.comm.rank, ...])

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(GatherOnce(self.comm), gy)


class Exchange(Collective):
    """``y[r]`` is ``x[own rank]`` of rank r; ``gx[r]`` is ``gy[own rank]`` of rank r."""

    def forward(self, x: Array) -> Array:
        return self.comm.alltoall(x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(Exchange(self.comm), gy)


class Broadcast(Collective):
    """``y`` is x of one rank; there ``gx = sum of gy`` over the ranks, elsewhere 0."""

    def __init__(self, comm: Any, root: int) -> None:
        super().__init__(comm)
        self.root = root

    def forward(self, x: Array) -> Array:
        return self.comm.broadcast(self.backend.as_array(x), self.root)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(SumAt(self.comm, self.root), gy)


class SumAt(Broadcast):
    """``y = sum of x`` over the ranks at one of them, elsewhere 0; ``gx`` is gy of that one."""

    def forward(self, x: Array) -> Array:
        y = self.comm.allreduce(self.backend.as_array(x))
        return y if self.comm.rank == self.root else self.xp.zeros_like(y)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(Broadcast(self.comm, self.root), gy)


class Message(Collective):
    """The base: what goes from one rank to another."""

    def __init__(self, comm: Any, peer: int, tag: int) -> None:
        super().__init__(comm)
        self.peer = peer
        self.tag = tag

    def answer(self, kind: type[Message], g: ArrayLike) -> ArrayLike:
        """The message of the backward; a recorded one is answered in the next, whatever `g` depends on."""
        if self.recording and not g.requires_grad:
            g = Variable(g.data)
        return self.nested(kind(self.comm, self.peer, self.tag), g)


class Send(Message):
    """``y = 0``, when x is sent; gx is received from where x went."""

    def forward(self, x: Array) -> Array:
        x = self.backend.as_array(x)
        self.comm.send(x, self.peer, self.tag)
        return self.xp.zeros((), dtype=x.dtype, device=self.backend.device(x))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.answer(Receive, gy)


class Receive(Message):
    """y is what the other rank sent; gy is sent there. The input is what comes before it: no number."""

    def forward(self, before: Array) -> Array:
        return self.comm.recv(self.peer, self.tag, like=self.backend.as_array(before))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.answer(Send, gy)


# -- the public functions ----------------------------------------------------------------------------


def allreduce(x: Any, comm: Any, *, replicated: bool = False) -> Variable:
    """The sum over all ranks, on every rank.

    Parameters
    ----------
    x : Variable or array, any shape
        Of the same shape and dtype on all ranks.
    comm : Communicator
    replicated : bool, default False
        What is computed from the result is the same on all ranks, and counts once: the gradient is that of
        one rank, not the sum of all. So it is in tensor-parallel models, where all compute the same loss.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    TypeError
        If `x` is no array.

    Examples
    --------
    >>> comm = tg.distributed.LocalCommunicator()
    >>> F.allreduce(Variable(np.array([1.0, 2.0])), comm)
    variable([1. 2.])
    """
    owner_of("allreduce", x)
    return (SumOnce if replicated else Sum)(comm)(x)  # type: ignore[no-any-return]


def replicate(x: Any, comm: Any) -> Variable:
    """`x`, which is the same on all ranks, for ranks that go on each in its own way.

    The gradient is summed over the ranks. It is the counterpart of ``allreduce(x, comm, replicated=True)``:
    between the two, each rank computes a part of what one would compute.

    Parameters
    ----------
    x : Variable or array, any shape
    comm : Communicator

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    Shoeybi et al. 2019, "Megatron-LM: training multi-billion parameter language models using model
    parallelism", section 3: there the two are called f and g.

    Examples
    --------
    >>> comm = tg.distributed.LocalCommunicator()
    >>> F.replicate(Variable(np.array([1.0, 2.0])), comm)
    variable([1. 2.])
    """
    owner_of("replicate", x)
    return Replicate(comm)(x)  # type: ignore[no-any-return]


def allgather(x: Any, comm: Any, axis: int = 0, *, replicated: bool = False) -> Variable:
    """What all ranks have, one behind the other along an axis.

    Parameters
    ----------
    x : Variable or array, at least one axis
        Of the same shape and dtype on all ranks.
    comm : Communicator
    axis : int, default 0
    replicated : bool, default False
        What is computed from the result is the same on all ranks, and counts once: see `allreduce`.

    Returns
    -------
    Variable
        Along `axis` it is `size` times as long as `x`.

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> comm = tg.distributed.LocalCommunicator()
    >>> F.allgather(Variable(np.array([[1.0, 2.0]])), comm, axis=1)
    variable([[1. 2.]])
    """
    shape = shape_of("allgather", x)
    axis = _axis("allgather", axis, shape)
    y = (GatherOnce if replicated else Gather)(comm)(x)
    longer = (*shape[:axis], comm.size * shape[axis], *shape[axis + 1 :])
    return reshape(moveaxis(y, 0, axis), longer)


def reduce_scatter(x: Any, comm: Any, axis: int = 0) -> Variable:
    """The sum over all ranks, of which each gets its part along an axis.

    Parameters
    ----------
    x : Variable or array
        Of the same shape and dtype on all ranks.
    comm : Communicator
    axis : int, default 0

    Returns
    -------
    Variable
        Along `axis` its length is that of `x` divided by `size`.

    Raises
    ------
    ValueError
        If `x` has no such axis, or its length is no multiple of `size`.

    Examples
    --------
    >>> comm = tg.distributed.LocalCommunicator()
    >>> F.reduce_scatter(Variable(np.array([1.0, 2.0])), comm)
    variable([1. 2.])
    """
    shape = shape_of("reduce_scatter", x)
    axis = _axis("reduce_scatter", axis, shape)
    if shape[axis] % comm.size:
        raise ValueError(
            f"reduce_scatter: expected a multiple of {comm.size}, the number of ranks, along axis {axis}; "
            f"got shape {shape}"
        )
    parts = (*shape[:axis], comm.size, shape[axis] // comm.size, *shape[axis + 1 :])
    return SumParts(comm)(moveaxis(reshape(x, parts), axis, 0))  # type: ignore[no-any-return]


def alltoall(x: Any, comm: Any) -> Variable:
    """Send ``x[r]`` to rank r; the element r of the result is what rank r sent here.

    Parameters
    ----------
    x : Variable or array, shape (size, ...)
    comm : Communicator

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If the first axis has not one element for each rank.

    Examples
    --------
    >>> comm = tg.distributed.LocalCommunicator()
    >>> F.alltoall(Variable(np.array([[1.0, 2.0]])), comm)
    variable([[1. 2.]])
    """
    owner_of("alltoall", x)
    return Exchange(comm)(x)  # type: ignore[no-any-return]


def bcast(x: Any, comm: Any, root: int = 0) -> Variable:
    """The values of one rank, on every rank. They get the sum of the gradients of all ranks.

    Parameters
    ----------
    x : Variable or array, any shape
        What it holds on other ranks does not matter, and gets a gradient of zeros.
    comm : Communicator
    root : int, default 0

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If there is no rank `root`.

    Examples
    --------
    >>> comm = tg.distributed.LocalCommunicator()
    >>> F.bcast(Variable(np.array([1.0, 2.0])), comm)
    variable([1. 2.])
    """
    owner_of("bcast", x)
    return Broadcast(comm, root)(x)  # type: ignore[no-any-return]


def send(x: Any, comm: Any, dest: int, tag: int = 0) -> Variable:
    """Send values to one rank, which calls `recv`; backward receives their gradient from there.

    Parameters
    ----------
    x : Variable or array, any shape
    comm : Communicator
    dest : int
    tag : int, default 0

    Returns
    -------
    Variable, shape ()
        A 0 that stands for what becomes of `x` there. Call ``backward`` on it, or add it to a loss.

    Raises
    ------
    ValueError
        If there is no rank `dest`.

    Examples
    --------
    >>> comm = tg.distributed.LocalCommunicator()
    >>> x = Variable(np.array([1.0, 2.0]))
    >>> sent = F.send(x * 2.0, comm, dest=0)
    >>> y = F.recv(comm, source=0)
    >>> F.sum(y * y).backward()
    >>> sent.backward()
    >>> x.grad
    variable([ 8. 16.])
    """
    owner_of("send", x)
    return Send(comm, dest, tag)(x)  # type: ignore[no-any-return]


def recv(comm: Any, source: int, tag: int = 0, *, after: Any = None) -> Variable:
    """What one rank sends by `send`; backward sends the gradient back.

    Parameters
    ----------
    comm : Communicator
    source : int
    tag : int, default 0
    after : Variable, shape (), optional
        What `send` gave before: backward comes there after it has been here. It also says which library
        and device the values go to; by default they become NumPy arrays.

    Returns
    -------
    Variable
        In the shape and dtype that was sent.

    Raises
    ------
    ValueError
        If there is no rank `source`.

    Examples
    --------
    >>> comm = tg.distributed.LocalCommunicator()
    >>> sent = F.send(np.array([1.0, 2.0]), comm, dest=0)
    >>> F.recv(comm, source=0)
    variable([1. 2.])
    """
    if after is None:
        after = Variable(np.zeros(()))
    return Receive(comm, source, tag)(after)  # type: ignore[no-any-return]


def _axis(name: str, axis: int, shape: tuple[int, ...]) -> int:
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"{name}: expected an x that has axis {axis}; got shape {shape}")
    return axis % len(shape)
