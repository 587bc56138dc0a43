"""Largest and smallest elements over axes, hard and soft."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.reduction import Axis, Reduction


class Extreme(Reduction):
    """The base of what is not defined where there is nothing to choose from."""

    def start(self, x: Array) -> int | tuple[int, ...] | None:
        axis = super().start(x)
        if 0 in x.shape and self.count() == 0:
            raise ValueError(
                f"{type(self).__name__.lower()}: expected at least one element along axis "
                f"{axis}; got shape {tuple(x.shape)}"
            )
        return axis


class Max(Extreme):
    """``y = max x`` over axes; ``dy/dx = 1/k`` at the k elements that equal it, else 0."""

    precision = None  # it is exact in any dtype
    saves = (Input(0), Output(0))
    fresh = True

    def forward(self, x: Array) -> Array:
        return self.xp.max(x, axis=self.start(x), keepdims=self.keepdims)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        x, y = self.saved
        hit = self.xp.logical_or(x == self.widened(y), self.xp.isnan(x))  # a nan makes y nan
        share = self.xp.astype(hit, gy.dtype)
        return self.widened(gy) * (share / self.xp.sum(share, axis=self.axis, keepdims=True))


class Min(Max):
    """``y = min x`` over axes; ``dy/dx = 1/k`` at the k elements that equal it, else 0."""

    def forward(self, x: Array) -> Array:
        return self.xp.min(x, axis=self.start(x), keepdims=self.keepdims)


class LogSumExp(Extreme):
    """``y = log sum e**x`` over axes; ``dy/dx = e**(x - y)``, 0 where ``y = -inf``."""

    precision = "full"
    saves = (Input(0), Output(0))
    fresh = True

    def forward(self, x: Array) -> Array:
        xp = self.xp
        if not self.backend.is_floating(x.dtype):
            raise TypeError(f"logsumexp: expected floating elements; got {x.dtype}. Use x.astype('float64').")
        axis = self.start(x)
        top = xp.max(x, axis=axis, keepdims=True)
        shift = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
        total = xp.sum(xp.exp(x - shift), axis=axis, keepdims=True, dtype=x.dtype)
        total = xp.where(total == 0, xp.ones_like(total), total)  # then top is -inf, and so is y
        y = xp.log(total) + top
        if self.keepdims:
            return y
        axes = self.axes()
        return xp.reshape(y, tuple(n for i, n in enumerate(x.shape) if i not in axes))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        x, y = self.saved
        xp = self.xp
        y = self.widened(y)
        y = xp.where(y == -float("inf"), xp.zeros_like(y), y)
        return self.widened(gy) * xp.exp(x - y)


_CASES = (
    Sample(Real((2, 3))),
    Sample(Real((2, 3)), axis=0),
    Sample(Real((2, 3)), axis=-1, keepdims=True),
    Sample(Real((2, 3, 4)), axis=(0, -1), keepdims=True),
    Sample(Real((2, 3, 4)), axis=(1, 2)),
    Sample(Real()),
)


@samples(*_CASES)
def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Largest element over axes.

    Parameters
    ----------
    x : Variable or array, any shape with at least one element along `axis`, real
    axis : int or tuple of int, optional
        Axes that are reduced; all by default.
    keepdims : bool, default False
        Keep them with length 1.

    Returns
    -------
    Variable, shape of `x` without `axis`
        Elements that tie for the largest share the gradient evenly. nan if any element is nan.

    Raises
    ------
    ValueError
        If `x` has no such axis, or no element along it.

    Examples
    --------
    >>> x = Variable(np.array([1.0, 3.0, 3.0]))
    >>> F.max(x).backward()
    >>> x.grad
    variable([0.  0.5 0.5])
    """
    return Max(axis, keepdims)(x)  # type: ignore[no-any-return]


@samples(*_CASES)
def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Smallest element over axes.

    Parameters
    ----------
    x : Variable or array, any shape with at least one element along `axis`, real
    axis : int or tuple of int, optional
        Axes that are reduced; all by default.
    keepdims : bool, default False
        Keep them with length 1.

    Returns
    -------
    Variable, shape of `x` without `axis`
        Elements that tie for the smallest share the gradient evenly. nan if any element is nan.

    Raises
    ------
    ValueError
        If `x` has no such axis, or no element along it.

    Examples
    --------
    >>> x = Variable(np.array([3.0, 1.0, 1.0]))
    >>> F.min(x).backward()
    >>> x.grad
    variable([0.  0.5 0.5])
    """
    return Min(axis, keepdims)(x)  # type: ignore[no-any-return]


@samples(*_CASES, Sample(Real((2, 3), 700.0, 900.0), axis=1))
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Log of the sum of exponentials over axes, without overflow.

    Parameters
    ----------
    x : Variable or array, any shape with at least one element along `axis`, real floating
    axis : int or tuple of int, optional
        Axes that are summed away; all by default.
    keepdims : bool, default False
        Keep them with length 1.

    Returns
    -------
    Variable, shape of `x` without `axis`
        Nats. ``-inf``, with a gradient of 0, where every element is ``-inf``.

    Raises
    ------
    TypeError
        If `x` holds integers.
    ValueError
        If `x` has no such axis, or no element along it.

    References
    ----------
    P. Blanchard, D. J. Higham, N. J. Higham, "Accurately computing the log-sum-exp and softmax
    functions", IMA Journal of Numerical Analysis 41 (2021).

    Examples
    --------
    >>> F.logsumexp(Variable(np.array([1000.0, 1000.0])))
    variable(1000.6931471805599)
    """
    return LogSumExp(axis, keepdims)(x)  # type: ignore[no-any-return]
