"""Several arrays to one, and one to several: concat, stack, split and unstack."""

from __future__ import annotations

from numbers import Integral
from operator import index
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.alias import share
from tensorgrad.core.sample import Listed, Real, Sample, samples
from tensorgrad.functions.indexing import GetItem
from tensorgrad.functions.manipulation import axis_of, ravel, shape_of


class Concat(Op):
    """``y = x0, x1, ...`` one after the other along an axis; the gradient is cut up again."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *xs: Array) -> Array:
        self.lengths = [x.shape[self.axis] for x in xs]
        return self.xp.concat(xs, axis=self.axis)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ...]:
        before = (slice(None),) * self.axis
        gxs: list[ArrayLike] = []
        start = 0
        for edge, length in zip(self.edges, self.lengths, strict=True):
            stop = start + length
            gxs.append(gy[(*before, slice(start, stop), ...)] if edge else None)
            start = stop
        return tuple(gxs)


class Stack(Op):
    """``y = x0, x1, ...`` along a new axis; the gradient of each is its slice."""

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *xs: Array) -> Array:
        return self.xp.stack(xs, axis=self.axis)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ...]:
        before = (slice(None),) * self.axis
        return tuple(gy[(*before, i, ...)] if edge else None for i, edge in enumerate(self.edges))


class Parted(Op):
    """The base of what gives several parts: parts that nobody used have a gradient of zeros."""

    def filled(self, gys: tuple[ArrayLike, ...]) -> list[ArrayLike]:
        """The gradients of all parts."""
        given = next(g for g in gys if g is not None)
        device = given.device if self.recording else self.backend.device(given)
        return [
            self.xp.zeros(shape, dtype=dtype, device=device) if g is None else g
            for g, (shape, dtype) in zip(gys, self.specs, strict=True)
        ]


class Split(Parted):
    """``y0, y1, ... = x`` cut along an axis; the gradients are joined."""

    fresh = True

    def __init__(self, starts: list[int], axis: int) -> None:
        self.starts = starts
        self.axis = axis

    def forward(self, x: Array) -> tuple[Array, ...]:
        before = (slice(None),) * self.axis
        stops = [*self.starts[1:], x.shape[self.axis]]
        cuts = [slice(start, stop) for start, stop in zip(self.starts, stops, strict=True)]
        return tuple(x[(*before, cut, ...)] for cut in cuts)

    def backward(self, *gys: ArrayLike) -> ArrayLike:
        return self.xp.concat(self.filled(gys), axis=self.axis)


class Unstack(Parted):
    """``y0, y1, ... = x`` taken apart along an axis; the gradients are stacked."""

    fresh = True

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array) -> tuple[Array, ...]:
        before = (slice(None),) * self.axis
        return tuple(x[(*before, i, ...)] for i in range(x.shape[self.axis]))

    def backward(self, *gys: ArrayLike) -> ArrayLike:
        return self.xp.stack(self.filled(gys), axis=self.axis)


@samples(
    Sample(Listed((Real((2, 3)), Real((1, 3))))),
    Sample(Listed((Real((2, 3)), Real((2, 1)), Real((2, 2)))), axis=-1),
    Sample(Listed((Real((2, 3)), Real((4,)))), axis=None),
    Sample(Listed((Real((2,)),))),
)
def concat(xs: Any, axis: int | None = 0) -> Variable:
    """Arrays joined along an axis that they have.

    Parameters
    ----------
    xs : list or tuple of Variable or array
        Of one shape, but for the length of `axis`.
    axis : int or None, default 0
        None flattens them first.

    Returns
    -------
    Variable

    Raises
    ------
    ValueError
        If there is no array, or the shapes do not go together.

    Examples
    --------
    >>> F.concat([Variable(np.array([1.0])), Variable(np.array([2.0, 3.0]))])
    variable([1. 2. 3.])
    """
    parts = list(xs)
    if axis is None:
        parts, axis = [ravel(x) for x in parts], 0
    shapes = _shapes("concat", parts)
    axis = axis_of("concat", axis, len(shapes[0]))
    if len({(*s[:axis], None, *s[axis + 1 :]) for s in shapes}) > 1:
        raise ValueError(
            f"concat: expected shapes that differ along axis {axis} only; got {', '.join(map(str, shapes))}"
        )
    return Concat(axis)(*parts)  # type: ignore[no-any-return]


@samples(
    Sample(Listed((Real((2, 3)), Real((2, 3))))),
    Sample(Listed((Real((2, 3)), Real((2, 3)), Real((2, 3)))), axis=-1),
    Sample(Listed((Real((2, 3)), Real((2, 3)))), axis=1),
    Sample(Listed((Real(), Real()))),
)
def stack(xs: Any, axis: int = 0) -> Variable:
    """Arrays of one shape joined along a new axis.

    Parameters
    ----------
    xs : list or tuple of Variable or array
    axis : int, default 0
        Where the new axis is in the result.

    Returns
    -------
    Variable

    Raises
    ------
    ValueError
        If there is no array, or the shapes differ.

    Examples
    --------
    >>> F.stack([Variable(np.array([1.0, 2.0])), Variable(np.array([3.0, 4.0]))])
    variable([[1. 2.]
              [3. 4.]])
    """
    parts = list(xs)
    shapes = _shapes("stack", parts)
    if len(set(shapes)) > 1:
        raise ValueError(f"stack: expected one shape; got {', '.join(map(str, shapes))}")
    return Stack(axis_of("stack", axis, len(shapes[0]) + 1))(*parts)  # type: ignore[no-any-return]


def _shapes(name: str, parts: list[Any]) -> list[tuple[int, ...]]:
    if not parts:
        raise ValueError(f"{name}: expected at least one array; got none")
    return [shape_of(name, x) for x in parts]


@samples(
    Sample(Real((4, 3)), 2),
    Sample(Real((2, 6)), 3, axis=1),
    Sample(Real((5, 2)), [1, 3]),
    Sample(Real((2, 5)), (2,), axis=-1),
    Sample(Real((3,)), [1, 5]),
)
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> tuple[Variable, ...]:
    """An array cut along an axis.

    Parameters
    ----------
    x : Variable or array with at least one axis
    indices_or_sections : int, or list or tuple of int
        How many equal parts, or where each part but the first starts.
    axis : int, default 0

    Returns
    -------
    tuple of Variable

    Raises
    ------
    ValueError
        If `x` has no such axis, or the parts would not be equal.

    Examples
    --------
    >>> a, b = F.split(Variable(np.array([1.0, 2.0, 3.0])), [1])
    >>> b
    variable([2. 3.])
    """
    shape = shape_of("split", x)
    axis = axis_of("split", axis, len(shape))
    n = shape[axis]
    if isinstance(indices_or_sections, Integral):
        count = index(indices_or_sections)
        if count < 1 or n % count:
            raise ValueError(
                f"split: expected a number of equal parts of the {n} elements along axis {axis}; "
                f"got {count}. A list says where each further part starts."
            )
        starts = list(range(0, n, n // count)) if n else [0] * count
    else:
        starts = [0, *(min(max(i + n if i < 0 else i, 0), n) for i in indices_or_sections)]
        if starts != sorted(starts):
            raise ValueError(f"split: expected starts in ascending order; got {list(indices_or_sections)}")
    parts: tuple[Variable, ...] = Split(starts, axis)(x)
    if isinstance(x, Variable):
        for part, start, stop in zip(parts, starts, [*starts[1:], n], strict=True):
            share(x, part, (GetItem, (*(slice(None),) * axis, slice(start, stop))))
    return parts


@samples(Sample(Real((2, 3))), Sample(Real((2, 3)), axis=-1), Sample(Real((1, 2))))
def unstack(x: Any, axis: int = 0) -> tuple[Variable, ...]:
    """An array taken apart along an axis, which the parts do not have.

    Parameters
    ----------
    x : Variable or array with at least one axis
    axis : int, default 0

    Returns
    -------
    tuple of Variable

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> a, b = F.unstack(Variable(np.array([[1.0, 2.0], [3.0, 4.0]])))
    >>> b
    variable([3. 4.])
    """
    axis = axis_of("unstack", axis, len(shape_of("unstack", x)))
    parts: tuple[Variable, ...] = Unstack(axis)(x)
    if isinstance(x, Variable):
        for i, part in enumerate(parts):
            share(x, part, (GetItem, (*(slice(None),) * axis, i)))
    return parts
