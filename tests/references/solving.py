"""Linear equations, through NumPy's least squares and products; determinants by expansion."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np


def each(f: Callable[..., Any], *stacks: Any) -> Any:
    """`f` of each matrix of stacks that broadcast."""
    lead = np.broadcast_shapes(*(x.shape[:-2] for x in stacks))
    full = [np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in stacks]
    results = [f(*(x[i] for x in full)) for i in np.ndindex(lead)]
    return np.reshape(results, (*lead, *np.shape(results[0])))


def solve(a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return each(lambda m, c: np.linalg.lstsq(m, c, rcond=None)[0][:, 0], a, b[:, None])
    return each(lambda m, c: np.linalg.lstsq(m, c, rcond=None)[0], a, b)


def pinv(x: Any, rtol: Any = None) -> Any:
    """As the limit of ``(x^H x + t)^-1 x^H``, which matrices of full rank have at t = 0."""
    wide = x.shape[-2] < x.shape[-1]
    tall = np.swapaxes(x, -1, -2) if wide else x
    t = np.swapaxes(tall, -1, -2)
    y = np.linalg.inv(t @ tall) @ t
    return np.swapaxes(y, -1, -2) if wide else y


def matrix_power(x: Any, n: int) -> Any:
    y = np.broadcast_to(np.eye(x.shape[-1]), x.shape).copy()
    for _ in range(abs(n)):
        y = y @ x
    return solve(y, np.eye(x.shape[-1])) if n < 0 else y


def leibniz(x: Any) -> Any:
    """The determinant as the sum over permutations."""

    def one(m: Any) -> Any:
        n = len(m)
        return sum(
            round(np.linalg.det(np.eye(n)[list(p)])) * np.prod([m[i, p[i]] for i in range(n)])
            for p in permutations(range(n))
        )

    return each(one, x)


def rank(x: Any, rtol: Any = None) -> Any:
    rtol = max(x.shape[-2:]) * np.finfo(x.dtype).eps if rtol is None else rtol
    values = np.sqrt(np.abs(np.linalg.eigvalsh(np.swapaxes(x, -1, -2) @ x)))
    return np.sum(values > rtol * values.max(axis=-1, keepdims=True), axis=-1)


REFERENCES: dict[str, Callable[..., Any]] = {
    "inv": lambda x: solve(x, np.eye(x.shape[-1])),
    "solve": solve,
    "pinv": pinv,
    "lstsq": lambda a, b, rtol=None: solve(a, b),
    "matrix_power": matrix_power,
    "matrix_rank": rank,
    "det": leibniz,
    "slogdet": lambda x: (np.sign(leibniz(x)), np.log(np.abs(leibniz(x)))),
}
