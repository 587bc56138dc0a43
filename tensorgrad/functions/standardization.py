"""The ops of normalisation: statistics over some axes, then a scale and a shift."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Output

Shape = tuple[int, ...]


class Normalization(Op):
    """The base: an input seen in the shape `view`, statistics over `axes`, parameters seen in `spread`.

    gamma is 1.0 and beta is 0.0 (numbers) where there are none.
    """

    precision = "full"
    fresh = True

    def __init__(self, view: Shape, axes: Shape, spread: Shape, eps: float) -> None:
        self.view_shape = view
        self.axes = axes
        self.spread = spread
        self.eps = eps
        self.count = math.prod(view[i] for i in axes)

    def _seen(self, x: Array) -> Array:
        """The input in the shape and the precision that it is computed with: 32 bits at least."""
        xp = self.xp
        self.x_shape = x.shape
        if xp.finfo(x.dtype).bits < 32:
            x = xp.astype(x, xp.float32)
        return x if x.shape == self.view_shape else xp.reshape(x, self.view_shape)

    def _finished(self, y: Array, gamma: Array, beta: Array, dtype: Any) -> Array:
        """``y gamma + beta`` in the shape of the input; overwrites `y`."""
        xp = self.xp
        if not isinstance(gamma, float):
            gamma = xp.reshape(gamma, self.spread)
            y = _times(y, gamma)
        if not isinstance(beta, float):
            beta = xp.reshape(beta, self.spread)
            if beta.dtype == y.dtype:
                y += beta
            else:
                y = y + beta
        if xp.finfo(dtype).bits < 32:
            y = xp.astype(y, dtype)
        return y if y.shape == self.x_shape else xp.reshape(y, self.x_shape)

    def _fused_forward(self, x: Array, gamma: Array, beta: Array, centred: bool) -> tuple[Array, ...] | None:
        """What the backend's kernel gives, if it has one: y, mean, variance and r."""
        self.x_shape = x.shape
        settings = (self.view_shape, self.axes, self.spread, self.eps, centred)
        return self.fused("standardize", x, gamma, beta, *settings)  # type: ignore[no-any-return]

    def _fused_backward(  # noqa: PLR0917  # what the kernel takes
        self, gy: ArrayLike, x: ArrayLike, gamma: ArrayLike, mean: ArrayLike, r: ArrayLike, centred: bool
    ) -> tuple[ArrayLike, ...] | None:
        """The gradients by the backend's kernel, if it has one."""
        if x is None or self.backend.kernel("standardize_gradient") is None:  # x is None: only beta gets one
            return None
        settings = (self.view_shape, self.axes, self.spread, centred, self.needs)
        made = self.fused("standardize_gradient", gy, x, gamma, mean, r, *settings)
        if made is None:
            return None
        gx, *of_parameters = made
        reshape = self.xp.reshape
        return gx, *(None if g is None else reshape(g, self.parameter_shape) for g in of_parameters)

    def _of_parameter(self, g: ArrayLike) -> ArrayLike:
        """A gradient summed to the shape of the parameters."""
        xp = self.xp
        g = xp.sum(g, axis=tuple(i for i, n in enumerate(self.spread) if n == 1))
        return xp.reshape(g, self.parameter_shape)

    @property
    def parameter_shape(self) -> Shape:
        """What gamma and beta look like outside."""
        return next(e[0].specs[e[1]][0] for e in self.edges[1:] if e is not None)

    def _gradients(
        self, gy: ArrayLike, xhat: ArrayLike, gamma: ArrayLike, r: ArrayLike, centred: bool
    ) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
        """The gradients by way of y alone, that of x in the shape `view`."""
        if gy is None:
            return None, None, None
        xp, axes = self.xp, self.axes
        to_x, to_gamma, to_beta = (edge is not None for edge in self.edges)
        gy = xp.reshape(gy, self.view_shape)
        t = gy * xhat if to_x or to_gamma else None
        ggamma = self._of_parameter(t) if to_gamma else None
        gbeta = self._of_parameter(gy) if to_beta else None
        if not to_x:
            return None, ggamma, gbeta
        factor = r
        if not isinstance(gamma, float):
            gamma = xp.reshape(gamma, self.spread)
            if all(self.spread[i] == 1 for i in axes):  # the same for all that is summed
                factor = r * gamma
            else:
                gy, t = gy * gamma, _times(t, gamma)
        gx = xhat * -xp.mean(t, axis=axes, keepdims=True)
        gx += gy
        if centred:
            gx -= xp.mean(gy, axis=axes, keepdims=True)
        return _times(gx, factor), ggamma, gbeta


