"""Elements picked by index, and their gradients put back where they came from.

An index of integers and slices meets no element twice: its gradient is written into zeros. One of integer
arrays may: its gradient is added (`Scatter`). A mixture of both is taken apart into slices first, then the
arrays on the leading axes, then the order of axes that NumPy gives; so all libraries agree on mixtures.
"""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np

from tensorgrad.backend import Array, Backend, backend_of
from tensorgrad.core import ArrayLike, Op, Variable
from tensorgrad.core.alias import ViewOp
from tensorgrad.core.sample import Bools, Ints, Real, Sample, samples
from tensorgrad.functions.indices import full_index, positions, shape_of_index
from tensorgrad.functions.manipulation import axis_of, owner_of, permute_dims, ravel, shape_of

BASIC = frozenset((int, slice, type(None), EllipsisType))
"""The types of what an index without arrays holds."""


class GetItem(ViewOp):
    """``y = x[index]`` with integers, slices, None and Ellipsis; the rest of the gradient is 0."""

    setting = "index"

    def __init__(self, index: Any) -> None:
        self.index = index

    def forward(self, x: Array) -> Array:
        self.x_shape = x.shape
        try:
            return self.backend.getitem(x, self.index)
        except (IndexError, TypeError, ValueError):  # wrong, or more than this library understands
            self.index = full_index(self.index, x.shape)
            return self.backend.getitem(x, self.index)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(PutItem(self.index, self.x_shape), gy)


class PutItem(Op):
    """``y = 0`` but for ``y[index] = x``; ``dy/dx = 1``."""

    def __init__(self, index: Any, shape: tuple[int, ...]) -> None:
        self.index = index
        self.shape = shape

    def forward(self, x: Array) -> Array:
        y = self.xp.zeros(self.shape, dtype=x.dtype, device=self.backend.device(x))
        index = self.index
        if index is None or (index.__class__ is tuple and None in index):
            index = tuple(i for i in full_index(index, self.shape) if i is not None)
            x = self.xp.reshape(x, shape_of_index(index, self.shape))
        if self.backend.writable:
            try:
                y[index] = x
            except (IndexError, ValueError):  # such as PyTorch's for a negative step
                pass
            else:
                return y
        return self.backend.scatter_add(y, index, x)

    def backward(self, gy: ArrayLike) -> ArrayLike:
        return self.nested(GetItem(self.index), gy)


class GetElements(Op):
    """``y = x[a, b, ...]`` with integer arrays on the leading axes, or with one mask."""

    discards = True
    fresh = True

    def forward(self, x: Array, *index: Array) -> Array:
        self.x_shape = x.shape
        self.portable = False
        self.keep(*index)
        try:
            return self.backend.getitem(x, index)
        except IndexError:  # out of bounds, or fewer arrays than axes where only the standard holds
            self.portable = True
            places = positions(self.backend, x.shape, index)
            y = self.xp.take(self.xp.reshape(x, (-1,)), self.xp.reshape(places, (-1,)), axis=0)
            return self.xp.reshape(y, places.shape)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ...]:
        gx = self.nested(Scatter(self.x_shape, self.portable), gy, *self.kept)
        return (gx, *[None] * len(self.kept))


class Scatter(Op):
    """``y = 0``, to which x is added at ``y[a, b, ...]``; ``gx = gy[a, b, ...]``."""

    def __init__(self, shape: tuple[int, ...], portable: bool) -> None:
        self.shape = shape
        self.portable = portable

    def forward(self, x: Array, *index: Array) -> Array:
        xp = self.xp
        self.keep(*index)
        y = xp.zeros(self.shape, dtype=x.dtype, device=self.backend.device(x))
        if self.portable:
            places = xp.reshape(positions(self.backend, self.shape, index), (-1,))
            y = self.backend.scatter_add(xp.reshape(y, (-1,)), places, xp.reshape(x, (-1,)))
            return xp.reshape(y, self.shape)
        if self.backend.writable and is_mask(index[0]):
            y[index[0]] = x
            return y
        return self.backend.scatter_add(y, index if len(index) > 1 else index[0], x)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ...]:
        gx = self.nested(GetElements(), gy, *self.kept)
        return (gx, *[None] * len(self.kept))


