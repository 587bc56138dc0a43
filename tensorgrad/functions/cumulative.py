"""Running sums."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.manipulation import axis_of, flatten, shape_of


class CumSum(Op):
    """``y_i = x_0 + ... + x_i``; ``gx_i = gy_i + ... + gy_n``."""

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
    shape = shape_of("cumsum", x)
    if axis is None:
        if len(shape) != 1:
            x = flatten(x)
        axis = 0
    else:
        axis = axis_of("cumsum", axis, len(shape))
    return CumSum(axis, dtype)(x)  # type: ignore[no-any-return]
