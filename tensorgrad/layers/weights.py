"""Weights in files, and whether they fit."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tensorgrad import npz
from tensorgrad.layers import tensor_files
from tensorgrad.npz import NumpyArray as NumpyArray


def write(path: str | os.PathLike[str], arrays: Mapping[str, NumpyArray]) -> None:
    """Write a safetensors file if the path ends so, and otherwise an npz file."""
    writer = tensor_files.write if _ends_so(path) else npz.write
    writer(path, arrays)


def read(path: str | os.PathLike[str]) -> dict[str, NumpyArray]:
    """Read every array of a safetensors file if the path ends so, and otherwise of an npz file."""
    return tensor_files.read(path) if _ends_so(path) else npz.read(path)


def _ends_so(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).endswith(tensor_files.ENDING)


def fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    """Whether a shape is the expected one; None stands for any length."""
    return len(shape) == len(expected) and all(
        want in (None, length) for length, want in zip(shape, expected, strict=True)
    )
