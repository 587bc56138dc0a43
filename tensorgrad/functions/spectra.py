"""Eigenvalues and singular values, and their vectors.

Vectors are known but for a sign, or for a complex factor of absolute value 1: gradients are those of
functions that do not depend on it. Those of equal values are known but for a rotation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.matrices import (
    adjoint,
    columns,
    dense,
    hermitian,
    matrix_shape,
    raw,
    reciprocal_beyond,
    rows,
    square_shape,
)


class EighResult(NamedTuple):
    """The eigenvalues of Hermitian matrices, in ascending order, and eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


class SVDResult(NamedTuple):
    """Left singular vectors as columns, singular values in descending order, right ones as rows."""

    U: Any
    S: Any
    Vh: Any


class Eigh(Op):
    """``v w v^H = (x + x^H)/2``; ``gx = v (gw + f * (v^H gv)) v^H``, the Hermitian part (Giles 2008, 3.1).

    ``f_ij = 1/(w_j - w_i)``, 0 on the diagonal and for equal eigenvalues.
    """

    saves = (Output(0), Output(1))
    fresh = True

    def forward(self, x: Array) -> tuple[Array, ...] | Array:
        return tuple(self.xp.linalg.eigh(hermitian(self, x)))

    def backward(self, gw: ArrayLike, gv: ArrayLike) -> ArrayLike:
        w, v = self.saved
        vh = adjoint(self, v)
        if gv is None:
            return hermitian(self, (v * rows(self, gw)) @ vh)
        gaps = rows(self, w) - columns(self, w)
        inner = v @ ((vh @ dense(self, gv)) * reciprocal_beyond(self, gaps, w))
        if gw is not None:
            inner = inner + v * rows(self, gw)
        return hermitian(self, inner @ vh)


class Eigvalsh(Eigh):
    """The eigenvalues alone; the vectors are computed and kept where a gradient is asked for."""

    hidden = 1

    def forward(self, x: Array) -> tuple[Array, ...] | Array:
        if self.edges[0] is None:
            return self.xp.linalg.eigvalsh(hermitian(self, x))
        return super().forward(x)


class SVD(Op):
    """``u s v^H = x``, here in the order s, u, v^H (Townsend 2016; Wan, Zhang 2019 for complex numbers).

    ``gx = u [gs + (f * k(u^H gu)) s + s (f * k(v^H gv))] v^H``, where ``k(a) = a - a^H`` and
    ``f_ij = 1/(s_j^2 - s_i^2)``, plus the parts that turn u and v out of the spaces that they span.
    Reciprocals of 0 count as 0.
    """

    saves = (Output(0), Output(1), Output(2))
    fresh = True

    def __init__(self, full: bool = False) -> None:
        self.full = full

    def forward(self, x: Array) -> tuple[Array, ...] | Array:
        u, s, vh = self.xp.linalg.svd(x, full_matrices=self.full)
        return s, u, vh

    def backward(self, gs: ArrayLike, gu: ArrayLike, gvh: ArrayLike) -> ArrayLike:
        s, u, vh = self.saved
        k = s.shape[-1]
        left, right = u[..., :, :k], vh[..., :k, :]  # all there is, if not full
        if gu is None and gvh is None:
            return (left * rows(self, gs)) @ right
        v = adjoint(self, vh)
        skew_u, out_u = self._turned(u, gu, k)
        skew_v, out_v = self._turned(v, None if gvh is None else adjoint(self, gvh), k)
        inverse = reciprocal_beyond(self, s, s)
        gaps = reciprocal_beyond(self, rows(self, s) - columns(self, s), s)
        sums = rows(self, s) + columns(self, s)
        f = gaps * reciprocal_beyond(self, sums, s)
        inner = 0.0
        if skew_u is not None:
            inner = (f * skew_u) * rows(self, s)
        if skew_v is not None:
            inner = inner + columns(self, s) * (f * skew_v)
        if self.backend.is_complex(u.dtype):  # u_i and v_i turn against each other in the complex plane
            eye = self._eye(s)
            for skew, sign in ((skew_u, 0.25), (skew_v, -0.25)):
                if skew is not None:
                    inner = inner + skew * eye * rows(self, inverse * sign)
        gx = left @ inner
        if gs is not None:
            gx = gx + left * rows(self, gs)
        if out_u is not None:
            gx = gx + out_u * rows(self, inverse)
        gx = gx @ right
        return gx if out_v is None else gx + left @ (columns(self, inverse) * adjoint(self, out_v))

    def _eye(self, s: ArrayLike) -> ArrayLike:
        return self.xp.eye(s.shape[-1], dtype=s.dtype, device=self.backend.device(raw(s)))

    def _turned(self, u: ArrayLike, gu: ArrayLike, k: int) -> tuple[ArrayLike, ArrayLike]:
        """How a gradient turns the first k vectors among each other, and out of the space they span."""
        if gu is None:
            return None, None
        within = adjoint(self, u) @ dense(self, gu)
        if u.shape[-2] == k:
            return within - adjoint(self, within), None
        if u.shape[-1] == k:
            return within - adjoint(self, within), gu - u @ within
        skew = within - adjoint(self, within)  # of all of them: those beyond k turn as the others let them
        return skew[..., :k, :k], u[..., :, k:] @ skew[..., k:, :k]


class Svdvals(SVD):
    """The singular values alone; the vectors are computed and kept where a gradient is asked for."""

    hidden = 2

    def forward(self, x: Array) -> tuple[Array, ...] | Array:
        return self.xp.linalg.svdvals(x) if self.edges[0] is None else super().forward(x)


