"""Sheets of images, to look at."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad import randomness
from tensorgrad.datasets.dataset import Dataset


def sheet(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Images side by side: (row, col, C, H, W) becomes (row H, col W), or (row H, col W, C) of colours."""
    row, col, channels, height, width = images.shape
    joined = images.transpose(0, 3, 1, 4, 2).reshape(row * height, col * width, channels)
    return joined[:, :, 0] if channels == 1 else joined


class Images(Dataset):
    """The base of data sets whose ``data`` are images: uint8, shape (N, C, H, W)."""

    def show(self, row: int = 10, col: int = 10) -> None:
        """Draw `row` times `col` images, chosen at random, and show the figure.

        Parameters
        ----------
        row, col : int, default 10

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        try:
            import matplotlib.pyplot as plt  # noqa: PLC0415  # optional, and slow to load
        except ImportError as error:
            raise ImportError("show needs matplotlib. Install it: pip install 'tensorgrad[plot]'") from error
        draw = randomness.host().randint
        # One by one and without the last, as in the book: so the same seed shows the same images.
        chosen = [draw(0, len(self.data) - 1) for _ in range(row * col)]
        images = self.data[chosen]
        plt.imshow(sheet(images.reshape(row, col, *images.shape[1:])), cmap="gray", interpolation="nearest")
        plt.axis("off")
        plt.show()
