"""NumPy's ufuncs on Variables: which function of tensorgrad computes each, and their methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tensorgrad.core import Variable
from tensorgrad.functions import (
    arithmetic,
    comparison,
    complex_parts,
    cumulative,
    elementwise,
    extremes,
    linalg,
    manipulation,
    numeric,
    reduction,
    selection,
    special_powers,
    trigonometric,
)
from tensorgrad.functions.numpy_support import (
    Unsupported,
    anchor,
    arrays,
    converted,
    floating,
    operands,
    space,
)
from tensorgrad.functions.transfer import astype


def _exp2(x: Any) -> Any:
    return arithmetic.pow(2.0, x)


def _positive(x: Any) -> Any:
    return manipulation.same_value(*arrays(x))


def _float_power(x0: Any, x1: Any) -> Any:
    """Powers in double precision, whatever comes in."""
    v = anchor(x0, x1)
    wide = v.backend.xp.complex128 if v.backend.is_complex(v.dtype) else v.backend.xp.float64
    return arithmetic.pow(*converted(wide, x0, x1))


def _scaled(factor: float) -> Callable[[Any], Any]:
    return lambda x: x * factor


def _fmod(x0: Any, x1: Any) -> Any:
    """The remainder with the sign of `x0`: that of the absolute values is exact."""
    xp = space(x0, x1)
    x0, x1 = operands(x0, x1)
    size0, size1 = (selection.where(xp.signbit(x), -x, x) for x in (x0, x1))
    r = arithmetic.remainder(size0, size1)
    return selection.where(xp.signbit(x0), -r, r)


def _divmod(x0: Any, x1: Any) -> tuple[Any, Any]:
    return arithmetic.floor_divide(x0, x1), arithmetic.remainder(x0, x1)


def _modf(x: Any) -> tuple[Any, Any]:
    whole = space(x).trunc(x)
    return x - whole, whole


def _heaviside(x: Any, at_zero: Any) -> Any:
    xp = space(x, at_zero)
    x, at_zero = map(floating, operands(x, at_zero))
    step = xp.astype(comparison.greater(x, 0), x.dtype)
    step = selection.where(xp.isnan(x), x.data if isinstance(x, Variable) else x, step)
    return selection.where(comparison.equal(x, 0), at_zero, step)


def _fmax(x0: Any, x1: Any) -> Any:
    return _ignoring_nan(selection.maximum, x0, x1)


def _fmin(x0: Any, x1: Any) -> Any:
    return _ignoring_nan(selection.minimum, x0, x1)


def _ignoring_nan(choose: Callable[[Any, Any], Any], x0: Any, x1: Any) -> Any:
    """The larger or smaller of two values; where one is nan, the other."""
    xp = space(x0, x1)
    x0, x1 = operands(x0, x1)
    known0 = selection.where(xp.isnan(x0), x1, x0)
    known1 = selection.where(xp.isnan(x1), x0, x1)
    return choose(known0, known1)


def _copysign(x0: Any, x1: Any) -> Any:
    return numeric.copysign(*map(floating, operands(x0, x1)))


def _ldexp(x: Any, exponent: Any) -> Any:
    v = anchor(x, exponent)
    dtype = getattr(x, "dtype", None)
    if isinstance(exponent, Variable) and exponent.requires_grad:
        exponent = exponent.data
    if hasattr(exponent, "dtype"):
        exponent = astype(exponent, v.dtype if dtype is None else dtype)
    return x * arithmetic.pow(2.0, exponent)


def _logaddexp2(x0: Any, x1: Any) -> Any:
    ln2 = math.log(2)
    return elementwise.logaddexp(x0 * ln2, x1 * ln2) * (1 / ln2)


def _vecdot(x0: Any, x1: Any, axis: int = -1) -> Any:
    x0, x1 = arrays(x0, x1)
    return linalg.vecdot(x0, x1, axis)


def _matvec(x0: Any, x1: Any) -> Any:
    x0, x1 = arrays(x0, x1)
    return manipulation.squeeze(linalg.matmul(x0, manipulation.expand_dims(x1, -1)), -1)


def _vecmat(x0: Any, x1: Any) -> Any:
    x0, x1 = arrays(x0, x1)
    row = manipulation.expand_dims(complex_parts.conj(x0), -2)
    return manipulation.squeeze(linalg.matmul(row, x1), -2)


def _standard(name: str) -> Callable[..., Any]:
    """The function of the Array API namespace, which gives constants."""

    def constant(*xs: Any) -> Any:
        return getattr(space(*xs), name)(*arrays(*xs))

    return constant


def _logical(name: str) -> Callable[..., Any]:
    """The same for truth values: of numbers, whether they are not 0."""

    def constant(*xs: Any) -> Any:
        truths = (x if "bool" in str(x.dtype) else comparison.not_equal(x, 0) for x in arrays(*xs))
        return getattr(space(*xs), name)(*truths)

    return constant


UFUNCS: dict[str, Callable[..., Any]] = {
    "add": arithmetic.add,
    "subtract": arithmetic.sub,
    "multiply": arithmetic.mul,
    "divide": arithmetic.div,
    "true_divide": arithmetic.div,
    "power": arithmetic.pow,
    "float_power": _float_power,
    "remainder": arithmetic.remainder,
    "fmod": _fmod,
    "divmod": _divmod,
    "negative": arithmetic.neg,
    "positive": _positive,
    "matmul": linalg.matmul,
    "vecdot": _vecdot,
    "matvec": _matvec,
    "vecmat": _vecmat,
    "absolute": elementwise.abs,
    "fabs": elementwise.abs,
    "conjugate": complex_parts.conj,
    "exp": elementwise.exp,
    "exp2": _exp2,
    "expm1": elementwise.expm1,
    "log": elementwise.log,
    "log2": elementwise.log2,
    "log10": elementwise.log10,
    "log1p": elementwise.log1p,
    "logaddexp": elementwise.logaddexp,
    "logaddexp2": _logaddexp2,
    "sqrt": elementwise.sqrt,
    "square": elementwise.square,
    "cbrt": special_powers.cbrt,
    "reciprocal": elementwise.reciprocal,
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "tan": trigonometric.tan,
    "arcsin": trigonometric.asin,
    "arccos": trigonometric.acos,
    "arctan": trigonometric.atan,
    "arctan2": trigonometric.atan2,
    "hypot": trigonometric.hypot,
    "sinh": trigonometric.sinh,
    "cosh": trigonometric.cosh,
    "tanh": trigonometric.tanh,
    "arcsinh": trigonometric.asinh,
    "arccosh": trigonometric.acosh,
    "arctanh": trigonometric.atanh,
    "degrees": _scaled(180 / math.pi),
    "rad2deg": _scaled(180 / math.pi),
    "radians": _scaled(math.pi / 180),
    "deg2rad": _scaled(math.pi / 180),
    "maximum": selection.maximum,
    "minimum": selection.minimum,
    "fmax": _fmax,
    "fmin": _fmin,
    "heaviside": _heaviside,
    "copysign": _copysign,
    "ldexp": _ldexp,
    "modf": _modf,
}
"""NumPy's name -> the function that computes it, with a gradient."""

