"""Sums, means, spreads and products over axes."""

from __future__ import annotations

import math
from operator import index
from typing import Any, ClassVar, SupportsIndex

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Output, Variable
from tensorgrad.core.function import Saves
from tensorgrad.core.sample import Real, Sample, samples

Axis = int | tuple[int, ...] | list[int] | None


class Reduction(Op):
    """The base of what reduces axes: it knows which, and how to give a gradient its axes back."""

    precision: ClassVar[str | None] = "full"
    x_shape: tuple[int, ...]

    def __init__(self, axis: Axis | SupportsIndex = None, keepdims: bool = False) -> None:
        if axis is not None and not isinstance(axis, int):  # integers of NumPy's are not for every library
            axis = tuple(map(index, axis)) if isinstance(axis, tuple | list) else index(axis)
        self.axis = axis
        self.keepdims = keepdims

    def start(self, x: Array) -> int | tuple[int, ...] | None:
        """Remember the shape of the input; the axes, once they are found to be its own."""
        self.x_shape = x.shape
        axis = self.axis
        if axis is not None:
            n = len(x.shape)
            for a in axis if isinstance(axis, tuple) else (axis,):
                if not -n <= a < n:
                    raise ValueError(
                        f"{type(self).__name__.lower()}: expected an axis that x has; "
                        f"got axis {a} for shape {tuple(x.shape)}"
                    )
        return axis

    def axes(self) -> set[int]:
        """The axes that are reduced, counted from the first."""
        n, axis = len(self.x_shape), self.axis
        if axis is None:
            return set(range(n))
        return {a % n for a in (axis if isinstance(axis, tuple) else (axis,))}

    def widened(self, y: ArrayLike) -> ArrayLike:
        """The result, or its gradient, so that it broadcasts to the shape of the input."""
        if self.keepdims or self.axis is None:
            return y
        axes = self.axes()
        return self.xp.reshape(y, tuple(1 if i in axes else n for i, n in enumerate(self.x_shape)))

    def count(self) -> int:
        """How many elements go into each element of the result."""
        return math.prod(self.x_shape[i] for i in self.axes())


