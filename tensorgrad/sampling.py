"""Which examples of a data set each rank of a program reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tensorgrad import randomness


class DistributedSampler:
    """The numbers of the examples that this rank reads: batch by batch, epoch by epoch.

    All ranks have the same order, which follows from `seed` and the epoch. Each batch is a stretch of it,
    cut into one piece for each rank. So in an epoch each example comes once, on one rank; every rank makes
    the same number of steps; and n ranks with batches of B / n see the same examples in each step as one
    rank with batches of B. The pieces of the last batch differ by one example at most: with fewer examples
    than ranks some are empty.

    Parameters
    ----------
    dataset : anything with a length, or int
    comm : Communicator
    batch_size : int, default 1
        Of each rank.
    shuffle : bool, default True
    seed : int, optional
        By default one that rank 0 draws.
    drop_last : bool, default False
        Leave out the last batch if it is smaller.

    Attributes
    ----------
    epoch : int
        That of the next order; each ``for`` over the sampler begins one.

    Raises
    ------
    ValueError
        If `batch_size` is not positive.

    Examples
    --------
    >>> sampler = tg.distributed.DistributedSampler(5, tg.distributed.LocalCommunicator(), 2, shuffle=False)
    >>> list(sampler)
    [array([0, 1]), array([2, 3]), array([4])]
    """

    def __init__(
        self,
        dataset: Any,
        comm: Any,
        batch_size: int = 1,
        *,
        shuffle: bool = True,
        seed: int | None = None,
        drop_last: bool = False,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"DistributedSampler: expected batch_size >= 1; got {batch_size}")
        self.data_size: int = dataset if isinstance(dataset, int) else len(dataset)
        self.rank, self.size = comm.rank, comm.size
        self.batch_size = batch_size
        self.shuffle = shuffle
        if seed is None and shuffle:
            seed = comm.bcast_object(int(randomness.host().randint(2**31)))
        self.seed = 0 if seed is None else seed
        self.epoch = 0
        batches = self.data_size / (batch_size * self.size)
        self._count = int(math.floor(batches) if drop_last else math.ceil(batches))

    def __len__(self) -> int:
        """The number of batches in an epoch, the same on all ranks."""
        return self._count

    def __iter__(self) -> Iterator[Any]:
        order = self.order()
        self.epoch += 1
        for number in range(len(self)):
            yield self.part(order, number)

    def set_epoch(self, epoch: int) -> None:
        """Go on with the order of this epoch: after a restart, for example."""
        self.epoch = epoch

    def state(self, number: int) -> dict[str, int]:
        """The seed, the epoch that comes next, and the examples that all ranks read in `number` batches."""
        read = min(number * self.batch_size * self.size, self.data_size)
        return {"seed": self.seed, "epoch": self.epoch, "read": read}

    def go_on(self, state: Mapping[str, int]) -> int:
        """Take over what `state` gave, of any number of ranks; the number of batches that were read by then.

        Raises
        ------
        ValueError
            If the examples that were read make no whole number of batches of these ranks.
        """
        whole, read = self.batch_size * self.size, int(state["read"])
        if read % whole and read != self.data_size:
            raise ValueError(
                f"DistributedSampler: {read} examples were read in this epoch, no multiple of {whole}: of "
                f"{self.size} ranks with batches of {self.batch_size}. Keep the batch of all ranks as it was."
            )
        self.seed, self.epoch = int(state["seed"]), int(state["epoch"])
        return int(-(-read // whole))

    def order(self) -> Any:
        """All examples in the order of the epoch, the same on all ranks."""
        if not self.shuffle:
            return np.arange(self.data_size)
        return np.random.RandomState([self.seed, self.epoch]).permutation(self.data_size)

    def part(self, order: Any, number: int) -> Any:
        """What this rank reads of a batch."""
        whole = self.batch_size * self.size
        batch = order[number * whole : (number + 1) * whole]
        start, end = (len(batch) * r // self.size for r in (self.rank, self.rank + 1))
        return batch[start:end]
