"""Normalisation, written out over explicit views, with NumPy's own variance."""

# ruff: noqa: PLR0917  (the signatures of the functions)
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _per_channel(v: Any, ndim: int) -> Any:
    return np.asarray(v).reshape(-1, *(1,) * (ndim - 2))


def fixed_batch_norm(x, gamma, beta, mean, var, eps=2e-5):
    gamma, beta, mean, var = (_per_channel(v, x.ndim) for v in (gamma, beta, mean, var))
    return gamma * (x - mean) / np.sqrt(var + eps) + beta


def batch_norm(x, gamma, beta, mean=None, var=None, decay=0.9, eps=2e-5):
    rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
    return fixed_batch_norm(x, gamma, beta, rows.mean(axis=0), rows.var(axis=0), eps)


def layer_norm(x, gamma=None, beta=None, axis=-1, eps=1e-5):
    axes = tuple(a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
    y = np.empty_like(x)
    for index in np.ndindex(*(1 if i in axes else n for i, n in enumerate(x.shape))):
        part = tuple(slice(None) if i in axes else k for i, k in enumerate(index))
        y[part] = (x[part] - np.mean(x[part])) / np.sqrt(np.var(x[part]) + eps)
        y[part] = y[part] * (1.0 if gamma is None else gamma) + (0.0 if beta is None else beta)
    return y


def rms_norm(x, gamma=None, axis=-1, eps=1e-6):
    y = x / np.sqrt(np.mean(x**2, axis=axis, keepdims=True) + eps)
    return y if gamma is None else y * gamma  # the samples have trailing axes


def group_norm(x, groups, gamma=None, beta=None, eps=1e-5):
    parts = [
        np.stack([(p - p.mean()) / np.sqrt(p.var() + eps) for p in one])
        for one in np.split(x, groups, axis=1)
    ]
    y = np.concatenate(parts, axis=1)
    if gamma is not None:
        y = y * _per_channel(gamma, x.ndim)
    return y if beta is None else y + _per_channel(beta, x.ndim)


REFERENCES: dict[str, Callable[..., Any]] = {
    "batch_norm": batch_norm,
    "fixed_batch_norm": fixed_batch_norm,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "group_norm": group_norm,
}
