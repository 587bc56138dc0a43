"""What the functions of matrices share: checks of shapes, adjoints, triangles, divided differences."""

from __future__ import annotations

from typing import Any

from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.engine import Copy
from tensorgrad.functions.manipulation import shape_of


def matrix_shape(name: str, x: Any) -> tuple[int, ...]:
    """The shape of a matrix or a stack of them, or a ValueError in the name of a function."""
    shape = shape_of(name, x)
    if len(shape) < 2:
        raise ValueError(f"{name}: expected a matrix or a stack of them, shape (..., m, n); got {shape}")
    return shape


def square_shape(name: str, x: Any) -> tuple[int, ...]:
    """The same for matrices that must be square."""
    shape = matrix_shape(name, x)
    if shape[-2] != shape[-1]:
        raise ValueError(f"{name}: expected square matrices, shape (..., n, n); got {shape}")
    return shape


def conjugate(op: Op, x: ArrayLike) -> ArrayLike:
    """The complex conjugate at the level of a backward; real numbers as they are."""
    return op.xp.conj(x) if op.backend.is_complex(x.dtype) else x


def adjoint(op: Op, x: ArrayLike) -> ArrayLike:
    """The conjugate transpose of each matrix."""
    return conjugate(op, op.xp.matrix_transpose(x))


def hermitian(op: Op, x: ArrayLike) -> ArrayLike:
    """The Hermitian part of each matrix: exactly `x` where it is Hermitian."""
    return (x + adjoint(op, x)) * 0.5


def from_lower(op: Op, x: ArrayLike) -> ArrayLike:
    """The Hermitian matrix whose lower triangle is that of `x`, with the real part of its diagonal."""
    xp = op.xp
    eye = xp.eye(x.shape[-1], dtype=x.dtype, device=op.backend.device(raw(x)))
    lower = xp.tril(x) * (1 - 0.5 * eye)
    return lower + adjoint(op, lower)


def raw(x: ArrayLike) -> Any:
    """The array of what may be a Variable."""
    return x.data if isinstance(x, Variable) else x


def rows(op: Op, x: ArrayLike) -> ArrayLike:
    """Vectors of shape (..., n) as rows: (..., 1, n)."""
    return op.xp.expand_dims(x, axis=-2)


def columns(op: Op, x: ArrayLike) -> ArrayLike:
    """Vectors of shape (..., n) as columns: (..., n, 1)."""
    return op.xp.expand_dims(x, axis=-1)


def reciprocal_beyond(op: Op, x: ArrayLike, values: ArrayLike) -> ArrayLike:
    """``1/x``, and 0 where `x` is within the rounding errors of `values`, shape (..., n).

    A symmetric solver finds eigenvalues to a few times the precision of the largest.
    """
    xp = op.xp
    if values.shape[-1] == 0:
        return x
    scale = xp.max(xp.abs(values), axis=-1, keepdims=True) * (16 * float(xp.finfo(values.dtype).eps))
    for _ in range(len(x.shape) - len(values.shape)):
        scale = xp.expand_dims(scale, axis=-1)
    none = xp.abs(x) <= scale
    return xp.where(none, 0.0, 1 / xp.where(none, 1.0, x))


def dense(op: Op, x: ArrayLike) -> ArrayLike:
    """The same in memory of its own where it was broadcast: the gradient of a sum, for one.

    A matrix product of such an array is slow in NumPy and an error in dpnp.
    """
    return op.nested(Copy(), x) if 0 in getattr(raw(x), "strides", ()) else x
