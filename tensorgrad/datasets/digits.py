"""The digits that come with the package."""

from __future__ import annotations

import numpy as np

from tensorgrad.datasets.dataset import Dataset, Transform


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

        with np.load(Path(__file__).parents[1] / "data" / "digits.npz") as archive:
            images, labels = archive["images"], archive["labels"]
        held_out = np.zeros(len(labels), dtype=bool)
        for digit in range(10):
            held_out[np.flatnonzero(labels == digit)[2::5]] = True
        part = ~held_out if self.train else held_out
        shape = (-1, 64) if self.flatten else (-1, 1, 8, 8)
        self.data = images[part].reshape(shape).astype(np.float32) / 16
        self.label = labels[part].astype(np.int64)
