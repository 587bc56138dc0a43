"""Who reads the examples of a batch ahead of time: threads, or processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from tensorgrad.backend import Backend

Batch = tuple[Any, Any]


class Job(Protocol):
    """A batch that is being read."""

    def result(self) -> Batch:
        """The batch, as NumPy arrays, when it is there; or the error that was met."""

    def ready(self) -> bool:
        """Whether `result` gives the batch without waiting, and without an error."""

    def cancel(self) -> None:
        """Nobody wants it any more."""


class Sent:
    """A batch that was read, and is being copied to where it is wanted."""

    def __init__(self, batch: Batch, backend: Backend, device: Any) -> None:
        self.batch = batch
        self.place = backend, device
        self._arrived = backend.send([a for a in batch if a is not None], device)

    def arrived(self) -> Batch:
        """The copies."""
        copies = iter(self._arrived())
        x, t = (None if a is None else next(copies) for a in self.batch)
        return x, t

    def result(self) -> Batch:
        return self.batch

    def ready(self) -> bool:
        return False  # there is nothing left to do for it

    def cancel(self) -> None:
        pass


class Pool(Protocol):
    """Those that read the batches of a data set, in the order in which they were asked for."""

    def submit(self, chosen: Sequence[int], seed: int) -> Job:
        """Have these examples read, with random numbers from this seed."""

    def alive(self) -> bool:
        """Whether there is somebody to do it."""

    def close(self) -> None:
        """Let them end when they have done what they were asked for; nothing waits for them."""


def pool_of(dataset: Any, workers: int, *, processes: bool) -> Pool:
    """The readers of a data set."""
    # Loaded here: few programs need either.
    if processes:
        pool: Pool = import_module("tensorgrad.dataloaders.processes").ProcessPool(dataset, workers)
    else:
        pool = import_module("tensorgrad.dataloaders.threads").ThreadPool(dataset, workers)
    return pool


def batch_of(dataset: Any, chosen: Iterable[int], wanted: Callable[[], bool] = lambda: True) -> Batch:
    """Examples and labels as one NumPy array each, as long as they are wanted; None for no labels."""
    examples = []
    for i in chosen:
        if not wanted():
            break
        examples.append(dataset[int(i)])
    if not examples:  # of the last batch there was nothing left for this rank
        x, t = batch_of(dataset, [0])
        return x[:0], None if t is None else t[:0]
    x = np.array([x for x, _ in examples])
    if all(t is None for _, t in examples):
        return x, None
    return x, np.array([t for _, t in examples])
