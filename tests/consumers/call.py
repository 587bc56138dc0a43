"""What the tables are made of: a call of somebody else's function, and a limit that it meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

_rng = np.random.default_rng(2024)

# Inputs. No two elements of one are near each other: sorting, maxima and medians have derivatives there.
X = np.round(_rng.permutation(24).reshape(4, 6) * 0.17 - 1.9 + _rng.uniform(0, 0.1, (4, 6)), 4)
Y = np.round(_rng.permutation(24).reshape(4, 6) * 0.13 - 1.2 + _rng.uniform(0, 0.1, (4, 6)), 4)
P = np.round(_rng.permutation(24).reshape(4, 6) * 0.11 + 0.3 + _rng.uniform(0, 0.05, (4, 6)), 4)
Q = np.round(_rng.permutation(24).reshape(4, 6) * 0.12 + 0.4 + _rng.uniform(0, 0.05, (4, 6)), 4)
U = np.round((_rng.permutation(24).reshape(4, 6) + 1) / 27, 4)  # within (0, 1)
LINE = np.round(_rng.permutation(16) * 0.21 - 1.5 + _rng.uniform(0, 0.1, 16), 4)
LINE2 = np.round(_rng.permutation(16) * 0.19 - 1.1 + _rng.uniform(0, 0.1, 16), 4)
KERNEL = np.asarray([0.5, -1.25, 0.75, 0.2])
IMAGE = np.round(_rng.permutation(42).reshape(6, 7) * 0.09 - 1.7 + _rng.uniform(0, 0.05, (6, 7)), 4)
SQUARE = np.round(_rng.uniform(-0.6, 0.6, (3, 3)) + np.diag([2.0, 3.0, 4.0]), 4)
WEIGHTS = np.round(_rng.uniform(0.5, 1.5, 6), 4)


class Call(NamedTuple):
    """A call: its name in the docs, the function, its inputs.

    `function` takes an array for each of `inputs`, of any library, or Variables, and returns what is
    checked: an array or a tuple of arrays, real or complex. The floating inputs are differentiated.
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]
    rtol: float = 1e-6  # of the gradient: what the differences and, in adaptive methods, the steps allow


class Limit(NamedTuple):
    """Why a call does not work, and what it raises."""

    whose: str  # "consumer", "standard" or "tensorgrad"
    reason: str
    error: type[BaseException] | tuple[type[BaseException], ...] = TypeError


def namespace(x: Any) -> Any:
    """The Array API namespace of an array or Variable."""
    return x.__array_namespace__()