class Take(Op):
    """``y = x[:, ..., a]``: an integer array along one axis; gradients are added where they belong."""

    fresh = True

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Array, index: Array) -> Array:
        xp = self.xp
        axis, shape = self.axis, x.shape
        self.x_shape = shape
        self.portable = False
        self.y_shape = (*shape[:axis], *index.shape, *shape[axis + 1 :])
        flat = index if index.ndim == 1 else xp.reshape(index, (-1,))
        self.keep(flat)
        try:
            y = self.backend.getitem(x, (*(slice(None),) * axis, flat))
        except IndexError:  # out of bounds, or only the standard's take can do it
            self.portable = True
            positions(self.backend, (shape[axis],), (flat,))
            y = xp.take(x, flat, axis=axis)
        return y if index.ndim == 1 else xp.reshape(y, self.y_shape)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, None]:
        xp = self.xp
        (flat,) = self.kept
        axis, shape = self.axis, self.x_shape
        gy = xp.reshape(gy, (*shape[:axis], flat.shape[0], *shape[axis + 1 :]))
        first = (axis, *(i for i in range(len(shape)) if i != axis))
        gy = gy if axis == 0 else xp.permute_dims(gy, first)
        gx = self.nested(Scatter(tuple(shape[i] for i in first), self.portable), gy, flat)
        if axis == 0:
            return gx, None
        return xp.permute_dims(gx, tuple(first.index(i) for i in range(len(shape)))), None


def kind_of(dtype: Any) -> str:
    """``b``, ``i`` or ``u`` for truth values, integers and those without a sign; else another letter."""
    kind: str | None = getattr(dtype, "kind", None)  # libraries with dtypes of their own: by name
    if kind is None:
        name = str(dtype).rpartition(".")[2]
        kind = "u" if name.startswith("uint") else name[:1]
    return kind


def is_mask(index: Array) -> bool:
    """Whether an index array holds truth values."""
    return kind_of(index.dtype) == "b"


def index_array(name: str, x: Any, index: Any) -> tuple[Backend, Array]:
    """The backend of `x`, and an index as an array of it: integers or truth values."""
    owner = owner_of(name, x)
    found = index.data if isinstance(index, Variable) else index
    if isinstance(found, np.ndarray | np.generic) and found.ndim == 0:
        found = found.item()  # NumPy's numbers go along with every library
    if isinstance(found, list | tuple | int):
        found = owner.xp.asarray(found, device=owner.device(x.data if isinstance(x, Variable) else x))
        if 0 in found.shape:  # an empty list has no type
            found = owner.xp.astype(found, owner.xp.int64)
    other = backend_of(found)
    if other is not owner and other is not None:
        raise TypeError(
            f"{name}: expected an index of {owner.name}, the library of x; "
            f"got {other.name} {tuple(found.shape)}. Nothing is moved silently: "
            "use v.to(name) on one of them, or a list."
        )
    dtype = getattr(found, "dtype", type(found).__name__)
    kind = kind_of(dtype)
    if kind not in "biu":
        raise IndexError(f"{name}: expected integers or bools as an index; got {dtype}")
    if kind == "u":  # PyTorch reads uint8 as a mask
        found = owner.xp.astype(found, owner.xp.int64)
    return owner, found


@samples(
    Sample(Real((3, 4)), 1),
    Sample(Real((3, 4)), (slice(None), slice(None, None, 2))),
    Sample(Real((3, 4)), slice(None, None, -1)),
    Sample(Real((3, 4)), (..., None, -1)),
    Sample(Real((4,)), slice(10, None)),
    Sample(Real((3, 4)), Ints((5,), 3)),
    Sample(Real((3,)), Ints((2, 2), 3)),
    Sample(Real((3, 4)), Bools((3, 4))),
    Sample(Real((3, 4)), Bools((3,))),
    Sample(Real((3, 4)), (slice(None), [0, 3, 3])),
    Sample(Real((3, 4)), ([0, 2, 2], [1, 1, 1])),
    Sample(Real((3, 4, 2)), (0, slice(None), [1, 1])),
    Sample(Real((2, 3, 4)), (slice(None), [[0], [2]], [1, 1])),
)
def get_item(x: Any, slices: Any) -> Variable:
    """Elements picked by index: ``x[slices]``.

    Parameters
    ----------
    x : Variable or array, any shape
    slices : int, slice, None, Ellipsis, integer or bool array, list, or a tuple of these
        As NumPy reads them, mixtures too. Arrays are of the library of `x`; they may be Variables.

    Returns
    -------
    Variable
        An element that is picked several times gets the sum of the gradients.

    Raises
    ------
    IndexError
        If there are more indices than axes, an integer is out of bounds, or a mask has another shape
        than the axes that it is for.
    TypeError
        If an index array belongs to another library than `x`.

    Examples
    --------
    >>> x = Variable(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    >>> F.get_item(x, (slice(None), [0, 0, 2]))
    variable([[1. 1. 3.]
              [4. 4. 6.]])
    """
    index = slices if isinstance(slices, tuple) else (slices,)
    if BASIC.issuperset(map(type, index)):
        if index.count(...) > 1:  # PyTorch lets it pass
            raise IndexError("get_item: expected at most one Ellipsis")
        return GetItem(slices)(x)  # type: ignore[no-any-return]
    return _get_mixed(x, index)


