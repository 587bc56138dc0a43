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
        examples.append(_example(dataset, int(i)))
    if not examples:  # of the last batch there was nothing left for this rank
        x, t = batch_of(dataset, [0])
        return x[:0], None if t is None else t[:0]
    x = _together("examples", [x for x, _ in examples])
    if all(t is None for _, t in examples):
        return x, None
    return x, _together("labels", [t for _, t in examples])


def _example(dataset: Any, i: int) -> tuple[Any, Any]:
    try:
        example = dataset[i]
    except StopIteration as error:
        raise RuntimeError(
            f"DataLoader: example {i} of {type(dataset).__name__} raised StopIteration, as if the epoch ended"
        ) from error
    try:
        x, t = example
    except (TypeError, ValueError):
        raise TypeError(
            "DataLoader: expected each example as a pair (x, t), with None for t where there are no labels; "
            f"example {i} is {_sketch(example)}"
        ) from None
    return x, t


def _together(what: str, values: list[Any]) -> Any:
    try:
        array = np.array(values)
    except ValueError:
        kinds = ", ".join(dict.fromkeys(map(_sketch, values)))
        raise ValueError(
            f"DataLoader: expected {what} of one shape in a batch; got {kinds}. Pad them to one length."
        ) from None
    if array.dtype == object:
        odd = next(v for v in values if np.asarray(v).dtype == object)
        raise TypeError(f"DataLoader: expected {what} that are numbers or arrays; got {_sketch(odd)}")
    return array


def _sketch(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"{type(value).__name__} of shape {tuple(shape)}"
