"""Convolutions of sequences, images and volumes with kernels, and transposed ones."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.core import Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.convolution_ops import Convolution, TransposedConvolution
from tensorgrad.functions.linalg import linear
from tensorgrad.functions.manipulation import permute_dims, reshape, shape_of
from tensorgrad.functions.patches import Shape, Windows, entries, im2col, image_shape, windows_of

# -- checks --------------------------------------------------------------------------------------


def _checked(name: str, inputs: tuple[Any, Any, Any], groups: int, transposed: bool) -> tuple[Shape, Shape]:
    """The shapes of x and W if they go together, or an error in the name of a function."""
    x, W, b = inputs
    axes = AXES[name]
    shape, kernels = image_shape(name, x, axes), shape_of(name, W)
    wanted = f"({'C, OC' if transposed else 'OC, C'}{'' if groups == 1 else ' / groups'}, *kernel)"
    if len(kernels) != axes + 2:
        raise ValueError(f"{name}: expected W of shape {wanted}, with {axes + 2} axes; got {kernels}")
    if groups < 1 or shape[1] % groups or kernels[0] % groups:
        raise ValueError(
            f"{name}: expected groups that divide the {shape[1]} channels of x and the length {kernels[0]} "
            f"of W; got {groups}"
        )
    fits = kernels[0] == shape[1] if transposed else kernels[1] * groups == shape[1]
    if not fits:
        raise ValueError(
            f"{name}: expected W of shape {wanted} with C == x.shape[1]; got x {shape}, W {kernels}"
            f"{'' if groups == 1 else f', groups {groups}'}. Does the layer before give {shape[1]} channels?"
        )
    channels = kernels[1] * groups if transposed else kernels[0]
    if b is not None and shape_of(name, b) != (channels,):
        raise ValueError(f"{name}: expected b of shape (OC,) == ({channels},); got {shape_of(name, b)}")
    return shape, kernels


def _convolved(name: str, inputs: tuple[Any, Any, Any], groups: int, *steps: Any) -> Variable:
    """A convolution; `steps` are stride, pad and dilation."""
    x, W, b = inputs
    shape, kernels = _checked(name, inputs, groups, False)
    op = Convolution(windows_of(name, shape[2:], kernels[2:], *steps), groups, shape[2:])
    return op(x, W) if b is None else op(x, W, b)  # type: ignore[no-any-return]


def _transposed(name: str, inputs: tuple[Any, Any, Any], groups: int, outsize: Any, *steps: Any) -> Variable:
    """A transposed convolution; `steps` are stride, pad and dilation."""
    x, W, b = inputs
    shape, kernels = _checked(name, inputs, groups, True)
    counts, axes = shape[2:], len(shape) - 2
    stride, pad, dilation = (
        entries(name, what, value, axes, least) for (what, least), value in zip(_STEPS, steps, strict=True)
    )
    kernel = entries(name, "kernel_size", kernels[2:], axes, 1)
    windows = Windows(kernel, stride, tuple((p, p) for p in pad), dilation)
    least = windows.lengths(counts)
    lengths = least if outsize is None else entries(name, "outsize", outsize, axes, 1)
    if windows.counts(lengths) != counts or min(lengths) < 1:
        most = tuple(n + s - 1 for n, s in zip(least, stride, strict=True))
        raise ValueError(
            f"{name}: expected an outsize of which the convolution makes {counts}: from {least} to {most}, "
            f"and at least 1; got {lengths}"
        )
    op = TransposedConvolution(windows, groups, lengths)
    return op(x, W) if b is None else op(x, W, b)  # type: ignore[no-any-return]


AXES = {
    **{f"{kind}{n}d": n for kind in ("conv", "conv_transpose") for n in (1, 2, 3)},
    "conv2d_simple": 2,
}
"""How many axes the images of a function have."""

_STEPS = (("stride", 1), ("pad", 0), ("dilation", 1))


# -- convolutions --------------------------------------------------------------------------------


@samples(
    Sample(Real((2, 3, 5)), Real((4, 3, 3))),
    Sample(Real((2, 4, 6)), Real((4, 2, 2)), Real((4,)), stride=2, pad=1, dilation=2, groups=2),
    Sample(Real((2, 2, 5)), Real((3, 2, 4)), pad="same"),
)
def conv1d(
    x: Any, W: Any, b: Any = None, stride: Any = 1, pad: Any = 0, *, dilation: Any = 1, groups: int = 1
) -> Variable:
    """Convolution of sequences with kernels; `conv2d` with one axis.

    Parameters
    ----------
    x : Variable or array, shape (N, C, L)
    W : Variable or array, shape (OC, C / groups, K)
    b : Variable or array, shape (OC,), optional
    stride, dilation : int
    pad : int, 'same' or 'valid'
    groups : int, default 1

    Returns
    -------
    Variable, shape (N, OC, OL)

    Raises
    ------
    ValueError
        If the shapes do not go together, or the kernel does not fit.

    Examples
    --------
    >>> F.conv1d(np.array([[[1.0, 2.0, 4.0]]]), Variable(np.array([[[-1.0, 1.0]]])))
    variable([[[1. 2.]]])
    """
    return _convolved("conv1d", (x, W, b), groups, stride, pad, dilation)


@samples(
    Sample(Real((2, 3, 5, 4)), Real((4, 3, 3, 2))),
    Sample(Real((2, 3, 5, 4)), Real((2, 3, 3, 3)), Real((2,)), 1, 1),
    Sample(Real((1, 2, 6, 5)), Real((2, 2, 3, 2)), Real((2,)), stride=(2, 1), pad=(0, 1)),
    Sample(Real((2, 3, 2, 3)), Real((4, 3, 1, 1)), Real((4,))),
    Sample(Real((2, 3, 3, 3)), Real((2, 3, 1, 1)), stride=2),
    Sample(Real((2, 4, 5, 5)), Real((6, 2, 3, 3)), groups=2, pad=1, dilation=2),
    Sample(Real((2, 3, 4, 4)), Real((3, 1, 2, 2)), Real((3,)), groups=3),
    Sample(Real((2, 2, 5, 4)), Real((2, 2, 2, 3)), pad="same", stride=2),
    Sample(Real((2, 2, 3, 3)), Real((2, 2, 2, 2)), pad="valid"),
)
def conv2d(
    x: Any, W: Any, b: Any = None, stride: Any = 1, pad: Any = 0, *, dilation: Any = 1, groups: int = 1
) -> Variable:
    """Convolution of images with kernels: ``y[n,o,i,j] = b[o] + sum W[o,c,k,l] x[n,c,i s + k,j s + l]``.

    The sum is over c, k and l; s is the stride. The kernel is not turned round, so strictly this is a
    correlation.

    Parameters
    ----------
    x : Variable or array, shape (N, C, H, W)
    W : Variable or array, shape (OC, C / groups, KH, KW)
    b : Variable or array, shape (OC,), optional
    stride : int or pair of int, default 1
    pad : int, pair of int, 'same' or 'valid', default 0
        Rows and columns of zeros on each side. ``'same'`` gives ``OH = H / stride``, rounded up; of an odd
        number of zeros more are at the end. ``'valid'`` is 0.
    dilation : int or pair of int, default 1
        From one element of the kernel to the next: 2 leaves out every other pixel.
    groups : int, default 1
        Channels and kernels fall into so many groups that do not see each other; C of them is a
        depthwise convolution.

    Returns
    -------
    Variable, shape (N, OC, OH, OW)
        ``OH = (H + 2 pad - dilation (KH - 1) - 1) // stride + 1``.

    Raises
    ------
    ValueError
        If the shapes do not go together, or the kernel does not fit.

    References
    ----------
    V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning" (2016), relationship 15.

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> F.conv2d(x, Variable(np.ones((1, 1, 2, 2))))
    variable([[[[ 8. 12.]
                [20. 24.]]]])
    """
    return _convolved("conv2d", (x, W, b), groups, stride, pad, dilation)


@samples(
    Sample(Real((1, 2, 3, 4, 3)), Real((2, 2, 2, 3, 2))),
    Sample(Real((1, 2, 3, 3, 4)), Real((2, 1, 2, 2, 2)), Real((2,)), stride=(1, 2, 2), pad=1, groups=2),
)
def conv3d(
    x: Any, W: Any, b: Any = None, stride: Any = 1, pad: Any = 0, *, dilation: Any = 1, groups: int = 1
) -> Variable:
    """Convolution of volumes with kernels; `conv2d` with three axes.

    Parameters
    ----------
    x : Variable or array, shape (N, C, D, H, W)
    W : Variable or array, shape (OC, C / groups, KD, KH, KW)
    b : Variable or array, shape (OC,), optional
    stride, dilation : int or three of them
    pad : int, three of them, 'same' or 'valid'
    groups : int, default 1

    Returns
    -------
    Variable, shape (N, OC, OD, OH, OW)

    Raises
    ------
    ValueError
        If the shapes do not go together, or the kernel does not fit.

    Examples
    --------
    >>> F.conv3d(np.ones((1, 1, 2, 2, 2)), Variable(np.ones((1, 1, 2, 2, 2)))).item()
    8.0
    """
    return _convolved("conv3d", (x, W, b), groups, stride, pad, dilation)


@samples(
    Sample(Real((2, 3, 5, 4)), Real((4, 3, 3, 2))),
    Sample(Real((2, 3, 5, 4)), Real((2, 3, 3, 3)), Real((2,)), 2, 1),
)
def conv2d_simple(x: Any, W: Any, b: Any = None, stride: Any = 1, pad: Any = 0) -> Variable:
    """`conv2d` made of `im2col` and `linear`, as the book writes it first.

    Parameters
    ----------
    x : Variable or array, shape (N, C, H, W)
    W : Variable or array, shape (OC, C, KH, KW)
    b : Variable or array, shape (OC,), optional
    stride, pad : int or pair of int

    Returns
    -------
    Variable, shape (N, OC, OH, OW)

    Raises
    ------
    ValueError
        If the shapes do not go together, or the kernel does not fit.

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> F.conv2d_simple(x, Variable(np.ones((1, 1, 2, 2))))
    variable([[[[ 8. 12.]
                [20. 24.]]]])
    """
    shape, kernels = _checked("conv2d_simple", (x, W, b), 1, False)
    counts = windows_of("conv2d_simple", shape[2:], kernels[2:], stride, pad).counts(shape[2:])
    cols = im2col(x, kernels[2:], stride, pad)
    W = permute_dims(reshape(W, (kernels[0], math.prod(kernels[1:]))), (1, 0))
    y = reshape(linear(cols, W, b), (shape[0], *counts, kernels[0]))
    return permute_dims(y, (0, 3, 1, 2))


# -- transposed convolutions ---------------------------------------------------------------------


@samples(
    Sample(Real((2, 3, 4)), Real((3, 2, 3))),
    Sample(Real((2, 4, 3)), Real((4, 2, 3)), Real((4,)), stride=2, pad=1, outsize=6, groups=2),
)
def conv_transpose1d(  # noqa: PLR0917  # the signature is the book's
    x: Any,
    W: Any,
    b: Any = None,
    stride: Any = 1,
    pad: Any = 0,
    outsize: Any = None,
    *,
    dilation: Any = 1,
    groups: int = 1,
) -> Variable:
    """Transposed convolution of sequences; `conv_transpose2d` with one axis.

    Parameters
    ----------
    x : Variable or array, shape (N, C, L)
    W : Variable or array, shape (C, OC / groups, K)
    b : Variable or array, shape (OC,), optional
    stride, pad, dilation, groups : int
    outsize : int, optional
        By default the smallest.

    Returns
    -------
    Variable, shape (N, OC, outsize)

    Raises
    ------
    ValueError
        If the shapes do not go together, or no convolution makes `x` from `outsize`.

    Examples
    --------
    >>> F.conv_transpose1d(np.array([[[1.0, 2.0]]]), Variable(np.ones((1, 1, 2))))
    variable([[[1. 3. 2.]]])
    """
    return _transposed("conv_transpose1d", (x, W, b), groups, outsize, stride, pad, dilation)


@samples(
    Sample(Real((2, 3, 4, 3)), Real((3, 2, 3, 2))),
    Sample(Real((2, 3, 3, 3)), Real((3, 2, 3, 3)), Real((2,)), 2, 1),
    Sample(Real((1, 2, 3, 2)), Real((2, 3, 3, 2)), Real((3,)), stride=(2, 3), pad=1, outsize=(6, 4)),
    Sample(Real((2, 3, 2, 2)), Real((3, 4, 1, 1)), Real((4,))),
    Sample(Real((2, 4, 3, 3)), Real((4, 1, 2, 2)), stride=2, dilation=2, groups=2),
)
def conv_transpose2d(  # noqa: PLR0917  # the signature is the book's
    x: Any,
    W: Any,
    b: Any = None,
    stride: Any = 1,
    pad: Any = 0,
    outsize: Any = None,
    *,
    dilation: Any = 1,
    groups: int = 1,
) -> Variable:
    """Transposed convolution: each pixel of `x` adds its multiple of the kernel to the result.

    It is what `conv2d` with the same W does to the gradient of its output.

    Parameters
    ----------
    x : Variable or array, shape (N, C, H, W)
    W : Variable or array, shape (C, OC / groups, KH, KW)
    b : Variable or array, shape (OC,), optional
    stride, pad, dilation : int or pair of int
        Those of the convolution: here `stride` is the step in the result, and `pad` rows and columns are
        cut off on each side.
    outsize : int or pair of int, optional
        Height and width of the result, of which `conv2d` makes the size of `x`; by default the smallest.
    groups : int, default 1

    Returns
    -------
    Variable, shape ``(N, OC, *outsize)``
        By default ``(H - 1) stride + dilation (KH - 1) + 1 - 2 pad`` high.

    Raises
    ------
    ValueError
        If the shapes do not go together, or no convolution makes `x` from `outsize`.

    References
    ----------
    V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning" (2016), chapter 4.

    Examples
    --------
    >>> F.conv_transpose2d(np.ones((1, 1, 2, 2)), Variable(np.ones((1, 1, 2, 2))))
    variable([[[[1. 2. 1.]
                [2. 4. 2.]
                [1. 2. 1.]]]])
    """
    return _transposed("conv_transpose2d", (x, W, b), groups, outsize, stride, pad, dilation)


deconv2d = conv_transpose2d


@samples(
    Sample(Real((1, 2, 2, 3, 2)), Real((2, 2, 2, 2, 2))),
    Sample(Real((1, 2, 2, 2, 2)), Real((2, 1, 2, 1, 2)), Real((1,)), stride=2, outsize=(4, 3, 5)),
)
def conv_transpose3d(  # noqa: PLR0917  # the signature is the book's
    x: Any,
    W: Any,
    b: Any = None,
    stride: Any = 1,
    pad: Any = 0,
    outsize: Any = None,
    *,
    dilation: Any = 1,
    groups: int = 1,
) -> Variable:
    """Transposed convolution of volumes; `conv_transpose2d` with three axes.

    Parameters
    ----------
    x : Variable or array, shape (N, C, D, H, W)
    W : Variable or array, shape (C, OC / groups, KD, KH, KW)
    b : Variable or array, shape (OC,), optional
    stride, pad, dilation : int or three of them
    outsize : int or three of them, optional
        By default the smallest.
    groups : int, default 1

    Returns
    -------
    Variable, shape ``(N, OC, *outsize)``

    Raises
    ------
    ValueError
        If the shapes do not go together, or no convolution makes `x` from `outsize`.

    Examples
    --------
    >>> F.conv_transpose3d(np.ones((1, 1, 1, 1, 1)), Variable(np.ones((1, 3, 2, 2, 2)))).shape
    (1, 3, 2, 2, 2)
    """
    return _transposed("conv_transpose3d", (x, W, b), groups, outsize, stride, pad, dilation)
