"""Dropout whose mask is drawn again where it is needed."""

from __future__ import annotations

import secrets

import cupy
import numpy as np

from tensorgrad.backend import Array
from tensorgrad_backends.cuda_graphs import recording
from tensorgrad_backends.cuda_kernels.launching import dense, each, serves

Drawn = tuple[int, int, Array | None]
"""Where the numbers of a call begin: the key of the generator, and the counter. Where there is an array, the
key is its first element, and the counter goes on from its second."""


class Counter:
    """The state of the generator, on the host: its key and the next counter."""

    def __init__(self) -> None:
        self.state: tuple[int, int] = (secrets.randbits(64), 0)

    def seed(self, seed: int) -> None:
        """Begin anew."""
        self.state = (seed % (1 << 64), 0)

    def take(self, count: int) -> Drawn:
        """Give so many counters away."""
        key, counter = self.state
        self.state = key, (counter + count) % (1 << 64)
        recorder = recording()
        if recorder is None:
            return key, counter, None
        return 0, (counter - recorder.first) % (1 << 64), recorder.begin

    def dropout(self, x: Array, ratio: float, drawn: Drawn | None = None) -> tuple[Array, Drawn] | None:
        """What is left of x, and what draws the same mask again when it is given."""
        if not serves(x):
            return None
        if drawn is None:
            drawn = self.take(-(-x.size // 4))
        y = cupy.empty(x.shape, x.dtype)
        scale = 1 / (1 - ratio) if ratio < 1 else 0.0
        *begin, moved = drawn
        numbers = (np.uint64(round(ratio * 2**32)), *map(np.uint64, begin), moved)
        each("dropout", "dropout", x.dtype, -(-x.size // 4), dense(x), y, x.size, scale, *numbers)
        return y, drawn
