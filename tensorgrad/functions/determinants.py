"""Determinants, and their gradients also where a matrix is singular."""

from __future__ import annotations

from typing import Any, NamedTuple

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.matrices import adjoint, columns, conjugate, dense, rows, square_shape


class SlogdetResult(NamedTuple):
    """The sign of a determinant, and the logarithm of its absolute value."""

    sign: Any
    logabsdet: Any


class Det(Op):
    """``y = det x``; ``gx = gy cof x`` (Giles 2008, 2.2.4, with ``det x x^-T`` as the cofactors)."""

    saves = Input(0)
    fresh = True

    def forward(self, x: Array) -> Array:
        return self.xp.linalg.det(x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        return self.nested(Cofactor(), x) * columns(self, columns(self, gy))


class Cofactor(Op):
    """``y = det x x^-T``, the matrix of cofactors, for singular matrices too; `CofactorSlope` of gy.

    With ``x = U S V^H`` it is ``det(U) det(V^H) conj(U) P conj(V^H)``, ``p_i`` the product of the other
    singular values (Stewart 1998, "On the adjugate matrix").
    """

    saves = Input(0)
    fresh = True

    def forward(self, x: Array) -> Array:
        u, s, vh = self.xp.linalg.svd(x, full_matrices=True)
        return _phase(self, u, vh) * (conjugate(self, u) * rows(self, _others(self, s))) @ conjugate(self, vh)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        return self.nested(CofactorSlope(), x, dense(self, gy))


class CofactorSlope(Op):
    """``y = d (<b, g> b - b g^T b)`` with ``d = det x``, ``b = x^-T``: the derivative of cofactors along g.

    It is symmetric, so the gradient of g is the same function of gy. That of x goes through the inverse,
    for matrices that have one.
    """

    saves = (Input(0), Input(1))
    fresh = True

    def forward(self, x: Array, g: Array) -> Array:
        xp = self.xp
        u, s, vh = xp.linalg.svd(x, full_matrices=True)
        inner = adjoint(self, u) @ g @ adjoint(self, vh)
        pairs = _other_pairs(self, s)
        eye = _eye(self, s)
        diagonal = xp.sum(inner * eye, axis=-1)
        diagonal = columns(self, xp.sum(pairs * rows(self, diagonal), axis=-1))
        middle = diagonal * eye - pairs * xp.matrix_transpose(inner)
        return _phase(self, u, vh) * (conjugate(self, u) @ middle @ conjugate(self, vh))

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x, g = self.saved
        to_x, to_g = self.edges
        gy = dense(self, gy)
        gg = self.nested(CofactorSlope(), x, gy) if to_g else None
        return (self._third(x, g, gy) if to_x else None), gg

    def _third(self, x: ArrayLike, g: ArrayLike, h: ArrayLike) -> ArrayLike:
        """The gradient in x of ``<h, y>``."""
        xp = self.xp
        b = xp.matrix_transpose(xp.linalg.inv(x))
        bg, bh = (b @ xp.matrix_transpose(a) for a in (g, h))
        kg, kh = bg @ b, bh @ b

        def inner(p: ArrayLike, q: ArrayLike) -> ArrayLike:
            return xp.sum(p * q, axis=(-2, -1), keepdims=True)

        along_g, along_h = inner(b, g), inner(b, h)
        whole = b * (along_g * along_h - inner(kg, h)) - kg * along_h - kh * along_g + bh @ kg + bg @ kh
        return whole * columns(self, columns(self, xp.linalg.det(x)))


def _phase(op: Op, u: Array, vh: Array) -> Array:
    """``det(u) det(vh)``, of absolute value 1, for each matrix."""
    det = op.xp.linalg.det
    return columns(op, columns(op, det(u) * det(vh)))


def _eye(op: Op, s: Array) -> Array:
    return op.xp.eye(s.shape[-1], dtype=s.dtype, device=op.backend.device(s))


def _others(op: Op, s: Array) -> Array:
    """For each of n numbers the product of the n - 1 others."""
    return op.xp.prod(op.xp.where(_eye(op, s) != 0, 1.0, rows(op, s)), axis=-1)


def _other_pairs(op: Op, s: Array) -> Array:
    """For each pair of n numbers, in descending order, the product of the n - 2 others; 0 on the diagonal.

    It is the product without the smaller one, divided by the larger. If both are 0, it can differ from 0
    only for the last two.
    """
    xp, n = op.xp, s.shape[-1]
    eye = _eye(op, s)
    larger = columns(op, s)
    zero = larger == 0
    pairs = rows(op, _others(op, s)) / xp.where(zero, 1.0, larger)
    if n > 1:
        last = eye[:, n - 2 : n - 1] * eye[n - 1 :, :]
        pairs = xp.where(zero, last * columns(op, columns(op, xp.prod(s[..., : n - 2], axis=-1))), pairs)
    pairs = xp.triu(pairs, k=1)
    return pairs + xp.matrix_transpose(pairs)


class Slogdet(Op):
    """``sign, logabsdet``; ``gx = g x^-T``, with g for log |det x| (Giles 2008, 2.2.4).

    The sign of a complex determinant is ``exp(i theta)``; with ``theta`` it has a gradient.
    """

    saves = (Input(0), Output(0))
    fresh = True

    def forward(self, x: Array) -> tuple[Array, Array]:
        return tuple(self.xp.linalg.slogdet(x))

    def backward(self, gsign: ArrayLike, glog: ArrayLike) -> ArrayLike:
        xp = self.xp
        x, sign = self.saved
        turning = gsign is not None and self.backend.is_complex(x.dtype)
        if glog is None and not turning:
            return xp.zeros_like(x)
        g = glog
        if turning:  # d sign = i sign d theta; the engine gives the conjugate of the gradient of sign
            theta = xp.real(gsign * sign * 1j)
            g = theta * -1j if glog is None else glog - theta * 1j
        return xp.matrix_transpose(xp.linalg.inv(x)) * columns(self, columns(self, g))


@samples(
    Sample(Real((3, 3))),
    Sample(Real((2, 3, 2, 2))),
    Sample(Real((1, 1))),
    Sample(Real((4, 4), -1.0, 1.0)),
)
def det(x: Any) -> Variable:
    """Determinant of each matrix.

    Parameters
    ----------
    x : Variable or array, shape (..., n, n), floating
        Singular matrices have a gradient too: the cofactors, by a singular value decomposition. So do
        their second derivatives; third and higher ones need an inverse.

    Returns
    -------
    Variable, shape (...)
        It overflows for large matrices: then use `slogdet`.

    Raises
    ------
    ValueError
        If the matrices are not square.

    References
    ----------
    Giles 2008, "An extended collection of matrix derivative results", 2.2.4; Stewart 1998, "On the
    adjugate matrix".

    Examples
    --------
    >>> F.det(Variable(np.array([[0.0, 2.0], [1.0, 0.0]])))
    variable(-2.0)
    """
    square_shape("det", x)
    return Det()(x)  # type: ignore[no-any-return]


@samples(Sample(Real((3, 3))), Sample(Real((2, 2, 2))), Sample(Real((1, 1))))
def slogdet(x: Any) -> SlogdetResult:
    """Sign and logarithm of the absolute value of each determinant.

    Parameters
    ----------
    x : Variable or array, shape (..., n, n), floating
        The logarithm has no derivative where `x` is singular: it is ``-inf`` there, and a backward is the
        array library's error, or gives inf or nan.

    Returns
    -------
    sign : Variable, shape (...)
        -1, 0 or 1, with a gradient of 0; for a complex matrix a number of absolute value 1.
    logabsdet : Variable, shape (...), real

    Raises
    ------
    ValueError
        If the matrices are not square.

    References
    ----------
    Giles 2008, "An extended collection of matrix derivative results", 2.2.4.

    Examples
    --------
    >>> F.slogdet(Variable(np.array([[0.0, 1.0], [1.0, 0.0]])))
    SlogdetResult(sign=variable(-1.0), logabsdet=variable(0.0))
    """
    square_shape("slogdet", x)
    return SlogdetResult(*Slogdet()(x))
