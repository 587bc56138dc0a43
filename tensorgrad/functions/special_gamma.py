"""The gamma function, its logarithm, and the derivatives of that."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.special import X, chebyshev, evaluate, floats, polynomial, special_op

# log(gamma(x)) / ((x - 1) (x - 2)) on [1, 3] in Chebyshev polynomials of x - 2; by mpmath in 40 digits.
_LOG_GAMMA = (
    *(0.44148902545501423, -0.11119580321752523, 0.01951044826068884, -0.003922461463025264),
    *(0.0008478989895953857, -0.00019153855341365593, 4.454470184975607e-05, -1.05728743735943e-05),
    *(2.5474336873408417e-06, -6.208535880776316e-07, 1.5268677399071546e-07, -3.782637660291326e-08),
    *(9.428100823624284e-09, -2.361999702184645e-09, 5.943541905817546e-10, -1.501312977072867e-10),
    *(3.8050196458110534e-11, -9.672485299656325e-12, 2.465348198355661e-12, -6.298868140791711e-13),
    *(1.6128460030283787e-13, -4.137949206814042e-14, 1.0635701227757898e-14, -2.7382420786652826e-15),
    *(7.060670507214892e-16, -1.8232177141662118e-16, 4.714169006756272e-17, -1.2204107319639856e-17),
)
# Bernoulli numbers B2, B4, ...
_BERNOULLI = (
    *(1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730),
    *(7 / 6, -3617 / 510, 43867 / 798, -174611 / 330, 854513 / 138),
)
_N = 9  # terms of Stirling's series: from 10 on they give full precision in float64
_STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI[:_N], 1))[::-1]
_DIGAMMA = tuple(b / (2 * k) for k, b in enumerate(_BERNOULLI[:_N], 1))[::-1]
_SHIFT = 10


# -- formulas ----------------------------------------------------------------------------------------


def _above(xp: Any, x: Array) -> tuple[Array, Array]:
    """``max(x, 0.5)``, and where the recurrence takes it: 10 more where it is below 10."""
    x = xp.maximum(x, 0.5)
    return x, xp.where(x < _SHIFT, x + float(_SHIFT), x)


def _rising(x: Array) -> Array:
    """``x (x + 1) ... (x + 9)``."""
    product = x
    for i in range(1, _SHIFT):
        product = product * (x + float(i))
    return product


def _part(xp: Any, x: Array) -> Array:
    """How far x is from the nearest integer, in [-1/2, 1/2]; 0 where x is infinite."""
    rest = xp.where(xp.isinf(x), xp.zeros_like(x), x)
    return rest - xp.round(rest)


def _series(coefficients: tuple[float, ...], x: Array) -> Array:
    """``c1/x + c2/x**3 + ...``."""
    inverse = 1.0 / x
    return inverse * polynomial(coefficients, inverse * inverse)


def stirling_rest(xp: Any, x: Array) -> Array:
    """``gammaln(x) - (x - 1/2) log x + x - log(2 pi) / 2``, for x >= 10."""
    return _series(_STIRLING, xp.maximum(x, float(_SHIFT)))


def gammaln_by_formula(xp: Any, x: Array) -> Array:
    """``log |gamma(x)|``, to 1e-14 in float64.

    In [1, 3) a Chebyshev expansion that has the zeros at 1 and 2 as factors; below it the recurrence
    ``gamma(x + 1) = x gamma(x)``; above it Stirling's series (DLMF 5.11.1) and the recurrence; left of 0
    the reflection ``gamma(x) gamma(1 - x) = pi / sin(pi x)`` (DLMF 5.5.3).
    """
    positive = xp.where(x > 0.0, x, 1.0 - x)
    short = xp.minimum(positive, 3.0)
    tiny = xp.where(short > 0.0, short, xp.ones_like(short))
    short = xp.where(short < 1.0, short + 1.0, short)
    near = (short - 1.0) * (short - 2.0) * chebyshev(_LOG_GAMMA, short - 2.0)
    near = near - xp.log(xp.minimum(tiny, 1.0))
    _, high = _above(xp, positive)
    low = xp.clip(positive, 3.0, float(_SHIFT))
    far = (high - 0.5) * (xp.log(high) - 1.0) + (0.5 * math.log(2 * math.pi) - 0.5)
    far = far + _series(_STIRLING, high)
    far = far - xp.where(positive < _SHIFT, xp.log(_rising(low)), xp.zeros_like(low))
    y = xp.where(positive < 3.0, near, far)
    sine = xp.abs(xp.sin(math.pi * _part(xp, x)))
    pole = (x <= 0.0) & (sine == 0.0)
    reflected = math.log(math.pi) - xp.log(xp.where(pole | (x > 0.0), xp.ones_like(x), sine)) - y
    y = xp.where(x > 0.0, y, reflected)
    return xp.where(pole, xp.full_like(x, math.inf), xp.where(xp.isnan(x), x, y))


def gamma_by_formula(xp: Any, x: Array) -> Array:
    """gamma, to 1e-14 of its value in float64: Stirling's series, the recurrence, the reflection."""
    size = xp.where(x >= 0.5, x, 1.0 - x)
    low, high = _above(xp, size)
    high = xp.minimum(high, 172.0 if xp.finfo(x.dtype).bits == 64 else 36.0)  # gamma overflows there
    power = high ** (0.5 * high - 0.25)  # twice, as the whole power overflows before gamma does
    y = math.sqrt(2 * math.pi) * power * (xp.exp(-high) * power) * xp.exp(_series(_STIRLING, high))
    y = xp.where(low < _SHIFT, y / _rising(xp.minimum(low, float(_SHIFT))), y)
    part = _part(xp, x)
    odd = xp.remainder(xp.where(xp.isinf(x), xp.zeros_like(x), x) - part, 2.0)
    sine = xp.sin(math.pi * part) * (1.0 - 2.0 * odd)
    left = x < 0.5
    pole = (sine == 0.0) & left
    reflected = (math.pi / xp.where(left & ~pole, sine, xp.ones_like(sine))) / y
    y = xp.where(left, reflected, y)
    y = xp.where(pole, xp.full_like(x, math.nan), y)
    return xp.where(x == 0.0, 1.0 / xp.where(x == 0.0, x, xp.ones_like(x)), y)


