"""Shapes, places and types: NumPy's own functions, by another way where there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    y = np.zeros(shape)
    np.add.at(y, (..., *_places(shape, x.shape)) if shape else (), x if shape else x.sum())
    return y


def _places(shape: tuple[int, ...], large: tuple[int, ...]) -> list[Any]:
    """For each element of the large shape, the indices of the element of `shape` that it goes to."""
    grid = np.indices(large)[len(large) - len(shape) :]
    return [i if n > 1 else np.zeros_like(i) for i, n in zip(grid, shape, strict=True)]


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    if not isinstance(indices_or_sections, int):
        indices_or_sections = list(indices_or_sections)
    return np.split(x, indices_or_sections, axis)


REFERENCES: dict[str, Callable[..., Any]] = {
    "reshape": np.reshape,
    "flatten": lambda x: x.reshape(x.shape[0], -1),
    "ravel": np.ravel,
    "permute_dims": lambda x, axes: np.einsum(x, list(range(x.ndim)), [a % x.ndim for a in axes]),
    "transpose": np.transpose,
    "matrix_transpose": lambda x: np.einsum("...ij->...ji", x),
    "moveaxis": np.moveaxis,
    "expand_dims": np.expand_dims,
    "squeeze": np.squeeze,
    "broadcast_to": lambda x, shape: x * np.ones(shape),
    "sum_to": sum_to,
    "concat": lambda xs, axis=0: np.concatenate(xs, axis=axis),
    "stack": np.stack,
    "split": split,
    "unstack": lambda x, axis=0: list(np.moveaxis(x, axis, 0)),
    "flip": np.flip,
    "roll": np.roll,
    "tril": lambda x, k=0: np.where(np.tri(*x.shape[-2:], k=k) > 0, x, 0.0),
    "triu": lambda x, k=0: np.where(np.tri(*x.shape[-2:], k=k - 1) > 0, 0.0, x),
    "repeat": np.repeat,
    "tile": np.tile,
    "astype": lambda x, dtype, copy=True: np.asarray(x).astype(dtype),
    "copy": np.array,
    "to": np.array,
}
