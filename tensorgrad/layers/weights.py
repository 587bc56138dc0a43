"""Weights in files, and whether they fit."""

from __future__ import annotations

from tensorgrad.npz import NumpyArray as NumpyArray
from tensorgrad.npz import read as read
from tensorgrad.npz import write as write


def fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    """Whether a shape is the expected one; None stands for any length."""
    return len(shape) == len(expected) and all(
        want in (None, length) for length, want in zip(shape, expected, strict=True)
    )
