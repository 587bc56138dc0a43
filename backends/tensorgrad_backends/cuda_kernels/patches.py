"""Patches of images with one or two axes, convolution of each channel by itself, and pooling.

`windows` is what the ops have: kernel, stride, pad and dilation, and the counts that follow from lengths.
"""

from __future__ import annotations

import math
from typing import Any

import cupy

from tensorgrad.backend import Array
from tensorgrad_backends.cuda_kernels.launching import dense, each, launch, serves, threads_for

Shape = tuple[int, ...]


def _sizes(windows: Any, lengths: Shape) -> tuple[int, ...] | None:
    """What the macro WINDOWS takes; None for images with more than two axes. One axis is a row of pixels."""
    if len(lengths) > 2:
        return None
    before = tuple(pad[0] for pad in windows.pad)
    parts = (lengths, windows.kernel, windows.counts(lengths), windows.stride, before, windows.dilation)
    missing = (1, 1, 1, 1, 0, 1)
    return tuple(
        n for part, one in zip(parts, missing, strict=True) for n in (*(one,) * (2 - len(part)), *part)
    )


def _ready(windows: Any, lengths: Shape, shape: Shape, *arrays: Array) -> tuple[int, ...] | None:
    """The sizes, if the kernels serve the arrays and a result of this shape."""
    large = math.prod(shape) >= 1 << 30
    return None if large or not math.prod(shape) or not serves(*arrays) else _sizes(windows, lengths)


def im2col(x: Array, windows: Any) -> Array | None:
    """What lies in the windows of images that are not padded: (N, C, *kernel, *counts)."""
    lengths = x.shape[2:]
    shape = (*x.shape[:2], *windows.kernel, *windows.counts(lengths))
    sizes = _ready(windows, lengths, shape, x)
    if sizes is None:
        return None
    y = cupy.empty(shape, x.dtype)
    each("patches", "im2col", y.dtype, y.size, dense(x), y, y.size, *sizes)
    return y


def col2im(x: Array, windows: Any, lengths: Shape) -> Array | None:
    """The sum of patches in the images that they are from, without padding: (N, C, *lengths)."""
    return _into_images("col2im", (x,), windows, lengths)


def _into_images(name: str, xs: tuple[Array, ...], windows: Any, lengths: Shape) -> Array | None:
    shape = (*xs[0].shape[:2], *lengths)
    sizes = _ready(windows, lengths, shape, xs[0])
    if sizes is None:
        return None
    y = cupy.empty(shape, xs[0].dtype)
    each("patches", name, y.dtype, y.size, *map(dense, xs), y, y.size, *sizes)
    return y


def depthwise(x: Array, W: Array, windows: Any, lengths: Shape) -> Array | None:
    """Each channel of x under kernels of its own: (N, OC, *counts)."""
    shape = (x.shape[0], W.shape[0], *windows.counts(lengths))
    sizes = _ready(windows, lengths, shape, x, W)
    if sizes is None:
        return None
    y, channels = cupy.empty(shape, x.dtype), x.shape[1]
    given = (dense(x), dense(W), y, y.size, channels, W.shape[0] // channels, *sizes)
    each("patches", "depthwise", y.dtype, y.size, *given)
    return y


def depthwise_transposed(y: Array, W: Array, windows: Any, lengths: Shape, channels: int) -> Array | None:
    """The adjoint of `depthwise` in x: (N, channels, *lengths)."""
    shape = (y.shape[0], channels, *lengths)
    sizes = _ready(windows, lengths, shape, y, W)
    if sizes is None:
        return None
    x = cupy.empty(shape, y.dtype)
    given = (dense(y), dense(W), x, x.size, channels, W.shape[0] // channels, *sizes)
    each("patches", "depthwise_transposed", x.dtype, x.size, *given)
    return x


def depthwise_kernel(x: Array, y: Array, windows: Any, lengths: Shape) -> Array | None:
    """The gradient of W in `depthwise`: (OC, 1, *kernel)."""
    shape = (y.shape[1], 1, *windows.kernel)
    sizes = _ready(windows, lengths, shape, x, y)
    if sizes is None:
        return None
    W, channels = cupy.empty(shape, x.dtype), x.shape[1]
    given = (dense(x), dense(y), W, x.shape[0], channels, y.shape[1] // channels, *sizes)
    threads = threads_for(y.size // y.shape[1])
    launch("patches", "depthwise_kernel", x.dtype, W.size, threads, *given)
    return W


def max_pool(x: Array, windows: Any) -> tuple[Array, Array] | None:
    """The largest of each window, and where in it that is."""
    lengths = x.shape[2:]
    shape = (*x.shape[:2], *windows.counts(lengths))
    sizes = _ready(windows, lengths, shape, x)
    if sizes is None:
        return None
    kind = cupy.uint8 if math.prod(windows.kernel) <= 256 else cupy.int32
    y, found = cupy.empty(shape, x.dtype), cupy.empty(shape, kind)
    each("patches", f"max_pool_{found.dtype.name}", x.dtype, y.size, dense(x), y, found, y.size, *sizes)
    return y, found


def picked(x: Array, found: Array, windows: Any) -> Array | None:
    """What stands in x where `max_pool` found the largest of other images; 0 for the border."""
    sizes = _ready(windows, x.shape[2:], found.shape, x)
    if sizes is None:
        return None
    y = cupy.empty(found.shape, x.dtype)
    each("patches", f"picked_{found.dtype.name}", x.dtype, y.size, dense(x), dense(found), y, y.size, *sizes)
    return y


def unpool(x: Array, found: Array, windows: Any, lengths: Shape) -> Array | None:
    """The adjoint of `picked`."""
    return _into_images(f"unpool_{found.dtype.name}", (x, found), windows, lengths)


def average_pool(x: Array, windows: Any) -> Array | None:
    """The mean of each window, the border's zeros included."""
    lengths = x.shape[2:]
    shape = (*x.shape[:2], *windows.counts(lengths))
    sizes = _ready(windows, lengths, shape, x)
    if sizes is None:
        return None
    y = cupy.empty(shape, x.dtype)
    each("patches", "average_pool", y.dtype, y.size, dense(x), y, y.size, *sizes)
    return y


def spread(x: Array, windows: Any, lengths: Shape) -> Array | None:
    """The adjoint of `average_pool`."""
    return _into_images("spread", (x,), windows, lengths)


KERNELS = {
    f.__name__: f
    for f in (
        *(im2col, col2im, depthwise, depthwise_transposed, depthwise_kernel),
        *(max_pool, picked, unpool, average_pool, spread),
    )
}
