"""Modified Bessel functions of the first kind, of orders 0 and 1."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.special import X, Y, chebyshev, evaluate, floats

# Chebyshev coefficients, by mpmath in 40 digits: of exp(-x) I0(x) and exp(-x) I1(x) / x for x in [0, 8] in
# x/4 - 1, and of sqrt(x) exp(-x) I0(x) and sqrt(x) exp(-x) I1(x) for x >= 8 in 16/x - 1.
_I0_NEAR = (
    *(0.33839763720473803, -0.3046826723431984, 0.17162090152220877, -0.09490109704804764),
    *(0.04930528423967071, -0.02373741480589947, 0.010546460394594998, -0.004324309995050576),
    *(0.0016394756169413357, -0.0005763755745385824, 0.00018850288509584165, -5.754195010082104e-05),
    *(1.6448448070728896e-05, -4.4167383584587505e-06, 1.1173875391201037e-06, -2.670793853940612e-07),
    *(6.046995022541919e-08, -1.300025009986248e-08, 2.6598237246823866e-09, -5.189795601635263e-10),
    *(9.675809035373237e-11, -1.726826291441556e-11, 2.95505266312964e-12, -4.856446783111929e-13),
    *(7.676185498604936e-14, -1.1685332877993451e-14, 1.715391285555133e-15, -2.431279846547955e-16),
    *(3.3307945188222384e-17, -4.4153416464793395e-18),
)
_I1_NEAR = (
    *(0.12629359322181682, -0.17641651835783406, 0.1026436586898471, -0.05294598120809499),
    *(0.024726449030626516, -0.010564084894626197, 0.004156422944312888, -0.0015135724506312532),
    *(0.0005122859561685758, -0.00016176081582589674, 4.781565107550054e-05, -1.3273163656039436e-05),
    *(3.4702513081376785e-06, -8.568720264695455e-07, 2.0032947535521353e-07, -4.445059128796328e-08),
    *(9.381537386495773e-09, -1.8872497517228294e-09, 3.625590281552117e-10, -6.663489723502027e-11),
    *(1.1736186298890901e-11, -1.9839743977649436e-12, 3.223793365945575e-13, -5.042185504727912e-14),
    *(7.600684294735408e-15, -1.1055969477353862e-15, 1.5536319577362005e-16, -2.111421214358166e-17),
    *(2.7779141127610464e-18,),
)
_I0_FAR = (
    *(0.4022452055070544, 0.0033691164782556943, 6.889758346916825e-05, 2.8913705208347567e-06),
    *(2.0489185894690638e-07, 2.266668990498178e-08, 3.3962320257083865e-09, 4.94060238822497e-10),
    *(1.1889147107846439e-11, -3.1499165279632416e-11, -1.3215811840447713e-11, -1.7941785315068062e-12),
    *(7.180124451383666e-13, 3.8527783827421426e-13, 1.54008621752141e-14, -4.150569347287222e-14),
    *(-9.554846698828307e-15, 3.8116806693526224e-15, 1.7725601330565263e-15, -3.425485619677219e-16),
    *(-2.8276239805165836e-16, 3.461222867697461e-17, 4.46562142029676e-17, -4.830504485944182e-18),
    *(-7.233180487874754e-18,),
)
_I1_FAR = (
    *(0.38928811750914005, -0.009761097491361469, -0.00011058893876262371, -3.882564808877691e-06),
    *(-2.512236237870209e-07, -2.6314688468895196e-08, -3.835380385964237e-09, -5.589743462196584e-10),
    *(-1.8974958123505413e-11, 3.2526035830154884e-11, 1.4125807436613782e-11, 2.0356285441470896e-12),
    *(-7.198551776245908e-13, -4.0835511110921974e-13, -2.1015418427726643e-14, 4.272440016711951e-14),
    *(1.0420276984128802e-14, -3.8144030724370075e-15, -1.8803547755107825e-15, 3.3082023109209285e-16),
    *(2.96262899764595e-16, -3.209525921993424e-17, -4.6503053684893586e-17, 4.414348323071708e-18),
    *(7.517296310842105e-18,),
)


# -- formulas ----------------------------------------------------------------------------------------


def _scaled(xp: Any, x: Array, near: tuple[float, ...], far: tuple[float, ...], odd: bool) -> Array:
    size = xp.abs(x)
    short, long = xp.minimum(size, 8.0), xp.maximum(size, 8.0)
    low = chebyshev(near, 0.25 * short - 1.0)
    low = low * short if odd else low
    high = chebyshev(far, 16.0 / long - 1.0) / xp.sqrt(long)
    y = xp.where(size <= 8.0, low, high)
    return xp.sign(x) * y if odd else y


def i0e_by_formula(xp: Any, x: Array) -> Array:
    """``exp(-|x|) I0(x)``, to 1e-15 of its value in float64: two Chebyshev expansions."""
    return _scaled(xp, x, _I0_NEAR, _I0_FAR, odd=False)


def i1e_by_formula(xp: Any, x: Array) -> Array:
    """``exp(-|x|) I1(x)``, to 1e-15 of its value in float64: two Chebyshev expansions."""
    return _scaled(xp, x, _I1_NEAR, _I1_FAR, odd=True)


def i0_by_formula(xp: Any, x: Array) -> Array:
    """``exp(|x|)`` times `i0e_by_formula`."""
    half = xp.exp(0.5 * xp.abs(x))  # twice, as exp overflows before I0 does
    return half * i0e_by_formula(xp, x) * half


def i1_by_formula(xp: Any, x: Array) -> Array:
    """``exp(|x|)`` times `i1e_by_formula`."""
    half = xp.exp(0.5 * xp.abs(x))
    return half * i1e_by_formula(xp, x) * half


# -- ops ---------------------------------------------------------------------------------------------


def ratio_to_x(op: Op, y: ArrayLike, x: ArrayLike, at_zero: float) -> ArrayLike:
    """``y / x``, and its limit at 0."""
    xp = op.xp
    zero = x == 0.0
    ratio = y / xp.where(zero, xp.ones_like(x), x)
    return xp.where(zero, xp.full_like(x, at_zero), ratio)


class I0(Op):
    """``y = I0(x)``; ``dy/dx = I1(x)``."""

    saves = X
    fresh = True

    def forward(self, x: Array) -> Array:
        return evaluate(self, "i0", i0_by_formula, x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        (x,) = self.saved
        return gy * self.nested(I1(), x)


class I1(Op):
    """``y = I1(x)``; ``dy/dx = I0(x) - y / x``, 1/2 at 0."""

    saves = (X, Y)
    fresh = True

    def forward(self, x: Array) -> Array:
        return evaluate(self, "i1", i1_by_formula, x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        x, y = self.saved
        return gy * (self.nested(I0(), x) - ratio_to_x(self, y, x, 0.5))


class I0e(Op):
    """``y = exp(-|x|) I0(x)``; ``dy/dx = exp(-|x|) I1(x) - sign(x) y``."""

    saves = (X, Y)
    fresh = True

    def forward(self, x: Array) -> Array:
        return evaluate(self, "i0e", i0e_by_formula, x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        x, y = self.saved
        return gy * (self.nested(I1e(), x) - self.xp.sign(x) * y)


class I1e(Op):
    """``y = exp(-|x|) I1(x)``; ``dy/dx = exp(-|x|) I0(x) - y / x - sign(x) y``, 1/2 at 0."""

    saves = (X, Y)
    fresh = True

    def forward(self, x: Array) -> Array:
        return evaluate(self, "i1e", i1e_by_formula, x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        x, y = self.saved
        slope = self.nested(I0e(), x) - ratio_to_x(self, y, x, 0.5)
        return gy * (slope - self.xp.sign(x) * y)


# -- public functions --------------------------------------------------------------------------------

_ANY = (
    Sample(Real((2, 3))),
    Sample(Real((3,), -20.0, -3.0)),
    Sample(Real((2, 2), 3.0, 20.0)),
    Sample(Real()),
)
_MODERATE = (Sample(Real((2, 3))), Sample(Real((3,), -9.0, -7.0)), Sample(Real()))


@samples(*_MODERATE)
def i0(x: Any) -> Variable:
    """Modified Bessel function of the first kind of order 0, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        1 or more; overflows near 713 in float64: see `i0e`.

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.i0(Variable(np.array([0.0, 2.0])))
    variable([1.        2.2795853])
    """
    return I0()(*floats(x))  # type: ignore[no-any-return]


@samples(*_MODERATE)
def i1(x: Any) -> Variable:
    """Modified Bessel function of the first kind of order 1, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        Odd; overflows near 713 in float64: see `i1e`.

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.i1(Variable(np.array([0.0, 2.0])))
    variable([0.         1.59063685])
    """
    return I1()(*floats(x))  # type: ignore[no-any-return]


@samples(*_ANY)
def i0e(x: Any) -> Variable:
    """``exp(-abs(x)) * i0(x)``, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        In (0, 1]. At 0, a kink, the gradient is 0.

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.i0e(Variable(np.array([0.0, 2.0])))
    variable([1.         0.30850832])
    """
    return I0e()(*floats(x))  # type: ignore[no-any-return]


@samples(*_ANY)
def i1e(x: Any) -> Variable:
    """``exp(-abs(x)) * i1(x)``, element by element.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        Odd, in (-1/4, 1/4).

    References
    ----------
    NIST Digital Library of Mathematical Functions, chapter 10.

    Examples
    --------
    >>> F.i1e(Variable(np.array([0.0, 2.0])))
    variable([0.         0.21526929])
    """
    return I1e()(*floats(x))  # type: ignore[no-any-return]
