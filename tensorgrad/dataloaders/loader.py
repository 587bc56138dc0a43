"""DataLoader and SeqDataLoader: a data set in batches, shuffled or in sequence."""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from tensorgrad import randomness
from tensorgrad.backend import Backend, get_backend
from tensorgrad.dataloaders.reading import Batch, Job, Pool, Sent, batch_of, pool_of
from tensorgrad.sampling import DistributedSampler


class DataLoader:
    """Batches of a data set, epoch after epoch.

    Each ``for`` over a loader is one epoch; one that was left half-way is not resumed: the next
    starts anew. The last batch of an epoch may be smaller than the others.

    Parameters
    ----------
    dataset : Dataset
        Or anything with ``len(dataset)`` and ``dataset[i]`` giving an example and its label.
    batch_size : int
    shuffle : bool, default True
        Draw a new order for each epoch: from ``np.random``, or tensorgrad's generator after
        `tensorgrad.seed`.
    gpu : bool, default False
        Give CuPy arrays instead of NumPy arrays.
    device : str, optional
        The array library whose arrays to give, and after a colon the device in its own terms: ``"dpnp"``,
        ``"torch:cuda:1"``. As by `to`.
    drop_last : bool, default False
        Leave out the last batch of an epoch if it is smaller.
    workers : int, default 0
        How many threads read examples ahead of time. They share one interpreter: they help where
        reading and transforms wait or let others run, as files, PIL and NumPy do. Batches come in the same
        order, and an error in a thread is raised here, with its traceback.
    prefetch : int, default 2
        How many batches each worker is ahead. For CuPy the next of them is copied to the device meanwhile,
        from pinned memory and on a stream of its own, if it has been read.
    processes : bool, default False
        Let the workers be processes: for transforms in Python. Each gets a copy of the data set by pickle
        and sends batches back; in a script, start them under ``if __name__ == "__main__":``. Where one dies,
        that is an error here.
    seed : int, optional
        Of a generator of the loader's own, for its orders.
    comm : Communicator, optional
        Give this rank its part of each batch: the ranks together read every example once in an epoch, in
        an order that follows from `seed` (by default one that rank 0 draws) and the epoch. `batch_size` is
        that of each rank; see `tensorgrad.distributed.DistributedSampler`.

    Attributes
    ----------
    max_iter : int
        The number of batches in an epoch.

    Notes
    -----
    With `workers`, random transforms draw from a generator for each batch, which follows from the order's:
    the same seed gives the same batches for any number of threads or processes but none. What a data set
    draws from ``np.random`` or ``random`` directly repeats in processes alone, where it follows from the seed
    too.

    Raises
    ------
    ValueError
        If `batch_size` or `prefetch` is not positive, `workers` negative, or `device` given beside `gpu`.
    LookupError, BackendUnavailableError
        If no library has that name, or it cannot work here.

    Examples
    --------
    >>> loader = tg.DataLoader(tg.datasets.Digits(), batch_size=500)
    >>> for x, t in loader:
    ...     print(x.shape, t.shape)
    (500, 64) (500,)
    (500, 64) (500,)
    (438, 64) (438,)
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        shuffle: bool = True,
        gpu: bool = False,
        *,
        device: str | None = None,
        drop_last: bool = False,
        workers: int = 0,
        prefetch: int = 2,
        processes: bool = False,
        seed: int | None = None,
        comm: Any = None,
    ) -> None:
        name = type(self).__name__
        if batch_size < 1:
            raise ValueError(f"{name}: expected batch_size >= 1; got {batch_size}")
        if gpu and device is not None:
            raise ValueError(f"{name}: expected gpu=True or a device, not both; got device={device!r}")
        if workers < 0 or prefetch < 1:
            raise ValueError(f"{name}: expected workers >= 0 and prefetch >= 1; got {workers} and {prefetch}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.workers = workers
        self.prefetch = prefetch
        self.processes = processes
        self.data_size = len(dataset)
        self._sampler = None
        if comm is not None:
            self._sampler = DistributedSampler(
                dataset, comm, batch_size, shuffle=shuffle, seed=seed, drop_last=drop_last
            )
            self.max_iter = len(self._sampler)
        else:
            whole = self.data_size // batch_size
            self.max_iter = whole if drop_last else math.ceil(self.data_size / batch_size)
        library, _, place = (device or ("cupy" if gpu else "numpy")).partition(":")
        self._backend: Backend = get_backend(library)
        self._device: Any = place or None
        self._generator = None if seed is None else np.random.RandomState(seed)
        self._resumed = False
        self._pool: Pool | None = None
        self._ahead: deque[Job] = deque()
        self.reset()

    def reset(self) -> None:
        """Start a new epoch, in a new order if the loader shuffles."""
        self._forget()
        self.iteration = 0
        source = randomness.host() if self._generator is None else self._generator
        if self._sampler is not None:
            self.index = self._sampler.order()
            self._sampler.epoch += 1
        elif self.shuffle:
            self.index = source.permutation(self.data_size)
        else:
            self.index = np.arange(self.data_size)
        self._first_seed = int(source.randint(2**31)) if self.workers else 0

    def __iter__(self) -> Self:
        if self.iteration > 0 and not self._resumed:
            self.reset()
        return self

    def __len__(self) -> int:
        return self.max_iter

    def __next__(self) -> Batch:
        self._resumed = False
        if self.iteration >= self.max_iter:
            self.reset()
            raise StopIteration
        number = self.iteration
        if not self.workers:
            chosen = self._chosen(number)
            self.iteration += 1
            return self._placed(batch_of(self.dataset, chosen))
        self._have_read(number)
        self.iteration += 1
        job = self._ahead.popleft()
        place = self._backend, self._device
        given = job.arrived() if isinstance(job, Sent) and job.place == place else self._placed(job.result())
        if self._backend.sends_ahead and self._ahead and self._ahead[0].ready():
            self._ahead[0] = Sent(self._ahead[0].result(), *place)
        return given

    @property
    def epoch_size(self) -> int:
        """How many examples an epoch has: those of all ranks, where there are several."""
        ranks = 1 if self._sampler is None else self._sampler.size
        return min(self.data_size, self.max_iter * self.batch_size * ranks)

    def next(self) -> Batch:
        """The next batch; ``StopIteration`` at the end of an epoch."""
        return self.__next__()

    def _chosen(self, number: int) -> Any:
        """Which examples are in a batch."""
        if self._sampler is not None:
            return self._sampler.part(self.index, number)
        start = number * self.batch_size
        return self.index[start : start + self.batch_size]

    def _placed(self, batch: Batch) -> Batch:
        """A batch of NumPy arrays, where this loader gives it."""
        x, t = (None if a is None else self._backend.from_numpy(a, self._device) for a in batch)
        return x, t

    def state_dict(self) -> dict[str, Any]:
        """Where the epoch is: its order, how many batches were given, and the generator of the orders.

        Examples
        --------
        >>> loader = tg.DataLoader([(i, i) for i in range(6)], batch_size=2)
        >>> _ = next(loader)
        >>> again = tg.DataLoader(loader.dataset, batch_size=2)
        >>> again.load_state_dict(loader.state_dict())
        >>> len(list(again))
        2
        """
        generator = None if self._generator is None else list(self._generator.get_state())
        return {
            "index": np.array(self.index),
            "iteration": self.iteration,
            "first_seed": self._first_seed,
            "generator": generator,
            "sampler": None if self._sampler is None else self._sampler.state(self.iteration),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a loader was when `state_dict` gave this: the next ``for`` finishes its epoch.

        Raises
        ------
        ValueError
            If that was of a data set of another size, or of another ``batch_size`` or ``seed``. With `comm`
            it may be of another number of ranks, if the examples that were read make whole batches of these.
        """
        size, iteration = len(state["index"]), int(state["iteration"])
        if self._sampler is not None and state.get("sampler") is not None and size == self.data_size:
            iteration = self._sampler.go_on(state["sampler"])
        own = self._generator is not None
        if size != self.data_size or iteration > self.max_iter or own != (state["generator"] is not None):
            raise ValueError(
                f"{type(self).__name__}: the state does not fit. Expected one of {self.data_size} examples "
                f"in {self.max_iter} batches with {'a' if own else 'no'} seed; got {size} examples, "
                f"batch {iteration}, with {'no' if state['generator'] is None else 'a'} seed"
            )
        self._forget()
        self.index = np.array(state["index"])
        self.iteration = iteration
        self._first_seed = int(state["first_seed"])
        if self._generator is not None:
            self._generator.set_state(tuple(state["generator"]))
        self._resumed = True

    # -- workers ---------------------------------------------------------------------------------

    def _have_read(self, number: int) -> None:
        """Have the batch of this number and some after it prepared."""
        if self._pool is None or not self._pool.alive():
            self._pool = pool_of(self.dataset, self.workers, processes=self.processes)
            weakref.finalize(self, self._pool.close)
        last = min(number + self.workers * self.prefetch, self.max_iter)
        for i in range(number + len(self._ahead), last):
            seed = (self._first_seed + i) % 2**32
            self._ahead.append(self._pool.submit(self._chosen(i), seed))

    def _forget(self) -> None:
        """Leave what was prepared, or is being prepared, alone."""
        while self._ahead:
            self._ahead.popleft().cancel()

    def __getstate__(self) -> dict[str, Any]:
        """What a copy and a pickle keep: all but the workers and what they prepare."""
        return {**vars(self), "_pool": None, "_ahead": deque()}

    # -- where batches go ------------------------------------------------------------------------

    @property
    def gpu(self) -> bool:
        """Whether batches are CuPy arrays."""
        return self._backend.name == "cupy"

    def to(self, backend: str | Backend, device: Any = None) -> Self:
        """Give batches of another array library from now on; returns self.

        Parameters
        ----------
        backend : str
            ``"numpy"``, ``"torch"``, ...
        device : optional
            In the library's own terms; its default device if None.

        Raises
        ------
        LookupError
            If no backend has that name.
        BackendUnavailableError
            If it cannot work here; the message says what is missing.
        """
        self._backend = get_backend(backend)
        self._device = device
        return self

    def to_cpu(self) -> Self:
        """Give NumPy arrays from now on; returns self."""
        return self.to("numpy")

    def to_gpu(self, device: Any = None) -> Self:
        """Give CuPy arrays from now on; returns self."""
        return self.to("cupy", device)