@samples(
    Sample(Real((3, 4)), Ints((5,), 3), axis=0),
    Sample(Real((3, 4)), Ints((2, 2), 4), axis=-1),
    Sample(Real((3, 4)), [0, -1], axis=1),
    Sample(Real((3, 4)), 2, axis=0),
    Sample(Real((3, 4)), Ints((3,), 12)),
    Sample(Real((4,)), Ints((6,), 4)),
)
def take(x: Any, indices: Any, axis: int | None = None) -> Variable:
    """Elements picked by integers along one axis.

    Parameters
    ----------
    x : Variable or array, any shape
    indices : int, list of int or array of int, any shape
        Negative ones count from the end.
    axis : int, optional
        By default `x` is flattened first.

    Returns
    -------
    Variable, shape of `x` with that of `indices` in the place of `axis`

    Raises
    ------
    IndexError
        If an index is out of bounds (JAX and dpnp do not tell).
    ValueError
        If `x` has no such axis.

    Examples
    --------
    >>> F.take(Variable(np.array([1.0, 2.0, 3.0])), [2, 0])
    variable([3. 1.])
    """
    if axis is None:
        x, axis = ravel(x), 0
    axis = axis_of("take", axis, len(shape_of("take", x)))
    _, index = index_array("take", x, indices)
    if is_mask(index):
        raise IndexError("take: expected integers; got bools, which are for x[mask]")
    return Take(axis)(x, index)  # type: ignore[no-any-return]


@samples(
    Sample(Real((3, 4)), Ints((3, 2), 4)),
    Sample(Real((3, 4)), Ints((2, 4), 3), axis=0),
    Sample(Real((3, 4)), Ints((1, 2), 4), axis=1),
    Sample(Real((1, 4)), Ints((3, 2), 4), axis=-1),
    Sample(Real((4,)), Ints((6,), 4)),
)
def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Variable:
    """Elements picked by integers along one axis, others for each place along the other axes.

    It fits what ``argsort``, ``argmax(..., keepdims=True)`` and the like give.

    Parameters
    ----------
    x : Variable or array, one axis or more
    indices : array of int, as many axes as `x`
        The lengths of the other axes broadcast against those of `x`.
    axis : int, default -1

    Returns
    -------
    Variable, the broadcast shape, with the length of `indices` along `axis`

    Raises
    ------
    IndexError
        If an index is out of bounds (JAX and dpnp do not tell).
    ValueError
        If `x` has no such axis, or the shapes do not broadcast.

    Examples
    --------
    >>> F.take_along_axis(Variable(np.array([[1.0, 2.0], [3.0, 4.0]])), np.array([[1], [0]]))
    variable([[2.]
              [3.]])
    """
    shape = shape_of("take_along_axis", x)
    axis = axis_of("take_along_axis", axis, len(shape))
    owner, index = index_array("take_along_axis", x, indices)
    lengths = tuple(index.shape)
    pairs = list(zip(shape, lengths, strict=False))
    del pairs[axis : axis + 1]
    if len(lengths) != len(shape) or any(n != m and 1 not in (n, m) for n, m in pairs):
        raise ValueError(
            f"take_along_axis: expected indices that broadcast to shape {shape} but for axis {axis}; "
            f"got shape {lengths}"
        )
    device = owner.device(index)
    places = []
    for i, n in enumerate(shape):
        if i == axis:
            places.append(index)
        else:
            line = (1,) * i + (n,) + (1,) * (len(shape) - i - 1)
            places.append(owner.xp.reshape(owner.xp.arange(n, device=device), line))
    return GetElements()(x, *places)  # type: ignore[no-any-return]


# -- mixtures ------------------------------------------------------------------------------------


