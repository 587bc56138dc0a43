"""Windows of images: where a kernel stands, the patches under it (im2col) and their sum back (col2im)."""

from __future__ import annotations

import math
from itertools import product
from operator import index as as_int
from typing import Any, NamedTuple

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.manipulation import permute_dims, reshape, shape_of

Shape = tuple[int, ...]


class Windows(NamedTuple):
    """Where a kernel stands on an image; each field has one entry for each axis of the image.

    `pad` has pairs: the zeros before and behind the image.
    """

    kernel: Shape
    stride: Shape
    pad: tuple[tuple[int, int], ...]
    dilation: Shape

    @property
    def span(self) -> Shape:
        """The lengths that the kernel covers, gaps included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def is_every_pixel(self) -> bool:
        """Whether each window is one pixel and each pixel, padding included, one window."""
        return set(self.kernel + self.stride) <= {1}

    @property
    def has_pad(self) -> bool:
        return any(before or behind for before, behind in self.pad)

    @property
    def overlap(self) -> bool:
        """Whether a pixel may lie in several windows."""
        return any(n > s for n, s in zip(self.span, self.stride, strict=True))

    def padded(self, lengths: Shape) -> Shape:
        """The lengths of an image with its padding."""
        return tuple(n + before + behind for n, (before, behind) in zip(lengths, self.pad, strict=True))

    def counts(self, lengths: Shape) -> Shape:
        """How often the kernel fits along each axis of an image."""
        axes = zip(self.padded(lengths), self.span, self.stride, strict=True)
        return tuple((n - span) // s + 1 for n, span, s in axes)

    def lengths(self, counts: Shape) -> Shape:
        """Those of the smallest image in which the kernel fits so often."""
        axes = zip(counts, self.stride, self.span, self.pad, strict=True)
        return tuple((n - 1) * s + span - before - behind for n, s, span, (before, behind) in axes)

    def positions(self, counts: Shape) -> list[tuple[Shape, tuple[Any, ...]]]:
        """For each pixel of the kernel: its place, and the index of what lies under it in padded images."""
        lines = [
            [slice(i * d, i * d + (n - 1) * s + 1, s) for i in range(k)]
            for k, s, d, n in zip(self.kernel, self.stride, self.dilation, counts, strict=True)
        ]
        places = product(*map(range, self.kernel))
        return [(place, (..., *(line[i] for line, i in zip(lines, place, strict=True)))) for place in places]


def windows_of(  # noqa: PLR0917  # a name, then what the public functions take
    name: str,
    lengths: Shape,
    kernel: Any,
    stride: Any = 1,
    pad: Any = 0,
    dilation: Any = 1,
) -> Windows:
    """The windows on an image of these lengths, or an error in the name of a function."""
    axes = len(lengths)
    kernel = entries(name, "kernel_size", kernel, axes, 1)
    stride = entries(name, "stride", stride, axes, 1)
    dilation = entries(name, "dilation", dilation, axes, 1)
    unpadded = Windows(kernel, stride, ((0, 0),) * axes, dilation)
    if isinstance(pad, str):
        windows = unpadded._replace(pad=_named_pad(name, pad, lengths, unpadded))
    else:
        windows = unpadded._replace(pad=tuple((p, p) for p in entries(name, "pad", pad, axes, 0)))
    if any(n < span for n, span in zip(windows.padded(lengths), windows.span, strict=True)):
        raise ValueError(
            f"{name}: expected images of at least {windows.span} pixels, the span of the kernel; "
            f"got {lengths}, padded {windows.padded(lengths)}. Use a smaller kernel or a larger pad."
        )
    return windows


def entries(name: str, what: str, value: Any, axes: int, least: int) -> Shape:
    """A setting for each axis, from one number for all or one for each."""
    try:
        found = tuple(map(as_int, value)) if isinstance(value, tuple | list) else (as_int(value),) * axes
    except TypeError:
        raise TypeError(f"{name}: expected {what} as an int or {axes} of them; got {value!r}") from None
    if len(found) != axes or any(n < least for n in found):
        raise ValueError(
            f"{name}: expected {what} as an int of {least} or more, or a tuple of {axes}; got {value!r}"
        )
    return found


def _named_pad(name: str, pad: str, lengths: Shape, unpadded: Windows) -> tuple[tuple[int, int], ...]:
    """``valid``: none. ``same``: so much that ``n / stride`` windows fit, rounded up; behind the odd one."""
    if pad == "valid":
        return unpadded.pad
    if pad != "same":
        raise ValueError(f"{name}: expected pad as an int, a tuple, 'same' or 'valid'; got {pad!r}")
    pairs = []
    for n, s, span in zip(lengths, unpadded.stride, unpadded.span, strict=True):
        total = max((math.ceil(n / s) - 1) * s + span - n, 0)
        pairs.append((total // 2, total - total // 2))
    return tuple(pairs)


def image_shape(name: str, x: Any, axes: int | None = None) -> Shape:
    """The shape of a batch of images (N, C, ...) with so many axes behind, or an error."""
    shape = shape_of(name, x)
    if len(shape) < 3 if axes is None else len(shape) != axes + 2:
        wanted = "(N, C, ...)" if axes is None else _SHAPES[axes]
        raise ValueError(
            f"{name}: expected x of shape {wanted}; got {shape}. "
            "x.reshape(...) adds an axis for the batch or the channels."
        )
    return shape


_SHAPES = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}


# -- arrays to patches and back ------------------------------------------------------------------


def padded(op: Op, x: Array, windows: Windows, value: float = 0) -> Array:
    """Images with a border of `value`; as they are where there is none."""
    if not windows.has_pad:
        return x
    lengths = x.shape[2:]
    shape = (*x.shape[:2], *windows.padded(lengths))
    device = op.backend.device(x)
    if value:
        wide = op.xp.full(shape, value, dtype=x.dtype, device=device)
    else:
        wide = op.xp.zeros(shape, dtype=x.dtype, device=device)
    return op.backend.setitem(wide, _inside(windows, lengths), x)


def _inside(windows: Windows, lengths: Shape) -> tuple[Any, ...]:
    """The index of the images in their padded form."""
    borders = zip(lengths, windows.pad, strict=True)
    return (..., *(slice(before, before + n) for n, (before, _) in borders))


def patches(op: Op, x: Array, windows: Windows) -> Array:
    """What lies in the windows of images that are padded already: (N, C, *kernel, *counts).

    It may share the memory of `x`: read only.
    """
    if windows.is_every_pixel:
        return op.xp.reshape(x, (*x.shape[:2], *windows.kernel, *x.shape[2:]))
    return op.backend.windows(x, windows.kernel, windows.stride, windows.dilation)


class Canvas:
    """Images that are filled window by window: zeros, to which parts are added.

    As many images as `like` has, of its dtype if no other is given, on its device. With `counts` they may be
    filled by `fold_rows`, for which they have a row more, if `run` is not 0.
    """

    def __init__(  # noqa: PLR0917  # the shape, then the rest
        self,
        op: Op,
        like: Array,
        channels: int,
        windows: Windows,
        lengths: Shape,
        dtype: Any = None,
        counts: Shape | None = None,
    ) -> None:
        self.xp = op.xp
        self.dtype = like.dtype if dtype is None else dtype
        self.backend = op.backend
        self.windows = windows
        self.lengths = lengths
        self.wide = windows.padded(lengths)
        self.run = 0 if counts is None else self._length_of_runs(counts)
        self.shape = (like.shape[0], channels, self.wide[0] + bool(self.run), *self.wide[1:])
        self.image = self._zeros(self.shape, like)

    def _zeros(self, shape: Shape, like: Array) -> Array:
        return self.xp.zeros(shape, dtype=self.dtype, device=self.backend.device(like))

    def add(self, index: Any, part: Array) -> None:
        """Add what belongs under one pixel of the kernel, at an index of `Windows.positions`."""
        put = self.backend.scatter_add if self.windows.overlap else self.backend.setitem
        self.image = put(self.image, index, part)

    def fold(self, cols: Array, images: slice = slice(None)) -> None:
        """Add to these images all that stands for them: (n, C, *kernel, *counts)."""
        everything = slice(None)
        for place, index in self.windows.positions(cols.shape[2 + len(self.lengths) :]):
            self.add((images, *index), cols[(everything, everything, *place, ...)])

    # Where windows move by one pixel, all that lies under one pixel of the kernel is one run of the image,
    # its rows one behind the other, if the rows of y are made as long as those of the image by zeros. Long
    # runs are added much faster than short rows.

    def _length_of_runs(self, counts: Shape) -> int:
        """How long such a run is; 0 where steps are longer, or too much of it would be zeros."""
        if max(self.windows.stride) > 1:
            return 0
        pitch, used = math.prod(self.wide[1:]), math.prod(counts[1:])
        return counts[0] * pitch if pitch <= 1.5 * used else 0

    def as_rows(self, y: Array) -> Array:
        """(N, C, *counts) with rows as long as those of the image."""
        if y.shape[3:] == self.wide[1:]:
            return y
        rows = self._zeros((*y.shape[:3], *self.wide[1:]), y)
        return self.backend.setitem(rows, (..., *map(slice, y.shape[3:])), y)

    def fold_rows(self, cols: Array, images: slice) -> None:
        """Add to these images runs: (n, C, *kernel, length)."""
        everything, length = slice(None), cols.shape[-1]
        flat = self.xp.reshape(self.image, (*self.shape[:2], math.prod(self.shape[2:])))
        pitches = [math.prod(self.wide[i + 1 :]) for i in range(len(self.wide))]
        for place in product(*map(range, self.windows.kernel)):
            axes = zip(place, self.windows.dilation, pitches, strict=True)
            start = sum(i * d * pitch for i, d, pitch in axes)
            run = cols[(everything, everything, *place, everything)]
            flat = self.backend.scatter_add(flat, (images, everything, slice(start, start + length)), run)
        self.image = self.xp.reshape(flat, self.shape)

    def cut(self) -> Array:
        """The images without the padding, one behind the other."""
        if self.shape[2:] == self.lengths:
            return self.image
        return self.backend.copy(self.image[_inside(self.windows, self.lengths)])


class Im2col(Op):
    """``y`` is what lies in the windows of x, (N, C, *kernel, *counts); the gradient is summed back."""

    fresh = True

    def __init__(self, windows: Windows) -> None:
        self.windows = windows

    def forward(self, x: Array) -> Array:
        self.lengths = tuple(x.shape[2:])
        y = self.fused("im2col", x, self.windows)
        if y is not None:
            return y
        return self.backend.copy(patches(self, padded(self, x, self.windows), self.windows))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(Col2im(self.windows, self.lengths), gy)


class Col2im(Op):
    """``y`` sums patches into images, the adjoint of `Im2col`; the gradient is what lies in its windows."""

    fresh = True

    def __init__(self, windows: Windows, lengths: Shape) -> None:
        self.windows = windows
        self.lengths = lengths

    def forward(self, x: Array) -> Array:
        y = self.fused("col2im", x, self.windows, self.lengths)
        if y is not None:
            return y
        canvas = Canvas(self, x, x.shape[1], self.windows, self.lengths)
        canvas.fold(x)
        return canvas.cut()

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(Im2col(self.windows), gy)


@samples(
    Sample(Real((2, 3, 5, 4)), 3),
    Sample(Real((2, 3, 5, 4)), (3, 2), (2, 1), (1, 0), False),
    Sample(Real((1, 2, 4, 4)), 2, stride=2),
    Sample(Real((1, 2, 3, 4)), 2, stride=3, pad=1),
    Sample(Real((2, 2, 3, 2)), 1, to_matrix=False),
)
def im2col(x: Any, kernel_size: Any, stride: Any = 1, pad: Any = 0, to_matrix: bool = True) -> Variable:
    """The patches of images that lie under a kernel, one for each of its places.

    Parameters
    ----------
    x : Variable or array, shape (N, C, H, W)
    kernel_size, stride, pad : int or pair of int
        KH and KW; the steps; the rows and columns of zeros on each side.
    to_matrix : bool, default True

    Returns
    -------
    Variable, shape (N*OH*OW, C*KH*KW)
        Or (N, C, KH, KW, OH, OW) without `to_matrix`; ``OH = (H + 2 pad - KH) // stride + 1``.

    Raises
    ------
    ValueError
        If `x` has another number of axes, or the kernel does not fit.

    Examples
    --------
    >>> F.im2col(np.arange(6.0).reshape(1, 1, 2, 3), 2)
    variable([[0. 1. 3. 4.]
              [1. 2. 4. 5.]])
    """
    shape = image_shape("im2col", x, 2)
    windows = windows_of("im2col", shape[2:], kernel_size, stride, pad)
    y: Variable = Im2col(windows)(x)
    if not to_matrix:
        return y
    counts = windows.counts(shape[2:])
    rows, width = shape[0] * math.prod(counts), shape[1] * math.prod(windows.kernel)
    return reshape(permute_dims(y, (0, 4, 5, 1, 2, 3)), (rows, width))


@samples(
    Sample(Real((12, 27)), (2, 3, 5, 4), 3),
    Sample(Real((2, 3, 3, 2, 3, 3)), (2, 3, 5, 4), (3, 2), (2, 1), (1, 0), False),
    Sample(Real((4, 8)), (1, 2, 4, 4), 2, stride=2),
    Sample(Real((12, 2)), (2, 2, 3, 2), 1),
)
def col2im(  # noqa: PLR0917  # the signature is the book's
    x: Any, input_shape: Any, kernel_size: Any, stride: Any = 1, pad: Any = 0, to_matrix: bool = True
) -> Variable:
    """Patches summed into images: each pixel is the sum of all that stand for it. The adjoint of `im2col`.

    Parameters
    ----------
    x : Variable or array, shape (N*OH*OW, C*KH*KW)
        Or (N, C, KH, KW, OH, OW) without `to_matrix`.
    input_shape : tuple of int
        (N, C, H, W), that of the result.
    kernel_size, stride, pad : int or pair of int
        As for `im2col`.
    to_matrix : bool, default True

    Returns
    -------
    Variable, shape (N, C, H, W)

    Raises
    ------
    ValueError
        If the kernel does not fit, or `x` has another shape than `im2col` gives.

    Examples
    --------
    >>> F.col2im(np.ones((2, 4)), (1, 1, 2, 3), 2)
    variable([[[[1. 2. 1.]
                [1. 2. 1.]]]])
    """
    got = shape_of("col2im", x)
    if len(input_shape) != 4:
        raise ValueError(f"col2im: expected input_shape as (N, C, H, W); got {tuple(input_shape)}")
    n, c, *lengths = map(as_int, input_shape)
    windows = windows_of("col2im", tuple(lengths), kernel_size, stride, pad)
    counts = windows.counts(tuple(lengths))
    wanted: Shape = (n, c, *windows.kernel, *counts)
    if to_matrix:
        wanted = (n * math.prod(counts), c * math.prod(windows.kernel))
    if got != wanted:
        raise ValueError(
            f"col2im: expected x of shape {wanted}, what im2col gives for images {tuple(input_shape)}; "
            f"got {got}. Are kernel_size, stride, pad and to_matrix those of im2col?"
        )
    if to_matrix:
        x = permute_dims(reshape(x, (n, *counts, c, *windows.kernel)), (0, 3, 4, 5, 1, 2))
    y: Variable = Col2im(windows, tuple(lengths))(x)
    return y
