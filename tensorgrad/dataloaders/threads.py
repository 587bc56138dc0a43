"""Threads that read examples ahead of time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from contextvars import copy_context
from typing import Any

from tensorgrad import randomness
from tensorgrad.dataloaders.reading import Batch, batch_of


class ThreadJob:
    """A batch, read by a thread in the context of its caller."""

    def __init__(self, dataset: Any, chosen: Sequence[int], seed: int, pool: ThreadPool) -> None:
        self.dataset = dataset
        self.chosen = chosen
        self.seed = seed
        self.pool = pool
        self.context = copy_context()
        self.done = threading.Event()
        self.thread: threading.Thread | None = None  # that runs it
        self.cancelled = False
        self.batch: Batch = (None, None)
        self.error: BaseException | None = None

    def cancel(self) -> None:
        self.cancelled = True

    def ready(self) -> bool:
        return self.done.is_set() and self.error is None

    def run(self, thread: threading.Thread) -> None:
        self.thread = thread
        try:
            if not self.cancelled:
                self.context.run(self._read)
        except BaseException as error:  # noqa: BLE001  # it is raised where the batch is asked for
            self.error = error
        finally:
            self.done.set()

    def _read(self) -> None:
        with randomness.using(self.seed):
            self.batch = batch_of(self.dataset, self.chosen, lambda: not self.cancelled)

    def result(self) -> Batch:
        while not self.done.wait(timeout=1.0):
            alive = self.pool.alive() if self.thread is None else self.thread.is_alive()
            if not alive and not self.done.is_set():
                raise RuntimeError("DataLoader: the threads that read examples ahead have died")
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # a traceback refers to this frame
        return self.batch


class ThreadPool:
    """Threads that run jobs in the order in which they came."""

    def __init__(self, dataset: Any, workers: int) -> None:
        self.dataset = dataset
        self.jobs: queue.SimpleQueue[ThreadJob | None] = queue.SimpleQueue()
        self.threads = [
            threading.Thread(target=_work, args=(self.jobs,), name=f"tensorgrad-loader-{i}", daemon=True)
            for i in range(workers)
        ]
        for thread in self.threads:
            thread.start()

    def submit(self, chosen: Sequence[int], seed: int) -> ThreadJob:
        job = ThreadJob(self.dataset, chosen, seed, self)
        self.jobs.put(job)
        return job

    def alive(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def close(self) -> None:
        for _ in self.threads:
            self.jobs.put(None)


def _work(jobs: queue.SimpleQueue[ThreadJob | None]) -> None:
    thread = threading.current_thread()
    while (job := jobs.get()) is not None:
        job.run(thread)
        del job  # not until the next one comes
