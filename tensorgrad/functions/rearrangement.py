"""Elements in other places: flip, roll, triangles, repeat and tile."""

from __future__ import annotations

from numbers import Integral
from operator import index
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.alias import ViewOp
from tensorgrad.core.sample import Ints, Real, Sample, samples
from tensorgrad.functions.indexing import index_array, take
from tensorgrad.functions.manipulation import as_tuple, axes_of, axis_of, ravel, shape_of


class Flip(ViewOp):
    """``y = x`` with axes turned round; so is the gradient."""

    setting = "axis"

    def __init__(self, axis: tuple[int, ...]) -> None:
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return self.xp.flip(x, axis=self.axis)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.xp.flip(gy, axis=self.axis)


class Roll(Op):
    """``y = x`` shifted round; the gradient is shifted back."""

    def __init__(self, shift: Any, axis: Any) -> None:
        self.shift = shift
        self.axis = axis

    def forward(self, x: Array) -> Array:
        return self.xp.roll(x, self.shift, axis=self.axis)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        shift = self.shift
        back = -shift if isinstance(shift, int) else tuple(-n for n in shift)
        return self.xp.roll(gy, back, axis=self.axis)


class Tril(Op):
    """``y = x`` with 0 above a diagonal; so is the gradient."""

    fresh = True

    def __init__(self, k: int) -> None:
        self.k = k

    def forward(self, x: Array) -> Array:
        return self.xp.tril(x, k=self.k)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.xp.tril(gy, k=self.k)


class Triu(Op):
    """``y = x`` with 0 below a diagonal; so is the gradient."""

    fresh = True

    def __init__(self, k: int) -> None:
        self.k = k

    def forward(self, x: Array) -> Array:
        return self.xp.triu(x, k=self.k)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.xp.triu(gy, k=self.k)


class Repeat(Op):
    """``y = x`` with each element n times along an axis; the gradient is summed over the n."""

    fresh = True

    def __init__(self, repeats: int, axis: int) -> None:
        self.repeats = repeats
        self.axis = axis

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return self.xp.repeat(x, self.repeats, axis=self.axis)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        after = self.axis + 1
        shape = (*self.x_shape[:after], self.repeats, *self.x_shape[after:])
        return self.xp.sum(self.xp.reshape(gy, shape), axis=after, dtype=gy.dtype)


class Tile(Op):
    """``y = x`` laid side by side; the gradient is summed over the copies."""

    fresh = True

    def __init__(self, repetitions: tuple[int, ...]) -> None:
        self.repetitions = repetitions

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        return self.xp.tile(x, self.repetitions)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        xp = self.xp
        n = max(len(self.x_shape), len(self.repetitions))
        lengths = (*[1] * (n - len(self.x_shape)), *self.x_shape)
        counts = (*[1] * (n - len(self.repetitions)), *self.repetitions)
        pairs = tuple(m for pair in zip(counts, lengths, strict=True) for m in pair)
        gx = xp.sum(xp.reshape(gy, pairs), axis=tuple(range(0, 2 * n, 2)), dtype=gy.dtype)
        return xp.reshape(gx, self.x_shape)


@samples(
    Sample(Real((2, 3))),
    Sample(Real((2, 3)), axis=-1),
    Sample(Real((2, 3, 2)), axis=(0, 2)),
    Sample(Real()),
)
def flip(x: Any, axis: Any = None) -> Variable:
    """The order of elements reversed.

    Parameters
    ----------
    x : Variable or array, any shape
    axis : int or tuple of int, optional
        Along which axes; all by default.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.flip(Variable(np.array([1.0, 2.0, 3.0])))
    variable([3. 2. 1.])
    """
    ndim = len(shape_of("flip", x))
    axes = tuple(range(ndim)) if axis is None else axes_of("flip", axis, ndim)
    return Flip(axes)(x)  # type: ignore[no-any-return]


@samples(
    Sample(Real((2, 3)), 1),
    Sample(Real((2, 3)), -1, axis=1),
    Sample(Real((2, 3)), (1, 2), axis=(0, 1)),
)
def roll(x: Any, shift: Any, axis: Any = None) -> Variable:
    """The elements shifted along axes; those that leave at one end enter at the other.

    Parameters
    ----------
    x : Variable or array, any shape
    shift : int or tuple of int
        By how many places; one for each axis of a tuple.
    axis : int or tuple of int, optional
        Along which axes. By default the elements are shifted as if flattened.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.roll(Variable(np.array([1.0, 2.0, 3.0])), 1)
    variable([3. 1. 2.])
    """
    shifts = tuple(map(index, as_tuple(shift)))
    if axis is None:
        return Roll(sum(shifts), None)(x)  # type: ignore[no-any-return]
    axes = axes_of("roll", axis, len(shape_of("roll", x)))
    if len(shifts) not in (1, len(axes)):
        raise ValueError(f"roll: expected one shift for each axis; got {shift} for {axis}")
    return Roll(shifts if len(shifts) == len(axes) else shifts * len(axes), axes)(x)  # type: ignore[no-any-return]


