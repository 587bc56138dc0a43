"""Attention, one query at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special


def scaled_dot_product_attention(q, k, v, mask=None, *, causal=False, scale=None, dropout_ratio=0.0):
    L, S = q.shape[-2], k.shape[-2]
    lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    kept = 1.0
    if dropout_ratio:
        drawn = np.random.random_sample((*np.broadcast_shapes(q.shape[:-2], k.shape[:-2]), L, S))  # noqa: NPY002
        kept = (drawn >= dropout_ratio) / (1 - dropout_ratio)
    kept = np.broadcast_to(kept, (*lead, L, S))
    seen = np.broadcast_to(0.0 if mask is None else mask, (*lead, L, S))
    q, k, v = (np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in (q, k, v))
    y = np.zeros((*lead, L, v.shape[-1]))
    for index in np.ndindex(*lead, L):
        at, i = index[:-1], index[-1]
        score = (k[at] @ q[index]) * (q.shape[-1] ** -0.5 if scale is None else scale)
        places = np.ones(S, bool) if not causal else np.arange(S) <= i + S - L
        if seen.dtype == bool:
            places &= seen[index]
        else:
            score = score + seen[index]
        if places.any():
            weights = np.zeros(S)
            weights[places] = special.softmax(score[places])
            y[index] = (weights * kept[index]) @ v[at]
    return y


REFERENCES: dict[str, Callable[..., Any]] = {"scaled_dot_product_attention": scaled_dot_product_attention}
