"""Indexing: NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _set_item(x, slices, value):
    y = np.array(x)
    y[slices] = value
    return y


REFERENCES: dict[str, Callable[..., Any]] = {
    "get_item": lambda x, slices: x[slices],
    "set_item": _set_item,
    "take": np.take,
    "take_along_axis": lambda x, indices, axis=-1: np.take_along_axis(x, indices, axis),
}
