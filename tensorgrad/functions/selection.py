"""Choices between values: the larger, the smaller, the one that a condition names, the nearest in a range."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Variable
from tensorgrad.core.sample import Bools, Real, Sample, samples
from tensorgrad.functions.manipulation import same_value


class Keep(Op):
    """``y = x`` where a mask holds, else 0; so is the gradient.

    It is no product with the mask: 0 times an infinite or nan gradient is nan.
    """

    no_grad_inputs = (0,)
    saves = Input(0)
    fresh = True
    discards = True

    def forward(self, mask: Array, x: Array) -> Array:
        y = self.fused("keep", mask, x)
        return self.xp.where(mask, x, 0.0) if y is None else y

    def backward(self, gy: ArrayLike) -> tuple[None, ArrayLike]:
        (mask,) = self.saved
        return None, self.nested(Keep(), mask, gy)


class _Extreme(Op):
    """One of two values; the gradient goes to the one that was taken, half to each of a tie."""

    saves = (Input(0), Input(1))
    fresh = True

    def won(self, x0: ArrayLike, x1: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        """Where `x0` was taken: ties included, and ties excluded."""
        raise NotImplementedError

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x0, x1 = self.saved
        to0, to1 = self.edges
        gx0 = self._share(gy, *self.won(x0, x1)) if to0 else None
        gx1 = self._share(gy, *self.won(x1, x0)) if to1 else None
        return gx0, gx1

    def _share(self, gy: ArrayLike, tied: ArrayLike, alone: ArrayLike) -> ArrayLike:
        share = self.xp.astype(alone, gy.dtype) * 0.5 + 0.5
        return self.nested(Keep(), tied, gy * share)


class Maximum(_Extreme):
    """``y = max(x0, x1)``; ``dy/dxi`` is 1 where xi is greater, 1/2 where both are equal."""

    def forward(self, x0: Array, x1: Array) -> Array:
        return self.xp.maximum(x0, x1)

    def won(self, x0: ArrayLike, x1: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        return self.xp.greater_equal(x0, x1), self.xp.greater(x0, x1)


class Minimum(_Extreme):
    """``y = min(x0, x1)``; ``dy/dxi`` is 1 where xi is less, 1/2 where both are equal."""

    def forward(self, x0: Array, x1: Array) -> Array:
        return self.xp.minimum(x0, x1)

    def won(self, x0: ArrayLike, x1: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        return self.xp.less_equal(x0, x1), self.xp.less(x0, x1)


class Where(Op):
    """``y = x0`` where the condition holds, else ``x1``; the other one's gradient is exactly 0."""

    no_grad_inputs = (0,)
    saves = Input(0)
    fresh = True
    discards = True

    def forward(self, condition: Array, x0: Array, x1: Array) -> Array:
        return self.xp.where(condition, x0, x1)

    def backward(self, gy: ArrayLike) -> tuple[None, ArrayLike, ArrayLike]:
        (condition,) = self.saved
        _, to0, to1 = self.edges
        gx0 = self.nested(Keep(), condition, gy) if to0 else None
        gx1 = self.nested(Keep(), self.xp.logical_not(condition), gy) if to1 else None
        return None, gx0, gx1


class Clip(Op):
    """``y = min(max(x, low), high)``; ``dy/dx = 1`` from low to high, both included, else 0."""

    saves = Input(0)
    fresh = True

    def __init__(self, low: float | None, high: float | None) -> None:
        self.low = low
        self.high = high

    def forward(self, x: Array) -> Array:
        # Not xp.clip: what array-api-compat needs for it on NumPy costs several more passes.
        if self.low is not None:
            x = self.xp.maximum(x, self.low)
        if self.high is not None:
            x = self.xp.minimum(x, self.high)
        return x

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        if self.high is None:
            inside = x >= self.low
        elif self.low is None:
            inside = x <= self.high
        else:
            inside = self.xp.logical_and(x >= self.low, x <= self.high)
        return self.nested(Keep(), inside, gy)


