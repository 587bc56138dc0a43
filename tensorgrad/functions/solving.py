"""Systems of linear equations: solutions, inverses, pseudoinverses, powers."""

from __future__ import annotations

from operator import index
from typing import Any

import numpy as np

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Function, Input, Op, Output, Variable
from tensorgrad.core.sample import Real, Regular, Sample, samples
from tensorgrad.core.variable import make_variable
from tensorgrad.functions.linalg import matmul
from tensorgrad.functions.manipulation import owner_of, same_value, shape_of
from tensorgrad.functions.matrices import (
    adjoint,
    columns,
    conjugate,
    dense,
    matrix_shape,
    raw,
    square_shape,
)


class Inv(Op):
    """``y = x^-1``; ``gx = -y^T gy y^T`` (Giles 2008, 2.2.3)."""

    saves = Output(0)
    fresh = True

    def forward(self, x: Array) -> Array:
        return self.xp.linalg.inv(x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (y,) = self.saved
        yt = self.xp.matrix_transpose(y)
        return -(yt @ dense(self, gy) @ yt)


class Solve(Op):
    """``y = a^-1 b``; ``gb = a^-T gy``, ``ga = -gb y^T`` (Giles 2008, 2.3.1)."""

    saves = (Input(0), Output(0))
    fresh = True

    def forward(self, a: Array, b: Array) -> Array:
        xp = self.xp
        self.vector = len(b.shape) == 1
        if self.vector:
            b = columns(self, b)
        if a.shape[:-2] != b.shape[:-2]:  # CuPy does not broadcast; PyTorch takes b for vectors
            lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            a, b = (xp.broadcast_to(m, (*lead, *m.shape[-2:])) for m in (a, b))
        y = xp.linalg.solve(a, b)
        return xp.squeeze(y, axis=-1) if self.vector else y

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        xp = self.xp
        a, y = self.saved
        to_a, to_b = self.edges
        gy = dense(self, gy)
        if self.vector:
            gy, y = columns(self, gy), columns(self, y)
        gb = xp.linalg.solve(xp.matrix_transpose(a), gy)
        ga = -(gb @ xp.matrix_transpose(y)) if to_a else None
        if not to_b:
            return ga, None
        return ga, (xp.squeeze(gb, axis=-1) if self.vector else gb)


class PInv(Op):
    """``y = x^+``; its derivative where the rank does not change (Golub, Pereyra 1973, eq. 4.12).

    ``gx = -y^H gy y^H + (1 - x y) gy^H y y^H + y^H y gy^H (1 - y x)``.
    """

    saves = (Input(0), Output(0))
    fresh = True

    def __init__(self, rtol: Any) -> None:
        self.rtol = rtol

    def forward(self, x: Array) -> Array:
        rtol = self.rtol
        if not self.backend.is_floating(x.dtype):
            raise TypeError(f"pinv: expected a floating dtype; got {x.dtype}. Convert it with astype.")
        if rtol is None:
            rtol = max(x.shape[-2:]) * float(self.xp.finfo(x.dtype).eps)
        return self.xp.linalg.pinv(x, rtol=rtol)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        x, y = (conjugate(self, a) for a in self.saved)  # the engine conjugates gy and gx as well
        yh, gh = adjoint(self, y), adjoint(self, dense(self, gy))
        left = gh @ (y @ yh)
        right = (yh @ y) @ gh
        return left - x @ (y @ left) + right - (right @ y) @ x - yh @ adjoint(self, gh) @ yh


class MatrixRank(Function):
    """The number of singular values that count, without a gradient."""

    no_grad_inputs = (0,)

    def __init__(self, rtol: Any) -> None:
        self.rtol = rtol

    def forward(self, x: Array) -> Array:
        xp, rtol = self.xp, self.rtol
        s = xp.linalg.svdvals(x)  # JAX's matrix_rank takes rtol for an absolute tolerance
        if 0 in s.shape:
            return xp.count_nonzero(s, axis=-1)
        if rtol is None:
            rtol = max(x.shape[-2:]) * float(xp.finfo(s.dtype).eps)
        elif not isinstance(rtol, int | float):
            rtol = xp.expand_dims(rtol, axis=-1)
        return xp.count_nonzero(s > xp.max(s, axis=-1, keepdims=True) * rtol, axis=-1)


@samples(Sample(Regular((3, 3))), Sample(Regular((2, 1, 2, 2))), Sample(Regular((1, 1))))
def inv(x: Any) -> Variable:
    """Inverse of each matrix.

    Parameters
    ----------
    x : Variable or array, shape (..., n, n), floating
        A product with the inverse is better computed by `solve`.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If the matrices are not square. A singular one is the array library's error, or gives inf.

    References
    ----------
    Giles 2008, "An extended collection of matrix derivative results", 2.2.3.

    Examples
    --------
    >>> F.inv(Variable(np.array([[2.0, 0.0], [0.0, 4.0]])))
    variable([[0.5  0.  ]
              [0.   0.25]])
    """
    square_shape("inv", x)
    return Inv()(x)  # type: ignore[no-any-return]


@samples(
    Sample(Regular((3, 3)), Real((3, 2))),
    Sample(Regular((3, 3)), Real((3,))),
    Sample(Regular((2, 3, 3)), Real((3,))),
    Sample(Regular((2, 2, 2)), Real((2, 2))),
    Sample(Regular((4, 1, 2, 2)), Real((3, 2, 1))),
)
def solve(a: Any, b: Any) -> Variable:
    """Solution x of the linear equations ``a @ x == b``.

    Parameters
    ----------
    a : Variable or array, shape (..., n, n), floating
    b : Variable or array, shape (n,) or (..., n, k), floating
        A vector only if it has one axis; else matrices. Stacks broadcast against each other.

    Returns
    -------
    Variable, shape (..., n) for a vector, else (..., n, k)

    Raises
    ------
    ValueError
        If the shapes do not go together. A singular matrix is the array library's error, or gives inf.

    References
    ----------
    Giles 2008, "An extended collection of matrix derivative results", 2.3.1.

    Examples
    --------
    >>> F.solve(Variable(np.array([[2.0, 0.0], [0.0, 4.0]])), np.array([1.0, 1.0]))
    variable([0.5  0.25])
    """
    n = square_shape("solve", a)[-1]
    _check_right_side("solve", a, b, n)
    return Solve()(a, b)  # type: ignore[no-any-return]


def _check_right_side(name: str, a: Any, b: Any, n: int) -> None:
    shape = shape_of(name, b)
    if not shape or shape[-1 if len(shape) == 1 else -2] != n:
        raise ValueError(
            f"{name}: expected b of shape ({n},) or (..., {n}, k) for a of shape {tuple(a.shape)}; "
            f"got {shape}. A stack of vectors needs a last axis of length 1."
        )


@samples(
    Sample(Real((3, 2))),
    Sample(Real((2, 2, 3))),
    Sample(Regular((2, 2))),
    Sample(Real((3, 2)), rtol=1e-3),
)
def pinv(x: Any, *, rtol: Any = None) -> Variable:
    """Pseudoinverse (of Moore and Penrose) of each matrix.

    Parameters
    ----------
    x : Variable or array, shape (..., m, n), floating
    rtol : float, optional
        Singular values up to `rtol` times the largest count as 0; ``max(m, n)`` times the precision of
        the dtype by default.

    Returns
    -------
    Variable, shape (..., n, m)
        It jumps where the rank of `x` changes, so a matrix that lacks rank has no derivative. The
        gradient there is that along the matrices of the same rank.

    Raises
    ------
    ValueError
        If `x` is no matrix.
    TypeError
        If its dtype is not floating.

    References
    ----------
    Golub, Pereyra 1973, "The differentiation of pseudo-inverses", eq. 4.12.

    Examples
    --------
    >>> F.pinv(Variable(np.array([[2.0], [0.0]])))
    variable([[0.5 0. ]])
    """
    matrix_shape("pinv", x)
    return PInv(raw(rtol))(x)  # type: ignore[no-any-return]


@samples(
    Sample(Real((4, 2)), Real((4,))),
    Sample(Real((3, 2)), Real((3, 2))),
    Sample(Real((2, 3)), Real((4, 2, 1)), rtol=1e-6),
)
def lstsq(a: Any, b: Any, *, rtol: Any = None) -> Variable:
    """Solution x of a linear least squares problem: the shortest that makes ``|a @ x - b|`` smallest.

    It is ``pinv(a) @ b``, and nothing but the solution: the residuals are ``b - a @ x``.

    Parameters
    ----------
    a : Variable or array, shape (..., m, n), floating
    b : Variable or array, shape (m,) or (..., m, k), floating
        A vector only if it has one axis.
    rtol : float, optional
        As for `pinv`, which also says where there is no derivative.

    Returns
    -------
    Variable, shape (..., n) for a vector, else (..., n, k)

    Raises
    ------
    ValueError
        If the shapes do not go together.

    Examples
    --------
    >>> F.lstsq(Variable(np.array([[1.0], [1.0]])), np.array([1.0, 3.0])).data.round(6)
    array([2.])
    """
    _check_right_side("lstsq", a, b, matrix_shape("lstsq", a)[-2])
    return matmul(pinv(a, rtol=rtol), b)


@samples(
    Sample(Real((2, 2)), 2),
    Sample(Real((2, 3, 3), -1.0, 1.0), 3),
    Sample(Regular((2, 2)), -2),
    Sample(Regular((2, 2)), -1),
    Sample(Real((2, 2)), 1),
    Sample(Real((3, 2, 2)), 0, differentiable=False),
)
def matrix_power(x: Any, n: int) -> Variable:
    """Product of n factors `x`, by repeated squaring.

    Parameters
    ----------
    x : Variable or array, shape (..., m, m), floating
    n : int
        Negative for powers of the inverse; 0 gives unit matrices, as constants.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    TypeError
        If `n` is no integer.
    ValueError
        If the matrices are not square.

    Examples
    --------
    >>> F.matrix_power(Variable(np.array([[1.0, 1.0], [0.0, 1.0]])), 3)
    variable([[1. 3.]
              [0. 1.]])
    """
    square_shape("matrix_power", x)
    try:
        n = index(n)
    except TypeError:
        raise TypeError(f"matrix_power: expected an integer power; got {n!r}") from None
    if n == 0:
        return _units(x)
    factor = same_value(x) if n > 0 else inv(x)
    n = abs(n)
    while n % 2 == 0:
        factor, n = matmul(factor, factor), n // 2
    power = factor
    while n > 1:
        factor, n = matmul(factor, factor), n // 2
        if n % 2:
            power = matmul(power, factor)
    return power


def _units(x: Any) -> Variable:
    """Unit matrices in the shape of `x`."""
    backend = owner_of("matrix_power", x)
    array = raw(x)
    eye = backend.xp.eye(array.shape[-1], dtype=array.dtype, device=backend.device(array))
    return make_variable(backend.xp.zeros_like(array) + eye, None, 0)


@samples(
    Sample(Real((3, 2)), differentiable=False),
    Sample(Real((2, 3, 3)), rtol=0.4, differentiable=False),
)
def matrix_rank(x: Any, *, rtol: Any = None) -> Variable:
    """Rank of each matrix: how many singular values count. A constant.

    Parameters
    ----------
    x : Variable or array, shape (..., m, n), floating
    rtol : float or array of shape (...), optional
        Singular values up to `rtol` times the largest count as 0; ``max(m, n)`` times the precision of
        the dtype by default.

    Returns
    -------
    Variable of int, shape (...)

    Raises
    ------
    ValueError
        If `x` is no matrix.

    Examples
    --------
    >>> F.matrix_rank(np.array([[1.0, 2.0], [2.0, 4.0]]))
    variable(1)
    """
    matrix_shape("matrix_rank", x)
    return MatrixRank(raw(rtol))(x)  # type: ignore[no-any-return]
