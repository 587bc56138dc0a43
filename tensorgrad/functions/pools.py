"""Pooling: the largest, or the mean, of what lies in each window of an image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import div
from tensorgrad.functions.extremes import max as _max
from tensorgrad.functions.indexing import take
from tensorgrad.functions.manipulation import owner_of
from tensorgrad.functions.numeric import pad as _pad
from tensorgrad.functions.patches import (
    Canvas,
    Shape,
    Windows,
    entries,
    im2col,
    image_shape,
    padded,
    windows_of,
)
from tensorgrad.functions.reduction import mean
from tensorgrad.functions.selection import where


class Pooling(Op):
    """The base: windows on images of these lengths."""

    fresh = True

    def __init__(self, windows: Windows, lengths: Shape) -> None:
        self.windows = windows
        self.lengths = lengths
        self.places = windows.positions(windows.counts(lengths))

    def canvas(self, gy: Array) -> Canvas:
        return Canvas(self, gy, gy.shape[1], self.windows, self.lengths)


class MaxPool(Pooling):
    """``y`` is the largest element of each window; its gradient goes to the first that is as large.

    Kept is where in its window that is: a byte for each element of y, if the kernel has at most 256. Given
    that of another image, y has the elements of x which stand there: so the op is the adjoint of `Unpool`.
    """

    def forward(self, x: Array, found: Array | None = None) -> Array:
        y = self._fused(x, found)
        if y is not None:
            return y
        x = padded(self, x, self.windows, self._lowest(x.dtype) if found is None else 0)
        first = x[self.places[0][1]]
        if found is not None:
            y = self._picked(x, first, found)
        elif self.edges[0] is not None:
            y, found = self._searched(x, first)
        else:
            y = first
            for _, index in self.places[1:]:
                y = self.xp.maximum(y, x[index])
        if found is not None:
            self.keep(found)
        return self.backend.copy(y) if y is first else y

    def _fused(self, x: Array, found: Array | None) -> Array | None:
        """What the backend's kernel gives, if it has one."""
        if found is None:
            made = self.fused("max_pool", x, self.windows)
            y, found = (None, None) if made is None else made
        else:
            y = self.fused("picked", x, found, self.windows)
        if y is not None:
            self.keep(found)
        return y

    def _searched(self, x: Array, y: Array) -> tuple[Array, Array]:
        """The largest elements, and where in their windows they are: the last that exceeds those before."""
        xp = self.xp
        kind = xp.uint8 if len(self.places) <= 256 else xp.int32
        apart = self.windows.stride[-1] > 1  # then each part is read twice: first gather it
        y = self.backend.copy(y) if apart else y
        found = None
        for i, (_, index) in enumerate(self.places[1:], 1):
            part = self.backend.copy(x[index]) if apart else x[index]
            number = xp.astype(part > y, kind)
            number = number if i == 1 else number * i
            found = number if found is None else xp.maximum(found, number)
            y = xp.maximum(y, part)
        if found is None:
            found = xp.zeros(y.shape, dtype=kind, device=self.backend.device(x))
        return y, found

    def _picked(self, x: Array, y: Array, found: Array) -> Array:
        for i, (_, index) in enumerate(self.places[1:], 1):
            y = self.xp.where(found == i, x[index], y)
        return y

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ...]:
        gx = self.nested(Unpool(self.windows, self.lengths), gy, *self.kept)
        return (gx, None)[: len(self.edges)]

    def _lowest(self, dtype: Any) -> float:
        """What never is the largest: -inf, or the smallest integer."""
        if self.backend.is_floating(dtype):
            return -math.inf
        return int(self.xp.iinfo(dtype).min)


class Unpool(Pooling):
    """``y`` has each x where its window had the largest element, and 0 elsewhere; ``gx`` is gy from there."""

    def forward(self, x: Array, found: Array) -> Array:
        self.keep(found)
        y = self.fused("unpool", x, found, self.windows, self.lengths)
        if y is not None:
            return y
        canvas = self.canvas(x)
        for i, (_, index) in enumerate(self.places):
            canvas.add(index, self.backend.masked(x, found == i))
        return canvas.cut()

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, None]:
        return self.nested(MaxPool(self.windows, self.lengths), gy, *self.kept), None


