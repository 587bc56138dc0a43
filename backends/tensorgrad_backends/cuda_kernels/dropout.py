"""Dropout whose mask is drawn again where it is needed."""

from __future__ import annotations

import secrets

import cupy
import numpy as np

from tensorgrad.backend import Array
from tensorgrad_backends.cuda_kernels.launching import dense, each, serves

Drawn = tuple[int, int]
"""Where the numbers of a call begin: the key of the generator, and the counter."""


class Counter:
    """The state of the generator, on the host: its key and the next counter."""

    def __init__(self) -> None:
        self.state: Drawn = (secrets.randbits(64), 0)

    def seed(self, seed: int) -> None:
        """Begin anew."""
        self.state = (seed % (1 << 64), 0)

    def take(self, count: int) -> Drawn:
        """Give so many counters away."""
        drawn = self.state
        self.state = (drawn[0], (drawn[1] + count) % (1 << 64))
        return drawn

    def dropout(self, x: Array, ratio: float, drawn: Drawn | None = None) -> tuple[Array, Drawn] | None:
        """What is left of x, and what draws the same mask again when it is given."""
        if not serves(x):
            return None
        if drawn is None:
            drawn = self.take(-(-x.size // 4))
        y = cupy.empty(x.shape, x.dtype)
        scale = 1 / (1 - ratio) if ratio < 1 else 0.0
        numbers = (np.uint64(round(ratio * 2**32)), *map(np.uint64, drawn))
        each("dropout", "dropout", x.dtype, -(-x.size // 4), dense(x), y, x.size, scale, *numbers)
        return y, drawn
