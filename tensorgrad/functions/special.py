"""The error function and its kin; what all special functions share.

Each is the library's own where it has one, else a formula in plain Array API. The others are in the modules
whose names begin with ``special_``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from tensorgrad.backend import BY_TYPE, Array, Backend, backend_of
from tensorgrad.core import ArrayLike, Input, Op, Output, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.core.variable import make_variable
from tensorgrad.functions.transfer import astype

X = Input(0)
Y = Output(0)

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


_TAIL_P = (
    1.63153871373020978e-2,
    3.05326634961232344e-1,
    3.60344899949804439e-1,
    1.25781726111229246e-1,
    1.60837851487422766e-2,
    6.58749161529837803e-4,
)
_TAIL_Q = (
    1.0,
    2.56852019228982242e0,
    1.87295284992346725e0,
    5.27905102951428412e-1,
    6.05183413124413191e-2,
    2.33520497626869185e-3,
)


# -- what all special functions share ----------------------------------------------------------------


@cache
def library_function(backend: Backend, name: str) -> Any:
    """The library's own special function, or None; looked for once."""
    return backend.special(name)


def evaluate(op: Op, name: str, formula: Callable[..., Array], *xs: Any) -> Array:
    """The library's own function `name` at `xs`, or else ``formula(xp, *xs)``."""
    own = library_function(op.backend, name)
    return formula(op.xp, *xs) if own is None else own(*xs)


def special_op(
    name: str,
    formula: Callable[[Any, Array], Array],
    saves: Input | Output | tuple[Input | Output, ...],
    gradient: Callable[..., ArrayLike],
    doc: str,
) -> type[Op]:
    """An op ``y = name(x)`` with ``gx = gradient(op, gy, *saved)``: x, y or both, as `saves` says.

    The gradient must be a new array.
    """

    def forward(self: Op, x: Array) -> Array:
        return evaluate(self, name, formula, x)

    def backward(self: Op, gy: ArrayLike) -> ArrayLike:
        return gradient(self, gy, *self.saved)

    body: dict[str, Any] = {"__doc__": doc, "saves": saves, "fresh": True, "elementwise": True}
    body |= {"forward": forward, "backward": backward}
    return type(name.capitalize(), (Op,), {**body, "__module__": __name__})


def floats(*xs: Any) -> list[Any]:
    """The operands of a special function: integers become floating, numbers arrays beside arrays."""
    arrays = [x.data if isinstance(x, Variable) else x for x in xs]
    if len(arrays) == 1:  # what most calls are
        known = BY_TYPE.get(type(arrays[0]))
        if known is not None and known.is_floating(arrays[0].dtype):
            return list(xs)
    owners = [(a, owner) for a in arrays if (owner := backend_of(a)) is not None]
    if not owners:
        return [float(a) for a in arrays]
    first, owner = next(((a, o) for a, o in owners if o.is_floating(a.dtype)), owners[0])
    dtype = first.dtype
    if not owner.is_floating(dtype):
        dtype = owner.xp.__array_namespace_info__().default_dtypes()["real floating"]
    made = []
    for x, a in zip(xs, arrays, strict=True):
        of = backend_of(a)
        if of is None:
            made.append(owner.xp.asarray(float(a), dtype=dtype, device=owner.device(first)))
        else:
            made.append(x if of.is_floating(a.dtype) else astype(x, dtype))
    return made


def whole_number(name: str, what: str, n: Any) -> int:
    """`n` as a Python int that is not negative: a number, or an array in which all values are the same."""
    array = n.data if isinstance(n, Variable) else n
    owner = backend_of(array)
    values = {array} if owner is None else set(owner.to_numpy(array).reshape(-1).tolist())
    if len(values) == 1 and (value := values.pop()) == int(value) and value >= 0:
        return int(value)
    raise ValueError(f"{name}: expected {what} to be one integer that is not negative; got {n}")


def saved_operands(op: Op) -> tuple[ArrayLike, ...]:
    """What an op of several operands has saved, all of it Variables where the backward is recorded.

    A constant operand stands left of Variables in the formulas; some libraries' operators refuse that.
    """
    if not op.recording:
        return op.saved  # type: ignore[no-any-return]
    return tuple(x if isinstance(x, Variable) else make_variable(x, None, 0) for x in op.saved)


def polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """``c[0] x**n + ... + c[n]``, by Horner's rule."""
    first, second, *others = coefficients
    y = first * x + second
    for c in others:
        y = y * x + c
    return y


def chebyshev(coefficients: tuple[float, ...], t: Array) -> Array:
    """``c[0] + c[1] T1(t) + c[2] T2(t) + ...``, by Clenshaw's recurrence."""
    b0, b1 = 0.0 * t + coefficients[-1], 0.0 * t
    for c in coefficients[-2:0:-1]:
        b0, b1 = 2.0 * t * b0 - b1 + c, b0
    return t * b0 - b1 + coefficients[0]


