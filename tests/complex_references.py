"""The functions that take complex numbers in the table test, and what they must give there.

Most have the reference of real numbers, from `references`. Functions that are defined for real numbers alone
(floor, max, erfinv, in the standard var too, ...) are not here.
"""

from __future__ import annotations

import cmath
from collections.abc import Callable
from typing import Any

import numpy as np

from references import REFERENCES
from references.norms import vector_norm
from references.reduction import over
from references.solving import each as each_matrix
from references.solving import leibniz
from tensorgrad import functions as F


def each(function: Callable[[complex], complex]) -> Callable[..., Any]:
    """The function of an array that applies a function of numbers to every element."""
    return np.vectorize(function, otypes=[complex])


def adjoint(x: Any) -> Any:
    return np.conj(np.swapaxes(x, -1, -2))


def eigh(x: Any) -> Any:
    return tuple(np.linalg.eigh((x + adjoint(x)) / 2))


def cholesky(x: Any, upper: bool = False) -> Any:
    y = np.linalg.cholesky((x + adjoint(x)) / 2)
    return adjoint(y) if upper else y


def pinv(x: Any, rtol: Any = None) -> Any:
    if x.shape[-2] < x.shape[-1]:
        return adjoint(pinv(adjoint(x)))
    return np.linalg.inv(adjoint(x) @ x) @ adjoint(x)


def svdvals(x: Any) -> Any:
    """Roots of the eigenvalues of the smaller of the two products with the adjoint."""
    t = adjoint(x)
    values = np.linalg.eigvalsh(x @ t if x.shape[-2] < x.shape[-1] else t @ x)
    return np.sqrt(values)[..., ::-1]


def slogdet(x: Any) -> Any:
    y = leibniz(x)
    return y / np.abs(y), np.log(np.abs(y))


def solve(a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return each_matrix(lambda m, c: (np.linalg.inv(m) @ c)[:, 0], a, b[:, None])
    return each_matrix(lambda m, c: np.linalg.inv(m) @ c, a, b)


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    parts = REFERENCES["convolve"]
    real = parts(a.real, v.real, mode) - parts(a.imag, v.imag, mode)
    return real + 1j * (parts(a.real, v.imag, mode) + parts(a.imag, v.real, mode))


def sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    return REFERENCES["sum_to"](x.real, shape) + 1j * REFERENCES["sum_to"](x.imag, shape)


def where(condition: Any, x0: Any, x1: Any) -> Any:
    x0, x1 = np.asarray(x0), np.asarray(x1)
    return REFERENCES["where"](condition, x0.real, x1.real) + 1j * REFERENCES["where"](
        condition, x0.imag, x1.imag
    )


_AS_FOR_REAL_NUMBERS = """
    add sub rsub mul div rdiv neg
    reshape flatten ravel permute_dims transpose matrix_transpose moveaxis expand_dims squeeze broadcast_to
    concat stack split unstack flip roll tril triu repeat tile copy to
    get_item set_item take take_along_axis diff pad trapezoid cumsum cumprod
    matmul dot linear tensordot outer einsum cross diagonal trace matrix_norm
    eig eigvals qr svd
    fft ifft fftn ifftn hfft irfft irfftn fftshift ifftshift sinc
"""

_ELEMENTWISE = """
    acos acosh asin asinh atan atanh cos cosh exp log log10 sin sinh sqrt tan tanh
"""

COMPLEX: dict[str, Callable[..., Any]] = {
    **{name: REFERENCES[name] for name in _AS_FOR_REAL_NUMBERS.split()},
    **{name: each(getattr(cmath, name)) for name in _ELEMENTWISE.split()},
    "abs": np.vectorize(abs, otypes=[float]),
    "average": over(lambda row: sum(row) / len(row)),
    "cholesky": cholesky,
    "conj": each(lambda z: complex(z.real, -z.imag)),
    "convolve": convolve,
    "det": leibniz,
    "eigh": eigh,
    "eigvalsh": lambda x: eigh(x)[0],
    "expm1": each(lambda z: cmath.exp(z) - 1),
    "imag": np.vectorize(lambda z: z.imag, otypes=[float]),
    "inv": np.linalg.inv,
    "log1p": each(lambda z: cmath.log(1 + z)),
    "log2": each(lambda z: cmath.log(z) / cmath.log(2)),
    "lstsq": lambda a, b, rtol=None: pinv(a) @ b,
    "matrix_power": np.linalg.matrix_power,
    "mean": over(lambda row: sum(row) / len(row)),
    "pinv": pinv,
    "pow": np.vectorize(lambda x, y: complex(x) ** complex(y), otypes=[complex]),
    "prod": over(lambda row: complex(np.prod(row))),
    "real": np.vectorize(lambda z: z.real, otypes=[float]),
    "reciprocal": each(lambda z: z.conjugate() / abs(z) ** 2),
    "sign": each(lambda z: z / abs(z)),
    "slogdet": slogdet,
    "solve": solve,
    "square": each(lambda z: z * z),
    "sum": over(sum),
    "sum_to": sum_to,
    "svdvals": svdvals,
    "vecdot": lambda x0, x1, axis=-1: np.sum(np.conj(x0) * x1, axis=axis),
    "vector_norm": lambda x, **options: vector_norm(np.abs(x), **options),
    "where": where,
}
"""Function -> its reference on complex numbers."""


def _of_qr(q: Any, r: Any) -> tuple[Any, ...]:
    k = min(q.shape[-1], r.shape[-2])
    return F.abs(q[..., :, :k]), F.real(r * F.conj(r)), q[..., :, :k] @ r[..., :k, :]


def _of_eigh(w: Any, v: Any) -> tuple[Any, ...]:
    return w, F.abs(v), *(v[..., :, i : i + 1] * F.conj(v[..., :1, i : i + 1]) for i in range(v.shape[-1]))


def _of_svd(u: Any, s: Any, vh: Any) -> tuple[Any, ...]:
    pairs = (u[..., :, i : i + 1] * vh[..., i : i + 1, :] for i in range(s.shape[-1]))
    return s, F.abs(u[..., :, : s.shape[-1]]), F.abs(vh[..., : s.shape[-1], :]), *pairs


THROUGH: dict[str, Callable[..., tuple[Any, ...]]] = {
    "eigh": _of_eigh,
    "qr": _of_qr,
    "svd": _of_svd,
}
"""Function -> what of its results does not change with factors of absolute value 1, in vectors or columns."""
