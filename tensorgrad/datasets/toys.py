"""Data sets that are computed: the spiral and the sine curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad import randomness
from tensorgrad.datasets.dataset import Dataset

NumpyArray = np.ndarray[Any, Any]


def get_spiral(train: bool = True) -> tuple[NumpyArray, NumpyArray]:
    """Three spiral arms of 100 points each, in random order.

    They are the same each time. As in the book, this seeds NumPy's global generator (with 1984, or 2020
    for the test part) and draws from it, so what is drawn afterwards is fixed too. After `tensorgrad.seed`
    it leaves that generator alone.

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
    seed = 1984 if train else 2020
    source = randomness.host()
    if source is np.random:
        np.random.seed(seed)  # noqa: NPY002  # the book's generator and order
    else:
        source = np.random.RandomState(seed)
    noise = source.randn(arms, points)
    order = source.permutation(arms * points)
    arm = np.arange(arms)[:, None]
    radius = np.arange(points) / points
    angle = 4.0 * (arm + radius) + 0.2 * noise
    x = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
    t = np.broadcast_to(arm, angle.shape)
    return x.reshape(-1, 2).astype(np.float32)[order], t.reshape(-1).astype(np.int64)[order]


class Spiral(Dataset):
    """The points of `get_spiral` as a data set; making it seeds NumPy's global generator as that does.

    Examples
    --------
    >>> x, t = tg.datasets.Spiral()[0]
    >>> x.shape
    (2,)
    """

    def prepare(self) -> None:
        self.data, self.label = get_spiral(self.train)


class SinCurve(Dataset):
    """A curve of 1,000 points, one period; the label of each is the next.

    Attributes
    ----------
    data, label : NumPy array, shape (999, 1), float64
        To train on: the sine with uniform noise of up to 0.05, drawn from NumPy's global state (or
        tensorgrad's generator after `tensorgrad.seed`). To test with: the cosine.

    Examples
    --------
    >>> curve = tg.datasets.SinCurve()
    >>> curve.data.shape, bool((curve.data[1:] == curve.label[:-1]).all())
    ((999, 1), True)
    """

    def prepare(self) -> None:
        x = np.linspace(0, 2 * np.pi, 1000)
        noise = randomness.host().uniform(-0.05, 0.05, size=x.shape)  # drawn in any case, as in the book
        y = np.sin(x) + noise if self.train else np.cos(x)
        self.data = y[:-1, np.newaxis]
        self.label = y[1:, np.newaxis]
