"""Running sums and products."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.manipulation import axis_of, ravel, shape_of


class CumSum(Op):
    """``y_i = x_0 + ... + x_i``; ``gx_i = gy_i + ... + gy_n``."""

    precision = "full"
    fresh = True

    def __init__(self, axis: int, dtype: Any = None) -> None:
        self.axis = axis
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        return self.xp.cumulative_sum(x, axis=self.axis, dtype=self.dtype)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        xp, axis = self.xp, self.axis
        return xp.flip(xp.cumulative_sum(xp.flip(gy, axis=axis), axis=axis), axis=axis)


@samples(
    Sample(Real((4,))),
    Sample(Real((2, 3))),
    Sample(Real((2, 3)), axis=0),
    Sample(Real((2, 3, 2)), axis=-2),
)
def cumsum(x: Any, axis: int | None = None, *, dtype: Any = None) -> Variable:
    """Sums of the first one, two, three, ... elements.

    Parameters
    ----------
    x : Variable or array, any shape
    axis : int, optional
        Along which axis; by default `x` is flattened first.
    dtype : dtype, optional
        Of the result; by default that of `x` (integers narrower than the default one are widened).

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.cumsum(Variable(np.array([1.0, 2.0, 3.0])))
    variable([1. 3. 6.])
    """
    x, axis = _along("cumsum", x, axis)
    return CumSum(axis, dtype)(x)  # type: ignore[no-any-return]


class CumProd(Op):
    """``y_i = x_0 ... x_i``; ``gx_j = y_{j-1} (gy_j + x_{j+1} (gy_{j+1} + x_{j+2} (...)))``.

    No quotient: zeros among x do no harm. The nested sum is found by doubling, in log2(n) steps: where
    ``s_j = b_j + a_j s_{j+h}``, also ``s_j = (b_j + a_j b_{j+h}) + a_j a_{j+h} s_{j+2h}``.
    """

    precision = "full"
    saves = (Input(0), Output(0))
    fresh = True

    def __init__(self, axis: int, dtype: Any = None) -> None:
        self.axis = axis
        self.dtype = dtype

    def forward(self, x: Array) -> Array:
        return self.xp.cumulative_prod(x, axis=self.axis, dtype=self.dtype)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        xp, axis = self.xp, self.axis
        x, y = self.saved
        n = y.shape[axis]
        if n < 2:
            return gy * xp.ones_like(gy)
        if x.dtype != y.dtype:
            x = xp.astype(x, y.dtype)
        lead = (slice(None),) * axis

        def moved(part: ArrayLike, step: int) -> ArrayLike:
            """The elements `step` further on, zeros behind the last."""
            rest = part[(*lead, slice(step, None), ...)]
            return xp.concat((rest, xp.zeros_like(part[(*lead, slice(0, step), ...)])), axis=axis)

        factors, sums = moved(x, 1), gy
        step = 1
        while step < n:
            sums = sums + factors * moved(sums, step)
            if 2 * step < n:
                factors = factors * moved(factors, step)
            step *= 2
        first = y[(*lead, slice(0, 1), ...)]
        before = xp.concat((xp.ones_like(first), y[(*lead, slice(0, n - 1), ...)]), axis=axis)
        return before * sums


@samples(
    Sample(Real((5,))),
    Sample(Real((2, 3))),
    Sample(Real((2, 3)), axis=0),
    Sample(Real((2, 4, 2)), axis=-2),
    Sample(Real((1, 3)), axis=0),
)
def cumprod(x: Any, axis: int | None = None, *, dtype: Any = None) -> Variable:
    """Products of the first one, two, three, ... elements.

    Parameters
    ----------
    x : Variable or array, any shape
    axis : int, optional
        Along which axis; by default `x` is flattened first.
    dtype : dtype, optional
        Of the result; by default that of `x` (integers narrower than the default one are widened).

    Returns
    -------
    Variable, shape of `x`
        The gradient is right where `x` has zeros, too.

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.cumprod(Variable(np.array([1.0, 2.0, 3.0])))
    variable([1. 2. 6.])
    """
    x, axis = _along("cumprod", x, axis)
    return CumProd(axis, dtype)(x)  # type: ignore[no-any-return]


def _along(name: str, x: Any, axis: int | None) -> tuple[Any, int]:
    """The values and the axis to go along: all of them along one where none is given."""
    shape = shape_of(name, x)
    if axis is not None:
        return x, axis_of(name, axis, len(shape))
    return (x if len(shape) == 1 else ravel(x)), 0
