"""The inverses of the transformations of Box and Cox."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import mul
from tensorgrad.functions.elementwise import exp, expm1
from tensorgrad.functions.special import X, floats, polynomial

# -- ops ---------------------------------------------------------------------------------------------


class LogRatio(Op):
    """The k-th derivative of ``log(1 + x) / x``; ``dy/dx`` is the next one.

    For ``|x| < 1/4`` the derivative of the series ``sum (-x)**n / (n + 1)``, else by the derivatives of
    ``x y = log(1 + x)``: ``y_k = (-(k - 1)! / (-1 - x)**k - k y_{k-1}) / x``.
    """

    saves = X
    fresh = True
    elementwise = True

    def __init__(self, k: int) -> None:
        self.k = k

    def forward(self, x: Array) -> Array:
        xp, k = self.xp, self.k
        near = xp.abs(x) < 0.25
        short = xp.where(near, x, xp.zeros_like(x))
        terms = [(-1.0) ** n / (n + 1) * math.perm(n, k) for n in range(k, k + 30)]
        long = xp.where(near, xp.ones_like(x), x)
        y = xp.log1p(long) / long
        for i in range(1, k + 1):
            y = (-math.factorial(i - 1) / (-1.0 - long) ** i - i * y) / long
        return xp.where(near, polynomial(tuple(terms[::-1]), short), y)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        return gy * self.nested(LogRatio(self.k + 1), x)


# -- public functions --------------------------------------------------------------------------------

_TRANSFORMED = (
    Sample(Real((2, 3), 0.1, 1.5), Real((2, 3), 0.2, 2.0)),
    Sample(Real((3,)), 0.0),
    Sample(Real((2, 1), 0.3, 3.0), Real((3,), -0.01, 0.01)),
)


def _power(y: Any, lmbda: Any) -> Variable:
    """The logarithm of what `inv_boxcox` gives."""
    y, lmbda = floats(y, lmbda)
    return mul(y, LogRatio(0)(mul(lmbda, y)))


@samples(*_TRANSFORMED)
def inv_boxcox(y: Any, lmbda: Any) -> Variable:
    """The inverse of `boxcox`: ``(1 + lmbda y)**(1 / lmbda)``, and ``exp(y)`` where `lmbda` is 0.

    Parameters
    ----------
    y, lmbda : Variable, array or number, real
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.inv_boxcox(Variable(np.array([0.0, 2.0])), 0.5)
    variable([1. 4.])
    """
    return exp(_power(y, lmbda))


@samples(*_TRANSFORMED)
def inv_boxcox1p(y: Any, lmbda: Any) -> Variable:
    """The inverse of `boxcox1p`: ``inv_boxcox(y, lmbda) - 1``, exact for small `y` too.

    Parameters
    ----------
    y, lmbda
        As for `inv_boxcox`.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.inv_boxcox1p(Variable(np.array([0.0, 2.0])), 0.5)
    variable([0. 3.])
    """
    return expm1(_power(y, lmbda))
