"""What the ranks of a program do together in a run; a program that runs alone is its only rank."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad.communicator import Communicator, LocalCommunicator
from tensorgrad.core import Variable
from tensorgrad.core.tree import tree_leaves
from tensorgrad.layers import Layer
from tensorgrad.training.interrupts import Interrupts

END = object()


class Ranks:
    """The ranks that train together.

    Parameters
    ----------
    optimizer : Optimizer
        A `DistributedOptimizer` knows the communicator; any other trains on one rank.

    Attributes
    ----------
    examples, examples_of_all : int
        How many this rank, and how many all have in the batch of the present step.
    """

    def __init__(self, optimizer: Any) -> None:
        self.comm: Communicator = getattr(optimizer, "comm", None) or LocalCommunicator()
        self.alone = self.comm.size == 1
        self.examples = self.examples_of_all = 0
        self._interrupted = False

    # -- steps -----------------------------------------------------------------------------------

    def in_step(self, batches: Iterable[Any], interrupts: Interrupts) -> Iterator[Any]:
        """The batches, as long as all ranks have one.

        Raises
        ------
        RuntimeError
            On all ranks, if some have come to their end and others have not.
        """
        iterator = iter(batches)
        while True:
            batch = next(iterator, END)
            self.examples = 0 if batch is END else examples_in(batch)
            self.examples_of_all = self.examples
            ended = batch is END
            if not self.alone:
                mine = np.array([self.examples, ended, interrupts.pending])
                self.examples_of_all, ends, interrupted = map(int, self.comm.allreduce(mine))
                self._interrupted = interrupted > 0
                if 0 < ends < self.comm.size:
                    raise RuntimeError(
                        f"Trainer: expected as many batches on every rank; got no more on {ends} of "
                        f"{self.comm.size} ranks. DataLoader(..., comm=comm) gives as many to each."
                    )
            if ended:
                return
            yield batch

    def interrupted(self, interrupts: Interrupts) -> bool:
        """Whether there was a Ctrl-C; where there are several ranks, on any before this step."""
        return interrupts.pending if self.alone else self._interrupted

    def share(self, loss: Variable) -> Variable:
        """The part of this rank's mean loss in that of all examples: the mean of it over the ranks."""
        weight = self.examples * self.comm.size / max(self.examples_of_all, 1)
        return loss if self.alone or weight == 1 else loss * weight

    # -- what all agree on -----------------------------------------------------------------------

    def any(self, flag: bool) -> bool:
        """Whether something holds on any rank."""
        return self.greatest(float(flag)) > 0

    def greatest(self, number: float) -> float:
        """The greatest of the numbers of all ranks."""
        return number if self.alone else float(self.comm.allreduce(np.array(number), "max"))

    def sums(self, numbers: list[float]) -> list[float]:
        """Numbers that are summed over the ranks."""
        return numbers if self.alone or not numbers else self.comm.allreduce(np.array(numbers)).tolist()

    def means(self, numbers: list[float], weights: list[int]) -> list[float]:
        """Numbers that are averaged over the ranks by the weight of each."""
        if self.alone:
            return numbers
        weighed = [x * w if w else 0.0 for x, w in zip(numbers, weights, strict=True)]
        sums, counts = self.sums(weighed), self.sums(list(map(float, weights)))
        return [x / w if w else np.nan for x, w in zip(sums, counts, strict=True)]

    def gathered(self, value: Any) -> list[Any]:
        """The objects of all ranks."""
        return [value] if self.alone else self.comm.allgather_object(value)

    def of_main(self, make: Callable[[], Any]) -> Any:
        """What rank 0 makes, on every rank; its error too."""
        if self.alone:
            return make()
        box: list[Any] = []
        on_every_rank(self.comm, lambda: box.append(make()) if self.comm.is_main else None)
        return self.comm.bcast_object(box[0] if box else None)

    def share_statistics(self, model: Layer) -> None:
        """Give all ranks the running statistics of rank 0: each may have those of its own batches."""
        if self.alone:
            return
        for p in model.params():
            if not p.requires_grad and p.data is not None:
                p.data = self.comm.broadcast(p.data)


def examples_in(batch: Any) -> int:
    """The number of examples in a batch: the length of its first array."""
    for leaf in tree_leaves(batch):
        shape = getattr(leaf, "shape", ())
        if shape:
            return int(shape[0])
    return 1


def loss_of_nothing(y: Any) -> Variable:
    """A zero whose backward goes through a model that got no examples: what it sends, the others wait for."""
    first, *others = (F.sum(leaf) for leaf in tree_leaves(y))
    return sum(others, first)


def on_every_rank(comm: Communicator, work: Callable[[], object]) -> None:
    """Do something that may fail on one rank; then it fails on all.

    Raises
    ------
    OSError, ValueError, TypeError
        That of this rank; an OSError where another has failed.
    """
    error: BaseException | None = None
    try:
        work()
    except (OSError, ValueError, TypeError) as caught:
        error = caught
    for rank, other in enumerate(comm.allgather_object(None if error is None else repr(error))):
        if other is not None:
            if error is not None:
                raise error
            raise OSError(f"rank {rank} could not read or write the checkpoint: {other}")
