"""Convolutions and transposed convolutions of sequences, images and volumes."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral
from operator import index
from typing import Any, ClassVar

import numpy as np

from tensorgrad import functions as F
from tensorgrad.backend import Array
from tensorgrad.core import Parameter, Variable
from tensorgrad.core.variable import as_array
from tensorgrad.layers.initializers import Initializer, LeCunNormal
from tensorgrad.layers.layer import Layer


class Convolutional(Layer):
    """The base: the kernels, which are made when the number of channels is known."""

    axes: ClassVar[int]
    transposed: ClassVar[bool] = False
    b: Parameter | None

    def __init__(  # noqa: PLR0917  # the signature is the book's
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        pad: Any = 0,
        nobias: bool = False,
        dtype: Any = np.float32,
        in_channels: int | None = None,
        *,
        dilation: Any = 1,
        groups: int = 1,
        initial_W: Callable[..., Any] | None = None,
        initial_b: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__()
        if groups < 1 or out_channels % groups:
            raise ValueError(
                f"{type(self).__name__}: expected groups that divide the {out_channels} out_channels; "
                f"got {groups}"
            )
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.pad = pad
        self.dtype = dtype
        self.dilation = dilation
        self.groups = groups
        self.initial_W = initial_W or LeCunNormal()
        self.W = Parameter(None, name="W")
        b = None if nobias else (initial_b or np.zeros)((out_channels,), dtype)
        self.b = None if b is None else Parameter(b, name="b")
        if in_channels is not None:
            self._make_weights(in_channels)

    @property
    def in_channels(self) -> int | None:
        """The number of channels of inputs; None as long as it is not known."""
        if self.W.data is None:
            return None
        return int(self.W.shape[0] if self.transposed else self.W.shape[1] * self.groups)

    @property
    def kernel(self) -> tuple[int, ...]:
        """`kernel_size` with an entry for each axis."""
        k = self.kernel_size
        return (index(k),) * self.axes if isinstance(k, Integral) else tuple(k)

    def _make_weights(self, in_channels: int) -> None:
        if in_channels < 1 or in_channels % self.groups:
            raise ValueError(
                f"{type(self).__name__}: expected in_channels that the {self.groups} groups divide; "
                f"got {in_channels}"
            )
        ins, outs = in_channels // self.groups, self.out_channels // self.groups
        channels = (in_channels, outs) if self.transposed else (self.out_channels, ins)
        shape = (*channels, *self.kernel)
        if isinstance(self.initial_W, Initializer):
            area = math.prod(self.kernel)
            fans = {"fan_in": ins * area, "fan_out": outs * area}
            W = self.initial_W(shape, self.dtype, **fans)
        else:
            W = self.initial_W(shape, self.dtype)
        self.W.data = self._put(W)

    def lazy_spec(self, name: str) -> tuple[tuple[int | None, ...], Any] | None:
        if name != "W":
            return None
        open_ended = (
            (None, self.out_channels // self.groups) if self.transposed else (self.out_channels, None)
        )
        return (*open_ended, *self.kernel), self.dtype

    def _settle(self, x: Any) -> None:
        """Make `W` for the first input, where that input is unless the layer was moved before."""
        if self.W.data is not None:
            return
        array: Array = as_array(x)
        if len(array.shape) != self.axes + 2:
            raise ValueError(
                f"{type(self).__name__}: expected x of shape (N, C, ...) with {self.axes + 2} axes; "
                f"got {tuple(array.shape)}"
            )
        self._follow(array)
        self._make_weights(array.shape[1])


class Convolution(Convolutional):
    """The base of convolutions."""

    function: ClassVar[Callable[..., Any]]

    def forward(self, x: Any) -> Variable:
        self._settle(x)
        steps = {"dilation": self.dilation, "groups": self.groups}
        y: Variable = type(self).function(x, self.W, self.b, self.stride, self.pad, **steps)
        return y


class Conv1d(Convolution):
    """Convolution of sequences: `Conv2d` with one axis.

    Parameters
    ----------
    out_channels : int
    kernel_size, stride : int
    pad : int, 'same' or 'valid'
    nobias, dtype, in_channels, dilation, groups, initial_W, initial_b
        As of `Conv2d`.

    Attributes
    ----------
    W : Parameter, shape (out_channels, in_channels / groups, K)
    b : Parameter, shape (out_channels,), or None

    Examples
    --------
    >>> tg.layers.Conv1d(4, 3, pad=1)(np.ones((2, 3, 8), np.float32)).shape
    (2, 4, 8)
    """

    axes = 1
    function = F.conv1d


class Conv2d(Convolution):
    """Convolution of images with kernels that are learnt.

    Parameters
    ----------
    out_channels : int
    kernel_size, stride : int or pair of int
    pad : int, pair of int, 'same' or 'valid', default 0
    nobias : bool, default False
        Leave `b` out.
    dtype : NumPy dtype, default float32
        Of `W` and `b`.
    in_channels : int, optional
        By default the number of channels of the first input. `W` is made then, and the layer goes to the
        array library and the device of that input, unless `to` has put it somewhere.
    dilation : int or pair of int, default 1
    groups : int, default 1
        `in_channels` of them make a depthwise convolution.
    initial_W, initial_b : callable, optional
        Called with a shape and a dtype, give a NumPy array: one of `tensorgrad.layers.initializers`.

    Attributes
    ----------
    W : Parameter, shape (out_channels, in_channels / groups, KH, KW)
        By default drawn from ``np.random.randn`` (see `tensorgrad.seed`), times ``sqrt(1 / fan_in)``, where
        fan_in is ``in_channels / groups KH KW``.
    b : Parameter, shape (out_channels,), or None
        By default zeros at first.

    Notes
    -----
    `forward` takes x of shape (N, in_channels, H, W) and gives y of shape (N, out_channels, OH, OW): see
    `tensorgrad.functions.conv2d`.

    References
    ----------
    LeCun, Bottou, Orr, Müller 1998, "Efficient BackProp", section 4.6: the scale of `W`.

    Examples
    --------
    >>> layer = tg.layers.Conv2d(16, 3, pad=1)
    >>> layer(np.ones((2, 3, 8, 8), np.float32)).shape
    (2, 16, 8, 8)
    >>> layer.W.shape
    (16, 3, 3, 3)
    """

    axes = 2
    function = F.conv2d


class Conv3d(Convolution):
    """Convolution of volumes: `Conv2d` with three axes.

    Parameters
    ----------
    out_channels : int
    kernel_size, stride : int or three of them
    pad : int, three of them, 'same' or 'valid'
    nobias, dtype, in_channels, dilation, groups, initial_W, initial_b
        As of `Conv2d`.

    Attributes
    ----------
    W : Parameter, shape (out_channels, in_channels / groups, KD, KH, KW)
    b : Parameter, shape (out_channels,), or None

    Examples
    --------
    >>> tg.layers.Conv3d(4, 2)(np.ones((1, 3, 3, 4, 5), np.float32)).shape
    (1, 4, 2, 3, 4)
    """

    axes = 3
    function = F.conv3d


class TransposedConvolution(Convolutional):
    """The base of transposed convolutions."""

    function: ClassVar[Callable[..., Any]]
    transposed = True

    def __init__(  # noqa: PLR0917  # the signature is the book's
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        pad: Any = 0,
        nobias: bool = False,
        dtype: Any = np.float32,
        in_channels: int | None = None,
        *,
        outsize: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(out_channels, kernel_size, stride, pad, nobias, dtype, in_channels, **options)
        self.outsize = outsize

    def forward(self, x: Any) -> Variable:
        self._settle(x)
        steps = {"dilation": self.dilation, "groups": self.groups}
        y: Variable = type(self).function(x, self.W, self.b, self.stride, self.pad, self.outsize, **steps)
        return y


class ConvTranspose1d(TransposedConvolution):
    """Transposed convolution of sequences: `ConvTranspose2d` with one axis.

    Parameters
    ----------
    out_channels : int
    kernel_size, stride, pad : int
    nobias, dtype, in_channels, outsize, dilation, groups, initial_W, initial_b
        As of `ConvTranspose2d`.

    Attributes
    ----------
    W : Parameter, shape (in_channels, out_channels / groups, K)
    b : Parameter, shape (out_channels,), or None

    Examples
    --------
    >>> tg.layers.ConvTranspose1d(4, 2, stride=2)(np.ones((2, 3, 5), np.float32)).shape
    (2, 4, 10)
    """

    axes = 1
    function = F.conv_transpose1d


class ConvTranspose2d(TransposedConvolution):
    """Transposed convolution of images with kernels that are learnt: it makes them larger.

    Parameters
    ----------
    out_channels : int
    kernel_size, stride, pad : int or pair of int
    nobias : bool, default False
        Leave `b` out.
    dtype : NumPy dtype, default float32
        Of `W` and `b`.
    in_channels : int, optional
        By default the number of channels of the first input, as of `Conv2d`.
    outsize : int or pair of int, optional
        Height and width of the result; by default the smallest.
    dilation : int or pair of int, default 1
    groups : int, default 1
    initial_W, initial_b : callable, optional
        Called with a shape and a dtype, give a NumPy array: one of `tensorgrad.layers.initializers`.

    Attributes
    ----------
    W : Parameter, shape (in_channels, out_channels / groups, KH, KW)
        By default drawn from ``np.random.randn`` (see `tensorgrad.seed`), times ``sqrt(1 / fan_in)``, where
        fan_in is ``in_channels / groups KH KW``.
    b : Parameter, shape (out_channels,), or None
        By default zeros at first.

    Notes
    -----
    `forward` takes x of shape (N, in_channels, H, W) and gives y of shape (N, out_channels, OH, OW): see
    `tensorgrad.functions.conv_transpose2d`.

    Examples
    --------
    >>> layer = tg.layers.ConvTranspose2d(3, 4, stride=2, pad=1)
    >>> layer(np.ones((2, 16, 7, 7), np.float32)).shape
    (2, 3, 14, 14)
    >>> layer.W.shape
    (16, 3, 4, 4)
    """

    axes = 2
    function = F.conv_transpose2d


class Deconv2d(ConvTranspose2d):
    """The book's name of `ConvTranspose2d`, in all else the same."""


class ConvTranspose3d(TransposedConvolution):
    """Transposed convolution of volumes: `ConvTranspose2d` with three axes.

    Parameters
    ----------
    out_channels : int
    kernel_size, stride, pad : int or three of them
    nobias, dtype, in_channels, outsize, dilation, groups, initial_W, initial_b
        As of `ConvTranspose2d`.

    Attributes
    ----------
    W : Parameter, shape (in_channels, out_channels / groups, KD, KH, KW)
    b : Parameter, shape (out_channels,), or None

    Examples
    --------
    >>> tg.layers.ConvTranspose3d(4, 2)(np.ones((1, 3, 2, 2, 2), np.float32)).shape
    (1, 4, 3, 3, 3)
    """

    axes = 3
    function = F.conv_transpose3d
