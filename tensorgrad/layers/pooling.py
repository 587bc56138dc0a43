"""Pooling and flattening, as layers for `Sequential`."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad import functions as F
from tensorgrad.core import Variable, as_array
from tensorgrad.layers.layer import Layer


class _Strided(Layer):
    """The base: windows of one size that move in steps, by default of that size."""

    def __init__(self, kernel_size: Any, stride: Any = None, pad: Any = 0) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.pad = pad


class MaxPool2d(_Strided):
    """The largest element of each window: `tensorgrad.functions.pooling` as a layer.

    Parameters
    ----------
    kernel_size : int or pair of int
    stride : int or pair of int, optional
        By default `kernel_size`: windows side by side.
    pad : int, pair of int, 'same' or 'valid', default 0
    cover_all : bool, default False
        Whether what the steps leave out at the end gets a window too.

    Examples
    --------
    >>> tg.layers.MaxPool2d(2)(np.arange(4.0).reshape(1, 1, 2, 2))
    variable([[[[3.]]]])
    """

    def __init__(
        self, kernel_size: Any, stride: Any = None, pad: Any = 0, *, cover_all: bool = False
    ) -> None:
        super().__init__(kernel_size, stride, pad)
        self.cover_all = cover_all

    def forward(self, x: Any) -> Variable:
        return F.pooling(x, self.kernel_size, self.stride, self.pad, cover_all=self.cover_all)


class AveragePool2d(_Strided):
    """The mean of each window: `tensorgrad.functions.average_pooling` as a layer.

    Parameters
    ----------
    kernel_size : int or pair of int
    stride : int or pair of int, optional
        By default `kernel_size`: windows side by side.
    pad : int, pair of int, 'same' or 'valid', default 0

    Examples
    --------
    >>> tg.layers.AveragePool2d(2)(np.arange(4.0).reshape(1, 1, 2, 2))
    variable([[[[1.5]]]])
    """

    def forward(self, x: Any) -> Variable:
        return F.average_pooling(x, self.kernel_size, self.stride, self.pad)


class _Adaptive(Layer):
    """The base: so many windows, whatever the size of the image."""

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size


class AdaptiveMaxPool2d(_Adaptive):
    """The largest element of each of so many windows: `tensorgrad.functions.adaptive_max_pooling`.

    Parameters
    ----------
    output_size : int or pair of int

    Examples
    --------
    >>> tg.layers.AdaptiveMaxPool2d(2)(np.ones((1, 3, 5, 7))).shape
    (1, 3, 2, 2)
    """

    def forward(self, x: Any) -> Variable:
        return F.adaptive_max_pooling(x, self.output_size)


class AdaptiveAveragePool2d(_Adaptive):
    """The mean of each of so many windows: `tensorgrad.functions.adaptive_average_pooling`.

    Parameters
    ----------
    output_size : int or pair of int

    Examples
    --------
    >>> tg.layers.AdaptiveAveragePool2d(1)(np.ones((1, 3, 5, 7))).shape
    (1, 3, 1, 1)
    """

    def forward(self, x: Any) -> Variable:
        return F.adaptive_average_pooling(x, self.output_size)


class GlobalAveragePool(Layer):
    """The mean of each channel over the whole image: (N, C, ...) becomes (N, C).

    Examples
    --------
    >>> tg.layers.GlobalAveragePool()(np.ones((1, 3, 5, 7))).shape
    (1, 3)
    """

    def forward(self, x: Any) -> Variable:
        return F.global_average_pooling(x)


class Flatten(Layer):
    """Everything but the first axis in one: (N, ...) becomes (N, n).

    Examples
    --------
    >>> tg.layers.Flatten()(np.ones((5, 3, 2, 2))).shape
    (5, 12)
    """

    def forward(self, x: Any) -> Variable:
        shape = as_array(x).shape
        y: Variable = F.reshape(x, (shape[0], math.prod(shape[1:])))
        return y
