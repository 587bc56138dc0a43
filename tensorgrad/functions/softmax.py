"""Softmax and its logarithm."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.elementwise import exp
from tensorgrad.functions.reduction import Reduction
from tensorgrad.functions.reduction import sum as _sum

Axis = int | tuple[int, ...]


class Softmax(Reduction):
    """``y = exp(x) / sum exp(x)``; ``gx = y (gy - sum y gy)``."""

    saves = Output(0)
    fresh = True

    def forward(self, x: Array) -> Array:
        axis = self.start(x)
        if 0 in x.shape:
            return self.backend.copy(x)
        y = self.fused("softmax", x, axis)
        if y is not None:
            return y
        y = self.xp.exp(x - self.xp.max(x, axis=axis, keepdims=True))
        y /= self.xp.sum(y, axis=axis, keepdims=True)
        return y

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (y,) = self.saved
        gx = self.fused("softmax_gradient", gy, y, self.axis)
        if gx is not None:
            return gx
        gx = y * gy
        gx -= y * self.xp.sum(gx, axis=self.axis, keepdims=True)
        return gx


class LogSoftmax(Reduction):
    """``y = x - log sum exp(x)``; ``gx = gy - exp(y) sum gy``."""

    saves = Output(0)
    fresh = True

    def forward(self, x: Array) -> Array:
        xp, axis = self.xp, self.start(x)
        if 0 in x.shape:
            return self.backend.copy(x)
        y = self.fused("log_softmax", x, axis)
        if y is not None:
            return y
        y = x - xp.max(x, axis=axis, keepdims=True)
        return y - xp.log(xp.sum(xp.exp(y), axis=axis, keepdims=True))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (y,) = self.saved
        gx = self.fused("log_softmax_gradient", gy, y, self.axis)
        if gx is not None:
            return gx
        return gy - self.xp.exp(y) * self.xp.sum(gy, axis=self.axis, keepdims=True)


_ROWS = (
    Sample(Real((2, 3))),
    Sample(Real((2, 3)), axis=0),
    Sample(Real((2, 3, 2)), axis=-1),
    Sample(Real((2, 3, 2)), axis=(0, 2)),
)


@samples(*_ROWS)
def softmax(x: Any, axis: Axis = 1) -> Variable:
    """Softmax: ``exp(x)`` divided by its sum over `axis`.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
    axis : int or tuple of int, default 1
        Axes along which the result sums to 1.

    Returns
    -------
    Variable, shape of `x`
        Without overflow; nan where every element along `axis` is ``-inf``.

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.softmax(Variable(np.array([[0.0, 1000.0], [1.0, 1.0]])))
    variable([[0.  1. ]
              [0.5 0.5]])
    """
    return Softmax(axis)(x)  # type: ignore[no-any-return]


@samples(*_ROWS)
def softmax_simple(x: Any, axis: Axis = 1) -> Variable:
    """Softmax, composed of simpler functions as in the book; overflows where `x` is large.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
    axis : int or tuple of int, default 1
        Axes along which the result sums to 1.

    Returns
    -------
    Variable, shape of `x`

    Examples
    --------
    >>> F.softmax_simple(Variable(np.array([[1.0, 1.0]])))
    variable([[0.5 0.5]])
    """
    y = exp(x)
    return y / _sum(y, axis=axis, keepdims=True)


@samples(*_ROWS)
def log_softmax(x: Any, axis: Axis = 1) -> Variable:
    """Logarithm of `softmax`, exact where that is near 0 or 1.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
    axis : int or tuple of int, default 1
        Axes along which the exponentials of the result sum to 1.

    Returns
    -------
    Variable, shape of `x`
        Nats; nan where every element along `axis` is ``-inf``.

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.log_softmax(Variable(np.array([[0.0, 1000.0]])))
    variable([[-1000.     0.]])
    """
    return LogSoftmax(axis)(x)  # type: ignore[no-any-return]
