"""Special functions: the library's own where it has them, else a formula in plain Array API."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from tensorgrad.backend import Array, Backend
from tensorgrad.core import ArrayLike, Input, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples

# Coefficients of Cody's rational approximations, highest power first.
_SMALL_P = (
    1.85777706184603153e-1,
    3.16112374387056560e0,
    1.13864154151050156e2,
    3.77485237685302021e2,
    3.20937758913846947e3,
)
_SMALL_Q = (
    1.0,
    2.36012909523441209e1,
    2.44024637934444173e2,
    1.28261652607737228e3,
    2.84423683343917062e3,
)
_LARGE_P = (
    2.15311535474403846e-8,
    5.64188496988670089e-1,
    8.88314979438837594e0,
    6.61191906371416295e1,
    2.98635138197400131e2,
    8.81952221241769090e2,
    1.71204761263407058e3,
    2.05107837782607147e3,
    1.23033935479799725e3,
)
_LARGE_Q = (
    1.0,
    1.57449261107098347e1,
    1.17693950891312499e2,
    5.37181101862009858e2,
    1.62138957456669019e3,
    3.29079923573345963e3,
    4.36261909014324716e3,
    3.43936767414372164e3,
    1.23033935480374942e3,
)


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    first, second, *others = coefficients
    y = first * x + second
    for c in others:
        y = y * x + c
    return y


def erf_by_formula(xp: Any, x: Array) -> Array:
    """erf, to 6e-16 in float64.

    ``x P(x**2) / Q(x**2)`` where ``|x| <= 0.46875``, else ``1 - exp(-x**2) P(|x|) / Q(|x|)``: W. J. Cody,
    "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969) 631-637. Cody's
    third range, ``|x| > 4``, serves erfc; there the second one is exact enough for erf. From 6 on erf
    is 1 in float64.
    """
    size = xp.minimum(xp.abs(x), 6.0)
    inner = xp.minimum(size, 0.46875)
    square = inner * inner
    small = inner * (_polynomial(_SMALL_P, square) / _polynomial(_SMALL_Q, square))
    tail = xp.exp(-size * size) * (_polynomial(_LARGE_P, size) / _polynomial(_LARGE_Q, size))
    return xp.sign(x) * xp.where(size <= 0.46875, small, 1 - tail)


@cache
def library_function(backend: Backend, name: str) -> Any:
    """The library's own special function, or None; looked for once."""
    return backend.special(name)


class Erf(Op):
    """``y = 2/sqrt(pi) * integral of exp(-t**2) from 0 to x``; ``dy/dx = 2/sqrt(pi) exp(-x**2)``."""

    saves = Input(0)
    fresh = True

    def forward(self, x: Array) -> Array:
        erf = library_function(self.backend, "erf")
        return erf_by_formula(self.xp, x) if erf is None else erf(x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        return gy * (2 / math.sqrt(math.pi) * self.xp.exp(-x * x))


@samples(Sample(Real((2, 3))), Sample(Real((3, 4), -7.0, 7.0)), Sample(Real((), -0.4, 0.4)))
def erf(x: Any) -> Variable:
    """Error function, element by element: how much of a normal distribution lies within ``x sqrt(2)``.

    Parameters
    ----------
    x : Variable or array, any shape, real floating

    Returns
    -------
    Variable, shape of `x`
        In [-1, 1]. By the array library (on NumPy: SciPy) where it has an erf, else by Cody's formula.

    References
    ----------
    W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969)
    631-637.

    Examples
    --------
    >>> F.erf(Variable(np.array([0.0, 1.0])))
    variable([0.         0.84270079])
    """
    return Erf()(x)  # type: ignore[no-any-return]