class AveragePool(Pooling):
    """``y`` is the mean of each window, padding included; the gradient is spread evenly."""

    def forward(self, x: Array) -> Array:
        y = self.fused("average_pool", x, self.windows)
        if y is not None:
            return y
        x = padded(self, x, self.windows)
        y = x[self.places[0][1]]
        for _, index in self.places[1:]:
            y = y + x[index]
        return y / len(self.places)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(Spread(self.windows, self.lengths), gy)


class Spread(Pooling):
    """``y`` spreads each x evenly over its window; the adjoint of `AveragePool`."""

    def forward(self, x: Array) -> Array:
        y = self.fused("spread", x, self.windows, self.lengths)
        if y is not None:
            return y
        canvas = self.canvas(x)
        x = x / len(self.places)
        for _, index in self.places:
            canvas.add(index, x)
        return canvas.cut()

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(AveragePool(self.windows, self.lengths), gy)


def _windows(
    name: str, x: Any, kernel: Any, stride: Any, pad: Any, *, cover_all: bool = False
) -> tuple[Windows, Shape]:
    """The windows on the images `x`, each of which has at least one pixel that is no padding."""
    lengths = image_shape(name, x)[2:]
    windows = windows_of(name, lengths, kernel, stride, pad)
    if cover_all:
        windows = windows._replace(pad=_covering(windows, lengths))
    if any(max(pair) >= k for pair, k in zip(windows.pad, windows.kernel, strict=True)):
        raise ValueError(
            f"{name}: expected pad below kernel_size, so that no window is padding alone; "
            f"got pad {pad!r}, kernel_size {windows.kernel}"
        )
    return windows, lengths


def _covering(windows: Windows, lengths: Shape) -> tuple[tuple[int, int], ...]:
    """So much padding behind the images that no pixel is left out; none for a window of padding alone."""
    pairs = []
    for n, k, s, (before, behind) in zip(lengths, windows.kernel, windows.stride, windows.pad, strict=True):
        left_out = (n + before + behind - k) % s
        last = n + before + behind - left_out + s - k  # where one more window would begin
        pairs.append((before, behind + s - left_out if left_out and last < before + n else behind))
    return tuple(pairs)


@samples(
    Sample(Real((2, 3, 4, 6)), 2, 2),
    Sample(Real((2, 3, 5, 4)), 3, 1, 1),
    Sample(Real((2, 3, 6, 5)), 3, 2, cover_all=True),
    Sample(Real((1, 2, 5, 4), -3.0, -1.0), (3, 2), (2, 1), (1, 1)),
    Sample(Real((2, 2, 6)), 3, stride=2),
    Sample(Real((2, 2, 3, 4, 3)), 2, stride=(1, 2, 1)),
    Sample(Real((2, 2, 3, 2)), 1),
)
def pooling(x: Any, kernel_size: Any, stride: Any = 1, pad: Any = 0, *, cover_all: bool = False) -> Variable:
    """The largest element of each window (max pooling).

    Parameters
    ----------
    x : Variable or array, shape (N, C, H, W), real
        Or with one axis or three in the place of H and W.
    kernel_size, stride : int or tuple of int
    pad : int, tuple of int, 'same' or 'valid', default 0
        Less than `kernel_size`. The border is ``-inf``: it is never the largest.
    cover_all : bool, default False
        Whether pixels at the end that the steps leave out get a window of their own, which goes beyond
        the border (``ceil_mode`` elsewhere).

    Returns
    -------
    Variable, shape (N, C, OH, OW)
        The gradient goes to the largest element of each window; of several, to the first in the order of
        rows.

    Raises
    ------
    ValueError
        If the kernel does not fit, or `pad` is too large.

    Examples
    --------
    >>> F.pooling(Variable(np.arange(4.0).reshape(1, 1, 2, 2) - 4), 2, pad=1)
    variable([[[[-4. -3. -3.]
                [-2. -1. -1.]
                [-2. -1. -1.]]]])
    >>> F.pooling(Variable(np.arange(6.0).reshape(1, 1, 6)), 3, 2, cover_all=True)
    variable([[[2. 4. 5.]]])
    """
    return MaxPool(*_windows("pooling", x, kernel_size, stride, pad, cover_all=cover_all))(x)  # type: ignore[no-any-return]


