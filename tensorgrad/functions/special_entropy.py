"""Products with logarithms that are 0 where the factor is, relative entropies, and log-odds."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.activation import sigmoid, softplus
from tensorgrad.functions.arithmetic import neg
from tensorgrad.functions.special import X, evaluate, floats, saved_operands, special_op

# -- formulas ----------------------------------------------------------------------------------------


def _xlogy(xp: Any, x: Array, y: Array) -> Array:
    none = (x == 0.0) & ~xp.isnan(y)
    return xp.where(none, xp.zeros_like(x * y), x * xp.log(xp.where(none, xp.ones_like(x * y), y)))


def _xlog1py(xp: Any, x: Array, y: Array) -> Array:
    none = (x == 0.0) & ~xp.isnan(y)
    return xp.where(none, xp.zeros_like(x + y), x * xp.log1p(xp.where(none, xp.zeros_like(x + y), y)))


def _entr(xp: Any, x: Array) -> Array:
    y = -x * xp.log(xp.where(x > 0.0, x, xp.ones_like(x)))
    y = xp.where(x < 0.0, xp.full_like(y, -math.inf), y)
    return xp.where(x == 0.0, xp.zeros_like(y), y)


def _rel_entr(xp: Any, x: Array, y: Array) -> Array:
    inside = (x > 0.0) & (y > 0.0)
    ones = xp.ones_like(x * y)
    x, y = x * ones, y * ones
    ratio = xp.log(xp.where(inside, x, ones)) - xp.log(xp.where(inside, y, ones))
    outside = xp.where((x == 0.0) & (y >= 0.0), xp.zeros_like(ones), xp.full_like(ones, math.inf))
    z = xp.where(inside, x * ratio, outside)
    return xp.where(xp.isnan(x) | xp.isnan(y), xp.full_like(ones, math.nan), z)


def _kl_div(xp: Any, x: Array, y: Array) -> Array:
    rel = _rel_entr(xp, x, y)
    return xp.where(xp.isinf(rel), rel, rel - x + y)


def _logit(xp: Any, p: Array) -> Array:
    """``log(p / (1 - p))``; near 1/2 by log1p of ``(2p - 1) / (1 - p)``, where the ratio is near 1."""
    near = xp.abs(p - 0.5) < 0.2
    far = xp.where(near, xp.full_like(p, 0.25), p)
    middle = xp.where(near, p, xp.full_like(p, 0.5))
    ends = xp.log(far) - xp.log1p(-far)
    return xp.where(near, xp.log1p((middle - 0.5) * 2.0 / (1.0 - middle)), ends)


# -- ops ---------------------------------------------------------------------------------------------


class XLogY(Op):
    """``z = x log y``, 0 where x is; ``dz/dx = log y``, ``dz/dy = x / y``, both 0 where x and y are."""

    saves = (Input(0), Input(1))
    fresh = True

    def forward(self, x: Array, y: Array) -> Array:
        return evaluate(self, "xlogy", _xlogy, x, y)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        xp = self.xp
        x, y = saved_operands(self)
        to_x, to_y = self.needs
        y = xp.where(xp.logical_and(x == 0.0, y == 0.0), xp.ones_like(x * y), y)
        return (gy * xp.log(y) if to_x else None), (gy * (x / y) if to_y else None)


class XLog1pY(Op):
    """``z = x log(1 + y)``, 0 where x is; ``dz/dx = log(1 + y)``, ``dz/dy = x / (1 + y)``, 0 as for XLogY."""

    saves = (Input(0), Input(1))
    fresh = True

    def forward(self, x: Array, y: Array) -> Array:
        return evaluate(self, "xlog1py", _xlog1py, x, y)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        xp = self.xp
        x, y = saved_operands(self)
        to_x, to_y = self.needs
        y = xp.where(xp.logical_and(x == 0.0, y == -1.0), xp.zeros_like(x * y), y)
        return (gy * xp.log1p(y) if to_x else None), (gy * (x / (1.0 + y)) if to_y else None)


class RelEntr(Op):
    """``z = x log(x / y)``; ``dz/dx = log(x / y) + 1``, ``dz/dy = -x / y``."""

    saves = (Input(0), Input(1))
    fresh = True

    def forward(self, x: Array, y: Array) -> Array:
        return evaluate(self, "rel_entr", _rel_entr, x, y)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x, y, gy = _apart(self, gy)
        to_x, to_y = self.needs
        return (gy * (self.xp.log(x / y) + 1.0) if to_x else None), (gy * (-x / y) if to_y else None)


class KlDiv(Op):
    """``z = x log(x / y) - x + y``; ``dz/dx = log(x / y)``, ``dz/dy = 1 - x / y``."""

    saves = (Input(0), Input(1))
    fresh = True

    def forward(self, x: Array, y: Array) -> Array:
        return evaluate(self, "kl_div", _kl_div, x, y)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        x, y, gy = _apart(self, gy)
        to_x, to_y = self.needs
        return (gy * self.xp.log(x / y) if to_x else None), (gy * (1.0 - x / y) if to_y else None)


def _apart(op: Op, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike, ArrayLike]:
    """x, y and the gradient of z with 1, 1 and 0 where x and y are 0: there both gradients are 0."""
    xp = op.xp
    x, y = saved_operands(op)
    none = xp.logical_and(x == 0.0, y == 0.0)
    ones = xp.ones_like(gy)
    return xp.where(none, ones, x), xp.where(none, ones, y), xp.where(none, xp.zeros_like(gy), gy)


Entr = special_op(
    "entr",
    _entr,
    X,
    lambda op, gy, x: -gy * (op.xp.log(x) + 1.0),
    "``y = -x log x``; ``dy/dx = -log x - 1``.",
)
Logit = special_op(
    "logit",
    _logit,
    X,
    lambda op, gy, p: gy / (p * (1.0 - p)),
    "``y = log(p / (1 - p))``; ``dy/dp = 1 / (p (1 - p))``.",
)


# -- public functions --------------------------------------------------------------------------------

_PAIRS = (
    Sample(Real((2, 3), 0.3, 2.0), Real((2, 3), 0.3, 2.0)),
    Sample(Real((2, 1), 0.3, 2.0), Real((4, 1, 3), 0.3, 2.0)),
    Sample(Real((3,), 0.3, 2.0), 0.5),
    Sample(0.5, Real((), 0.3, 2.0)),
)


@samples(*_PAIRS, Sample(Real((2, 3)), Real((2, 3), 0.3, 2.0)))
def xlogy(x: Any, y: Any) -> Variable:
    """``x * log(y)``, and 0 where `x` is 0, whatever `y` is but nan.

    Parameters
    ----------
    x, y : Variable, array or number, real
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape
        Where both are 0, both gradients are 0.

    Examples
    --------
    >>> F.xlogy(Variable(np.array([0.0, 2.0])), np.array([0.0, 3.0]))
    variable([0.         2.19722458])
    """
    return XLogY()(*floats(x, y))  # type: ignore[no-any-return]


@samples(*_PAIRS, Sample(Real((2, 3)), Real((2, 3), -0.7, 2.0)))
def xlog1py(x: Any, y: Any) -> Variable:
    """``x * log(1 + y)``, and 0 where `x` is 0, whatever `y` is but nan.

    Parameters
    ----------
    x, y : Variable, array or number, real
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape
        Where `x` is 0 and `y` is -1, both gradients are 0.

    Examples
    --------
    >>> F.xlog1py(Variable(np.array([0.0, 2.0])), np.array([-1.0, 1e-20]))
    variable([0.e+00 2.e-20])
    """
    return XLog1pY()(*floats(x, y))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), 0.2, 2.0)), Sample(Real((), 0.2, 2.0)))
def entr(x: Any) -> Variable:
    """``-x * log(x)``, element by element: what a probability adds to an entropy.

    Parameters
    ----------
    x : Variable or array, any shape, real
        0 comes of 0, where the slope is infinite; -inf of what is negative.

    Returns
    -------
    Variable, shape of `x`
        Nats.

    Examples
    --------
    >>> F.entr(Variable(np.array([0.0, 0.5])))
    variable([0.         0.34657359])
    """
    return Entr()(*floats(x))  # type: ignore[no-any-return]


@samples(*_PAIRS)
def rel_entr(x: Any, y: Any) -> Variable:
    """``x * log(x / y)``, element by element: what it adds to a relative entropy.

    Parameters
    ----------
    x, y : Variable, array or number, real
        Broadcast against each other. 0 comes of ``x == 0`` and ``y >= 0``, where the slope in `x` is
        infinite (where both are 0, both gradients are 0); inf of everything else that is not positive.

    Returns
    -------
    Variable, the broadcast shape
        Nats.

    Examples
    --------
    >>> F.rel_entr(Variable(np.array([0.5, 0.5])), np.array([0.5, 0.25]))
    variable([0.         0.34657359])
    """
    return RelEntr()(*floats(x, y))  # type: ignore[no-any-return]


@samples(*_PAIRS)
def kl_div(x: Any, y: Any) -> Variable:
    """``x * log(x / y) - x + y``, element by element: convex in both, and never negative.

    Parameters
    ----------
    x, y : Variable, array or number, real
        As for `rel_entr`.

    Returns
    -------
    Variable, the broadcast shape
        Nats.

    Examples
    --------
    >>> F.kl_div(Variable(np.array([0.5, 0.5])), np.array([0.5, 0.25]))
    variable([0.         0.09657359])
    """
    return KlDiv()(*floats(x, y))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3), 0.1, 0.9)), Sample(Real((), 0.45, 0.55)))
def logit(p: Any) -> Variable:
    """``log(p / (1 - p))``, element by element: the inverse of `expit`.

    Parameters
    ----------
    p : Variable or array, any shape, real
        In [0, 1]; nan comes of what is not, and infinity of the ends.

    Returns
    -------
    Variable, shape of `p`

    Examples
    --------
    >>> F.logit(Variable(np.array([0.5, 0.9])))
    variable([0.         2.19722458])
    """
    return Logit()(*floats(p))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3))), Sample(Real((), -40.0, 40.0)))
def expit(x: Any) -> Variable:
    """``1 / (1 + exp(-x))``, element by element: `sigmoid` by its other name.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        In [0, 1].

    Examples
    --------
    >>> F.expit(Variable(np.array([0.0, 2.0])))
    variable([0.5        0.88079708])
    """
    return sigmoid(*floats(x))


@samples(Sample(Real((2, 3))), Sample(Real((), -40.0, 40.0)))
def log_expit(x: Any) -> Variable:
    """Logarithm of `expit`, element by element, exact in both tails.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        0 at most.

    Examples
    --------
    >>> F.log_expit(Variable(np.array([0.0, -1000.0])))
    variable([-6.93147181e-01 -1.00000000e+03])
    """
    return neg(softplus(neg(floats(x)[0])))
