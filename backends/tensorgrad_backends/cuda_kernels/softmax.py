"""Softmax along the last axis, its logarithm, and the cross entropy of labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy

from tensorgrad.backend import Array
from tensorgrad_backends.cuda_kernels.launching import computed_in, dense, each, launch, serves, threads_for


def _by_rows(name: str) -> Callable[..., Array | None]:
    def kernel(*arrays_and_axis: Any) -> Array | None:
        *xs, axis = arrays_and_axis
        if axis not in (-1, xs[0].ndim - 1) or not serves(*xs):
            return None
        n = xs[0].shape[-1]
        y = cupy.empty(xs[0].shape, xs[0].dtype)
        launch("softmax", name, y.dtype, y.size // n, threads_for(n), *map(dense, xs), y, n)
        return y

    return kernel


def softmax_cross_entropy(x: Array, t: Array) -> tuple[Array, Array] | None:
    """The mean of the losses of all rows, and the softmax."""
    if not serves(x):
        return None
    x, t = dense(x), dense(t.astype(cupy.int64, copy=False))
    losses = cupy.empty(x.shape[0], computed_in(x.dtype))
    p = cupy.empty(x.shape, x.dtype)
    rows, n = x.shape
    launch("softmax", "softmax_cross_entropy", x.dtype, rows, threads_for(n), x, t, losses, p, n)
    return losses.mean().astype(x.dtype, copy=False), p


def softmax_cross_entropy_gradient(gy: Array, p: Array, t: Array) -> Array | None:
    """The gradient of the scores from that of the mean."""
    if not serves(p) or gy.dtype != p.dtype:
        return None
    gx = cupy.empty(p.shape, p.dtype)
    p, t = dense(p), dense(t.astype(cupy.int64, copy=False))
    each("softmax", "softmax_cross_entropy_gradient", p.dtype, p.size, gy, p, t, gx, *p.shape)
    return gx


NAMES = ("softmax", "softmax_gradient", "log_softmax", "log_softmax_gradient")
KERNELS: dict[str, Callable[..., Any]] = {name: _by_rows(name) for name in NAMES}
KERNELS["softmax_cross_entropy"] = softmax_cross_entropy
KERNELS["softmax_cross_entropy_gradient"] = softmax_cross_entropy_gradient
