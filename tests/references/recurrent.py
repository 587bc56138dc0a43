"""Recurrent networks as loops over examples and steps, one vector at a time."""

# ruff: noqa: PLR0917  (the signatures of the functions)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit


def _run(step: Any, x: Any, states: Any, lengths: Any) -> Any:
    T, N, _ = x.shape
    ends = [T] * N if lengths is None else lengths
    y = np.zeros((T, N, states[0].shape[1]))
    last = [np.array(s, dtype=float) for s in states]
    for n in range(N):
        for t in range(ends[n]):
            new = step(x[t, n], *(s[n] for s in last))
            for s, value in zip(last, new, strict=True):
                s[n] = value
            y[t, n] = new[0]
    return (y, *last)


def rnn(x, h, W, U, b, lengths=None):
    return _run(lambda v, s: (np.tanh(v @ W + s @ U + b),), x, (h,), lengths)


def lstm(x, h, c, W, U, b, lengths=None):
    def step(v, s, m):
        f, i, o, u = np.split(v @ W + s @ U + b, 4)
        m = expit(f) * m + expit(i) * np.tanh(u)
        return expit(o) * np.tanh(m), m

    return _run(step, x, (h, c), lengths)


def gru(x, h, W, U, b, q, lengths=None):
    (Wr, Wz, Wn), (Ur, Uz, Un), (br, bz, bn) = (np.split(v, 3, axis=-1) for v in (W, U, b))

    def step(v, s):
        r, z = expit(v @ Wr + s @ Ur + br), expit(v @ Wz + s @ Uz + bz)
        n = np.tanh(v @ Wn + bn + r * (s @ Un + q))
        return ((1 - z) * n + z * s,)

    return _run(step, x, (h,), lengths)


REFERENCES: dict[str, Callable[..., Any]] = {"rnn": rnn, "lstm": lstm, "gru": gru}
