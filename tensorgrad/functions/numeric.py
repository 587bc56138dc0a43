"""Differences, padding, interpolation, convolution, and the like: numerical work on sampled functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Variable
from tensorgrad.core.sample import Real, Sample, samples
from tensorgrad.functions.arithmetic import add, div, mul, sub
from tensorgrad.functions.indexing import get_item, take
from tensorgrad.functions.joining import concat
from tensorgrad.functions.manipulation import axis_of, owner_of, reshape, shape_of, unchanged
from tensorgrad.functions.reduction import sum
from tensorgrad.functions.selection import where
from tensorgrad.functions.special import floats, saved_operands
from tensorgrad.functions.transfer import astype

_BLOCK = 1 << 20  # elements of the windows that a convolution gathers at a time

# -- ops ---------------------------------------------------------------------------------------------


class CopySign(Op):
    """``y = |x| sign s``; ``dy/dx`` is 1 where x has the sign of s, else -1. Nothing changes along s."""

    saves = (Input(0), Input(1, needed_by=0))
    no_grad_inputs = (1,)
    fresh = True

    def forward(self, x: Array, s: Array) -> Array:
        return self.xp.copysign(x, s)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, None]:
        xp = self.xp
        x, s = saved_operands(self)
        ones = xp.ones_like(gy)
        return gy * xp.where(xp.equal(xp.signbit(x), xp.signbit(s)), ones, -ones), None


class NextAfter(Op):
    """``y`` is the number next to x towards t; ``dy/dx = 1``, and nothing changes along t."""

    no_grad_inputs = (1,)

    def forward(self, x: Array, t: Array) -> Array:
        return self.xp.nextafter(x, t)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, None]:
        return gy, None


class Convolve(Op):
    """``y_k = sum of a_i v_{k-i}`` for k from `start` on; ``ga_i = sum of gy_k v_{k-i}``, and so for v.

    The gradients are convolutions too, of gy with v or a turned round.
    """

    saves = (Input(0, needed_by=1), Input(1, needed_by=0))
    fresh = True

    def __init__(self, start: int, size: int) -> None:
        self.start = start
        self.size = size

    def forward(self, a: Array, v: Array) -> Array:
        self.lengths = (a.shape[0], v.shape[0])
        return _convolved(self, *((v, a) if v.shape[0] > a.shape[0] else (a, v)))

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        a, v = self.saved
        n, m = self.lengths
        return (
            None if v is None else self._slope(gy, v, m, n),
            None if a is None else self._slope(gy, a, n, m),
        )

    def _slope(self, gy: ArrayLike, other: ArrayLike, length: int, size: int) -> ArrayLike:
        return self.nested(Convolve(length - 1 - self.start, size), gy, self.xp.flip(other, axis=0))


def _convolved(op: Convolve, long: Array, short: Array) -> Array:
    """Products of windows of the long one with the short one, some of its elements at a time."""
    xp, n, m = op.xp, long.shape[0], short.shape[0]
    device = op.backend.device(long)
    left = max(0, m - 1 - op.start)
    right = max(0, op.start + op.size - n)
    zeros = xp.zeros((max(left, right),), dtype=long.dtype, device=device)
    padded = xp.concat((zeros[:left], long, zeros[:right]))
    rows = xp.reshape(xp.arange(op.start + left, op.start + left + op.size, device=device), (op.size, 1))
    width = max(1, _BLOCK // op.size)
    y: Any = None
    for first in range(0, m, width):
        part = short[first : min(first + width, m)]
        count = part.shape[0]
        places = rows - xp.reshape(xp.arange(first, first + count, device=device), (1, count))
        windows = xp.take(padded, xp.reshape(places, (op.size * count,)), axis=0)
        products = xp.reshape(windows, (op.size, count)) @ part
        y = products if y is None else y + products
    return y


@samples(Sample(Real((2, 3)), Real((2, 3))), Sample(Real((2, 1)), Real((3,))))
def nextafter(x: Any, t: Any) -> Variable:
    """The floating-point number next to `x` towards `t`, element by element.

    Parameters
    ----------
    x, t : Variable or array, real floating
        Broadcast against each other.

    Returns
    -------
    Variable, the broadcast shape
        `x` itself where it equals `t`. The gradient of `t` is 0.

    Examples
    --------
    >>> F.nextafter(Variable(np.array(1.0)), np.array(2.0)).item()
    1.0000000000000002
    """
    return NextAfter()(*floats(x, t))  # type: ignore[no-any-return]


# -- differences -------------------------------------------------------------------------------------


@samples(
    Sample(Real((2, 3)), Real((2, 3))), Sample(Real((3,), 0.5, 2.0), -1.0), Sample(Real((2, 1)), Real((3,)))
)
def copysign(x: Any, s: Any) -> Variable:
    """`x` with the sign of `s`, element by element.

    Parameters
    ----------
    x, s : Variable, array or number, real
        Broadcast against each other. The sign of 0 is that of its bit.

    Returns
    -------
    Variable, the broadcast shape
        The gradient of `s` is 0.

    Examples
    --------
    >>> F.copysign(Variable(np.array([1.0, -2.0])), -1.0)
    variable([-1. -2.])
    """
    return CopySign()(*floats(x, s))  # type: ignore[no-any-return]


@samples(
    Sample(Real((4,))),
    Sample(Real((3, 2)), axis=0, n=2),
    Sample(Real((2, 3)), n=0),
)
def diff(x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Variable:
    """Differences between neighbours along an axis, n times over.

    Parameters
    ----------
    x : Variable or array
    axis : int, default -1
    n : int, default 1
        How many times. 0 gives `x`.
    prepend, append : Variable or array, optional
        Put before and behind `x` first; their other axes are those of `x`.

    Returns
    -------
    Variable, shape of `x` with n elements less along `axis`

    Raises
    ------
    ValueError
        If there is no such axis, or `n` is negative.

    Examples
    --------
    >>> F.diff(Variable(np.array([1.0, 4.0, 9.0])))
    variable([3. 5.])
    """
    shape = shape_of("diff", x)
    axis = axis_of("diff", axis, len(shape))
    if n < 0:
        raise ValueError(f"diff: expected n of 0 or more; got {n}")
    ends = [part for part in (prepend, x, append) if part is not None]
    y = concat(ends, axis=axis) if len(ends) > 1 else unchanged(x)
    for _ in range(n):
        lead = (slice(None),) * axis
        y = sub(get_item(y, (*lead, slice(1, None))), get_item(y, (*lead, slice(None, -1))))
    return y


@samples(
    Sample(Real((4,))),
    Sample(Real((3, 2)), axis=0, dx=0.5),
    Sample(Real((2, 3)), Real((3,))),
    Sample(Real((2, 3, 2)), Real((2, 3, 2)), axis=1),
)
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Variable:
    """Integral of a sampled function by the trapezoidal rule.

    Parameters
    ----------
    y : Variable or array
        The function's values.
    x : Variable or array, shape (n,) or that of `y`, optional
        Where they were taken; by default at distances `dx`.
    dx : float, default 1.0
    axis : int, default -1

    Returns
    -------
    Variable, shape of `y` without `axis`

    Raises
    ------
    ValueError
        If there is no such axis.

    Examples
    --------
    >>> F.trapezoid(Variable(np.array([0.0, 1.0, 4.0])))
    variable(3.0)
    """
    shape = shape_of("trapezoid", y)
    axis = axis_of("trapezoid", axis, len(shape))
    lead = (slice(None),) * axis
    sums = add(get_item(y, (*lead, slice(1, None))), get_item(y, (*lead, slice(None, -1))))
    if x is None:
        return mul(sum(sums, axis), 0.5 * dx)
    if len(shape_of("trapezoid", x)) == 1:
        x = reshape(x, (-1, *(1,) * (len(shape) - axis - 1)))
        return mul(sum(mul(sums, diff(x, axis=0)), axis), 0.5)
    return mul(sum(mul(sums, diff(x, axis=axis)), axis), 0.5)


# -- padding -----------------------------------------------------------------------------------------

_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


@samples(
    Sample(Real((3,)), 2),
    Sample(Real((2, 3)), ((0, 1), (2, 0)), constant_values=0.5),
    Sample(Real((2, 3)), (1, 2), "edge"),
    Sample(Real((2, 3)), ((1, 1), (4, 3)), "reflect"),
    Sample(Real((2, 3)), ((1, 0), (4, 3)), "symmetric"),
    Sample(Real((2, 3)), ((3, 0), (1, 4)), "wrap"),
)
def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: float = 0) -> Variable:
    """An array made larger at the ends of its axes.

    Parameters
    ----------
    x : Variable or array
    pad_width : int, (before, after), or one such pair for each axis
        How many elements are put before and behind.
    mode : {'constant', 'edge', 'reflect', 'symmetric', 'wrap'}
        With what: a number; the outermost element; the elements mirrored at it, without it or with it; those
        of the other end.
    constant_values : float, default 0

    Returns
    -------
    Variable

    Raises
    ------
    ValueError
        If `pad_width` does not fit `x` or is negative, there is no such mode, or an axis without elements is
        to be filled with some.

    Examples
    --------
    >>> F.pad(Variable(np.array([1.0, 2.0, 3.0])), (1, 2), "reflect")
    variable([2. 1. 2. 3. 2. 1.])
    """
    shape = shape_of("pad", x)
    if mode not in _MODES:
        raise ValueError(f"pad: expected a mode among {', '.join(_MODES)}; got {mode!r}")
    y = unchanged(x)
    for axis, (before, after) in enumerate(_widths(pad_width, len(shape))):
        if before == after == 0:
            continue
        if mode == "constant":
            y = _filled(y, axis, (before, after), constant_values)
        else:
            y = take(y, _places(shape[axis], before, after, mode), axis)
    return y


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    try:
        pairs = np.broadcast_to(np.asarray(pad_width), (ndim, 2))
    except ValueError:
        pairs = np.asarray(-1)
    if pairs.dtype.kind not in "iu" or (pairs < 0).any():
        raise ValueError(
            f"pad: expected a pad_width of integers, 0 or more: one, a pair (before, after), or {ndim} "
            f"pairs; got {pad_width!r}"
        )
    return [(int(before), int(after)) for before, after in pairs]


def _filled(x: Variable, axis: int, widths: tuple[int, int], value: float) -> Variable:
    """`x` between constants."""
    owner, device = x.backend, x.backend.device(x.data)
    before, after = (
        owner.xp.full((*x.shape[:axis], n, *x.shape[axis + 1 :]), value, dtype=x.dtype, device=device)
        for n in widths
    )
    return concat([before, x, after], axis=axis)


def _places(n: int, before: int, after: int, mode: str) -> list[int]:
    """Which element stands at each place from -before to n + after."""
    if n == 0:
        raise ValueError(f"pad: expected an axis with elements for mode {mode!r}; got one of length 0")
    places = np.arange(-before, n + after)
    if mode == "edge":
        places = places.clip(0, n - 1)
    elif mode == "wrap":
        places %= n
    elif mode == "symmetric":
        places %= 2 * n
        places = np.minimum(places, 2 * n - 1 - places)
    else:
        places %= max(2 * n - 2, 1)
        places = np.minimum(places, 2 * n - 2 - places)
    found: list[int] = places.tolist()
    return found


# -- between two ends ----------------------------------------------------------------------------------


def linspace(start: Any, stop: Any, num: int, *, dtype: Any = None, endpoint: bool = True) -> Variable:
    """`num` evenly spaced numbers from `start` to `stop`, arrays or Variables, along a new first axis.

    ``start (1 - t) + stop t``, which is exact at both ends; both get their share of the gradient.
    """
    start, stop = floats(start, stop)
    owner = owner_of("linspace", start)
    array = start.data if isinstance(start, Variable) else start
    like = owner.xp.real(array) if owner.is_complex(array.dtype) else array
    t = owner.xp.linspace(0.0, 1.0, num, dtype=like.dtype, device=owner.device(array), endpoint=endpoint)
    ndim = max(len(shape_of("linspace", end)) for end in (start, stop))
    t = owner.xp.reshape(t, (num, *(1,) * ndim))
    y = add(mul(start, 1 - t), mul(stop, t))
    return y if dtype is None or dtype == y.dtype else astype(y, dtype)


# -- interpolation -----------------------------------------------------------------------------------


_GRID = [0.0, 1.0, 1.5, 3.0]


@samples(
    Sample(Real((2, 3), 0.1, 2.9), _GRID, Real((4,))),
    Sample(Real((3,), -1.0, -0.2), _GRID, Real((4,))),
    Sample(Real((), 3.2, 4.0), _GRID, Real((4,)), left=0.5, right=-0.5),
    Sample(Real((3,), 1.0, 2.0), [0.5], Real((1,))),
)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Variable:
    """Piecewise linear interpolation between points of a function of one variable.

    Parameters
    ----------
    x : Variable, array or number, any shape, real
        Where to evaluate. At a point the gradient is the slope to its right.
    xp : Variable, array or list, shape (n,), real, increasing
    fp : Variable, array or list, shape (n,)
        The points. Lists become arrays of the library of `x`.
    left, right : Variable or number, optional
        The value below and above all points; by default that of the first and of the last.

    Returns
    -------
    Variable, shape of `x`
        It has gradients with respect to `x`, `xp` and `fp`.

    Raises
    ------
    ValueError
        If `xp` and `fp` are no vectors of the same length, or there are no points.

    Examples
    --------
    >>> F.interp(Variable(np.array([0.5, 1.5, 9.0])), np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 3.0]))
    variable([1.  2.5 3. ])
    """
    xp, fp = (_vector("interp", part, x) for part in (xp, fp))
    sx, sf = shape_of("interp", xp), shape_of("interp", fp)
    if len(sx) != 1 or sx != sf or sx == (0,):
        raise ValueError(f"interp: expected vectors xp and fp of one length, 1 or more; got {sx} and {sf}")
    x, xp = floats(x, xp)
    lib = owner_of("interp", xp).xp
    at, points = (v.data if isinstance(v, Variable) else v for v in (x, xp))
    shape = tuple(at.shape)
    place = lib.searchsorted(points, lib.reshape(at, (-1,)), side="right")
    high = lib.reshape(lib.clip(place, min(1, sx[0] - 1), sx[0] - 1), shape)
    low = high - 1 if sx[0] > 1 else high
    below, above = at < points[0], at > points[-1]
    x0, f0 = take(xp, low, 0), take(fp, low, 0)
    width, rise = sub(take(xp, high, 0), x0), sub(take(fp, high, 0), f0)
    empty = width.data == 0
    offset = where(below | above | empty, 0.0, sub(x, x0))
    y = add(f0, mul(div(offset, where(empty, 1.0, width)), rise))
    y = where(below, get_item(fp, 0) if left is None else left, y)
    return where(above, get_item(fp, -1) if right is None else right, y)


def _vector(name: str, values: Any, like: Any) -> Any:
    """A list as an array of the library, the dtype and on the device of another one."""
    if not isinstance(values, list | tuple):
        return values
    owner = owner_of(name, like)
    dtype = like.dtype if owner.is_floating(like.dtype) else None
    array = like.data if isinstance(like, Variable) else like
    return owner.xp.asarray(values, dtype=dtype, device=owner.device(array))


# -- convolution -------------------------------------------------------------------------------------


@samples(
    Sample(Real((5,)), Real((3,))),
    Sample(Real((2,)), Real((4,))),
    Sample(Real((5,)), Real((2,)), mode="same"),
    Sample(Real((3,)), Real((6,)), mode="same"),
    Sample(Real((5,)), Real((3,)), mode="valid"),
    Sample(Real((2,)), Real((5,)), mode="valid"),
)
def convolve(a: Any, v: Any, mode: str = "full") -> Variable:
    """Convolution of two vectors: ``y_k = sum of a_i v_{k-i}``.

    Parameters
    ----------
    a : Variable or array, shape (n,)
    v : Variable or array, shape (m,)
    mode : {'full', 'same', 'valid'}
        Wherever they overlap; the middle of that, as long as the longer one; where they overlap entirely.

    Returns
    -------
    Variable, shape (n + m - 1,), (max(n, m),) or (abs(n - m) + 1,)

    Raises
    ------
    ValueError
        If one of them is no vector or is empty, or there is no such mode.

    Examples
    --------
    >>> F.convolve(Variable(np.array([1.0, 2.0, 3.0])), np.array([0.0, 1.0, 0.5]))
    variable([0.  1.  2.5 4.  1.5])
    """
    sa, sv = shape_of("convolve", a), shape_of("convolve", v)
    if len(sa) != 1 or len(sv) != 1 or 0 in (*sa, *sv):
        raise ValueError(f"convolve: expected two vectors with elements; got shapes {sa} and {sv}")
    short, long = sorted((sa[0], sv[0]))
    ranges = {
        "full": (0, short + long - 1),
        "same": ((short - 1) // 2, long),
        "valid": (short - 1, long - short + 1),
    }
    if mode not in ranges:
        raise ValueError(f"convolve: expected mode 'full', 'same' or 'valid'; got {mode!r}")
    return Convolve(*ranges[mode])(a, v)  # type: ignore[no-any-return]
