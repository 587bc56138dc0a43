"""Norms by their definitions, diagonals by indices, and Einstein's sums by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Any:
    size = np.abs(x)
    if ord == np.inf:
        return np.max(size, axis=axis, keepdims=keepdims)
    if ord == -np.inf:
        return np.min(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return np.sum(size != 0, axis=axis, keepdims=keepdims).astype(x.dtype)
    return np.sum(size**ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def matrix_norm(x: Any, keepdims: bool = False, ord: Any = "fro") -> Any:
    return np.linalg.norm(x, ord, axis=(-2, -1), keepdims=keepdims)


def diagonal(x: Any, offset: int = 0) -> Any:
    m, n = x.shape[-2:]
    return np.stack([x[..., i, i + offset] for i in range(m) if 0 <= i + offset < n], axis=-1)


def cross(x0: Any, x1: Any, axis: int = -1) -> Any:
    epsilon = np.cross(np.eye(3)[:, None], np.eye(3)[None, :])  # [i, j, k]: the symbol of Levi-Civita
    a, b = np.moveaxis(x0, axis, -1), np.moveaxis(x1, axis, -1)
    return np.moveaxis(np.einsum("ijk,...i,...j->...k", epsilon, a, b), -1, axis)


REFERENCES: dict[str, Callable[..., Any]] = {
    "vector_norm": vector_norm,
    "matrix_norm": matrix_norm,
    "diagonal": diagonal,
    "trace": lambda x, offset=0: diagonal(x, offset).sum(axis=-1),
    "cross": cross,
    "einsum": np.einsum,
}