class Standardize(Normalization):
    """``y = x^ gamma + beta``, ``x^ = (x - m) r``, m the mean of x and ``r = (var x + eps)**-0.5``.

    With ``g = gy gamma``: ``gx = r (g - mean g - x^ mean(g x^))``. Of the hidden outputs m and r:
    ``dm/dx = 1/n``, ``dr/dx = -r**2 x^ / n``.
    """

    hidden = 2
    saves = (Input(0), Input(1, needed_by=0), Output(1), Output(2))
    statistics: Any = None

    def forward(self, x: Array, gamma: Array, beta: Array) -> tuple[Array, Array, Array]:
        xp, axes = self.xp, self.axes
        made = self._fused_forward(x, gamma, beta, True)
        if made is not None:
            y, mean, var, r = made
            self.statistics = (mean, var)
            return y, mean, r
        v = self._seen(x)
        mean = xp.mean(v, axis=axes, keepdims=True)
        y = v - mean
        var = xp.mean(y * y, axis=axes, keepdims=True)
        r = 1 / xp.sqrt(var + self.eps)
        self.statistics = (mean, var)
        y = _times(y, r)
        return self._finished(y, gamma, beta, x.dtype), mean, r

    def taken_statistics(self) -> tuple[Array, Array]:
        """Mean and variance of the call, which the node then no longer holds."""
        mean, var = self.statistics
        del self.statistics
        return mean, var

    def backward(self, gy: ArrayLike, gmean: ArrayLike, gr: ArrayLike) -> tuple[ArrayLike, ...]:
        x, gamma, mean, r = self.saved
        if gmean is None and gr is None:
            made = self._fused_backward(gy, x, gamma, mean, r, True)
            if made is not None:
                return made
        xhat = None
        if self.edges[0] is not None or self.edges[1] is not None:
            xhat = _times(self.xp.reshape(x, self.view_shape) - mean, r)
        gx, ggamma, gbeta = self._gradients(gy, xhat, gamma, r, True)
        if self.edges[0] is not None:
            if gmean is not None:
                direct = gmean / self.count
                gx = self.xp.broadcast_to(direct, self.view_shape) if gx is None else gx + direct
            gx = _through_deviation(gx, gr, r, xhat, self.count)
            gx = self.xp.reshape(gx, self.x_shape)
        return gx, ggamma, gbeta


class RootMeanSquare(Normalization):
    """``y = x^ gamma + beta``, ``x^ = x r``, ``r = (mean x**2 + eps)**-0.5``.

    With ``g = gy gamma``: ``gx = r (g - x^ mean(g x^))``. Of the hidden output r: ``dr/dx = -r**2 x^ / n``.
    """

    hidden = 1
    saves = (Input(0), Input(1, needed_by=0), Output(1))

    def forward(self, x: Array, gamma: Array, beta: Array) -> tuple[Array, Array]:
        xp = self.xp
        made = self._fused_forward(x, gamma, beta, False)
        if made is not None:
            return made[0], made[3]
        v = self._seen(x)
        r = 1 / xp.sqrt(xp.mean(v * v, axis=self.axes, keepdims=True) + self.eps)
        return self._finished(v * r, gamma, beta, x.dtype), r

    def backward(self, gy: ArrayLike, gr: ArrayLike) -> tuple[ArrayLike, ...]:
        x, gamma, r = self.saved
        if gr is None:
            made = self._fused_backward(gy, x, gamma, self.xp.zeros_like(r), r, False)
            if made is not None:
                return made
        xhat = None
        if self.edges[0] is not None or self.edges[1] is not None:
            xhat = self.xp.reshape(x, self.view_shape) * r
        gx, ggamma, gbeta = self._gradients(gy, xhat, gamma, r, False)
        if self.edges[0] is not None:
            gx = self.xp.reshape(_through_deviation(gx, gr, r, xhat, self.count), self.x_shape)
        return gx, ggamma, gbeta


class Rescale(Op):
    """``y = (x - m) s + b``, all but x broadcast; ``gx = gy s``, ``gm = -gy s``, ``gs = gy (x - m)``."""

    precision = "full"
    saves = (Input(0, needed_by=2), Input(1, needed_by=2), Input(2))

    def forward(self, x: Array, m: Array, s: Array, b: Array) -> Array:
        y = _times(x - m, s)
        if b.dtype == y.dtype:
            y += b
        else:
            y = y + b
        return self.xp.astype(y, x.dtype) if self.xp.finfo(x.dtype).bits < 32 else y

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ...]:
        x, m, s = self.saved
        to_x, to_m, to_s, to_b = (edge is not None for edge in self.edges)
        gx = gy * s if to_x or to_m else None
        return (
            gx if to_x else None,
            None if gx is None or not to_m else -gx,
            gy * (x - m) if to_s else None,
            gy if to_b else None,
        )


def _times(y: ArrayLike, factor: ArrayLike) -> ArrayLike:
    """``y * factor``; `y` is overwritten where that keeps the dtype."""
    if y.dtype != factor.dtype:
        return y * factor
    y *= factor
    return y


def _through_deviation(gx: ArrayLike, gr: ArrayLike, r: ArrayLike, xhat: ArrayLike, count: int) -> ArrayLike:
    """`gx`, which may be None, and what reaches x by way of the inverse deviation r."""
    if gr is None:
        return gx
    direct = xhat * (gr * r * r / count)
    return -direct if gx is None else gx - direct
