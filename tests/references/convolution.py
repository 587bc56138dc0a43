"""Convolutions, one element of the kernel at a time, from the definition; patches, one at a time."""

from __future__ import annotations

from itertools import product
from math import ceil
from typing import Any

import numpy as np


def each(value: Any, axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)


def correlated(x, W, b=None, stride=1, pad=0, dilation=1, groups=1):  # noqa: PLR0917  # as the function
    """Element by element of the result: the sum over its window."""
    axes = x.ndim - 2
    stride, dilation = each(stride, axes), each(dilation, axes)
    span = [d * (k - 1) + 1 for k, d in zip(W.shape[2:], dilation, strict=True)]
    if pad == "same":
        totals = [
            max((ceil(n / s) - 1) * s + e - n, 0) for n, s, e in zip(x.shape[2:], stride, span, strict=True)
        ]
        pads = [(t // 2, t - t // 2) for t in totals]
    else:
        pads = [(p, p) for p in each(0 if pad == "valid" else pad, axes)]
    x = np.pad(x, [(0, 0), (0, 0), *pads])
    out = [(n - e) // s + 1 for n, e, s in zip(x.shape[2:], span, stride, strict=True)]
    y = np.zeros((len(x), len(W), *out))
    per = len(W) // groups
    for o, place in product(range(len(W)), product(*map(range, out))):
        first = o // per * W.shape[1]
        cut = tuple(
            slice(i * s, i * s + e, d) for i, s, e, d in zip(place, stride, span, dilation, strict=True)
        )
        window = x[(slice(None), slice(first, first + W.shape[1]), *cut)]
        y[(slice(None), o, *place)] = (window * W[o]).reshape(len(x), -1).sum(axis=1)
    return y if b is None else y + b.reshape(-1, *[1] * axes)


def transposed(x, W, b=None, stride=1, pad=0, outsize=None, dilation=1, groups=1):  # noqa: PLR0917  # as the function
    """Each pixel adds its multiple of the kernel."""
    axes = x.ndim - 2
    stride, pad, dilation = each(stride, axes), each(pad, axes), each(dilation, axes)
    span = [d * (k - 1) + 1 for k, d in zip(W.shape[2:], dilation, strict=True)]
    least = [(n - 1) * s + e - 2 * p for n, s, e, p in zip(x.shape[2:], stride, span, pad, strict=True)]
    out = least if outsize is None else each(outsize, axes)
    per = W.shape[1]
    y = np.zeros((len(x), per * groups, *(n + 2 * p + s for n, p, s in zip(out, pad, stride, strict=True))))
    for c, place in product(range(x.shape[1]), product(*map(range, x.shape[2:]))):
        group = c // (x.shape[1] // groups)
        cut = tuple(
            slice(i * s, i * s + e, d) for i, s, e, d in zip(place, stride, span, dilation, strict=True)
        )
        pixel = x[(slice(None), c, *place)].reshape(-1, *[1] * (axes + 1))
        y[(slice(None), slice(group * per, (group + 1) * per), *cut)] += pixel * W[c]
    y = y[(..., *(slice(p, p + n) for n, p in zip(out, pad, strict=True)))]
    return y if b is None else y + b.reshape(-1, *[1] * axes)


def patch_index(place, stride, kernel):
    return (..., *(slice(i * s, i * s + k) for i, s, k in zip(place, stride, kernel, strict=True)))


def im2col(x, kernel_size, stride=1, pad=0, to_matrix=True):
    kernel, stride, pad = each(kernel_size, 2), each(stride, 2), each(pad, 2)
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in pad)])
    out = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, stride, strict=True)]
    cols = np.zeros((*x.shape[:2], *kernel, *out))
    for place in product(*map(range, out)):
        cols[(..., *place)] = x[patch_index(place, stride, kernel)]
    if not to_matrix:
        return cols
    return np.moveaxis(cols, (4, 5), (1, 2)).reshape(len(x) * out[0] * out[1], -1)


def col2im(x, input_shape, kernel_size, stride=1, pad=0, to_matrix=True):  # noqa: PLR0917  # as the function
    kernel, stride, pad = each(kernel_size, 2), each(stride, 2), each(pad, 2)
    n, c, *lengths = input_shape
    y = np.zeros((n, c, *(m + 2 * p for m, p in zip(lengths, pad, strict=True))))
    out = [(m - k) // s + 1 for m, k, s in zip(y.shape[2:], kernel, stride, strict=True)]
    if to_matrix:
        x = np.moveaxis(x.reshape(n, *out, c, *kernel), (1, 2), (4, 5))
    for place in product(*map(range, out)):
        y[patch_index(place, stride, kernel)] += x[(..., *place)]
    return y[(..., *(slice(p, p + m) for p, m in zip(pad, lengths, strict=True)))]


REFERENCES = {
    "col2im": col2im,
    "conv1d": correlated,
    "conv2d": correlated,
    "conv2d_simple": correlated,
    "conv3d": correlated,
    "conv_transpose1d": transposed,
    "conv_transpose2d": transposed,
    "conv_transpose3d": transposed,
    "deconv2d": transposed,
    "im2col": im2col,
}
