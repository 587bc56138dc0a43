"""Normalisation by the statistics of groups of elements."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cupy

from tensorgrad.backend import Array
from tensorgrad_backends.cuda_kernels.launching import computed_in, dense, launch, serves, threads_for

Shape = tuple[int, ...]


class Layout(NamedTuple):
    """Where the elements of a group lie, and which parameter each has: see normalization.cu.

    `size` is its `count`. `images`, `params` and `width` are the axes of the input as the parameters see it.
    """

    groups: int
    size: int
    group: int
    run: int
    stride: int
    period: int
    step: int
    share: int
    images: int
    params: int
    width: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """What the macro LAYOUT takes."""
        return self[1:8]


def layout_of(view: Shape, axes: Shape, spread: Shape) -> Layout | None:
    """The layout of an input seen as `view`, with statistics over `axes` and parameters seen as `spread`."""
    first = len(view) - len(axes)
    if axes == tuple(range(first, len(view))):
        return _rows(view, first, spread)
    if axes == (0, *range(2, len(view))) and spread == (1, view[1], *(1,) * (len(view) - 2)):
        n, c, s = view[0], view[1], math.prod(view[2:])
        return Layout(c, n * s, s, s, c * s, c, 1, n * s, n, c, s)
    return None


def _rows(view: Shape, first: int, spread: Shape) -> Layout | None:
    """Of a statistic for each row: the parameters differ from some axis of the rows to one in them."""
    inner, outer = first, first
    while inner < len(view) and spread[inner] == view[inner]:
        inner += 1
    while outer > 0 and spread[outer - 1] == view[outer - 1]:
        outer -= 1
    if any(n != 1 for n in (*spread[:outer], *spread[inner:])):
        return None
    count, share = math.prod(view[first:]), math.prod(view[inner:])
    period, step = math.prod(view[outer:first]), math.prod(view[first:inner])
    groups, images = math.prod(view[:first]), math.prod(view[:outer])
    return Layout(groups, count, count, count, 0, period, step, share, images, period * step, share)


def _parameter(p: Any, x: Array) -> Array | None:
    """A parameter as the kernels take it; None for the number that stands for none."""
    return None if isinstance(p, float) else dense(p.astype(computed_in(x.dtype), copy=False))


def standardize(  # noqa: PLR0917  # what the op has
    x: Array, gamma: Any, beta: Any, view: Shape, axes: Shape, spread: Shape, eps: float, centred: bool
) -> tuple[Array, ...] | None:
    """The normalised x, and mean, variance and inverse deviation of each group, with axes of length 1."""
    layout = layout_of(view, axes, spread)
    parameters = [p for p in (gamma, beta) if not isinstance(p, float)]
    fitting = all(p.dtype in (x.dtype, computed_in(x.dtype)) for p in parameters)
    if layout is None or not serves(x) or not fitting:
        return None
    y = cupy.empty(x.shape, x.dtype)
    kept = tuple(1 if i in axes else n for i, n in enumerate(view))
    mean, var, r = (cupy.empty(kept, computed_in(x.dtype)) for _ in range(3))
    given = (dense(x), _parameter(gamma, x), _parameter(beta, x), y, mean, var, r, float(eps), int(centred))
    threads = threads_for(layout.size)
    launch("normalization", "standardize", x.dtype, layout.groups, threads, *given, *layout.sizes)
    return y, mean, var, r


def standardize_gradient(  # noqa: PLR0917  # what the op has
    gy: Array,
    x: Array,
    gamma: Any,
    mean: Array,
    r: Array,
    view: Shape,
    axes: Shape,
    spread: Shape,
    centred: bool,
    needs: tuple[bool, ...],
) -> tuple[Array | None, ...] | None:
    """The gradients of x, gamma and beta, of those that are needed; the latter as vectors."""
    layout = layout_of(view, axes, spread)
    if layout is None or not serves(gy, x):
        return None
    gy, x = dense(gy), dense(x)
    gx = ggamma = gbeta = None
    if needs[0]:
        gx = cupy.empty(x.shape, x.dtype)
        given = (gy, x, _parameter(gamma, x), mean, r, gx, int(centred))
        threads = threads_for(layout.size)
        launch(
            "normalization", "standardize_gradient", x.dtype, layout.groups, threads, *given, *layout.sizes
        )
    if needs[1] or needs[2]:
        ggamma, gbeta = (cupy.empty(layout.params, computed_in(x.dtype)) for _ in range(2))
        _sums(layout, gy, x, mean, r, ggamma, gbeta)
    return gx, ggamma if needs[1] else None, gbeta if needs[2] else None


def _sums(layout: Layout, *arrays: Array) -> None:
    dtype, ends = arrays[0].dtype, (layout.period, layout.step)
    if layout.run != layout.size:  # channels: a group for each parameter, whatever the image
        ends = (0, 1)
    if layout.width == 1:
        blocks = -(-layout.params // 32)
        launch(
            "normalization", "column_sums", dtype, blocks, 256, *arrays, layout.images, layout.params, *ends
        )
        return
    shape = (layout.images, layout.params, layout.width)
    threads = threads_for(layout.images * layout.width)
    launch("normalization", "channel_sums", dtype, layout.params, threads, *arrays, *shape, *ends)


KERNELS = {"standardize": standardize, "standardize_gradient": standardize_gradient}
