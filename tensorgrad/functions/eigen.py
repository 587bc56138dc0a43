"""Eigenvalues and eigenvectors of matrices that need not be symmetric. They are complex."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.matrices import (
    adjoint,
    columns,
    conjugate,
    dense,
    raw,
    reciprocal_beyond,
    rows,
    square_shape,
)


class EigResult(NamedTuple):
    """The eigenvalues of a matrix, and its eigenvectors as columns."""

    eigenvalues: Any
    eigenvectors: Any


class Eig(Op):
    """``x v = v w``, columns of length 1 (Giles 2008, 3.1; Boeddeker et al. 2017, eq. 4.77).

    ``gx = v^-H (gw + f^* (v^H gv - v^H v d)) v^H`` with ``f_ij = 1/(w_j - w_i)``, 0 for equal eigenvalues,
    and d the real part of the diagonal of ``v^H gv``.
    """

    saves = (Output(0), Output(1))
    fresh = True

    def forward(self, x: Array) -> tuple[Array, ...] | Array:
        return tuple(_as_complex(self, a) for a in _known(self, "eig")(x))

    def backward(self, gw: ArrayLike, gv: ArrayLike) -> ArrayLike:
        xp = self.xp
        w, v = (conjugate(self, a) for a in self.saved)  # the engine conjugates gw, gv and gx as well
        vh = adjoint(self, v)
        eye = xp.eye(w.shape[-1], dtype=w.dtype, device=self.backend.device(raw(w)))
        inner: Any = 0.0
        if gv is not None:
            within = vh @ dense(self, gv)
            lengths = xp.real(xp.sum(within * eye, axis=-1))
            gaps = conjugate(self, rows(self, w) - columns(self, w))
            inner = (within - (vh @ v) * rows(self, lengths)) * reciprocal_beyond(self, gaps, w)
        if gw is not None:
            inner = inner + columns(self, gw) * eye
        return xp.linalg.solve(vh, inner @ vh)


class Eigvals(Eig):
    """The eigenvalues alone; the vectors are computed and kept where a gradient is asked for."""

    hidden = 1

    def forward(self, x: Array) -> tuple[Array, ...] | Array:
        if self.edges[0] is None:
            return _as_complex(self, _known(self, "eigvals")(x))
        return super().forward(x)


def _known(op: Op, name: str) -> Callable[..., Any]:
    """The library's function, which CuPy has from 14 on and some never had."""
    function = getattr(op.xp.linalg, name, None)
    if function is None:
        raise TypeError(
            f"{name}: {op.backend.name} {op.backend.version} has no linalg.{name}. "
            "Compute it in another library: v.to('numpy') is part of the graph."
        )
    return function  # type: ignore[no-any-return]


def _as_complex(op: Op, x: Array) -> Array:
    """NumPy gives real numbers where all eigenvalues are."""
    if op.backend.is_complex(x.dtype):
        return x
    xp = op.xp
    return xp.astype(x, xp.complex64 if x.dtype == xp.float32 else xp.complex128)


def _of_eig(w: Any, v: Any) -> tuple[Any, ...]:
    """Real numbers that do not change with factors of eigenvectors."""
    return abs(w), abs(w - 1.5), abs(v)


def _of_eigvals(w: Any) -> tuple[Any, ...]:
    return abs(w), abs(w - 1.5)


@samples(Sample(Real((3, 3)), through=_of_eig), Sample(Real((2, 2, 2)), through=_of_eig))
def eig(x: Any) -> EigResult:
    """Eigenvalues and eigenvectors of each matrix.

    Parameters
    ----------
    x : Variable or array, shape (..., n, n), floating
        For Hermitian matrices `eigh` is faster, and more exact.

    Returns
    -------
    eigenvalues : Variable, shape (..., n), complex
        In any order.
    eigenvectors : Variable, shape (..., n, n), complex
        Columns of length 1, known but for a complex factor of absolute value 1: a gradient is right for
        functions that do not depend on it. Those of equal eigenvalues have no derivative: they are held
        fixed to each other. A matrix that lacks eigenvectors has none for its eigenvalues either.

    Raises
    ------
    ValueError
        If the matrices are not square.

    References
    ----------
    Giles 2008, "An extended collection of matrix derivative results", 3.1; Boeddeker, Hanebrink, Drude,
    Heymann, Haeb-Umbach 2017, "On the computation of complex-valued gradients", eq. 4.77.

    Examples
    --------
    >>> F.eig(Variable(np.array([[0.0, -1.0], [1.0, 0.0]]))).eigenvalues
    variable([0.+1.j 0.-1.j])
    """
    square_shape("eig", x)
    return EigResult(*Eig()(x))


@samples(Sample(Real((3, 3)), through=_of_eigvals), Sample(Real((2, 2, 2)), through=_of_eigvals))
def eigvals(x: Any) -> Variable:
    """Eigenvalues of each matrix.

    Parameters
    ----------
    x : Variable or array, shape (..., n, n), floating
        For Hermitian matrices `eigvalsh` is faster, and more exact.

    Returns
    -------
    Variable, shape (..., n), complex
        In any order. Where the matrix lacks eigenvectors they have no derivative, and a backward is the
        array library's error, or gives inf or nan.

    Raises
    ------
    ValueError
        If the matrices are not square.

    References
    ----------
    Giles 2008, "An extended collection of matrix derivative results", 3.1.

    Examples
    --------
    >>> F.eigvals(Variable(np.array([[2.0, 1.0], [0.0, 3.0]])))
    variable([2.+0.j 3.+0.j])
    """
    square_shape("eigvals", x)
    return Eigvals()(x)  # type: ignore[no-any-return]
