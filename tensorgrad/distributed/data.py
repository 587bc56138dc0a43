"""What ranks read, and what they report together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tensorgrad.communicator import Communicator
from tensorgrad.core import Variable
from tensorgrad.sampling import DistributedSampler as DistributedSampler


def mean_loss(total: Variable, count: int, comm: Communicator) -> Variable:
    """The part of this rank in the mean of a loss over the examples of all ranks.

    A `DistributedOptimizer` averages gradients over the ranks. Where all have the same number of examples,
    the mean over one's own is the loss to differentiate. Where they have not (in the last batch of an
    epoch), this weighs them, so that the update is that of one rank with all the examples. A rank without
    any takes part too.

    Parameters
    ----------
    total : Variable, shape ()
        The sum of the losses of this rank's examples: with ``reduction="sum"``.
    count : int
        How many examples that are.
    comm : Communicator

    Returns
    -------
    Variable, shape ()
        ``total * size / (examples of all ranks)``; the mean of it over the ranks is the mean loss.

    Raises
    ------
    ValueError
        If no rank has an example.

    Examples
    --------
    >>> losses = Variable(np.array([1.0, 3.0]))
    >>> tg.distributed.mean_loss(F.sum(losses), 2, tg.distributed.LocalCommunicator())
    variable(2.0)
    """
    every = int(comm.allreduce(np.array(count)))
    if every == 0:
        raise ValueError("mean_loss: expected an example on one rank at least; got none")
    return total * (comm.size / every)


def average_metrics(values: Mapping[str, Any], comm: Communicator, count: float = 1.0) -> dict[str, float]:
    """Means of numbers over the ranks, weighed by how many examples each stands for.

    Parameters
    ----------
    values : mapping of str to number, or Variable or array with one element
        The same names on all ranks. What a rank with a `count` of 0 gives does not matter.
    comm : Communicator
    count : float, default 1.0
        The weight of this rank.

    Returns
    -------
    dict of str to float
        The same on all ranks; nan where no rank has a weight.

    Raises
    ------
    ValueError
        If the ranks give different names.

    Examples
    --------
    >>> tg.distributed.average_metrics({"loss": 0.5}, tg.distributed.LocalCommunicator(), count=32)
    {'loss': 0.5}
    """
    names = list(values)
    every = comm.allgather_object(names)
    for rank, others in enumerate(every):
        if others != every[0]:
            raise ValueError(
                f"average_metrics: expected the same names on all ranks; got {every[0]} on rank 0 and "
                f"{others} on rank {rank}"
            )
    numbers = [float(v.item() if hasattr(v, "item") else v) for v in values.values()] if count else []
    mine = np.array([*numbers, 1.0] if count else np.zeros(len(names) + 1))
    sums = comm.allreduce(mine * count)
    with np.errstate(invalid="ignore"):
        means = sums[:-1] / sums[-1]
    return dict(zip(names, means.tolist(), strict=True))
