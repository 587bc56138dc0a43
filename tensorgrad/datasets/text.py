"""A text, character by character."""

from __future__ import annotations

import os

import numpy as np

from tensorgrad import downloads
from tensorgrad.datasets.dataset import Dataset, Transform

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
CHECKSUM = "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


class Shakespear(Dataset):
    """A part of Shakespeare's works as numbers of characters; the label of each is the next.

    Parameters
    ----------
    train : bool, default True
        There is one part only.
    transform, target_transform : callable, optional
    root : str or path, optional
        A local text file (UTF-8), any, to read instead of a download.

    Attributes
    ----------
    data, label : NumPy array of int
    char_to_id, id_to_char : dict
        Characters are numbered in the order in which they first occur.

    Raises
    ------
    ConnectionError
        If the text must be downloaded and cannot be.
    """

    def __init__(
        self,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        root: str | os.PathLike[str] | None = None,
    ) -> None:
        self.root = root
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        from pathlib import Path  # noqa: PLC0415

        path = self.root
        if path is None:
            path = downloads.get_file(URL, "shakespear.txt", checksum=CHECKSUM)
        text = Path(path).read_text(encoding="utf-8")
        self.char_to_id = {char: number for number, char in enumerate(dict.fromkeys(text))}
        self.id_to_char = {number: char for char, number in self.char_to_id.items()}
        numbers = np.array([self.char_to_id[char] for char in text], dtype=np.int64)
        self.data = numbers[:-1]
        self.label = numbers[1:]