def digamma_by_formula(xp: Any, x: Array) -> Array:
    """The derivative of log gamma, to 1e-14 in float64.

    ``log x - 1/(2x) - sum B2k/(2k x**(2k))`` (DLMF 5.11.2), the recurrence and the reflection
    ``digamma(1 - x) - digamma(x) = pi cot(pi x)`` (DLMF 5.5.4).
    """
    low, high = _above(xp, xp.where(x >= 0.5, x, 1.0 - x))
    inverse = 1.0 / high
    y = xp.log(high) - 0.5 * inverse - inverse * _series(_DIGAMMA, high)
    steps = xp.zeros_like(low)
    for i in range(_SHIFT):
        steps = steps + 1.0 / (low + float(i))
    y = xp.where(low < _SHIFT, y - steps, y)
    part = _part(xp, x)
    pole = (part == 0.0) | (x >= 0.5)
    y = xp.where(x >= 0.5, y, y - math.pi / xp.tan(math.pi * xp.where(pole, 0.25 + 0.0 * part, part)))
    y = xp.where((part == 0.0) & (x < 0.0), xp.full_like(x, math.nan), y)
    return xp.where(x == 0.0, -1.0 / xp.where(x == 0.0, x, xp.ones_like(x)), y)


def zeta_by_formula(xp: Any, s: float, q: Array) -> Array:
    """``sum of (q + k)**-s over k >= 0``, for q > 0 and s > 1, to 1e-14 of its value in float64.

    Ten terms, the others by Euler and Maclaurin (DLMF 25.11.5).
    """
    q = xp.where(q > 0.0, q, xp.full_like(q, math.nan))
    y = q**-s
    for k in range(1, _SHIFT):
        y = y + (q + float(k)) ** -s
    end = q + float(_SHIFT)
    last = end**-s
    y = y + end ** (1.0 - s) / (s - 1.0) + 0.5 * last
    factor, power = s, last / end
    for k, b in enumerate(_BERNOULLI, 1):
        y = y + (b / math.factorial(2 * k) * factor) * power
        factor *= (s + 2 * k - 1) * (s + 2 * k)
        power = power / (end * end)
    return y