class SeqDataLoader(DataLoader):
    """Batches for recurrent networks: row `i` of successive batches is a sequence of its own.

    The data set is cut into `batch_size` stretches of equal length; a batch has one example of each.
    An epoch has ``ceil(len(dataset) / batch_size)`` batches; where that does not divide evenly, the
    last one reaches into the next stretch, and the last row starts over from the beginning.

    Parameters
    ----------
    dataset : Dataset
    batch_size : int
    gpu : bool, default False
    **options
        ``device``, ``workers``, ``prefetch``, ``processes`` and ``comm`` of `DataLoader`. With `comm` the
        ranks share the stretches out: `batch_size` is the number of those that this one reads.

    Examples
    --------
    >>> for x, t in tg.SeqDataLoader([(i, i + 1) for i in range(6)], batch_size=2):
    ...     print(x, t)
    [0 3] [1 4]
    [1 4] [2 5]
    [2 5] [3 6]
    """

    def __init__(self, dataset: Any, batch_size: int, gpu: bool = False, **options: Any) -> None:
        super().__init__(dataset, batch_size, shuffle=False, gpu=gpu, **options)

    def _chosen(self, number: int) -> Any:
        rank, size = (0, 1) if self._sampler is None else (self._sampler.rank, self._sampler.size)
        stretch = self.data_size // (self.batch_size * size)
        rows = np.arange(self.batch_size) + rank * self.batch_size
        return (rows * stretch + number) % self.data_size
