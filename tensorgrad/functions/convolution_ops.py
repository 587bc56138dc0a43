"""The ops of convolution: with kernels, its transpose, and the gradient of the kernels.

All three are parts of one sum over n, channels, places o and pixels k of the kernel: of x at ``o s + k d``
times W at k times y at o (s the stride, d the dilation). Fixing W and x gives the convolution y, fixing W
and y the transposed one, fixing x and y the gradient of W; so each is the gradient of the others.
"""

from __future__ import annotations

import math

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op
from tensorgrad.functions.matrices import dense
from tensorgrad.functions.patches import Canvas, Shape, Windows, padded, patches

# Shapes: x (N, C, *lengths), W (OC, C / groups, *kernel), b (OC,), y (N, OC, *counts).


class Products(Op):
    """The base: windows, groups, and the lengths of the images on the side of x."""

    precision = "half"
    fresh = True

    def __init__(self, windows: Windows, groups: int, lengths: Shape) -> None:
        self.windows = windows
        self.groups = groups
        self.lengths = lengths

    def rows(self, W: Array) -> Array:
        """W as one matrix (outputs, inputs of a window) for each group; without their axis if it is one."""
        shape = W.shape
        if self.groups == 1:
            return self.xp.reshape(W, (shape[0], math.prod(shape[1:])))
        return self.xp.reshape(W, (self.groups, shape[0] // self.groups, math.prod(shape[1:])))

    def flat(self, x: Array, places: int) -> Array:
        """Channels, and what stands under each, as columns: (N, [groups,] n, places)."""
        n = math.prod(x.shape[1:]) // (self.groups * places) if places else 0
        groups = () if self.groups == 1 else (self.groups,)
        return self.xp.reshape(x, (x.shape[0], *groups, n, places))

    def is_depthwise(self, W: Array) -> bool:
        """Whether each channel of x is under kernels of its own."""
        return self.groups > 1 and W.shape[1] == 1

    def padded_for_patches(self, x: Array) -> Array:
        """Images with the border that their patches need: none where a kernel adds it."""
        return x if self._has_im2col() else padded(self, x, self.windows)

    def patches(self, x: Array) -> Array:
        """What lies in the windows of images that `padded_for_patches` gave."""
        if self._has_im2col():
            y = self.fused("im2col", x, self.windows)
            return patches(self, padded(self, x, self.windows), self.windows) if y is None else y
        return patches(self, x, self.windows)

    def _has_im2col(self) -> bool:
        pixels = self.windows.is_every_pixel and not self.windows.has_pad
        return not pixels and self.backend.kernel("im2col") is not None

    def parts(
        self, gy: ArrayLike, other: type[Products], saved: tuple[ArrayLike, ArrayLike]
    ) -> tuple[ArrayLike, ...]:
        """The gradients of images, kernels and bias, where asked for."""
        x, W = saved
        settings = (self.windows, self.groups, self.lengths)
        gx = None if W is None else self.nested(other(*settings), gy, W)
        gW = None
        if x is not None:
            pair = (x, gy) if other is TransposedConvolution else (gy, x)
            gW = self.nested(KernelGradient(*settings), *pair)
        gb = None
        if len(self.edges) == 3 and self.edges[2] is not None:
            gb = self.xp.sum(gy, axis=(0, *range(2, len(gy.shape))))
        return (gx, gW, gb)[: len(self.edges)]

    def portions(self, images: int, places: int, W_shape: Shape) -> list[slice]:
        """The batch in parts whose patches are as large as the library likes, or as W where that is more."""
        limit = self.backend.temporary
        if not limit or self.windows.is_every_pixel or not images:
            return [slice(None)]
        one = max(self.groups * places * math.prod(W_shape[1:]), 1)
        step = max(max(limit, math.prod(W_shape)) // one, 1)
        return [slice(i, i + step) for i in range(0, images, step)]

    def biased(self, y: Array, b: Array | None) -> Array:
        """`y`, which may be overwritten, plus the bias of each channel."""
        if b is None:
            return y
        b = self.xp.reshape(b, (b.shape[0], *(1,) * len(self.lengths)))
        if b.dtype == y.dtype:
            y += b  # in place where the library can
            return y
        return y + b


class Convolution(Products):
    """``y_o = sum_k W_k x_(o s + k d) + b``; gx is a transposed convolution, gW a `KernelGradient`."""

    saves = (Input(0, needed_by=1), Input(1, needed_by=0))
    repeatable = True

    def forward(self, x: Array, W: Array, b: Array | None = None) -> Array:
        y = self.fused("convolution", x, W, self.windows, self.groups)
        if y is not None:
            return self.biased(y, b)
        windows, rows = self.windows, self.rows(W)
        counts = windows.counts(self.lengths)
        places = math.prod(counts)
        if self.is_depthwise(W):
            y = self.fused("depthwise", x, W, windows, self.lengths)
            if y is not None:
                return self.biased(y, b)
        wide = self.padded_for_patches(x)
        ys = [
            self.xp.matmul(rows, self.flat(self.patches(wide[part, ...]), places))
            for part in self.portions(x.shape[0], places, W.shape)
        ]
        y = ys[0] if len(ys) == 1 else self.xp.concat(ys, axis=0)
        return self.biased(self.xp.reshape(y, (x.shape[0], W.shape[0], *counts)), b)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ...]:
        return self.parts(dense(self, gy), TransposedConvolution, self.saved)


class TransposedConvolution(Products):
    """``x_i = sum W_k y_o + b`` over all ``o s + k d = i``; gy is a convolution, gW a `KernelGradient`."""

    saves = (Input(0, needed_by=1), Input(1, needed_by=0))
    repeatable = True

    def forward(self, y: Array, W: Array, b: Array | None = None) -> Array:
        windows = self.windows
        x = self.fused("transposed_convolution", y, W, windows, self.groups, self.lengths)
        if x is not None:
            return self.biased(x, b)
        counts, channels = tuple(y.shape[2:]), W.shape[1] * self.groups
        columns = self.xp.matrix_transpose(self.rows(W))
        if self.is_depthwise(W):
            x = self.fused("depthwise_transposed", y, W, windows, self.lengths, channels)
            if x is not None:
                return self.biased(x, b)
        if windows.is_every_pixel and not windows.has_pad:
            x = self.xp.matmul(columns, self.flat(y, math.prod(counts)))
            return self.biased(self.xp.reshape(x, (y.shape[0], channels, *counts)), b)
        x = self._summed(y, columns, self.portions(y.shape[0], math.prod(counts), W.shape), channels)
        if x is not None:
            return self.biased(x, b)
        dtype = y.dtype if y.dtype == W.dtype else self.xp.result_type(y, W)
        canvas = Canvas(self, y, channels, windows, self.lengths, dtype, counts)
        places = canvas.run or math.prod(counts)
        if canvas.run:
            y = canvas.as_rows(y)
        for part in self.portions(y.shape[0], places, W.shape):
            of_part = y[part, ...]
            cols = self.xp.matmul(columns, self.flat(of_part, places))
            shape = (of_part.shape[0], channels, *windows.kernel)
            if canvas.run:
                canvas.fold_rows(self.xp.reshape(cols, (*shape, places)), part)
            else:
                canvas.fold(self.xp.reshape(cols, (*shape, *counts)), part)
        return self.biased(canvas.cut(), b)

    def _summed(self, y: Array, columns: Array, parts: list[slice], channels: int) -> Array | None:
        """The images without the bias by the backend's kernel that sums patches, if it has one."""
        if self.backend.kernel("col2im") is None:
            return None
        counts, windows = tuple(y.shape[2:]), self.windows
        xs = []
        for part in parts:
            of_part = y[part, ...]
            cols = self.xp.matmul(columns, self.flat(of_part, math.prod(counts)))
            shape = (of_part.shape[0], channels, *windows.kernel, *counts)
            x = self.fused("col2im", self.xp.reshape(cols, shape), windows, self.lengths)
            if x is None:
                return None
            xs.append(x)
        return xs[0] if len(xs) == 1 else self.xp.concat(xs, axis=0)

    def backward(self, gx: ArrayLike) -> tuple[ArrayLike, ...]:
        return self.parts(dense(self, gx), Convolution, self.saved)


class KernelGradient(Products):
    """``W_k = sum y_o x_(o s + k d)`` over images and places; ``gx = gW^T y``, ``gy = gW x``."""

    saves = (Input(1, needed_by=0), Input(0, needed_by=1))

    def forward(self, x: Array, y: Array) -> Array:
        xp = self.xp
        W = self.fused("kernel_gradient", x, y, self.windows, self.groups)
        if W is not None:
            return W
        shape = (y.shape[1], x.shape[1] // self.groups, *self.windows.kernel)
        if self.groups == x.shape[1] > 1:
            W = self.fused("depthwise_kernel", x, y, self.windows, self.lengths)
            if W is not None:
                return W
        wide = self.padded_for_patches(x)
        total = None
        for part in self.portions(x.shape[0], math.prod(y.shape[2:]), shape):
            W = self._of_portion(self.patches(wide[part, ...]), y[part, ...])
            if total is None:
                total = W
            else:
                total += W
        return xp.reshape(total, shape)

    def _of_portion(self, cols: Array, y: Array) -> Array:
        """Products for each image and their sum; or one over all, if the former would fill more memory."""
        xp, groups = self.xp, self.groups
        places = math.prod(y.shape[2:])
        if y.shape[1] <= groups * places:
            products = xp.matmul(self.flat(y, places), xp.matrix_transpose(self.flat(cols, places)))
            return xp.sum(products, axis=0)
        axes = len(self.lengths)
        length = y.shape[0] * math.prod(y.shape[2:])
        cols = xp.permute_dims(cols, (*range(1, 2 + axes), 0, *range(2 + axes, 2 + 2 * axes)))
        y = xp.permute_dims(y, (1, 0, *range(2, 2 + axes)))
        inputs = cols.shape[0] // groups * math.prod(self.windows.kernel)
        cols = xp.reshape(cols, (groups, inputs, length))
        y = xp.reshape(y, (groups, y.shape[0] // groups, length))
        if groups == 1:
            return xp.matmul(y[0, ...], cols[0, ...].T)
        return xp.matmul(y, xp.matrix_transpose(cols))

    def backward(self, gW: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        y, x = self.saved
        gW = dense(self, gW)
        settings = (self.windows, self.groups, self.lengths)
        return (
            None if y is None else self.nested(TransposedConvolution(*settings), y, gW),
            None if x is None else self.nested(Convolution(*settings), x, gW),
        )
