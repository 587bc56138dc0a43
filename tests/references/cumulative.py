"""Running sums and products, element by element."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np


def cumsum(x: Any, axis: int | None = None) -> Any:
    if axis is None:
        return np.array(list(accumulate(x.reshape(-1).tolist())))
    return np.apply_along_axis(lambda line: list(accumulate(line.tolist())), axis, x)


def cumprod(x: Any, axis: int | None = None) -> Any:
    if axis is None:
        return np.array(list(accumulate(x.reshape(-1).tolist(), operator.mul)))
    return np.apply_along_axis(lambda line: list(accumulate(line.tolist(), operator.mul)), axis, x)


REFERENCES: dict[str, Callable[..., Any]] = {"cumprod": cumprod, "cumsum": cumsum}
