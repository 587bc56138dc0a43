"""Tensor parallelism: linear layers of which each rank holds a part.

Two of them, one after the other, split what is between them: the first gives each rank its part of the
features, the second takes it. One sum over the ranks forward, and one backward, is all that is sent.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad.communicator import Communicator
from tensorgrad.core import Variable
from tensorgrad.layers import Linear


class ColumnParallelLinear(Linear):
    """``y = x W + b``, of which each rank computes its columns.

    Parameters
    ----------
    out_size : int
        Of all ranks; a multiple of their number.
    comm : Communicator
    gather : bool, default False
        Give all columns to every rank.
    **options
        Those of `tensorgrad.layers.Linear`. The ranks draw one matrix, that of rank 0.

    Attributes
    ----------
    W : Parameter, shape (in_size, out_size / size)
    b : Parameter, shape (out_size / size,), or None

    Notes
    -----
    `forward` takes x of shape (..., in_size), the same on all ranks, and gives y of shape
    (..., out_size / size), or (..., out_size) with `gather`. What follows must be computed alike on all
    ranks, up to a `RowParallelLinear` or to the end; a gradient is then that of one rank.

    Raises
    ------
    ValueError
        If `out_size` is no multiple of the number of ranks.

    Examples
    --------
    >>> comm = tg.distributed.LocalCommunicator()
    >>> up = tg.distributed.ColumnParallelLinear(8, comm)
    >>> down = tg.distributed.RowParallelLinear(2, comm)
    >>> down(F.relu(up(np.ones((5, 3), np.float32)))).shape
    (5, 2)
    """

    def __init__(self, out_size: int, comm: Communicator, gather: bool = False, **options: Any) -> None:
        _check_multiple(type(self).__name__, "out_size", out_size, comm)
        self.comm = comm
        self.gather = gather
        self.all_out = out_size
        super().__init__(out_size // comm.size, **options)

    def _make_weights(self, in_size: int) -> None:
        whole = self.comm.broadcast(np.asarray(self.initial_W((in_size, self.all_out), self.dtype)))
        start = self.comm.rank * self.out_size
        self.W.data = self._put(np.array(whole[:, start : start + self.out_size]))

    def forward(self, x: Any) -> Variable:
        y = super().forward(F.replicate(x, self.comm))
        return F.allgather(y, self.comm, axis=-1, replicated=True) if self.gather else y


class RowParallelLinear(Linear):
    """``y = x W + b``, of which each rank has its part of x and the rows of W that belong to it.

    Parameters
    ----------
    out_size : int
    comm : Communicator
    **options
        Those of `tensorgrad.layers.Linear`; ``in_size`` is that of all ranks. The ranks draw one matrix,
        that of rank 0.

    Attributes
    ----------
    W : Parameter, shape (in_size / size, out_size)
    b : Parameter, shape (out_size,), or None
        The same on all ranks.

    Notes
    -----
    `forward` takes x of shape (..., in_size / size) and gives y of shape (..., out_size), the same on all
    ranks, which must go on alike.

    Raises
    ------
    ValueError
        If ``in_size`` is no multiple of the number of ranks.
    """

    def __init__(self, out_size: int, comm: Communicator, **options: Any) -> None:
        self.comm = comm
        if options.get("in_size") is not None:
            _check_multiple(type(self).__name__, "in_size", options["in_size"], comm)
            options["in_size"] //= comm.size
        super().__init__(out_size, **options)

    def _make_weights(self, in_size: int) -> None:
        shape = (in_size * self.comm.size, self.out_size)
        whole = self.comm.broadcast(np.asarray(self.initial_W(shape, self.dtype)))
        start = self.comm.rank * in_size
        self.W.data = self._put(np.array(whole[start : start + in_size]))

    def forward(self, x: Any) -> Variable:
        if self.W.data is None:
            self._settle(x.data if isinstance(x, Variable) else x)
        y = F.allreduce(F.linear(x, self.W), self.comm, replicated=True)
        return y if self.b is None else y + self.b


def _check_multiple(layer: str, what: str, size: int, comm: Communicator) -> None:
    if size % comm.size:
        raise ValueError(f"{layer}: expected {what} to be a multiple of {comm.size}, the ranks; got {size}")