# -- formulas ----------------------------------------------------------------------------------------


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
    small = inner * (polynomial(_SMALL_P, square) / polynomial(_SMALL_Q, square))
    tail = xp.exp(-size * size) * (polynomial(_LARGE_P, size) / polynomial(_LARGE_Q, size))
    return xp.sign(x) * xp.where(size <= 0.46875, small, 1 - tail)


def _scaled_tail(xp: Any, size: Array) -> Array:
    """``exp(size**2) erfc(size)`` where size is 0.46875 or more: the second and third of Cody's ranges."""
    middle = xp.minimum(size, 4.0)
    inverse = 1.0 / xp.maximum(size, 4.0)
    square = inverse * inverse
    far = square * (polynomial(_TAIL_P, square) / polynomial(_TAIL_Q, square))
    far = inverse * (1 / math.sqrt(math.pi) - far)
    return xp.where(size <= 4.0, polynomial(_LARGE_P, middle) / polynomial(_LARGE_Q, middle), far)


def _small_erf(x: Array) -> Array:
    square = x * x
    return x * (polynomial(_SMALL_P, square) / polynomial(_SMALL_Q, square))


def erfc_by_formula(xp: Any, x: Array) -> Array:
    """erfc, to 1e-15 of its value in float64: Cody's three ranges (see `erf_by_formula`).

    ``exp(-x**2)`` is ``exp(-h**2) exp(-(x - h) (x + h))`` with h = x rounded to a 16th, as in his CALERF: the
    rounding error of the square would cost three digits.
    """
    size = xp.minimum(xp.abs(x), 28.0)  # from there on erfc is 0 in float64
    inner = xp.clip(x, -0.46875, 0.46875)
    head = xp.floor(size * 16.0) / 16.0
    tail = xp.exp(-head * head) * xp.exp(-(size - head) * (size + head))
    tail = tail * _scaled_tail(xp, xp.maximum(size, 0.46875))
    tail = xp.where(x < 0.0, 2.0 - tail, tail)
    return xp.where(size <= 0.46875, 1.0 - _small_erf(inner), tail)


def erfcx_by_formula(xp: Any, x: Array) -> Array:
    """``exp(x**2) erfc(x)``, to 1e-15 of its value in float64: Cody's three ranges."""
    size = xp.abs(x)
    inner = xp.clip(x, -0.46875, 0.46875)
    small = xp.exp(inner * inner) * (1.0 - _small_erf(inner))
    tail = _scaled_tail(xp, xp.maximum(size, 0.46875))
    below = xp.clip(-x, 0.0, 28.0)
    head = xp.floor(below * 16.0) / 16.0
    grown = xp.exp(head * head) * xp.exp((below - head) * (below + head))
    return xp.where(size <= 0.46875, small, xp.where(x < 0.0, 2.0 * grown - tail, tail))


# -- ops ---------------------------------------------------------------------------------------------

_SLOPE = 2 / math.sqrt(math.pi)

Erf = special_op(
    "erf",
    erf_by_formula,
    X,
    lambda op, gy, x: gy * (_SLOPE * op.xp.exp(-x * x)),
    "``y = 2/sqrt(pi) * integral of exp(-t**2) from 0 to x``; ``dy/dx = 2/sqrt(pi) exp(-x**2)``.",
)
Erfc = special_op(
    "erfc",
    erfc_by_formula,
    X,
    lambda op, gy, x: gy * (-_SLOPE * op.xp.exp(-x * x)),
    "``y = 1 - erf x``; ``dy/dx = -2/sqrt(pi) exp(-x**2)``.",
)


class Erfcx(Op):
    """``y = exp(x**2) erfc x``; ``dy/dx = 2 x y - 2/sqrt(pi)``."""

    saves = (X, Y)
    fresh = True

    def forward(self, x: Array) -> Array:
        return evaluate(self, "erfcx", erfcx_by_formula, x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        x, y = self.saved
        return gy * (2.0 * x * y - _SLOPE)


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
    return Erf()(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3))), Sample(Real((3, 4), -7.0, 7.0)), Sample(Real((), -0.4, 0.4)))
def erfc(x: Any) -> Variable:
    """``1 - erf(x)``, element by element, exact where erf is nearly 1 too.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        In [0, 2].

    References
    ----------
    W. J. Cody, as for `erf`.

    Examples
    --------
    >>> F.erfc(Variable(np.array([0.0, 10.0])))
    variable([1.00000000e+00 2.08848758e-45])
    """
    return Erfc()(*floats(x))  # type: ignore[no-any-return]


@samples(Sample(Real((2, 3))), Sample(Real((3, 4), -2.0, 9.0)), Sample(Real((), -0.4, 0.4)))
def erfcx(x: Any) -> Variable:
    """``exp(x**2) * erfc(x)``, element by element: erfc without its underflow.

    Parameters
    ----------
    x : Variable or array, any shape, real

    Returns
    -------
    Variable, shape of `x`
        Positive; overflows below -26.6 in float64.

    References
    ----------
    W. J. Cody, as for `erf`.

    Examples
    --------
    >>> F.erfcx(Variable(np.array([0.0, 100.0])))
    variable([1.         0.00564161])
    """
    return Erfcx()(*floats(x))  # type: ignore[no-any-return]
