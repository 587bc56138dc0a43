"""Bessel functions of the first and second kind."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import div, mul, sub
from tensorgrad.functions.special import X, Y, chebyshev, floats, special_op, whole_number
from tensorgrad.functions.special_bessel import ratio_to_x

# Chebyshev coefficients, by mpmath in 40 digits. For x in [0, 8], in x**2 / 32 - 1: of J0(x), J1(x) / x and,
# with L = 2/pi log(x / 2), of Y0(x) - L J0(x) and (Y1(x) - L J1(x)) / x + 2 / (pi x**2). For x >= 8, in
# 128 / x**2 - 1: of P and of Q x / 8 for the orders 0 and 1, the amplitudes of DLMF 10.18.21.
_J0_NEAR = (
    *(0.15772797147489012, -0.008723442352852221, 0.2651786132033368, -0.37009499387264977),
    *(0.15806710233209725, -0.034893769411408884, 0.004819180069467605, -0.00046062616620627504),
    *(3.246032882100508e-05, -1.7619469077621507e-06, 7.608163592418782e-08, -2.679253530557673e-09),
    *(7.848696314479465e-11, -1.9438346867370164e-12, 4.125320595634374e-14, -7.588508125447546e-16),
    *(1.2218515873961411e-17,),
)
_J1_NEAR = (
    *(0.08104484632565812, -0.1489751450676521, 0.1609992623572097, -0.08268049176681791),
    *(0.022213639654966037, -0.003646940600769276, 0.0004050337728354822, -3.255554866857259e-05),
    *(1.9858774049915165e-06, -9.521984756750436e-08, 3.687133759097148e-09, -1.1780266226958847e-10),
    *(3.160154580348003e-12, -7.221755239651773e-14, 1.4232144003513942e-15, -2.4441972916190464e-17),
)
_Y0_NEAR = (
    *(0.03645469809116044, -0.2783237094075825, 0.2960499990207148, 0.09825508408187864),
    *(-0.10755155280627784, 0.031799074084414514, -0.005161397105810715, 0.0005498525320039012),
    *(-4.1996983149420134e-05, 2.4290361107923793e-06, -1.1049969793472957e-07, 4.06651736597911e-09),
    *(-1.237414889828985e-10, 3.1685725528945945e-12, -6.926956032431002e-14, 1.3086308625876684e-15),
    *(-2.1586201986914482e-17,),
)
_Y1_NEAR = (
    *(0.038300769852423776, -0.08182561412732826, -0.0248677076121964, 0.047967452752746984),
    *(-0.01852588451089802, 0.003680607687823511, -0.0004627254060293369, 4.06940026958087e-05),
    *(-2.6617695125295625e-06, 1.350602691325434e-07, -5.483524110336276e-09, 1.824508684122901e-10),
    *(-5.070666636591129e-12, 1.1956162517587948e-13, -2.423162442712473e-15, 4.2681265130729627e-17),
)
_P0 = (
    *(0.9994603493475187, -0.0005365220468132117, 3.0751847875194745e-06, -5.1705945376060975e-08),
    *(1.6306464635151382e-09, -7.86409137723707e-11, 5.168262387349193e-12, -4.3045788699253914e-13),
    *(4.3265957431549404e-14, -5.069034095935236e-15, 6.748072215733873e-16, -1.0011513723467786e-16),
)
_Q0 = (
    *(-0.015555854605337009, 6.838519942611649e-05, -7.414498411060647e-07, 1.7972457247968992e-08),
    *(-7.27191593686632e-10, 4.2201219046687385e-11, -3.206747420996635e-12, 3.006145125351706e-13),
    *(-3.336328185322427e-14, 4.255225040245461e-15, -6.09993013164005e-16, 9.662128970303257e-17),
    *(-1.6686065214378146e-17, 3.1082440486738143e-18, -6.191115787358145e-19),
)
_P1 = (
    *(1.0009030408600137, 0.0008989898330859408, -3.987284300488908e-06, 6.177633960644299e-08),
    *(-1.8718907491063067e-09, 8.816898659582339e-11, -5.704863640395645e-12, 4.699195515230542e-13),
    *(-4.6842237839904895e-14, 5.452674896044717e-15, -7.221180842274018e-16, 1.0667689114335412e-16),
)
_Q1 = (
    *(0.04677778706953532, -9.62772354915708e-05, 9.138615257955454e-07, -2.095978138408342e-08),
    *(8.229193327650554e-10, -4.686363688176945e-11, 3.5152187949686082e-12, -3.2643156743279e-13),
    *(3.5967765829165294e-14, -4.5612523950772974e-15, 6.508282957783384e-16, -1.0269147531823243e-16),
    *(1.767635548776479e-17, -3.2834519872981614e-18),
)


# -- formulas ----------------------------------------------------------------------------------------


def _short_and_long(xp: Any, size: Array) -> tuple[Array, Array]:
    """What the expansions near 0 and far from it get, each within its own range."""
    return xp.minimum(size, 8.0), xp.maximum(size, 8.0)


def _amplitudes(xp: Any, x: Array, order: int) -> tuple[Array, Array, Array, Array]:
    """P, Q, and the cosine and sine of ``x - pi/4`` or ``x - 3 pi/4``, all times ``sqrt(2 / (pi x))``."""
    s = 8.0 / x
    t = 2.0 * s * s - 1.0
    scale = 1.0 / xp.sqrt(math.pi * x)  # sqrt(2) is in the angle
    p = scale * chebyshev(_P1 if order else _P0, t)
    q = scale * s * chebyshev(_Q1 if order else _Q0, t)
    some = xp.where(xp.isinf(x), xp.ones_like(x), x)  # the amplitudes are 0 there
    cos, sin = xp.cos(some), xp.sin(some)
    return (p, q, sin - cos, -sin - cos) if order else (p, q, cos + sin, sin - cos)


def j0_by_formula(xp: Any, x: Array) -> Array:
    """J0, to 1e-15 (absolute) in float64 where the sine of `x` is: two Chebyshev expansions."""
    short, long = _short_and_long(xp, xp.abs(x))
    p, q, c, s = _amplitudes(xp, long, 0)
    return xp.where(xp.abs(x) <= 8.0, chebyshev(_J0_NEAR, short * short / 32.0 - 1.0), p * c - q * s)


def j1_by_formula(xp: Any, x: Array) -> Array:
    """J1, as `j0_by_formula`; odd."""
    size = xp.abs(x)
    short, long = _short_and_long(xp, size)
    p, q, c, s = _amplitudes(xp, long, 1)
    near = short * chebyshev(_J1_NEAR, short * short / 32.0 - 1.0)
    return xp.sign(x) * xp.where(size <= 8.0, near, p * c - q * s)


def _of_positive(xp: Any, x: Array, y: Array) -> Array:
    """`y` where x is positive; minus infinity at 0, nan below."""
    y = xp.where(x > 0.0, y, xp.full_like(y, -math.inf))
    return xp.where((x < 0.0) | xp.isnan(x), xp.full_like(y, math.nan), y)


def y0_by_formula(xp: Any, x: Array) -> Array:
    """Y0 of positive numbers, as `j0_by_formula`."""
    some = xp.where(x > 0.0, x, xp.ones_like(x))
    short, long = _short_and_long(xp, some)
    p, q, c, s = _amplitudes(xp, long, 0)
    t = short * short / 32.0 - 1.0
    near = chebyshev(_Y0_NEAR, t) + 2.0 / math.pi * xp.log(0.5 * short) * chebyshev(_J0_NEAR, t)
    return _of_positive(xp, x, xp.where(some <= 8.0, near, p * s + q * c))


def y1_by_formula(xp: Any, x: Array) -> Array:
    """Y1 of positive numbers, as `j0_by_formula`."""
    some = xp.where(x > 0.0, x, xp.ones_like(x))
    short, long = _short_and_long(xp, some)
    p, q, c, s = _amplitudes(xp, long, 1)
    t = short * short / 32.0 - 1.0
    near = chebyshev(_Y1_NEAR, t) + 2.0 / math.pi * xp.log(0.5 * short) * chebyshev(_J1_NEAR, t)
    near = short * near - 2.0 / math.pi / short
    return _of_positive(xp, x, xp.where(some <= 8.0, near, p * s + q * c))


# -- ops ---------------------------------------------------------------------------------------------


J0 = special_op(
    "j0",
    j0_by_formula,
    X,
    lambda op, gy, x: -gy * op.nested(J1(), x),
    "``y = J0(x)``; ``dy/dx = -J1(x)``.",
)


J1: type[Op] = special_op(
    "j1",
    j1_by_formula,
    (X, Y),
    lambda op, gy, x, y: gy * (op.nested(J0(), x) - ratio_to_x(op, y, x, 0.5)),
    "``y = J1(x)``; ``dy/dx = J0(x) - y / x``, 1/2 at 0.",
)


Y0 = special_op(
    "y0",
    y0_by_formula,
    X,
    lambda op, gy, x: -gy * op.nested(Y1(), x),
    "``y = Y0(x)``; ``dy/dx = -Y1(x)``.",
)


Y1: type[Op] = special_op(
    "y1",
    y1_by_formula,
    (X, Y),
    lambda op, gy, x, y: gy * (op.nested(Y0(), x) - y / x),
    "``y = Y1(x)``; ``dy/dx = Y0(x) - y / x``.",
)


# -- public functions --------------------------------------------------------------------------------

_ANY = (Sample(Real((2,), 0.2, 12.0)),)


@samples(*_ANY)
def j0(x: Any) -> Variable:
    """Bessel function of the first kind of order 0, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.j0(Variable(np.array([0.0, 2.0])))
    variable([1.         0.22389078])
    """
    return J0()(*floats(x))  # type: ignore[no-any-return]


@samples(*_ANY)
def j1(x: Any) -> Variable:
    """Bessel function of the first kind of order 1, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        Odd.

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.j1(Variable(np.array([0.0, 2.0])))
    variable([0.         0.57672481])
    """
    return J1()(*floats(x))  # type: ignore[no-any-return]


@samples(*_ANY)
def y0(x: Any) -> Variable:
    """Bessel function of the second kind of order 0, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real, positive
        0 gives minus infinity, what is below it nan.

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.y0(Variable(np.array([1.0, 2.0])))
    variable([0.08825696 0.51037567])
    """
    return Y0()(*floats(x))  # type: ignore[no-any-return]


@samples(*_ANY)
def y1(x: Any) -> Variable:
    """Bessel function of the second kind of order 1, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real, positive
        0 gives minus infinity, what is below it nan.

    Returns
    -------
    Variable, shape of `x`

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.y1(Variable(np.array([1.0, 2.0])))
    variable([-0.78121282 -0.10703243])
    """
    return Y1()(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(3, Real((2,), 0.5, 9.0)))
def yn(n: int, x: Any) -> Variable:
    """Bessel function of the second kind of a whole order, element by element.

    Parameters
    ----------
    n : int, or an array of the same integer throughout
        The order, 0 or more. The next one comes from ``Y[n+1] = (2 n / x) Y[n] - Y[n-1]``, which is stable.
    x : Variable or array, any shape, real, positive

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `n` is negative, no integer, or not the same throughout.

    References
    ----------
    NIST Digital Library of Mathematical Functions, equation 10.6.1.

    Examples
    --------
    >>> F.yn(2, Variable(np.array([1.0, 2.0])))
    variable([-1.65068261 -0.6174081 ])
    """
    order = whole_number("yn", "the order", n)
    (x,) = floats(x)
    low, high = y0(x), y1(x)
    if order == 0:
        return low
    for k in range(1, order):
        low, high = high, sub(mul(div(2.0 * k, x), high), low)
    return high
