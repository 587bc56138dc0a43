"""Diagonals of matrices, and their sums."""

from __future__ import annotations

from operator import index
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.alias import ViewOp
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.matrices import columns, matrix_shape, rows
from tensorgrad.functions.reduction import sum


class Diagonal(ViewOp):
    """``y_i = x_(i, i + offset)`` of each matrix; the gradient goes back to its diagonal."""

    setting = "offset"

    def __init__(self, offset: int) -> None:
        self.offset = offset

    def forward(self, x: Array) -> Array:
        self.matrix = tuple(x.shape[-2:])
        return self.xp.linalg.diagonal(x, offset=self.offset)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(FromDiagonal(self.matrix, self.offset), gy)


class FromDiagonal(Op):
    """``y_(i, i + offset) = x_i``, 0 elsewhere; the gradient is the diagonal's."""

    def __init__(self, matrix: tuple[int, int], offset: int) -> None:
        self.matrix = matrix
        self.offset = offset

    def forward(self, x: Array) -> Array:
        xp, device = self.xp, self.backend.device(x)
        m, n = self.matrix
        down = self.offset >= 0  # then elements are counted by their rows, else by their columns
        missing = (m if down else n) - x.shape[-1]
        if missing:
            zeros = xp.zeros((*x.shape[:-1], missing), dtype=x.dtype, device=device)
            x = xp.concat([x, zeros], axis=-1)
        mask = xp.eye(m, n, k=self.offset, dtype=xp.float32, device=device) != 0
        return xp.where(mask, columns(self, x) if down else rows(self, x), 0.0)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(Diagonal(self.offset), gy)


@samples(
    Sample(Real((3, 3))),
    Sample(Real((2, 3)), offset=1),
    Sample(Real((2, 4, 3)), offset=-2),
    Sample(Real((2, 2, 4)), offset=2),
    Sample(Real((4, 2)), offset=1),
)
def diagonal(x: Any, *, offset: int = 0) -> Variable:
    """Diagonal of each matrix.

    Parameters
    ----------
    x : Variable or array, shape (..., m, n)
    offset : int, default 0
        Positive for diagonals above the main one, negative for those below it.

    Returns
    -------
    Variable, shape (..., k)
        k is the length of that diagonal, 0 if there is none.

    Raises
    ------
    ValueError
        If `x` is no matrix.

    Examples
    --------
    >>> F.diagonal(Variable(np.array([[1.0, 2.0], [3.0, 4.0]])))
    variable([1. 4.])
    """
    matrix_shape("diagonal", x)
    return Diagonal(index(offset))(x)  # type: ignore[no-any-return]


@samples(
    Sample(Real((3, 3))),
    Sample(Real((2, 3, 4)), offset=1),
    Sample(Real((4, 2)), offset=-1),
)
def trace(x: Any, *, offset: int = 0, dtype: Any = None) -> Variable:
    """Sum of a diagonal of each matrix.

    Parameters
    ----------
    x : Variable or array, shape (..., m, n)
    offset : int, default 0
        Of the diagonal, as for `diagonal`.
    dtype : dtype, optional
        Of the result; by default that of `x` (integers narrower than the default one are widened).

    Returns
    -------
    Variable, shape (...)

    Raises
    ------
    ValueError
        If `x` is no matrix.

    Examples
    --------
    >>> F.trace(Variable(np.array([[1.0, 2.0], [3.0, 4.0]])))
    variable(5.0)
    """
    matrix_shape("trace", x)
    return sum(diagonal(x, offset=offset), -1, dtype=dtype)
