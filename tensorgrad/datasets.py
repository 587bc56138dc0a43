"""Data sets: examples by number, as arrays on the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

NumpyArray = np.ndarray[Any, Any]
Transform = Callable[[Any], Any]


class Dataset:
    """Examples and their labels, by number.

    A subclass sets ``self.data`` and ``self.label`` (anything that is indexed by integers, or None
    for no labels) in `prepare`, or defines ``__getitem__`` and ``__len__`` itself.

    Parameters
    ----------
    train : bool, default True
        Which part: the one to train on, or the one held out to test with.
    transform : callable, optional
        Applied to each example.
    target_transform : callable, optional
        Applied to each label.

    Examples
    --------
    >>> class Squares(tg.Dataset):
    ...     def prepare(self):
    ...         self.data = np.arange(5.0)
    ...         self.label = self.data**2
    >>> print(*Squares(transform=lambda x: x + 1)[3])
    4.0 9.0
    >>> len(Squares())
    5
    """

    def __init__(
        self,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self.train = train
        self.transform = transform
        self.target_transform = target_transform
        self.data: Any = None
        self.label: Any = None
        self.prepare()

    def prepare(self) -> None:
        """Set ``self.data`` and ``self.label``; run once, when the data set is made."""

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """The example and its label (None if there are none), transformed."""
        x = self.data[index]
        t = None if self.label is None else self.label[index]
        if self.transform is not None:
            x = self.transform(x)
        if self.target_transform is not None and self.label is not None:
            t = self.target_transform(t)
        return x, t

    def __len__(self) -> int:
        if self.data is None:
            raise TypeError(
                f"{type(self).__name__} has no data: set self.data (and self.label) in prepare(), "
                "or define __getitem__ and __len__"
            )
        return len(self.data)


class Digits(Dataset):
    """Real handwritten digits: 1,797 images of 8 x 8 pixels, bundled with the package.

    Of every five images of a digit, in the order of the file, the third is held out to test with:
    359 images. The other 1,438 are there to train on. The same people wrote both parts.

    Parameters
    ----------
    train : bool, default True
    transform, target_transform : callable, optional
    flatten : bool, default True
        Examples have shape (64,); otherwise (1, 8, 8).

    Attributes
    ----------
    data : NumPy array, float32
        Ink, 0 (none) to 1 (full); rows from the top.
    label : NumPy array, int64
        0 to 9.

    References
    ----------
    Alpaydin, Kaynak 1998, "Optical recognition of handwritten digits", UCI Machine Learning
    Repository, https://doi.org/10.24432/C50P49, CC BY 4.0.

    Examples
    --------
    >>> digits = tg.datasets.Digits(train=False)
    >>> digits.data.shape
    (359, 64)
    >>> print(digits[0][1])
    0
    """

    def __init__(
        self,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        flatten: bool = True,
    ) -> None:
        self.flatten = flatten
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        from pathlib import Path  # noqa: PLC0415  # it would take a tenth of `import tensorgrad`

        with np.load(Path(__file__).with_name("data") / "digits.npz") as archive:
            images, labels = archive["images"], archive["labels"]
        held_out = np.zeros(len(labels), dtype=bool)
        for digit in range(10):
            held_out[np.flatnonzero(labels == digit)[2::5]] = True
        part = ~held_out if self.train else held_out
        shape = (-1, 64) if self.flatten else (-1, 1, 8, 8)
        self.data = images[part].reshape(shape).astype(np.float32) / 16
        self.label = labels[part].astype(np.int64)


def get_spiral(train: bool = True) -> tuple[NumpyArray, NumpyArray]:
    """Three spiral arms of 100 points each, in random order.

    As in the book, this seeds NumPy's global generator (with 1984, or 2020 for the test part) and
    draws from it, so what is drawn afterwards is fixed too.

    Parameters
    ----------
    train : bool, default True

    Returns
    -------
    x : NumPy array, shape (300, 2), float32
    t : NumPy array, shape (300,), int64
        The arm: 0, 1 or 2.

    Examples
    --------
    >>> x, t = tg.datasets.get_spiral()
    >>> x.shape, np.bincount(t)
    ((300, 2), array([100, 100, 100]))
    """
    arms, points = 3, 100
    np.random.seed(1984 if train else 2020)  # noqa: NPY002  # the book's generator and order
    noise = np.random.randn(arms, points)  # noqa: NPY002
    order = np.random.permutation(arms * points)  # noqa: NPY002
    arm = np.arange(arms)[:, None]
    radius = np.arange(points) / points
    angle = 4.0 * (arm + radius) + 0.2 * noise
    x = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
    t = np.broadcast_to(arm, angle.shape)
    return x.reshape(-1, 2).astype(np.float32)[order], t.reshape(-1).astype(np.int64)[order]


class Spiral(Dataset):
    """The points of `get_spiral` as a data set; making it seeds NumPy's global generator.

    Examples
    --------
    >>> x, t = tg.datasets.Spiral()[0]
    >>> x.shape
    (2,)
    """

    def prepare(self) -> None:
        self.data, self.label = get_spiral(self.train)