def _get_mixed(x: Any, index: tuple[Any, ...]) -> Variable:
    """``x[index]`` where some items are arrays, or something that stands for an integer."""
    items = [item if type(item) in BASIC else _index_item(x, item) for item in index]
    if len(items) == 1 and type(items[0]) is not int:
        (array,) = items
        shape = shape_of("get_item", x)
        if not is_mask(array):
            if shape:
                return Take(0)(x, array)  # type: ignore[no-any-return]
        else:
            _check_mask(array, shape)
            return GetElements()(x, array)  # type: ignore[no-any-return]
    if BASIC.issuperset(map(type, items)):
        return GetItem(tuple(items))(x)  # type: ignore[no-any-return]
    return _get_elements(x, shape_of("get_item", x), items)


def _index_item(x: Any, item: Any) -> Any:
    """An integer, or an index array of the library of `x`."""
    if isinstance(item, np.integer):
        return int(item)
    if isinstance(item, bool | np.bool_):
        raise IndexError("get_item: expected an array of bools as a mask; got one bool")
    return index_array("get_item", x, item)[1]


def _get_elements(x: Any, shape: tuple[int, ...], items: list[Any]) -> Variable:
    """``x[items]`` where at least one item is an array."""
    if len(items) <= len(shape) and all(_is_array(i) and not is_mask(i) for i in items):
        return GetElements()(x, *items)  # type: ignore[no-any-return]
    cuts, arrays, adjacent = _taken_apart(x, shape, items)
    if len(arrays) == 1:
        ((axis, array),) = arrays.items()
        return Take(axis)(_cut(x, cuts), array)  # type: ignore[no-any-return]
    x = _cut(x, cuts)
    axes = tuple(arrays)
    rest = tuple(i for i in range(len(x.shape)) if i not in arrays)
    first = (*axes, *rest)
    if first != tuple(range(len(first))):
        x = permute_dims(x, first)
    y = GetElements()(x, *arrays.values())
    before = axes[0] if adjacent else 0
    if before == 0:
        return y  # type: ignore[no-any-return]
    n = y.ndim - len(rest)  # the axes that the arrays gave stand where the first array stood
    order = (*range(n, n + before), *range(n), *range(n + before, y.ndim))
    return permute_dims(y, order)


def _is_full(item: Any) -> bool:
    return item is Ellipsis or (isinstance(item, slice) and item == slice(None))


def _check_mask(mask: Array, shape: tuple[int, ...]) -> None:
    if tuple(mask.shape) != shape[: mask.ndim]:
        raise IndexError(
            f"get_item: expected a mask of shape {shape[: mask.ndim]}, as x has along these axes; "
            f"got {tuple(mask.shape)}"
        )


def _taken_apart(
    x: Any, shape: tuple[int, ...], items: list[Any]
) -> tuple[list[Any], dict[int, Array], bool]:
    """The slices; the integer arrays by their axis after slicing; whether these are side by side.

    Integers count as arrays, and a mask as the arrays of its places, as in NumPy.
    """
    used = sum(i.ndim if _is_array(i) and is_mask(i) else i is not None for i in items if i is not ...)
    if used > len(shape):
        raise IndexError(f"get_item: expected at most {len(shape)} indices; got {used}")
    if sum(i is ... for i in items) > 1:
        raise IndexError("get_item: expected at most one Ellipsis")
    cuts: list[Any] = []
    arrays: dict[int, Array] = {}
    runs = 0
    inside = False
    axis = 0  # of x
    for item in items if any(i is ... for i in items) else [*items, ...]:
        if item is ...:
            rest = len(shape) - used
            cuts += [slice(None)] * rest
            axis += rest
        elif item is None or isinstance(item, slice):
            cuts.append(item)
            axis += item is not None
        else:
            owner, array = index_array("get_item", x, item)
            if is_mask(array):
                _check_mask(array, shape[axis:])
                found = owner.xp.nonzero(array)
            else:
                found = (array,)
            for one in found:
                arrays[len(cuts)] = one
                cuts.append(slice(None))
            axis += len(found)
            runs += not inside
            inside = True
            continue
        inside = False
    return cuts, arrays, runs == 1


def _is_array(item: Any) -> bool:
    return type(item) not in BASIC


def _cut(x: Any, cuts: list[Any]) -> Any:
    return x if all(_is_full(c) for c in cuts) else GetItem(tuple(cuts))(x)
