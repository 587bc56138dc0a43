"""Decompositions into triangles and orthogonal matrices: Cholesky and QR.

The engine conjugates the gradients that go into an op with complex results and come out of it. Formulas
that are not holomorphic undo this by conjugating what is saved.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Output, Variable
from tensorgrad.core.sample import Real, Regular, Sample, samples
from tensorgrad.functions.matrices import (
    adjoint,
    conjugate,
    dense,
    from_lower,
    hermitian,
    matrix_shape,
    square_shape,
)


class QRResult(NamedTuple):
    """An orthogonal (unitary) matrix and an upper triangle whose product is the matrix."""

    Q: Any
    R: Any


class Cholesky(Op):
    """``y y^H = (x + x^H)/2``; ``gx = y^-H h(y^H gy) y^-1`` (Giles 2008, 2.3.5; Murray 2016, eq. 10).

    h takes half the lower triangle, and its mirror image for the upper one. The upper y is the adjoint.
    """

    saves = Output(0)
    fresh = True

    def __init__(self, upper: bool) -> None:
        self.upper = upper

    def forward(self, x: Array) -> Array:
        return self.xp.linalg.cholesky(hermitian(self, x), upper=self.upper)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        solve = self.xp.linalg.solve
        y = conjugate(self, self.saved[0])
        yh = adjoint(self, y)
        gy = dense(self, gy)
        if self.upper:
            yh, gy = y, adjoint(self, gy)
        half = solve(yh, from_lower(self, yh @ gy) * 0.5)
        return hermitian(self, solve(yh, adjoint(self, half)))


class QR(Op):
    """``q r = x`` (Walter, Lehmann 2018; Seeger et al. 2017, section 4.3).

    For as many rows as columns, or more: ``gx = (gq + q c) r^-H``, where c is the Hermitian matrix with the
    lower triangle of ``r gr^H - gq^H q``. The further columns of a wide matrix are ``q`` times those of r.
    """

    saves = (Output(0), Output(1))
    fresh = True

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def forward(self, x: Array) -> tuple[Array, Array]:
        return tuple(self.xp.linalg.qr(x, mode=self.mode))

    def backward(self, gq: ArrayLike, gr: ArrayLike) -> ArrayLike:
        q, r = (conjugate(self, a) for a in self.saved)
        gq, gr = (None if g is None else dense(self, g) for g in (gq, gr))
        k, n = min(r.shape[-2:]), r.shape[-1]
        if q.shape[-1] > k:  # complete: the other columns turn as the first k do
            if gq is not None:
                rest = q[..., :, k:] @ (adjoint(self, gq[..., :, k:]) @ q[..., :, :k])
                gq = gq[..., :, :k] - rest
            q = q[..., :, :k]
            r = r[..., :k, :]
            gr = None if gr is None else gr[..., :k, :]
        if k == n:
            return self._tall(q, r, gq, gr)
        if gr is None:
            gx = self._tall(q, r[..., :, :k], gq, None)
            return self.xp.concat([gx, self.xp.zeros_like(q @ r[..., :, k:])], axis=-1)
        beyond = gr[..., :, k:]
        turned = (q @ r[..., :, k:]) @ adjoint(self, beyond)
        gq = turned if gq is None else gq + turned
        gx = self._tall(q, r[..., :, :k], gq, gr[..., :, :k])
        return self.xp.concat([gx, q @ beyond], axis=-1)

    def _tall(self, q: ArrayLike, r: ArrayLike, gq: ArrayLike, gr: ArrayLike) -> ArrayLike:
        if gq is None:
            both = q @ from_lower(self, r @ adjoint(self, gr))
        else:
            lower = -(adjoint(self, gq) @ q)
            if gr is not None:
                lower = r @ adjoint(self, gr) + lower
            both = gq + q @ from_lower(self, lower)
        return adjoint(self, self.xp.linalg.solve(r, adjoint(self, both)))


@samples(
    Sample(Regular((3, 3))),
    Sample(Regular((2, 2, 2))),
    Sample(Regular((3, 3)), upper=True),
    Sample(Regular((1, 1))),
)
def cholesky(x: Any, *, upper: bool = False) -> Variable:
    """Triangle L with ``L @ L^H == x`` for each Hermitian, positive definite matrix.

    Parameters
    ----------
    x : Variable or array, shape (..., n, n), floating
        What counts is its Hermitian part, ``(x + x^H)/2``; so the gradient is Hermitian.
    upper : bool, default False
        Give the upper triangle U instead, with ``U^H @ U == x``.

    Returns
    -------
    Variable, shape of `x`
        The other triangle is 0.

    Raises
    ------
    ValueError
        If the matrices are not square. One that is not positive definite is the array library's error, or
        gives nan.

    References
    ----------
    Giles 2008, "An extended collection of matrix derivative results", 2.3.5; Murray 2016,
    "Differentiation of the Cholesky decomposition", eq. 10.

    Examples
    --------
    >>> F.cholesky(Variable(np.array([[4.0, 2.0], [2.0, 10.0]])))
    variable([[2. 0.]
              [1. 3.]])
    """
    square_shape("cholesky", x)
    return Cholesky(upper)(x)  # type: ignore[no-any-return]


def _of_qr(q: Any, r: Any) -> tuple[Any, ...]:
    """What does not change with the signs of the columns of q."""
    return q * q, r * r, q[..., :, : r.shape[-1]] @ r[..., : q.shape[-1], :]


def _of_complete_qr(q: Any, r: Any) -> tuple[Any, ...]:
    return q * q, r * r, q @ r


@samples(
    Sample(Real((3, 3)), through=_of_qr),
    Sample(Real((4, 2)), through=_of_qr),
    Sample(Real((2, 2, 3)), through=_of_qr),
    Sample(Real((3, 2)), mode="complete", through=_of_complete_qr),
    Sample(Real((2, 3)), mode="complete", through=_of_complete_qr),
)
def qr(x: Any, *, mode: Literal["reduced", "complete"] = "reduced") -> QRResult:
    """Decomposition ``x == Q @ R`` of each matrix: orthonormal columns and an upper triangle.

    Parameters
    ----------
    x : Variable or array, shape (..., m, n), floating
        Its first ``k = min(m, n)`` columns must be independent for a gradient; else a backward is the array
        library's error, or gives inf or nan.
    mode : {'reduced', 'complete'}
        'complete' adds m - n columns to Q where ``m > n``. More than one of them are known but for a
        rotation: a gradient is right for functions that do not depend on it.

    Returns
    -------
    Q : Variable, shape (..., m, k), or (..., m, m) if complete
    R : Variable, shape (..., k, n), or (..., m, n) if complete
        Its diagonal is real, of the signs that the array library chooses.

    Raises
    ------
    ValueError
        If `x` is no matrix, or the mode has another name.

    References
    ----------
    Walter, Lehmann 2018, "Algorithmic differentiation of linear algebra functions with application in
    optimum experimental design"; Seeger et al. 2017, "Auto-differentiating linear algebra".

    Examples
    --------
    >>> Q, R = F.qr(Variable(np.array([[3.0, 1.0], [4.0, 2.0]])))
    >>> (Q @ R).data.round(6)
    array([[3., 1.],
           [4., 2.]])
    """
    matrix_shape("qr", x)
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: expected mode 'reduced' or 'complete'; got {mode!r}")
    return QRResult(*QR(mode)(x))