class Sum(Reduction):
    """``y = sum x`` over axes; ``dy/dx = 1``."""

    def __init__(self, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> None:
        super().__init__(axis, keepdims)
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        return self.xp.sum(x, axis=self.start(x), keepdims=self.keepdims, dtype=self.dtype)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.xp.broadcast_to(self.widened(gy), self.x_shape)


class Mean(Reduction):
    """``y = sum x / n`` over axes; ``dy/dx = 1/n``."""

    def forward(self, x: Array) -> Array:
        return self.xp.mean(x, axis=self.start(x), keepdims=self.keepdims)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        n = max(self.count(), 1)  # without elements there is nothing to divide for
        return self.xp.broadcast_to(self.widened(gy / n), self.x_shape)


class Var(Reduction):
    """``y = sum (x - mean x)**2 / (n - c)`` over axes; ``dy/dx = 2 (x - mean x) / (n - c)``."""

    saves: ClassVar[Saves] = Input(0)
    fresh = True

    def __init__(self, axis: Axis, keepdims: bool, correction: float) -> None:
        super().__init__(axis, keepdims)
        self.correction = correction

    def forward(self, x: Array) -> Array:
        axis, c = self.start(x), self.correction
        whole = int(c) if c == int(c) else 0  # PyTorch takes whole numbers only
        y = self.xp.var(x, axis=axis, correction=whole, keepdims=self.keepdims)
        if c == whole:
            return y
        n = self.count()
        return y * (n / (n - c))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        return self.widened(gy) * (2.0 * self.deviation(x))

    def deviation(self, x: ArrayLike) -> ArrayLike:
        """``(x - mean x) / (n - c)``."""
        distance = x - self.xp.mean(x, axis=self.axis, keepdims=True)
        return distance / float(self.count() - self.correction)


class Std(Var):
    """``y = sqrt(var x)``; ``dy/dx = (x - mean x) / ((n - c) y)``, 0 where all elements are equal."""

    saves = (Input(0), Output(0))

    def forward(self, x: Array) -> Array:
        return self.xp.sqrt(super().forward(x))

    def backward(self, gy: ArrayLike) -> ArrayLike:
        x, y = self.saved
        y = self.widened(y)
        safe = self.xp.where(y == 0, self.xp.ones_like(y), y)
        return self.widened(gy) * (self.deviation(x) / safe)


class Prod(Reduction):
    """``y = prod x`` over axes; ``dy/dx`` is the product of all others, without a division.

    The products of all others come from a tree: up, each half is multiplied with the other half; down,
    each half gets what came from above times its sibling. So zeros need no special case, the work is
    proportional to the number of elements, and every step can be differentiated again.
    """

    saves = Input(0)
    fresh = True

    def __init__(self, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> None:
        super().__init__(axis, keepdims)
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        return self.xp.prod(x, axis=self.start(x), keepdims=self.keepdims, dtype=self.dtype)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        xp = self.xp
        shape = self.x_shape
        if 0 in shape:
            return xp.zeros_like(x)
        reduced = sorted(self.axes())
        order = (*(i for i in range(len(shape)) if i not in reduced), *reduced)
        rows = xp.reshape(xp.permute_dims(x, order), (-1, self.count()))
        gx = xp.reshape(gy, (-1, 1)) * self._others(rows)
        gx = xp.reshape(gx, tuple(shape[i] for i in order))
        return xp.permute_dims(gx, tuple(order.index(i) for i in range(len(order))))

    def _others(self, x: ArrayLike) -> ArrayLike:
        """For each element of a row, the product of the row's other elements."""
        concat = self.xp.concat
        levels = []
        while (n := x.shape[1]) > 1:
            half = n // 2
            left, right = x[:, :half], x[:, half : 2 * half]
            levels.append((left, right))
            x = left * right if n % 2 == 0 else concat([left * right, x[:, 2 * half :]], axis=1)
        above = self.xp.ones_like(x)
        for left, right in reversed(levels):
            half = left.shape[1]
            both, odd = above[:, :half], above[:, half:]
            above = concat([both * right, both * left, *([odd] if odd.shape[1] else [])], axis=1)
        return above


_CASES = (
    Sample(Real((2, 3))),
    Sample(Real((2, 3)), axis=0),
    Sample(Real((2, 3)), axis=-1, keepdims=True),
    Sample(Real((2, 3, 4)), axis=(0, -1), keepdims=True),
    Sample(Real((2, 3, 4)), axis=(1, 2)),
    Sample(Real()),
)


@samples(*_CASES)
def sum(x: Any, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None) -> Variable:
    """Sum over axes.

    Parameters
    ----------
    x : Variable or array, any shape
    axis : int or tuple of int, optional
        Axes that are summed away; all by default.
    keepdims : bool, default False
        Keep them with length 1.
    dtype : dtype, optional
        Of the result; by default that of `x` (integers narrower than the default one are widened).

    Returns
    -------
    Variable, shape of `x` without `axis`

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.sum(Variable(np.array([[1.0, 2.0], [3.0, 4.0]])), axis=0)
    variable([4. 6.])
    """
    return Sum(axis, keepdims, dtype)(x)  # type: ignore[no-any-return]


@samples(*_CASES)
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Variable:
    """Arithmetic mean over axes.

    Parameters
    ----------
    x : Variable or array, any shape, floating
    axis : int or tuple of int, optional
        Axes that are averaged away; all by default.
    keepdims : bool, default False
        Keep them with length 1.

    Returns
    -------
    Variable, shape of `x` without `axis`

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.mean(Variable(np.array([[1.0, 2.0], [3.0, 4.0]])), axis=0)
    variable([2. 3.])
    """
    return Mean(axis, keepdims)(x)  # type: ignore[no-any-return]


average = mean


_SPREADS = (*(s for s in _CASES if s.args != (Real(),)), Sample(Real((4, 3)), axis=0, correction=1))


@samples(*_SPREADS)
def var(x: Any, axis: Axis = None, keepdims: bool = False, *, correction: float = 0) -> Variable:
    """Variance over axes: the mean squared distance from the mean.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
    axis : int or tuple of int, optional
        Axes that are reduced; all by default.
    keepdims : bool, default False
        Keep them with length 1.
    correction : float, default 0
        The sum of squares is divided by ``n - correction``: 1 for the unbiased estimate.

    Returns
    -------
    Variable, shape of `x` without `axis`

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.var(Variable(np.array([1.0, 2.0, 3.0, 4.0])))
    variable(1.25)
    """
    return Var(axis, keepdims, correction)(x)  # type: ignore[no-any-return]


@samples(*_SPREADS)
def std(x: Any, axis: Axis = None, keepdims: bool = False, *, correction: float = 0) -> Variable:
    """Standard deviation over axes: the root of `var`.

    Parameters
    ----------
    x : Variable or array, any shape, real floating
    axis : int or tuple of int, optional
        Axes that are reduced; all by default.
    keepdims : bool, default False
        Keep them with length 1.
    correction : float, default 0
        The sum of squares is divided by ``n - correction``.

    Returns
    -------
    Variable, shape of `x` without `axis`
        Where all elements are equal there is no derivative; the gradient is then 0.

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.std(Variable(np.array([1.0, 1.0, 3.0, 3.0])))
    variable(1.0)
    """
    return Std(axis, keepdims, correction)(x)  # type: ignore[no-any-return]


@samples(*_CASES, Sample(Real((2, 7), 0.5, 1.5), axis=1), Sample(Real((2, 0)), axis=1))
def prod(x: Any, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None) -> Variable:
    """Product over axes.

    Parameters
    ----------
    x : Variable or array, any shape
    axis : int or tuple of int, optional
        Axes that are multiplied away; all by default.
    keepdims : bool, default False
        Keep them with length 1.
    dtype : dtype, optional
        Of the result; by default that of `x` (integers narrower than the default one are widened).

    Returns
    -------
    Variable, shape of `x` without `axis`
        The gradient is right with any number of zeros among the elements.

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> x = Variable(np.array([2.0, 0.0, 3.0]))
    >>> F.prod(x).backward()
    >>> x.grad
    variable([0. 6. 0.])
    """
    return Prod(axis, keepdims, dtype)(x)  # type: ignore[no-any-return]
