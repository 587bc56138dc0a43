"""Decompositions by NumPy's own algorithms, and by others where there is a short one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def cholesky(x: Any, upper: bool = False) -> Any:
    """Row by row."""
    x = (x + np.swapaxes(x, -1, -2)) / 2
    y = np.zeros_like(x)
    for i in range(x.shape[-1]):
        for j in range(i + 1):
            rest = x[..., i, j] - np.sum(y[..., i, :j] * y[..., j, :j], axis=-1)
            y[..., i, j] = np.sqrt(rest) if i == j else rest / y[..., j, j]
    return np.swapaxes(y, -1, -2) if upper else y


def eigh(x: Any) -> Any:
    return tuple(np.linalg.eigh((x + np.swapaxes(x, -1, -2)) / 2))


def svd(x: Any, full_matrices: bool = True) -> Any:
    return tuple(np.linalg.svd(x, full_matrices=full_matrices))


def svdvals(x: Any) -> Any:
    """Roots of the eigenvalues of the smaller of the two products with the transpose."""
    t = np.swapaxes(x, -1, -2)
    values = np.linalg.eigvalsh(x @ t if x.shape[-2] < x.shape[-1] else t @ x)
    return np.sqrt(values)[..., ::-1]


REFERENCES: dict[str, Callable[..., Any]] = {
    "cholesky": cholesky,
    "qr": lambda x, mode="reduced": tuple(np.linalg.qr(x, mode=mode)),
    "eig": lambda x: tuple(np.linalg.eig(x)),
    "eigh": eigh,
    "eigvals": np.linalg.eigvals,
    "eigvalsh": lambda x: eigh(x)[0],
    "svd": svd,
    "svdvals": svdvals,
}
