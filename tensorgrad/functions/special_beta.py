"""The beta function, binomial coefficients and the multivariate gamma function."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import add, sub
from tensorgrad.functions.elementwise import exp
from tensorgrad.functions.special import evaluate, floats, saved_operands
from tensorgrad.functions.special_gamma import Polygamma, gammaln, gammaln_by_formula, stirling_rest


def betaln_by_formula(xp: Any, a: Array, b: Array) -> Array:
    """``log |beta(a, b)|``, to 1e-14 in float64 where both are positive.

    ``gammaln(a) + gammaln(b) - gammaln(a + b)``; where arguments are 10 or more in Stirling's form, from
    which the large terms that cancel are left out.
    """
    low, high = xp.minimum(a, b), xp.maximum(a, b)
    plain = gammaln_by_formula(xp, low) - gammaln_by_formula(xp, low + high) + gammaln_by_formula(xp, high)
    q = xp.maximum(high, 10.0)
    p = xp.minimum(xp.maximum(low, 0.0), q)
    rest = stirling_rest(xp, q) - stirling_rest(xp, p + q)
    share = xp.log1p(-p / (p + q))
    big = xp.maximum(p, 10.0)
    mixed = gammaln_by_formula(xp, low) + rest + p - p * xp.log(p + q) + (q - 0.5) * share
    both = 0.5 * math.log(2 * math.pi) - 0.5 * xp.log(q) + rest + stirling_rest(xp, big)
    both = both + (big - 0.5) * xp.log(big / (big + q)) + q * share
    return xp.where((low > 0.0) & (high >= 10.0), xp.where(low >= 10.0, both, mixed), plain)


def binom_by_formula(xp: Any, n: Array, k: Array) -> Array:
    """The exponential of a sum of `gammaln`; 0 outside ``0 <= k <= n`` where n and k are integers."""
    inside = (k >= 0.0) & (k <= n)
    logs = gammaln_by_formula(xp, n + 1.0) - gammaln_by_formula(xp, k + 1.0)
    y = xp.exp(logs - gammaln_by_formula(xp, xp.where(inside, n - k + 1.0, xp.ones_like(n - k))))
    whole = (n == xp.floor(n)) & (k == xp.floor(k))
    y = xp.where(whole & (y < 1e15), xp.round(y), y)
    outside = xp.where(whole, xp.zeros_like(y), xp.full_like(y, math.nan))
    return xp.where(inside, y, outside)


class Betaln(Op):
    """``y = log |beta(a, b)|``; ``dy/da = digamma(a) - digamma(a + b)``, and so for b."""

    saves = (Input(0), Input(1))
    fresh = True
    elementwise = True

    def forward(self, a: Array, b: Array) -> Array:
        return evaluate(self, "betaln", betaln_by_formula, a, b)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ...]:
        operands = saved_operands(self)
        total = self.nested(Polygamma(0), operands[0] + operands[1])
        return tuple(
            gy * (self.nested(Polygamma(0), x) - total) if needed else None
            for x, needed in zip(operands, self.needs, strict=True)
        )


class Binom(Op):
    """``y = n! / (k! (n - k)!)``; ``dy/dn = y (digamma(n + 1) - digamma(n - k + 1))``, for k with k + 1."""

    saves = (Input(0), Input(1))
    fresh = True
    elementwise = True

    def forward(self, n: Array, k: Array) -> Array:
        return evaluate(self, "binom", binom_by_formula, n, k)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        n, k = saved_operands(self)
        to_n, to_k = self.needs
        gy = gy * self.nested(Binom(), n, k)
        rest = self.nested(Polygamma(0), n - k + 1.0)
        gn = gy * (self.nested(Polygamma(0), n + 1.0) - rest) if to_n else None
        gk = gy * (rest - self.nested(Polygamma(0), k + 1.0)) if to_k else None
        return gn, gk


_PAIRS = (
    Sample(Real((2, 3), 0.5, 3.0), Real((2, 3), 0.5, 3.0)),
    Sample(Real((2, 1), 2.0, 9.0), Real((3,), 0.2, 1.0)),
    Sample(Real((3,), 0.5, 3.0), 2.5),
    Sample(2.5, Real((), 0.5, 3.0)),
)


@samples(*_PAIRS)
def betaln(a: Any, b: Any) -> Variable:
    """Logarithm of the beta function, element by element.

    Parameters
    ----------
    a, b : Variable, array or number, real, positive
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.betaln(Variable(np.array([1.0, 200.0])), 200.0)
    variable([  -5.29831737 -278.64189378])
    """
    return Betaln()(*floats(a, b))  # type: ignore[no-any-return]


@samples(*_PAIRS)
def beta(a: Any, b: Any) -> Variable:
    """The beta function, ``gamma(a) gamma(b) / gamma(a + b)``, element by element.

    Parameters
    ----------
    a, b : Variable, array or number, real, positive
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape

    Examples
    --------
    >>> F.beta(Variable(np.array([1.0, 0.5])), 0.5)
    variable([2.         3.14159265])
    """
    return exp(betaln(a, b))


@samples(
    Sample(Real((2, 3), 3.0, 5.0), Real((2, 3), 0.5, 2.5)),
    Sample(Real((2, 1), 6.0, 9.0), Real((3,), 1.0, 5.0)),
    Sample(5.0, Real((3,), 1.0, 4.0)),
)
def binom(n: Any, k: Any) -> Variable:
    """Binomial coefficients, element by element, for real numbers too.

    Parameters
    ----------
    n, k : Variable, array or number, real, ``0 <= k <= n``
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape
        ``gamma(n + 1) / (gamma(k + 1) gamma(n - k + 1))``.

    Examples
    --------
    >>> F.binom(Variable(np.array([5.0, 4.5])), 2.0)
    variable([10.     7.875])
    """
    return Binom()(*floats(n, k))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), 1.5, 4.0), 3), Sample(Real((), 1.0, 2.0), 1))
def multigammaln(a: Any, d: int) -> Variable:
    """Logarithm of the multivariate gamma function, element by element.

    Parameters
    ----------
    a : Variable or array, any shape, real
        Greater than ``(d - 1) / 2``.
    d : int
        The dimension, 1 or more.

    Returns
    -------
    Variable, shape of `a`

    Raises
    ------
    ValueError
        If `d` is no positive integer.

    References
    ----------
    R. J. Muirhead, "Aspects of Multivariate Statistical Theory", Wiley 1982, theorem 2.1.12.

    Examples
    --------
    >>> F.multigammaln(Variable(np.array([2.0, 3.0])), 2)
    variable([0.45158271 1.55019499])
    """
    size = d.item() if hasattr(d, "item") else d
    if size != int(size) or size < 1:
        raise ValueError(f"multigammaln: expected d to be a positive integer; got {size}")
    y = gammaln(a)
    for j in range(1, int(size)):
        y = add(y, gammaln(sub(a, j / 2)))
    return add(y, size * (size - 1) / 4 * math.log(math.pi))
