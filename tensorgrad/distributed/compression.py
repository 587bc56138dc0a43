"""Sums over ranks of which 16 bits of each number are sent.

Each rank sends every other the part of the sum that the other makes, in 16 bits; the parts are summed in
32 bits, and sent to all in 16 again. So each number is rounded twice, however many ranks there are, and
all ranks get the same bits. As many numbers are sent as by a ring: 2 (n - 1) / n of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.communicator import Communicator, Request


class Format(NamedTuple):
    """How numbers are sent."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _to_float16(x: Any) -> Any:
    with np.errstate(over="ignore"):  # what is beyond 65504 becomes infinite
        return x.astype(np.float16)


def _to_bfloat16(x: Any) -> Any:
    """The upper half of float32, rounded to the nearest, to even in the middle; as uint16."""
    bits = x.astype(np.float32).view(np.uint32)
    upper = bits >> 16
    rounded = ((bits + 0x7FFF + (upper & 1)) >> 16).astype(np.uint16)
    is_nan = (bits & 0x7FFFFFFF) > 0x7F800000
    rounded[is_nan] = 0x7FC0  # rounding could make it an infinity
    return rounded


def _from_bfloat16(x: Any) -> Any:
    return (x.astype(np.uint32) << 16).view(np.float32)


FORMATS = {
    "float16": Format(_to_float16, lambda x: x.astype(np.float32)),
    "bfloat16": Format(_to_bfloat16, _from_bfloat16),
}


class CompressedSum:
    """A mean over ranks that was started, in two stages.

    Parameters
    ----------
    comm : Communicator
    x : array, shape (n,), floating or complex
        Of a library whose arrays the communicator takes. Overwritten by the mean. Complex numbers are pairs.
    kind : {'float16', 'bfloat16'}
    """

    def __init__(self, comm: Communicator, x: Any, kind: str) -> None:
        self._comm = comm
        self._result = x
        if x.dtype.kind == "c":
            x = x.view(x.real.dtype)
        self._x = x
        self._format = FORMATS[kind]
        length = -(-x.shape[0] // comm.size)
        padded = x if length * comm.size == x.shape[0] else _padded(x, length * comm.size)
        self._parts: Request | None = comm.ialltoall(self._format.encode(padded).reshape(comm.size, length))
        self._whole: Request | None = None

    def test(self) -> bool:
        """Let MPI work on it; the second stage begins in `go_on`, in the same order on all ranks."""
        return (self._whole or self._parts).test()  # type: ignore[union-attr]

    def go_on(self) -> None:
        """Begin the second stage, when the first is complete."""
        assert self._parts is not None, "it goes on once"
        parts = self._format.decode(self._parts.wait())
        self._parts = None
        mean = parts.sum(axis=0) * np.float32(1 / self._comm.size)
        self._whole = self._comm.iallgather(self._format.encode(mean))

    def wait(self) -> Any:
        """The mean, in the memory of what it was made of."""
        if self._whole is None:
            self.go_on()
        assert self._whole is not None, "the second stage has begun"
        whole = self._format.decode(self._whole.wait())
        self._x[...] = whole.reshape(-1)[: self._x.shape[0]]
        return self._result


def _padded(x: Any, length: int) -> Any:
    """With zeros at the end."""
    made = np.zeros(length, x.dtype) if isinstance(x, np.ndarray) else x[:1].repeat(length) * 0
    made[: x.shape[0]] = x
    return made