@samples(
    Sample(Real((2, 3, 4, 6)), 2, 2),
    Sample(Real((1, 2, 5, 4), -3.0, -1.0), (3, 2), (2, 1), 1),
)
def pooling_simple(x: Any, kernel_size: Any, stride: Any = 1, pad: Any = 0) -> Variable:
    """`pooling` made of `im2col` and `max`, as the book writes it first.

    Parameters
    ----------
    x : Variable or array, shape (N, C, H, W), real floating
    kernel_size, stride, pad : int or pair of int

    Returns
    -------
    Variable, shape (N, C, OH, OW)
        Elements that tie for the largest share the gradient evenly.

    Raises
    ------
    ValueError
        If the kernel does not fit, or `pad` is too large.

    Examples
    --------
    >>> F.pooling_simple(Variable(np.arange(4.0).reshape(1, 1, 2, 2)), 2)
    variable([[[[3.]]]])
    """
    image_shape("pooling_simple", x, 2)
    windows, _ = _windows("pooling_simple", x, kernel_size, stride, pad)
    if windows.has_pad:
        x = _pad(x, ((0, 0), (0, 0), *windows.pad), constant_values=-math.inf)
    return _max(im2col(x, windows.kernel, windows.stride, to_matrix=False), axis=(2, 3))


@samples(
    Sample(Real((2, 3, 4, 6)), 2, 2),
    Sample(Real((2, 3, 5, 4)), (3, 2), 1, 1),
    Sample(Real((1, 2, 5, 4)), (1, 3), (2, 1)),
    Sample(Real((2, 2, 6)), 3, stride=2),
    Sample(Real((1, 2, 3, 4, 3)), (2, 1, 3)),
    Sample(Real((2, 2, 3, 2)), 1),
)
def average_pooling(x: Any, kernel_size: Any, stride: Any = 1, pad: Any = 0) -> Variable:
    """The mean of each window, the zeros of the padding included.

    Parameters
    ----------
    x : Variable or array, shape (N, C, H, W), floating
        Or with one axis or three in the place of H and W.
    kernel_size, stride : int or tuple of int
    pad : int, tuple of int, 'same' or 'valid', default 0
        Less than `kernel_size`.

    Returns
    -------
    Variable, shape (N, C, OH, OW)

    Raises
    ------
    ValueError
        If the kernel does not fit, or `pad` is too large.

    Examples
    --------
    >>> F.average_pooling(Variable(np.arange(4.0).reshape(1, 1, 2, 2)), 2)
    variable([[[[1.5]]]])
    """
    windows, lengths = _windows("average_pooling", x, kernel_size, stride, pad)
    return AveragePool(windows, lengths)(x)  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3, 4, 2))), Sample(Real((2, 3, 4))), Sample(Real((1, 2, 2, 3, 2))))
def global_average_pooling(x: Any) -> Variable:
    """The mean of each channel over the whole image.

    Parameters
    ----------
    x : Variable or array, shape (N, C, ...), floating

    Returns
    -------
    Variable, shape (N, C)

    Raises
    ------
    ValueError
        If `x` has fewer than three axes.

    Examples
    --------
    >>> F.global_average_pooling(Variable(np.arange(4.0).reshape(1, 1, 2, 2)))
    variable([[1.5]])
    """
    shape = image_shape("global_average_pooling", x)
    return mean(x, tuple(range(2, len(shape))))


# -- windows that follow from the size of the result ---------------------------------------------