def _of_eigh(w: Any, v: Any) -> tuple[Any, ...]:
    """What does not change with the signs of eigenvectors."""
    return w, v * v, v[..., :1, :] * v


def _of_svd(u: Any, s: Any, vh: Any) -> tuple[Any, ...]:
    """What does not change with the signs of singular vectors."""
    return u * u, s, vh * vh, u[..., :, :1] * vh[..., :1, :], u[..., :, 1:2] * vh[..., 1:2, :]


@samples(
    Sample(Real((3, 3)), through=_of_eigh),
    Sample(Real((2, 2, 2)), through=_of_eigh),
    Sample(Real((1, 1)), through=_of_eigh),
)
def eigh(x: Any) -> EighResult:
    """Eigenvalues and eigenvectors of each Hermitian (real: symmetric) matrix.

    Parameters
    ----------
    x : Variable or array, shape (..., n, n), floating
        What counts is its Hermitian part, ``(x + x^H)/2``; so the gradient is Hermitian.

    Returns
    -------
    eigenvalues : Variable, shape (..., n), real
        In ascending order. Of equal ones each is given the gradient that its eigenvector gives it.
    eigenvectors : Variable, shape (..., n, n)
        Orthonormal columns. Those of equal eigenvalues have no derivative: they are held fixed to each
        other, which is to say that ``1/(w_j - w_i)`` counts as 0 where the difference is rounding error.

    Raises
    ------
    ValueError
        If the matrices are not square.

    References
    ----------
    Giles 2008, "An extended collection of matrix derivative results", 3.1.

    Examples
    --------
    >>> F.eigh(Variable(np.array([[2.0, 0.0], [0.0, 1.0]]))).eigenvalues
    variable([1. 2.])
    """
    square_shape("eigh", x)
    return EighResult(*Eigh()(x))


@samples(Sample(Real((3, 3))), Sample(Real((2, 1, 2, 2))))
def eigvalsh(x: Any) -> Variable:
    """Eigenvalues of each Hermitian (real: symmetric) matrix, in ascending order.

    Parameters
    ----------
    x : Variable or array, shape (..., n, n), floating
        What counts is its Hermitian part, ``(x + x^H)/2``; so the gradient is Hermitian.

    Returns
    -------
    Variable, shape (..., n), real
        Of equal ones each is given the gradient that its eigenvector gives it; so a symmetric function of
        them, such as their sum, has the right one. Second derivatives of equal ones do not exist.

    Raises
    ------
    ValueError
        If the matrices are not square.

    References
    ----------
    Giles 2008, "An extended collection of matrix derivative results", 3.1.

    Examples
    --------
    >>> F.eigvalsh(Variable(np.array([[2.0, 0.0], [0.0, 1.0]])))
    variable([1. 2.])
    """
    square_shape("eigvalsh", x)
    return Eigvalsh()(x)  # type: ignore[no-any-return]


@samples(
    Sample(Real((3, 3)), full_matrices=False, through=_of_svd),
    Sample(Real((4, 2)), full_matrices=False, through=_of_svd),
    Sample(Real((2, 2, 4)), full_matrices=False, through=_of_svd),
    Sample(Real((3, 2)), through=_of_svd),
    Sample(Real((2, 2, 3)), through=_of_svd),
)
def svd(x: Any, *, full_matrices: bool = True) -> SVDResult:
    """Singular value decomposition ``x == (U * S) @ Vh`` of each matrix.

    Parameters
    ----------
    x : Variable or array, shape (..., m, n), floating
    full_matrices : bool, default True
        Give all m left and n right singular vectors, not only ``k = min(m, n)``.

    Returns
    -------
    U : Variable, shape (..., m, m), or (..., m, k) if not full
        Orthonormal columns.
    S : Variable, shape (..., k), real
        In descending order.
    Vh : Variable, shape (..., n, n), or (..., k, n) if not full
        Orthonormal rows.

        Vectors of equal singular values, or of 0, have no derivative: ``1/(s_j^2 - s_i^2)`` and ``1/s_i``
        count as 0 where they divide by a rounding error. Vectors beyond k, if there is more than one, are
        known but for a rotation: a gradient is right for functions that do not depend on it.

    Raises
    ------
    ValueError
        If `x` is no matrix.

    References
    ----------
    Townsend 2016, "Differentiating the singular value decomposition"; Wan, Zhang 2019, "Automatic
    differentiation for complex valued SVD".

    Examples
    --------
    >>> F.svd(Variable(np.array([[3.0, 0.0], [0.0, 4.0]]))).S
    variable([4. 3.])
    """
    matrix_shape("svd", x)
    s, u, vh = SVD(full_matrices)(x)
    return SVDResult(u, s, vh)


@samples(Sample(Real((3, 3))), Sample(Real((2, 3, 2))), Sample(Real((2, 4))))
def svdvals(x: Any) -> Variable:
    """Singular values of each matrix, in descending order.

    Parameters
    ----------
    x : Variable or array, shape (..., m, n), floating

    Returns
    -------
    Variable, shape (..., min(m, n)), real
        Of equal ones each is given the gradient that its vectors give it, as is one of 0; so the sum of
        all has the right one.

    Raises
    ------
    ValueError
        If `x` is no matrix.

    References
    ----------
    Townsend 2016, "Differentiating the singular value decomposition".

    Examples
    --------
    >>> F.svdvals(Variable(np.array([[3.0, 0.0], [0.0, 4.0]])))
    variable([4. 3.])
    """
    matrix_shape("svdvals", x)
    return Svdvals()(x)  # type: ignore[no-any-return]