STEPS: dict[str, Callable[..., Any]] = {
    "equal": comparison.equal,
    "not_equal": comparison.not_equal,
    "less": comparison.less,
    "less_equal": comparison.less_equal,
    "greater": comparison.greater,
    "greater_equal": comparison.greater_equal,
    "floor_divide": arithmetic.floor_divide,
    "sign": elementwise.sign,
    "rint": _standard("round"),
    "invert": _standard("bitwise_invert"),
    "left_shift": _standard("bitwise_left_shift"),
    "right_shift": _standard("bitwise_right_shift"),
    **{name: _logical(name) for name in ("logical_and", "logical_or", "logical_xor", "logical_not")},
    **{name: _standard(name) for name in ("floor", "ceil", "trunc", "isfinite", "isinf", "isnan")},
    **{name: _standard(name) for name in ("signbit", "bitwise_and", "bitwise_or", "bitwise_xor")},
}
"""The same for those whose derivative is 0 or does not exist: they give constants."""

HOST_STEPS = frozenset({"gcd", "lcm", "bitwise_count", "isnat", "spacing"})
"""Steps that the Array API lacks: NumPy computes them, of NumPy arrays."""


# -- methods -------------------------------------------------------------------------------------


def _masked(x: Any, where: Any, neutral: Any) -> Any:
    return x if where is True else selection.where(arrays(where, x)[0], x, neutral)