_PAIRS = (
    Sample(Real((2, 3)), Real((2, 3))),
    Sample(Real((2, 1)), Real((4, 1, 3))),
    Sample(Real((2, 3)), 0.5),
    Sample(0.5, Real()),
)


@samples(*_PAIRS)
def maximum(x0: Any, x1: Any) -> Variable:
    """The larger of two values, element by element.

    Parameters
    ----------
    x0, x1 : Variable, array or number, real
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape
        Where both are equal, each gets half of the gradient; where one is nan, the result is nan and
        neither gets any.

    Examples
    --------
    >>> F.maximum(Variable(np.array([1.0, 5.0])), Variable(np.array([3.0, 2.0])))
    variable([3. 5.])
    """
    return Maximum()(x0, x1)  # type: ignore[no-any-return]


@samples(*_PAIRS)
def minimum(x0: Any, x1: Any) -> Variable:
    """The smaller of two values, element by element.

    Parameters
    ----------
    x0, x1 : Variable, array or number, real
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape
        Where both are equal, each gets half of the gradient; where one is nan, the result is nan and
        neither gets any.

    Examples
    --------
    >>> F.minimum(Variable(np.array([1.0, 5.0])), Variable(np.array([3.0, 2.0])))
    variable([1. 2.])
    """
    return Minimum()(x0, x1)  # type: ignore[no-any-return]


@samples(
    Sample(Bools((2, 3)), Real((2, 3)), Real((2, 3))),
    Sample(Bools((3,)), Real((2, 1)), Real((4, 1, 3))),
    Sample(Bools((2, 3)), Real(), 0.5),
    Sample(Bools((2, 3)), 0.5, Real((3,))),
)
def where(condition: Any, x0: Any, x1: Any) -> Variable:
    """`x0` where the condition holds, `x1` elsewhere.

    Parameters
    ----------
    condition : Variable or array of bool
        Gets no gradient.
    x0, x1 : Variable, array or number
        Broadcast against each other and `condition`. At least one is an array.

    Returns
    -------
    Variable, the broadcast shape
        The gradient of the value that was not taken is exactly 0, even where it is inf or nan; and so
        is that of what it was computed from element by element, as in ``where(x > 0, log(x), 0.0)``,
        where the slope of ``log`` at 0 is infinite.

    Examples
    --------
    >>> x = Variable(np.array([4.0, -1.0]))
    >>> F.where(x.data > 0, x, 0.5)
    variable([4.  0.5])
    """
    return Where()(condition, x0, x1)  # type: ignore[no-any-return]


@samples(
    Sample(Real((2, 3)), -0.5, 1.0),
    Sample(Real((2, 3)), x_min=-0.5),
    Sample(Real(), x_max=0.5),
    Sample(Real((2, 3)), Real((3,), -1.5, -0.5), Real((2, 1), 0.5, 1.5)),
)
def clip(x: Any, x_min: Any = None, x_max: Any = None) -> Variable:
    """`x` kept within bounds, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real
    x_min, x_max : number, Variable or array, optional
        The bounds, broadcast against `x`; None for no bound.

    Returns
    -------
    Variable, the broadcast shape
        The gradient is 1 where ``x_min <= x <= x_max`` and 0 elsewhere. A bound that is a Variable or
        an array works as in `maximum` and `minimum`: it gets a gradient where it is taken, and half
        of it where it equals `x`.

    Examples
    --------
    >>> F.clip(Variable(np.array([-2.0, 0.3, 2.0])), 0.0, 1.0)
    variable([0.  0.3 1. ])
    """
    if x_min is None and x_max is None:
        return same_value(x)
    if all(bound is None or isinstance(bound, int | float) for bound in (x_min, x_max)):
        return Clip(x_min, x_max)(x)  # type: ignore[no-any-return]
    y = x if x_min is None else maximum(x, x_min)
    return y if x_max is None else minimum(y, x_max)


def array_api_clip(x: Any, min: Any = None, max: Any = None) -> Variable:
    """`clip` with the Array API's names of the bounds."""
    return clip(x, min, max)
