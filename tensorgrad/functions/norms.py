"""Norms of vectors and of matrices. Where a norm has a kink, at 0, its gradient here is 0, never nan."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.elementwise import abs
from tensorgrad.functions.extremes import max, min
from tensorgrad.functions.manipulation import expand_dims
from tensorgrad.functions.matrices import matrix_shape, raw
from tensorgrad.functions.reduction import Axis, Reduction, sum
from tensorgrad.functions.spectra import svdvals


class VectorNorm(Reduction):
    """``y = (sum |x|^p)^(1/p)``; ``gx = gy (|x|/y)^(p-1) x/|x|``, 0 where x or y is 0."""

    saves = (Input(0), Output(0))
    fresh = True

    def __init__(self, axis: Axis, keepdims: bool, ord: float) -> None:
        super().__init__(axis, keepdims)
        self.ord = ord

    def forward(self, x: Array) -> Array:
        axis = self.start(x)
        return self.xp.linalg.vector_norm(x, axis=axis, keepdims=self.keepdims, ord=self.ord)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        xp, p = self.xp, self.ord
        x, y = self.saved
        gy, y = self.widened(gy), self.widened(y)
        zero = y == 0
        y = xp.where(zero, 1.0, y)
        if p == 2:
            return xp.where(zero, 0.0, gy / y) * x
        size = xp.abs(x)
        none = size == 0
        size = xp.where(none, 1.0, size)
        direction = x / size if self.backend.is_complex(x.dtype) else xp.sign(x)
        if p == 1:
            return gy * direction
        return gy * xp.where(xp.logical_or(none, zero), 0.0, (size / y) ** (p - 1)) * direction


@samples(
    Sample(Real((2, 3))),
    Sample(Real((2, 3, 2)), axis=1),
    Sample(Real((2, 3, 2)), axis=(0, -1), keepdims=True, ord=3),
    Sample(Real((2, 3)), axis=0, ord=1),
    Sample(Real((2, 3)), axis=1, ord=math.inf),
    Sample(Real((2, 3)), axis=1, ord=-math.inf, keepdims=True),
    Sample(Real((2, 3)), axis=-1, ord=0.5),
    Sample(Real((2, 3)), ord=-2),
    Sample(Real((2, 3)), axis=-1, ord=0, differentiable=False),
    Sample(Real()),
)
def vector_norm(x: Any, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Variable:
    """Length of vectors: ``sum(abs(x)**ord) ** (1/ord)`` over axes.

    Parameters
    ----------
    x : Variable or array, any shape, floating
    axis : int or tuple of int, optional
        Whose elements make a vector; all by default.
    keepdims : bool, default False
        Keep the axes with length 1.
    ord : int or float, default 2
        ``inf`` and ``-inf`` give the largest and the smallest absolute value. 0 counts what is not 0; it
        has no gradient.

    Returns
    -------
    Variable, shape of `x` without `axis`, real
        An element of 0, and a vector of zeros, get a gradient of 0: of the subgradients there the
        smallest, where `ord` is 1 or more. Equal extremes share theirs.

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.vector_norm(Variable(np.array([[3.0, 4.0], [6.0, 8.0]])), axis=1)
    variable([ 5. 10.])
    """
    if ord == math.inf:
        return max(abs(x), axis, keepdims)
    if ord == -math.inf:
        return min(abs(x), axis, keepdims)
    return VectorNorm(axis, keepdims, ord)(raw(x) if ord == 0 else x)  # type: ignore[no-any-return]


@samples(
    Sample(Real((3, 2))),
    Sample(Real((2, 2, 3)), keepdims=True),
    Sample(Real((2, 3, 2)), ord="nuc"),
    Sample(Real((2, 2, 3)), ord=1, keepdims=True),
    Sample(Real((3, 2)), ord=-1),
    Sample(Real((3, 2)), ord=2),
    Sample(Real((2, 3, 3)), ord=-2, keepdims=True),
    Sample(Real((2, 2, 3)), ord=math.inf),
    Sample(Real((3, 2)), ord=-math.inf),
)
def matrix_norm(x: Any, *, keepdims: bool = False, ord: float | str | None = "fro") -> Variable:
    """Norm of each matrix.

    Parameters
    ----------
    x : Variable or array, shape (..., m, n), floating
    keepdims : bool, default False
        Keep the last two axes with length 1.
    ord : {'fro', 'nuc', 1, -1, 2, -2, inf, -inf}, default 'fro'
        'fro': root of the sum of squares. 'nuc': sum of the singular values; 2, -2: the largest, the
        smallest of them. 1, -1: largest, smallest sum of absolute values in a column; ``inf``, ``-inf``: in
        a row. None means 'fro'.

    Returns
    -------
    Variable, shape (...) or (..., 1, 1), real
        As for `vector_norm`, `svdvals` and `max` where there is no derivative.

    Raises
    ------
    ValueError
        If `x` is no matrix, or there is no such norm.

    Examples
    --------
    >>> F.matrix_norm(Variable(np.array([[3.0, 0.0], [0.0, 4.0]])), ord="nuc")
    variable(7.0)
    """
    matrix_shape("matrix_norm", x)
    if ord is None or ord == "fro":
        return vector_norm(x, axis=(-2, -1), keepdims=keepdims)
    if ord in (2, -2, "nuc"):
        choose = {2: max, -2: min, "nuc": sum}[ord]
        return choose(expand_dims(svdvals(x), -1), (-2, -1), keepdims)
    if ord not in (1, -1, math.inf, -math.inf):
        raise ValueError(f"matrix_norm: expected ord 'fro', 'nuc', 1, -1, 2, -2, inf or -inf; got {ord!r}")
    across = -2 if math.isfinite(ord) else -1
    sums = sum(abs(x), across, keepdims=True)
    return max(sums, (-2, -1), keepdims) if ord > 0 else min(sums, (-2, -1), keepdims)