def polygamma_by_formula(xp: Any, n: int, x: Array) -> Array:
    """The n-th derivative of digamma, n >= 1, to 1e-13 of its value in float64.

    ``(-1)**(n + 1) n! zeta(n + 1, x)`` (DLMF 5.15.1's form for all n), and left of 1/2 the reflection, the
    n-th derivative of that of digamma: a polynomial in ``c = cot(pi x)``, since ``dc/dx = -pi (1 + c**2)``.
    """
    sign = (-1.0) ** (n + 1) * math.factorial(n)
    right = sign * zeta_by_formula(xp, n + 1.0, xp.where(x >= 0.5, x, 1.0 - x))
    derivative = [0.0, 1.0]  # of the cotangent, by powers of c, lowest first
    for _ in range(n):
        slope = [k * c for k, c in enumerate(derivative)][1:]
        derivative = [-a - b for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
    part = _part(xp, x)
    pole = part == 0.0
    cotangent = 1.0 / xp.tan(math.pi * xp.where(pole, 0.25 + 0.0 * part, part))
    left = (-1.0) ** n * right - math.pi ** (n + 1) * polynomial(tuple(derivative[::-1]), cotangent)
    y = xp.where(x >= 0.5, right, left)
    return xp.where(pole & (x <= 0.0), xp.full_like(x, math.inf * sign), y)


# -- ops ---------------------------------------------------------------------------------------------


def digamma_in(op: Op, x: ArrayLike) -> ArrayLike:
    """digamma within the backward of another op."""
    return op.nested(Polygamma(0), x)


class Polygamma(Op):
    """``y``, the (n + 1)-th derivative of log gamma; ``dy/dx`` is the next one."""

    saves = X
    fresh = True
    elementwise = True

    def __init__(self, n: int) -> None:
        self.n = n

    def forward(self, x: Array) -> Array:
        n = self.n
        if n == 0:
            return evaluate(self, "digamma", digamma_by_formula, x)
        y = evaluate(self, "polygamma", polygamma_by_formula, n, x)
        return y if y.dtype == x.dtype else self.xp.astype(y, x.dtype)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        return gy * self.nested(Polygamma(self.n + 1), x)


class Zeta(Op):
    """``y = sum of (q + k)**-s``; ``dy/dq = -s zeta(s + 1, q)``."""

    saves = X
    fresh = True
    elementwise = True

    def __init__(self, s: float) -> None:
        self.s = s

    def forward(self, q: Array) -> Array:
        return evaluate(self, "zeta", zeta_by_formula, self.s, q)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (q,) = self.saved
        return gy * (-self.s * self.nested(Zeta(self.s + 1.0), q))


def _gamma_gradient(op: Op, gy: ArrayLike, x: ArrayLike) -> ArrayLike:
    return gy * op.nested(Gamma(), x) * digamma_in(op, x)


Gammaln = special_op(
    "gammaln",
    gammaln_by_formula,
    X,
    lambda op, gy, x: gy * digamma_in(op, x),
    "``y = log |gamma(x)|``; ``dy/dx = digamma x``.",
)
Gamma = special_op("gamma", gamma_by_formula, X, _gamma_gradient, "``y = gamma x``; ``dy/dx = y digamma x``.")


# -- public functions --------------------------------------------------------------------------------

_POSITIVE = (Sample(Real((2, 3), 0.3, 3.5)), Sample(Real((4,), 3.0, 30.0)), Sample(Real((), 0.05, 0.3)))
_LEFT = (Sample(Real((3,), -0.8, -0.2)), Sample(Real((2, 2), -3.8, -3.2)))


@samples(*_POSITIVE, *_LEFT)
def gammaln(x: Any) -> Variable:
    """Logarithm of the absolute value of the gamma function, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real
        Infinity comes of 0 and of negative integers.

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    NIST Digital Library of Mathematical Functions, section 5.11.

    Examples
    --------
    >>> F.gammaln(Variable(np.array([1.0, 11.0])))
    variable([ 0.         15.10441257])
    """
    return Gammaln()(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), 0.3, 3.5)), Sample(Real((4,), 3.0, 6.0)), *_LEFT)
