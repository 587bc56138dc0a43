"""Data loaders: a data set in batches, shuffled or in sequence."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np

from tensorgrad.backend import Backend, get_backend

Batch = tuple[Any, Any]


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
        Draw a new order for each epoch from ``np.random``.
    gpu : bool, default False
        Give CuPy arrays instead of NumPy arrays.

    Attributes
    ----------
    max_iter : int
        The number of batches in an epoch.

    Raises
    ------
    ValueError
        If `batch_size` is not positive.

    Examples
    --------
    >>> loader = tg.DataLoader(tg.datasets.Digits(), batch_size=500)
    >>> for x, t in loader:
    ...     print(x.shape, t.shape)
    (500, 64) (500,)
    (500, 64) (500,)
    (438, 64) (438,)
    """

    def __init__(self, dataset: Any, batch_size: int, shuffle: bool = True, gpu: bool = False) -> None:
        if batch_size < 1:
            raise ValueError(f"{type(self).__name__}: expected batch_size >= 1; got {batch_size}")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.data_size = len(dataset)
        self.max_iter = math.ceil(self.data_size / batch_size)
        self._backend: Backend = get_backend("cupy" if gpu else "numpy")
        self._device: Any = None
        self.reset()

    def reset(self) -> None:
        """Start a new epoch, in a new order if the loader shuffles."""
        self.iteration = 0
        if self.shuffle:
            self.index = np.random.permutation(self.data_size)  # noqa: NPY002  # the book's
        else:
            self.index = np.arange(self.data_size)

    def __iter__(self) -> Self:
        if self.iteration > 0:
            self.reset()
        return self

    def __len__(self) -> int:
        return self.max_iter

    def __next__(self) -> Batch:
        if self.iteration >= self.max_iter:
            self.reset()
            raise StopIteration
        chosen = self._chosen()
        self.iteration += 1
        return self._batch([self.dataset[int(i)] for i in chosen])

    def next(self) -> Batch:
        """The next batch; ``StopIteration`` at the end of an epoch."""
        return self.__next__()

    def _chosen(self) -> Any:
        start = self.iteration * self.batch_size
        return self.index[start : start + self.batch_size]

    def _batch(self, examples: list[Batch]) -> Batch:
        x = self._array([x for x, _ in examples])
        if all(t is None for _, t in examples):
            return x, None
        return x, self._array([t for _, t in examples])

    def _array(self, values: list[Any]) -> Any:
        return self._backend.from_numpy(np.array(values), self._device)

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

    Examples
    --------
    >>> for x, t in tg.SeqDataLoader([(i, i + 1) for i in range(6)], batch_size=2):
    ...     print(x, t)
    [0 3] [1 4]
    [1 4] [2 5]
    [2 5] [3 6]
    """

    def __init__(self, dataset: Any, batch_size: int, gpu: bool = False) -> None:
        super().__init__(dataset, batch_size, shuffle=False, gpu=gpu)

    def _chosen(self) -> Any:
        stretch = self.data_size // self.batch_size
        return (np.arange(self.batch_size) * stretch + self.iteration) % self.data_size
