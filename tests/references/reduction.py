"""Reductions, as loops over the elements that go into each result."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np


def over(f: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """A reduction of a list of numbers, for arrays and axes."""

    def reduce(x: Any, axis: Any = None, keepdims: bool = False, **settings: Any) -> Any:
        n = x.ndim
        axes = range(n) if axis is None else [axis] if isinstance(axis, int) else axis
        reduced = sorted(a % n for a in axes)
        rest = [i for i in range(n) if i not in reduced]
        rows = x.transpose(*rest, *reduced).reshape(*(x.shape[i] for i in rest), -1 if x.size else 0)
        values = [f(rows[i].tolist(), **settings) for i in np.ndindex(rows.shape[:-1])]
        y = np.reshape(values, rows.shape[:-1])
        y = y.astype(np.result_type(y.dtype, float))  # the product of no numbers is the int 1
        return np.expand_dims(y, tuple(reduced)) if keepdims else y

    return reduce


def variance(row: list[float], correction: float = 0) -> float:
    return statistics.pvariance(row) * len(row) / (len(row) - correction)


def logsumexp(row: list[float]) -> float:
    top = max(row)
    return top + math.log(math.fsum(math.exp(x - top) for x in row))


mean = over(statistics.fmean)

REFERENCES: dict[str, Callable[..., Any]] = {
    "sum": over(math.fsum),
    "mean": mean,
    "average": mean,
    "var": over(variance),
    "std": over(lambda row, correction=0: math.sqrt(variance(row, correction))),
    "prod": over(math.prod),
    "max": over(max),
    "min": over(min),
    "logsumexp": over(logsumexp),
}
