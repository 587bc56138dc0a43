"""Processes that read examples ahead of time: `concurrent.futures` with what a data set needs."""

from __future__ import annotations

import multiprocessing
import pickle
import random
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np

from tensorgrad import randomness
from tensorgrad.core.config import STATE, State
from tensorgrad.dataloaders.reading import Batch, batch_of


class ProcessJob:
    """A batch that a process reads."""

    def __init__(self, future: Future[Batch], pool: ProcessPool) -> None:
        self.future = future
        self.pool = pool

    def cancel(self) -> None:
        self.future.cancel()

    def ready(self) -> bool:
        future = self.future
        return future.done() and not future.cancelled() and future.exception() is None

    def result(self) -> Batch:
        try:
            return self.future.result()
        except BrokenProcessPool as error:
            raise self.pool.died() from error


class ProcessPool:
    """Processes that each hold a copy of a data set. They are new ones: no fork of threads and devices."""

    def __init__(self, dataset: Any, workers: int) -> None:
        try:
            copy = pickle.dumps(dataset)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TypeError(
                f"DataLoader: processes get the data set by pickle, and {type(dataset).__name__} cannot be "
                f"pickled: {error}. Define it in a module, without lambdas; or use threads: processes=False"
            ) from error
        self.broken = False
        self.executor = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), initializer=_hold, initargs=(copy,)
        )

    def submit(self, chosen: Sequence[int], seed: int) -> ProcessJob:
        try:
            future = self.executor.submit(_read, [int(i) for i in chosen], seed, STATE.get())
        except BrokenProcessPool as error:
            raise self.died() from error
        return ProcessJob(future, self)

    def died(self) -> RuntimeError:
        """What to raise when one of them is no more: the others are of no use then."""
        self.broken = True
        return RuntimeError(
            "DataLoader: a process that reads examples ahead has died. Was it killed, for want of memory "
            "perhaps? Does the script start its work under if __name__ == '__main__'?"
        )

    def alive(self) -> bool:
        return not self.broken

    def close(self) -> None:
        self.executor.shutdown(wait=False, cancel_futures=True)


# -- in the process ------------------------------------------------------------------------------

_held: list[Any] = []


def _hold(copy: bytes) -> None:
    _held[:] = [pickle.loads(copy)]


def _read(chosen: list[int], seed: int, state: State) -> Batch:
    STATE.set(state)
    np.random.seed([seed, 1])  # noqa: NPY002  # other numbers than those of `randomness.host`
    random.seed(seed)
    (dataset,) = _held
    with randomness.using(seed):
        return batch_of(dataset, chosen)