def _gathered(name: str, x: Any, output_size: Any) -> tuple[Any, Windows, list[Any]]:
    """Images in which the windows lie side by side, those windows, and how long each is along each axis.

    Window i of o on n pixels goes from ``i n / o``, rounded down, to ``(i + 1) n / o``, rounded up. Where o
    does not divide n they overlap and differ in length; the shorter ones then repeat their last pixel.
    """
    lengths = image_shape(name, x)[2:]
    sizes = entries(name, "output_size", output_size, len(lengths), 1)
    if min(lengths) < 1:
        raise ValueError(f"{name}: expected images of at least one pixel; got {lengths}")
    kernel, used = [], []
    for axis, (n, o) in enumerate(zip(lengths, sizes, strict=True), 2):
        starts = [i * n // o for i in range(o)]
        ends = [-(-(i + 1) * n // o) for i in range(o)]
        counts = [end - start for start, end in zip(starts, ends, strict=True)]
        widest = max(counts)
        if n % o:
            pixels = [
                min(start + i, end - 1)
                for start, end in zip(starts, ends, strict=True)
                for i in range(widest)
            ]
            x = take(x, pixels, axis)
        kernel.append(widest)
        used.append(counts)
    k = tuple(kernel)
    return x, Windows(k, k, ((0, 0),) * len(k), (1,) * len(k)), used


_ADAPTIVE = (
    Sample(Real((2, 3, 4, 6)), 2),
    Sample(Real((2, 3, 5, 4)), (3, 4)),
    Sample(Real((1, 2, 2, 3)), (3, 1)),
    Sample(Real((2, 2, 7)), 3),
    Sample(Real((1, 2, 3, 2, 3)), (2, 1, 2)),
)


@samples(*_ADAPTIVE)
def adaptive_max_pooling(x: Any, output_size: Any) -> Variable:
    """The largest element of each of so many windows, which together cover the image.

    Window i of o on n pixels goes from ``i n / o``, rounded down, to ``(i + 1) n / o``, rounded up.

    Parameters
    ----------
    x : Variable or array, shape (N, C, H, W), real
        Or with one axis or three in the place of H and W.
    output_size : int or tuple of int
        OH and OW.

    Returns
    -------
    Variable, shape (N, C, OH, OW)

    Raises
    ------
    ValueError
        If `x` has fewer than three axes or no pixel.

    Examples
    --------
    >>> F.adaptive_max_pooling(Variable(np.arange(5.0).reshape(1, 1, 5)), 2)
    variable([[[2. 4.]]])
    """
    x, windows, _ = _gathered("adaptive_max_pooling", x, output_size)
    return MaxPool(windows, tuple(x.shape[2:]))(x)  # type: ignore[no-any-return]


@samples(*_ADAPTIVE)
def adaptive_average_pooling(x: Any, output_size: Any) -> Variable:
    """The mean of each of so many windows, which together cover the image.

    Window i of o on n pixels goes from ``i n / o``, rounded down, to ``(i + 1) n / o``, rounded up.

    Parameters
    ----------
    x : Variable or array, shape (N, C, H, W), floating
        Or with one axis or three in the place of H and W.
    output_size : int or tuple of int
        OH and OW; 1 gives the mean of each channel.

    Returns
    -------
    Variable, shape (N, C, OH, OW)

    Raises
    ------
    ValueError
        If `x` has fewer than three axes or no pixel.

    Examples
    --------
    >>> F.adaptive_average_pooling(Variable(np.arange(5.0).reshape(1, 1, 5)), 2)
    variable([[[1. 3.]]])
    """
    x, windows, used = _gathered("adaptive_average_pooling", x, output_size)
    owner = owner_of("adaptive_average_pooling", x)
    device = owner.device(x.data if isinstance(x, Variable) else x)
    total = np.ones((1,) * len(used), np.int32)
    for axis, (counts, k) in enumerate(zip(used, windows.kernel, strict=True)):
        behind = (1,) * (len(used) - axis - 1)
        total = total * np.asarray(counts, np.int32).reshape(-1, *behind)
        if min(counts) < k:
            inside = np.arange(k) < np.asarray(counts)[:, None]
            x = where(owner.from_numpy(inside.reshape(-1, *behind), device), x, 0.0)
    y: Variable = AveragePool(windows, tuple(x.shape[2:]))(x)
    size = math.prod(windows.kernel)
    if total.min() == size:
        return y
    return div(y, owner.xp.astype(owner.from_numpy(total, device), y.dtype)) * size
