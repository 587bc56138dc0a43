"""Losses of values and of binary targets; those of integer labels are in `classification`."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Variable
from tensorgrad.core.sample import Ints, Real, Sample, samples
from tensorgrad.functions.activation import Sigmoid, softplus_tail
from tensorgrad.functions.arithmetic import sub
from tensorgrad.functions.reduction import sum as _sum


def _count(shape: tuple[int, ...]) -> int:
    """The number of examples: the length of the first axis."""
    return shape[0] if shape else 1


class MeanSquaredError(Op):
    """``y = sum (x0 - x1)**2 / n``, or the squares; ``dy/dx0 = 2 (x0 - x1) / n = -dy/dx1``."""

    precision = "full"
    saves = (Input(0), Input(1))
    fresh = True

    def __init__(self, reduction: str) -> None:
        self.reduction = reduction

    def forward(self, x0: Array, x1: Array) -> Array:
        y = x0 - x1
        self.n = {"batchmean": _count(y.shape), "mean": math.prod(y.shape)}.get(self.reduction, 1)
        y *= y
        return y if self.reduction == "none" else self.xp.sum(y) / self.n

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x0, x1 = self.saved
        to0, to1 = self.edges
        g = (x0 - x1 if to0 else x1 - x0) * (gy * (2 / self.n))
        if not to0:
            return None, g
        return g, (-g if to1 else None)


class SigmoidCrossEntropy(Op):
    """``y = sum (max(x, 0) - x t + log(1 + exp(-|x|))) / n``; ``gx = (sigmoid(x) - t) / n``."""

    precision = "full"
    no_grad_inputs = (1,)
    saves = Input(0)
    fresh = True

    def forward(self, x: Array, t: Array) -> Array:
        t = _targets("sigmoid_cross_entropy", self.xp, x, t)
        self.keep(t)
        y = self.xp.maximum(x, 0) - x * t + softplus_tail(self.xp, x)
        return self.xp.sum(y) / _count(x.shape)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, None]:
        (x,) = self.saved
        (t,) = self.kept
        gx = self.nested(Sigmoid(), x)
        gx -= t
        gx *= gy / _count(x.shape)
        return gx, None


class BinaryCrossEntropy(Op):
    """``y = -sum (t log p + (1 - t) log(1 - p)) / n``; ``gp = ((1 - t) / (1 - p) - t / p) / n``.

    p and 1 - p are kept from 0 by the smallest normal number: 0 * log 0 is then 0.
    """

    precision = "full"
    no_grad_inputs = (1,)
    saves = Input(0)
    fresh = True

    def forward(self, p: Array, t: Array) -> Array:
        t = _targets("binary_cross_entropy", self.xp, p, t)
        self.keep(t)
        yes, no = self._chances(p)
        y = self.xp.log(yes) * t
        y += self.xp.log(no) * (1 - t)
        return -self.xp.sum(y) / _count(p.shape)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, None]:
        (p,) = self.saved
        (t,) = self.kept
        yes, no = self._chances(p)
        gp = 1 / no * (1 - t)
        gp -= 1 / yes * t
        gp *= gy / _count(p.shape)
        return gp, None

    def _chances(self, p: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        least = float(self.xp.finfo(p.dtype).smallest_normal)
        return self.xp.maximum(p, least), self.xp.maximum(1 - p, least)


def _targets(name: str, xp: Any, x: Array, t: Array) -> Array:
    """Targets in the shape of `x`, and in its dtype if that is floating."""
    if math.prod(t.shape) != math.prod(x.shape):
        raise ValueError(
            f"{name}: expected one target for each element; got {tuple(x.shape)} and targets {tuple(t.shape)}"
        )
    if tuple(t.shape) != tuple(x.shape):
        t = xp.reshape(t, x.shape)
    if t.dtype != x.dtype and xp.isdtype(x.dtype, "real floating"):
        t = xp.astype(t, x.dtype)
    return t


_REDUCTIONS = ("batchmean", "mean", "sum", "none")
_PAIRS = (
    Sample(Real((3, 2)), Real((3, 2))),
    Sample(Real((3, 2)), Real((2,))),
    Sample(Real((3, 1)), Real((4, 1, 2))),
    Sample(Real((3, 2)), 0.5),
    Sample(Real(), Real()),
)


@samples(*_PAIRS, *(Sample(Real((3, 2)), Real((3, 1)), reduction=r) for r in _REDUCTIONS))
def mean_squared_error(x0: Any, x1: Any, reduction: str = "batchmean") -> Variable:
    """Squared differences, summed over everything and divided by the number of examples.

    Parameters
    ----------
    x0, x1 : Variable, array or number, floating
        Broadcast against each other. The first axis of the result counts the examples.
    reduction : {'batchmean', 'mean', 'sum', 'none'}
        The sum divided by the length of the first axis, as in the book; divided by the number of
        elements; the sum; or the squares as they are.

    Returns
    -------
    Variable, 0-d, or the broadcast shape for ``'none'``

    Raises
    ------
    ValueError
        If `reduction` is something else.

    Examples
    --------
    >>> x0, x1 = Variable(np.array([[1.0, 2.0], [3.0, 4.0]])), np.zeros((2, 2))
    >>> F.mean_squared_error(x0, x1)
    variable(15.0)
    >>> F.mean_squared_error(x0, x1, reduction="mean")
    variable(7.5)
    """
    if reduction not in _REDUCTIONS:
        raise ValueError(
            f"mean_squared_error: expected reduction to be one of {', '.join(_REDUCTIONS)}; got {reduction!r}"
        )
    return MeanSquaredError(reduction)(x0, x1)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def mean_squared_error_simple(x0: Any, x1: Any) -> Variable:
    """`mean_squared_error`, composed of simpler functions as in the book.

    Parameters
    ----------
    x0, x1 : Variable, array or number, floating
        Broadcast against each other. The first axis of the result counts the examples.

    Returns
    -------
    Variable, 0-d

    Examples
    --------
    >>> F.mean_squared_error_simple(Variable(np.array([1.0, 3.0])), 0.0)
    variable(5.0)
    """
    difference = sub(x0, x1)
    return _sum(difference**2) / _count(difference.shape)


_BINARY = (
    Sample(Real((4,)), Ints((4,), 2)),
    Sample(Real((4, 3)), Ints((4, 3), 2)),
    Sample(Real((4, 1)), Ints((4,), 2)),
)


@samples(*_BINARY, Sample(Real((4, 3), -30.0, 30.0), Ints((4, 3), 2)))
def sigmoid_cross_entropy(x: Any, t: Any) -> Variable:
    """Cross entropy of the sigmoid of scores and binary targets, divided by the number of examples.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
        Scores (logits). The first axis counts the examples.
    t : Variable or array, as many elements as `x`, integer, bool or floating
        Targets in [0, 1]. They get no gradient.

    Returns
    -------
    Variable, 0-d
        Nats: the sum over all elements divided by the length of the first axis. Without overflow.

    Raises
    ------
    ValueError
        If `x` and `t` differ in the number of elements.

    Examples
    --------
    >>> F.sigmoid_cross_entropy(Variable(np.array([0.0, 1000.0])), np.array([0, 1])).item()
    0.34657359027997264
    """
    return SigmoidCrossEntropy()(x, t)  # type: ignore[no-any-return]


@samples(*(Sample(Real(s.args[0].shape, 0.1, 0.9), *s.args[1:]) for s in _BINARY))
def binary_cross_entropy(p: Any, t: Any) -> Variable:
    """Cross entropy of probabilities and binary targets, divided by the number of examples.

    Of scores, `sigmoid_cross_entropy` is more exact.

    Parameters
    ----------
    p : Variable or array, any shape, real floating
        Probabilities in [0, 1]. The first axis counts the examples.
    t : Variable or array, as many elements as `p`, integer, bool or floating
        Targets in [0, 1]. They get no gradient.

    Returns
    -------
    Variable, 0-d
        Nats: the sum over all elements divided by the length of the first axis. It stays finite where
        p is wrong with certainty: the logarithm is cut at the smallest normal number.

    Raises
    ------
    ValueError
        If `p` and `t` differ in the number of elements.

    Examples
    --------
    >>> F.binary_cross_entropy(Variable(np.array([0.5, 1.0])), np.array([0, 1])).item()
    0.34657359027997264
    """
    return BinaryCrossEntropy()(p, t)  # type: ignore[no-any-return]