_MATRICES = (
    Sample(Real((3, 4))),
    Sample(Real((3, 3)), 1),
    Sample(Real((2, 4, 3)), k=-1),
)


@samples(*_MATRICES)
def tril(x: Any, k: int = 0) -> Variable:
    """The lower triangle of each matrix; the rest is 0.

    Parameters
    ----------
    x : Variable or array, shape (..., m, n)
    k : int, default 0
        The highest diagonal that is kept: 0 the main one, 1 the next above.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `x` has fewer than two axes.

    Examples
    --------
    >>> F.tril(Variable(np.ones((2, 2))))
    variable([[1. 0.]
              [1. 1.]])
    """
    _check_matrix("tril", x)
    return Tril(k)(x)  # type: ignore[no-any-return]


@samples(*_MATRICES)
def triu(x: Any, k: int = 0) -> Variable:
    """The upper triangle of each matrix; the rest is 0.

    Parameters
    ----------
    x : Variable or array, shape (..., m, n)
    k : int, default 0
        The lowest diagonal that is kept: 0 the main one, 1 the next above.

    Returns
    -------
    Variable, shape of `x`

    Raises
    ------
    ValueError
        If `x` has fewer than two axes.

    Examples
    --------
    >>> F.triu(Variable(np.ones((2, 2))))
    variable([[1. 1.]
              [0. 1.]])
    """
    _check_matrix("triu", x)
    return Triu(k)(x)  # type: ignore[no-any-return]


def _check_matrix(name: str, x: Any) -> None:
    shape = shape_of(name, x)
    if len(shape) < 2:
        raise ValueError(f"{name}: expected two or more axes; got shape {shape}")


@samples(
    Sample(Real((2, 3)), 2),
    Sample(Real((2, 3)), 3, axis=0),
    Sample(Real((2, 3)), 2, axis=-1),
    Sample(Real((2, 3)), Ints((3,), 4), axis=1),
    Sample(Real((3,)), [2, 0, 1]),
)
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Variable:
    """Each element several times in a row.

    Parameters
    ----------
    x : Variable or array, any shape
    repeats : int, list of int or array of int, shape (1,) or (n,)
        How often, for all elements or for each of the n along `axis`.
    axis : int, optional
        Along which axis; by default `x` is flattened first.

    Returns
    -------
    Variable

    Raises
    ------
    ValueError
        If `x` has no such axis, or `repeats` another length.

    Examples
    --------
    >>> F.repeat(Variable(np.array([1.0, 2.0])), 2)
    variable([1. 1. 2. 2.])
    """
    if axis is None:
        x, axis = ravel(x), 0
    shape = shape_of("repeat", x)
    axis = axis_of("repeat", axis, len(shape))
    if isinstance(repeats, Integral):
        return Repeat(index(repeats), axis)(x)  # type: ignore[no-any-return]
    n = shape[axis]
    owner, counts = index_array("repeat", x, repeats)
    if tuple(counts.shape) not in ((), (1,), (n,)):
        raise ValueError(
            f"repeat: expected one number, or one for each of the {n} elements along axis {axis}; "
            f"got shape {tuple(counts.shape)}"
        )
    xp = owner.xp
    ends = xp.cumulative_sum(xp.broadcast_to(counts, (n,)), axis=0)
    places = xp.arange(int(ends[-1]) if n else 0, device=owner.device(counts))
    return take(x, xp.searchsorted(ends, places, side="right"), axis)


@samples(
    Sample(Real((2, 3)), (2, 2)),
    Sample(Real((2, 3)), 2),
    Sample(Real((3,)), (2, 1, 2)),
    Sample(Real((2, 3)), (0, 1)),
)
def tile(x: Any, repetitions: Any) -> Variable:
    """The whole array several times, side by side.

    Parameters
    ----------
    x : Variable or array, any shape
    repetitions : int or tuple of int
        How often along each axis, counted from the last.

    Returns
    -------
    Variable

    Examples
    --------
    >>> F.tile(Variable(np.array([1.0, 2.0])), 2)
    variable([1. 2. 1. 2.])
    """
    return Tile(tuple(map(index, as_tuple(repetitions))))(x)  # type: ignore[no-any-return]
