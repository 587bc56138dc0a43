"""Indexing: NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

REFERENCES: dict[str, Callable[..., Any]] = {
    "get_item": lambda x, slices: x[slices],
    "take": np.take,
    "take_along_axis": lambda x, indices, axis=-1: np.take_along_axis(x, indices, axis),
}
