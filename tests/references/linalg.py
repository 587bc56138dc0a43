"""Products of matrices and vectors, through einsum and sums of products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def matmul(x0: Any, x1: Any) -> Any:
    left = "j" if x0.ndim == 1 else "...ij"
    right = "j" if x1.ndim == 1 else "...jk"
    out = "..." + ("" if x0.ndim == 1 else "i") + ("" if x1.ndim == 1 else "k")
    return np.einsum(f"{left},{right}->{out}", x0, x1)


def linear(x: Any, W: Any, b: Any = None) -> Any:
    return matmul(x, W) + (0.0 if b is None else b)


def tensordot(x0: Any, x1: Any, axes: Any = 2) -> Any:
    if isinstance(axes, int):
        axes = (range(x0.ndim - axes, x0.ndim), range(axes))
    first = list(range(x0.ndim))
    second = list(range(x0.ndim, x0.ndim + x1.ndim))
    a, b = ([i % x.ndim for i in side] for side, x in zip(axes, (x0, x1), strict=True))
    for i, j in zip(a, b, strict=True):
        second[j] = first[i]
    out = [i for i in first if i not in a] + [s for j, s in enumerate(second) if j not in b]
    return np.einsum(x0, first, x1, second, out)


REFERENCES: dict[str, Callable[..., Any]] = {
    "matmul": matmul,
    "dot": matmul,
    "linear": linear,
    "linear_simple": linear,
    "tensordot": tensordot,
    "vecdot": lambda x0, x1, axis=-1: np.sum(x0 * x1, axis=axis),
    "outer": lambda x0, x1: x0[:, None] * x1[None, :],
}
