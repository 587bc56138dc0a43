"""Whole ops of tensorgrad as one ONNX operator each, where the formulas would be many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ndonnx as ndx
import spox.opset.ai.onnx.v21 as op

from tensorgrad.backend import Array
from tensorgrad_backends.ndonnx_arrays import FLOATS, traced


def _single(*arrays: ndx.Array) -> bool:
    """Whether onnxruntime has these operators for the arrays: on the CPU in float32 alone."""
    return all(x.dtype == ndx.float32 and 0 not in x.shape for x in arrays)


def _windows(windows: Any) -> dict[str, Any]:
    before, behind = zip(*windows.pad, strict=True)
    return {"kernel_shape": windows.kernel, "strides": windows.stride, "pads": (*before, *behind)}


def _convolution(x: ndx.Array, W: ndx.Array, windows: Any, groups: int) -> Array | None:
    if not _single(x, W):
        return None
    settings = _windows(windows)
    return traced(
        op.conv(x.unwrap_spox(), W.unwrap_spox(), dilations=windows.dilation, group=groups, **settings)
    )


def _transposed(
    y: ndx.Array, W: ndx.Array, windows: Any, groups: int, lengths: tuple[int, ...]
) -> Array | None:
    if not _single(y, W):
        return None
    behind = [n - least for n, least in zip(lengths, windows.lengths(tuple(y.shape[2:])), strict=True)]
    settings = {**_windows(windows), "dilations": windows.dilation, "group": groups, "output_padding": behind}
    return traced(op.conv_transpose(y.unwrap_spox(), W.unwrap_spox(), **settings))


def _max_pool(x: ndx.Array, windows: Any) -> tuple[Array, None] | None:
    """The largest of each window; without their places, which only a backward wants."""
    if not _single(x):
        return None
    return traced(op.max_pool(x.unwrap_spox(), **_windows(windows))[0]), None


def _average_pool(x: ndx.Array, windows: Any) -> Array | None:
    if not _single(x):
        return None
    return traced(op.average_pool(x.unwrap_spox(), count_include_pad=1, **_windows(windows)))


def _along(operator: Callable[..., Any]) -> Callable[..., Any]:
    """A softmax along one axis."""

    def kernel(x: ndx.Array, axis: Any) -> Array | None:
        if not isinstance(axis, int) or x.dtype not in FLOATS or 0 in x.shape:
            return None
        return traced(operator(x.unwrap_spox(), axis=axis))

    return kernel


def _elementwise(operator: Callable[..., Any], **settings: Any) -> Callable[..., Any]:
    def kernel(x: ndx.Array) -> Array | None:
        return traced(operator(x.unwrap_spox(), **settings)) if _single(x) else None

    return kernel


def erf(x: ndx.Array) -> Array:
    """The error function."""
    return traced(op.erf(x.unwrap_spox()))


def _standardize(  # noqa: PLR0917  # what the op gives
    x: ndx.Array, gamma: Any, beta: Any, view: Any, axes: Any, _: Any, eps: float, centred: bool
) -> tuple[Array, ...] | None:
    """LayerNormalization, if the statistics are over the last axes, as many as gamma and beta have."""
    last = tuple(range(len(view) - len(axes), len(view)))
    plain = centred and tuple(axes) == last and tuple(x.shape) == tuple(view)
    shape = tuple(view[last[0] :])
    if not plain or any(not isinstance(p, ndx.Array) or tuple(p.shape) != shape for p in (gamma, beta)):
        return None
    if not _single(x, gamma, beta):
        return None
    inputs = (v.unwrap_spox() for v in (x, gamma, beta))
    y, mean, r = (traced(v) for v in op.layer_normalization(*inputs, axis=last[0], epsilon=eps))
    return y, mean, 1 / (r * r) - eps, r


KERNELS: dict[str, Callable[..., Any]] = {
    "average_pool": _average_pool,
    "convolution": _convolution,
    "gelu": _elementwise(op.gelu),
    "log_softmax": _along(op.log_softmax),
    "max_pool": _max_pool,
    "softmax": _along(op.softmax),
    "softplus": _elementwise(op.softplus),
    "standardize": _standardize,
    "tanh_gelu": _elementwise(op.gelu, approximate="tanh"),
    "transposed_convolution": _transposed,
}
