"""Pooling and flattening, as layers for `Sequential`."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from tensorgrad import functions as F
from tensorgrad.core import Variable, as_array
from tensorgrad.layers.layer import Layer


class _Pool(Layer):
    """The base: windows on sequences, images or volumes."""

    axes: ClassVar[int] = 2

    def _checked(self, x: Any) -> Any:
        shape = tuple(as_array(x).shape)
        if len(shape) != self.axes + 2:
            raise ValueError(
                f"{type(self).__name__}: expected x of shape (N, C, ...) with {self.axes + 2} axes; "
                f"got {shape}"
            )
        return x


class MaxPool2d(_Pool):
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
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.pad = pad
        self.cover_all = cover_all

    def forward(self, x: Any) -> Variable:
        x = self._checked(x)
        return F.pooling(x, self.kernel_size, self.stride, self.pad, cover_all=self.cover_all)


class MaxPool1d(MaxPool2d):
    """`MaxPool2d` for sequences (N, C, L).

    Examples
    --------
    >>> tg.layers.MaxPool1d(2)(np.arange(4.0).reshape(1, 1, 4))
    variable([[[1. 3.]]])
    """

    axes = 1


class MaxPool3d(MaxPool2d):
    """`MaxPool2d` for volumes (N, C, D, H, W).

    Examples
    --------
    >>> tg.layers.MaxPool3d(2)(np.ones((1, 3, 4, 6, 8))).shape
    (1, 3, 2, 3, 4)
    """

    axes = 3


class AveragePool2d(_Pool):
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

    def __init__(self, kernel_size: Any, stride: Any = None, pad: Any = 0) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.pad = pad

    def forward(self, x: Any) -> Variable:
        return F.average_pooling(self._checked(x), self.kernel_size, self.stride, self.pad)


class AveragePool1d(AveragePool2d):
    """`AveragePool2d` for sequences (N, C, L).

    Examples
    --------
    >>> tg.layers.AveragePool1d(2)(np.arange(4.0).reshape(1, 1, 4))
    variable([[[0.5 2.5]]])
    """

    axes = 1


class AveragePool3d(AveragePool2d):
    """`AveragePool2d` for volumes (N, C, D, H, W).

    Examples
    --------
    >>> tg.layers.AveragePool3d(2)(np.ones((1, 3, 4, 6, 8))).shape
    (1, 3, 2, 3, 4)
    """

    axes = 3


class AdaptiveMaxPool2d(_Pool):
    """The largest element of each of so many windows: `tensorgrad.functions.adaptive_max_pooling`.

    Parameters
    ----------
    output_size : int or pair of int

    Examples
    --------
    >>> tg.layers.AdaptiveMaxPool2d(2)(np.ones((1, 3, 5, 7))).shape
    (1, 3, 2, 2)
    """

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Variable:
        return F.adaptive_max_pooling(self._checked(x), self.output_size)


class AdaptiveMaxPool1d(AdaptiveMaxPool2d):
    """`AdaptiveMaxPool2d` for sequences (N, C, L).

    Examples
    --------
    >>> tg.layers.AdaptiveMaxPool1d(2)(np.arange(4.0).reshape(1, 1, 4))
    variable([[[1. 3.]]])
    """

    axes = 1


class AdaptiveMaxPool3d(AdaptiveMaxPool2d):
    """`AdaptiveMaxPool2d` for volumes (N, C, D, H, W).

    Examples
    --------
    >>> tg.layers.AdaptiveMaxPool3d(2)(np.ones((1, 3, 4, 6, 8))).shape
    (1, 3, 2, 2, 2)
    """

    axes = 3


class AdaptiveAveragePool2d(_Pool):
    """The mean of each of so many windows: `tensorgrad.functions.adaptive_average_pooling`.

    Parameters
    ----------
    output_size : int or pair of int

    Examples
    --------
    >>> tg.layers.AdaptiveAveragePool2d(1)(np.ones((1, 3, 5, 7))).shape
    (1, 3, 1, 1)
    """

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Variable:
        return F.adaptive_average_pooling(self._checked(x), self.output_size)


class AdaptiveAveragePool1d(AdaptiveAveragePool2d):
    """`AdaptiveAveragePool2d` for sequences (N, C, L).

    Examples
    --------
    >>> tg.layers.AdaptiveAveragePool1d(2)(np.arange(4.0).reshape(1, 1, 4))
    variable([[[0.5 2.5]]])
    """

    axes = 1


class AdaptiveAveragePool3d(AdaptiveAveragePool2d):
    """`AdaptiveAveragePool2d` for volumes (N, C, D, H, W).

    Examples
    --------
    >>> tg.layers.AdaptiveAveragePool3d(2)(np.ones((1, 3, 4, 6, 8))).shape
    (1, 3, 2, 2, 2)
    """

    axes = 3


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