def _sum(
    x: Any, axis: Any, keepdims: bool, *, dtype: Any = None, initial: Any = None, where: Any = True
) -> Any:
    y = reduction.sum(converted(dtype, _masked(x, where, 0))[0], axis, keepdims)
    return y if initial is None else y + initial


def _prod(
    x: Any, axis: Any, keepdims: bool, *, dtype: Any = None, initial: Any = None, where: Any = True
) -> Any:
    y = reduction.prod(converted(dtype, _masked(x, where, 1))[0], axis, keepdims)
    return y if initial is None else y * initial


def _max(
    x: Any, axis: Any, keepdims: bool, *, dtype: Any = None, initial: Any = None, where: Any = True
) -> Any:
    if where is not True and initial is None:
        raise Unsupported("where= needs initial=")
    y = extremes.max(converted(dtype, _masked(x, where, initial))[0], axis, keepdims)
    return y if initial is None else selection.maximum(y, initial)


def _min(
    x: Any, axis: Any, keepdims: bool, *, dtype: Any = None, initial: Any = None, where: Any = True
) -> Any:
    if where is not True and initial is None:
        raise Unsupported("where= needs initial=")
    y = extremes.min(converted(dtype, _masked(x, where, initial))[0], axis, keepdims)
    return y if initial is None else selection.minimum(y, initial)


def _logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    return extremes.logsumexp(x, axis, keepdims)


def _all(x: Any, axis: Any, keepdims: bool, *, where: Any = True) -> Any:
    return space(x).all(_masked(x != 0, where, True), axis=axis, keepdims=keepdims)


def _any(x: Any, axis: Any, keepdims: bool, *, where: Any = True) -> Any:
    return space(x).any(_masked(x != 0, where, False), axis=axis, keepdims=keepdims)


def _cumprod(x: Any, axis: int, dtype: Any = None) -> Any:
    (x,) = converted(dtype, x)
    return space(x).cumulative_prod(x, axis=axis)


def _cumsum(x: Any, axis: int, dtype: Any = None) -> Any:
    return cumulative.cumsum(converted(dtype, x)[0], axis)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "add": _sum,
    "multiply": _prod,
    "maximum": _max,
    "minimum": _min,
    "logaddexp": _logsumexp,
    "logical_and": _all,
    "logical_or": _any,
}
"""``np.add.reduce`` and the like."""

ACCUMULATIONS: dict[str, Callable[..., Any]] = {"add": _cumsum, "multiply": _cumprod}


def reduce(name: str, x: Any, axis: Any = 0, keepdims: bool = False, **kwargs: Any) -> Any:
    """``ufunc.reduce``: along the first axis where none is named."""
    if name not in REDUCTIONS:
        raise Unsupported("reduce is not defined for Variables")
    given = {key: value for key, value in kwargs.items() if value is not None}
    if given.keys() - (REDUCTIONS[name].__kwdefaults__ or {}).keys():
        raise Unsupported(f"{min(given)}= is not supported with Variables")
    return REDUCTIONS[name](x, axis, keepdims, **given)


def accumulate(name: str, x: Any, axis: int = 0, dtype: Any = None) -> Any:
    """``ufunc.accumulate``."""
    if name not in ACCUMULATIONS:
        raise Unsupported("accumulate is not defined for Variables")
    return ACCUMULATIONS[name](x, axis, dtype)


def outer(name: str, dtype: Any, x0: Any, x1: Any) -> Any:
    """``ufunc.outer``: every element of one with every element of the other."""
    x0, x1 = converted(dtype, *arrays(x0, x1))
    wide = manipulation.reshape(x0, (*x0.shape, *[1] * len(x1.shape)))
    function = UFUNCS.get(name) or STEPS[name]
    return function(wide, x1)