def gamma(x: Any) -> Variable:
    """The gamma function, element by element: ``gamma(n + 1)`` is n factorial.

    Parameters
    ----------
    x : Variable or array, any shape, real
        Negative integers give nan, 0 gives infinity.

    Returns
    -------
    Variable, shape of `x`
        Overflows above 171.6 in float64, 35.0 in float32: see `gammaln`.

    References
    ----------
    NIST Digital Library of Mathematical Functions, section 5.11.

    Examples
    --------
    >>> F.gamma(Variable(np.array([5.0, 0.5])))
    variable([24.          1.77245385])
    """
    return Gamma()(*floats(x))  # type: ignore[no-any-return]


@samples(*_POSITIVE, *_LEFT)
def digamma(x: Any) -> Variable:
    """Derivative of `gammaln`, element by element; also known as psi.

    Parameters
    ----------
    x : Variable or array, any shape, real
        Not 0 or a negative integer, where it has poles.

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    NIST Digital Library of Mathematical Functions, section 5.11.

    Examples
    --------
    >>> F.digamma(Variable(np.array([1.0, 10.0])))
    variable([-0.57721566  2.25175259])
    """
    return Polygamma(0)(*floats(x))  # type: ignore[no-any-return]


psi = digamma


@samples(
    Sample(0, Real((3,), 0.5, 3.0)),
    Sample(1, Real((2, 3), 0.5, 3.0)),
    Sample(2, Real((4,), 3.0, 30.0)),
    Sample(3, Real((), 1.0, 2.0)),
    Sample(1, Real((3,), -1.7, -1.3)),
    Sample(2, Real((3,), -1.8, -1.6)),
)
def polygamma(n: int, x: Any) -> Variable:
    """The n-th derivative of `digamma`, element by element.

    Parameters
    ----------
    n : int
        Not negative.
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `n` is negative or no integer.

    References
    ----------
    NIST Digital Library of Mathematical Functions, sections 5.15 and 25.11.

    Examples
    --------
    >>> F.polygamma(1, Variable(np.array([1.0, 10.0])))
    variable([1.64493407 0.10516634])
    """
    order = n.item() if hasattr(n, "item") else n
    if order != int(order) or order < 0:
        raise ValueError(f"polygamma: expected an integer n that is not negative; got {order}")
    return Polygamma(int(order))(*floats(x))  # type: ignore[no-any-return]


@samples(
    Sample(2.0, Real((2, 3), 0.3, 3.0)), Sample(1.5, Real((3,), 3.0, 30.0)), Sample(4, Real((), 1.0, 2.0))
)
def zeta(s: Any, q: Any = 1.0) -> Variable:
    """Hurwitz' zeta function, element by element: the sum of ``(q + k)**-s`` over k = 0, 1, 2, ...

    Parameters
    ----------
    s : float
        Greater than 1. A number, since the gradient is that of `q`.
    q : Variable, array or number, any shape, real, default 1
        Positive; 1 makes it Riemann's zeta function.

    Returns
    -------
    Variable, shape of `q`

    Raises
    ------
    ValueError
        If `s` is 1 or less.

    References
    ----------
    NIST Digital Library of Mathematical Functions, equation 25.11.5.

    Examples
    --------
    >>> F.zeta(2.0, Variable(np.array([1.0, 2.0])))
    variable([1.64493407 0.64493407])
    """
    if isinstance(s, Variable) and s.requires_grad:
        raise ValueError("zeta: there is no derivative in s; pass a number, or tg.stop_gradient(s).item()")
    order = float(s)
    if not order > 1.0:
        raise ValueError(f"zeta: expected s > 1; got {order}")
    return Zeta(order)(*floats(q))  # type: ignore[no-any-return]
