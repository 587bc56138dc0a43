"""Arithmetic and comparisons, element by element in plain Python where NumPy would do the same."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np


def each(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of two Python numbers, for arrays that broadcast."""
    return np.vectorize(f)


def power(x0: float, x1: float) -> float:
    return float(x0) ** float(x1)


def remainder(x0: float, x1: float) -> float:
    return float(x0) - math.floor(x0 / x1) * float(x1)


REFERENCES: dict[str, Callable[..., Any]] = {
    "add": each(operator.add),
    "sub": each(operator.sub),
    "rsub": each(lambda x0, x1: x1 - x0),
    "mul": each(operator.mul),
    "div": each(operator.truediv),
    "rdiv": each(lambda x0, x1: x1 / x0),
    "neg": lambda x: 0 - x,
    "pow": each(power),
    "floor_divide": each(lambda x0, x1: float(math.floor(x0 / x1))),
    "remainder": each(remainder),
    "equal": each(lambda x0, x1: not (x0 < x1 or x1 < x0)),
    "not_equal": each(lambda x0, x1: x0 < x1 or x1 < x0),
    "less": each(lambda x0, x1: x1 - x0 > 0),
    "less_equal": each(lambda x0, x1: not x1 < x0),
    "greater": each(lambda x0, x1: x0 - x1 > 0),
    "greater_equal": each(lambda x0, x1: not x0 < x1),
    "real": np.asarray,
    "imag": np.zeros_like,
    "conj": np.asarray,
}
