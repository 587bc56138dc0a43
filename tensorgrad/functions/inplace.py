"""In-place operators and item assignment: ``v += x`` and ``v[index] = x`` as updates of the graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.backend import Array, is_array
from tensorgrad.core import ArrayLike, Config, Function, Op, Variable, no_grad
from tensorgrad.core.alias import Step, along, change, shared_of
from tensorgrad.core.sample import Bools, Ints, Real, Sample, samples
from tensorgrad.core.variable import make_variable
from tensorgrad.functions.indexing import BASIC, GetItem, get_item, index_array, is_mask, take
from tensorgrad.functions.indices import full_index, shape_of_index
from tensorgrad.functions.manipulation import broadcast_to, owner_of, reshape, shape_of
from tensorgrad.functions.selection import where
from tensorgrad.functions.transfer import astype, copy


class SetItem(Op):
    """``y = x`` but for ``y[index] = v``, with integers and slices; ``gx`` is 0 there, ``gv = gy[index]``."""

    fresh = True
    discards = True

    def __init__(self, index: tuple[Any, ...]) -> None:
        self.index = index

    def forward(self, x: Array, v: Array) -> Array:
        return self.backend.setitem(self.backend.copy(x), self.index, v)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        to_x, to_v = self.edges
        gx = self.nested(SetItem(self.index), gy, 0.0) if to_x else None
        gv = self.nested(GetItem(self.index), gy) if to_v else None
        if gv is not None and not self.recording:
            gv = self.backend.copy(gv)
        return gx, gv


@samples(
    Sample(Real((3, 4)), 1, Real((4,))),
    Sample(Real((3, 4)), (slice(None), slice(None, None, 2)), Real((3, 1))),
    Sample(Real((3, 4)), (slice(None, None, -1), 0), Real((1, 3))),
    Sample(Real((3, 4)), (..., None, -1), 0.5),
    Sample(Real((4,)), slice(10, None), Real()),
    Sample(Real((3, 4)), Bools((3, 4)), Real()),
    Sample(Real((3, 4)), Bools((3,)), Real((4,))),
    Sample(Real((4,)), [True, False, True, True], Real((3,))),
    Sample(Real((3, 4)), Ints((5,), 3), Real((5, 4))),
    Sample(Real((3, 4)), ([0, 2, 2], [1, 1, 1]), Real((3,))),
    Sample(Real((3, 4, 2)), (0, slice(None), [1, 1]), Real((2, 4))),
    Sample(Real(), (), Real()),
)
def set_item(x: Any, slices: Any, value: Any) -> Variable:
    """The values of `x` but for those at an index: what ``x[slices] = value`` leaves, as a new value.

    Parameters
    ----------
    x : Variable or array, any shape
    slices : int, slice, None, Ellipsis, integer or bool array, list, or a tuple of these
        As in `get_item`. Of an element that is met several times the last value stays.
    value : Variable, array or number
        Broadcasts to ``x[slices]``, and gets the dtype of `x`.

    Returns
    -------
    Variable, shape and dtype of `x`
        What was replaced gets a gradient of exactly 0.

    Raises
    ------
    IndexError
        If the index does not fit.
    ValueError
        If `value` does not broadcast to ``x[slices]``.
    TypeError
        If `value` is complex and `x` is not, or `value` requires a gradient and `x` is of integers.

    Examples
    --------
    >>> F.set_item(Variable(np.array([1.0, 2.0, 3.0])), slice(1, None), 0.0)
    variable([1. 0. 0.])
    """
    shape = shape_of("set_item", x)
    value = _fitting(x, value)
    index = slices if isinstance(slices, tuple) else (slices,)
    if BASIC.issuperset(map(type, index)):
        return _set_basic(x, full_index(index, shape), value)
    if len(index) == 1:
        mask = index_array("set_item", x, index[0])[1]
        axes = len(mask.shape)
        if is_mask(mask) and tuple(mask.shape) == shape[:axes] and _ndim(value) <= len(shape) - axes:
            condition = reshape(mask, (*mask.shape, *(1,) * (len(shape) - axes)))
            return where(condition, _within(value, shape[axes:]), x)
    return _set_elements(x, slices, value)


def _set_basic(x: Any, index: tuple[Any, ...], value: Any) -> Variable:
    shape = shape_of("set_item", x)
    kept = tuple(i for i in index if i is not None)
    lengths = iter(shape_of_index(kept, shape))
    region = tuple(1 if i is None else next(lengths) for i in index if i is None or isinstance(i, slice))
    value = _within(value, region)
    if None in index and _ndim(value):
        value = reshape(broadcast_to(value, region), shape_of_index(kept, shape))
    return SetItem(kept)(x, value)  # type: ignore[no-any-return]


def _set_elements(x: Any, index: Any, value: Any) -> Variable:
    """Where arrays are among the indices: each element is taken from `x`, or from the last value for it."""
    shape, owner = shape_of("set_item", x), owner_of("set_item", x)
    places = _places(x, lambda places: get_item(places, index))
    value = _within(value, tuple(places.shape))
    if math.prod(places.shape) == 0:
        return copy(x)
    if math.prod(places.shape) == math.prod(shape) and _is_one_mask(x, index):
        return copy(reshape(broadcast_to(value, tuple(places.shape)), shape))  # nothing of x is left
    flat = owner.xp.reshape(places, (-1,))
    taken, last = owner.last_writers(flat, math.prod(shape))
    if not _ndim(value):
        return where(reshape(taken, shape), value, x)
    values = take(broadcast_to(value, tuple(places.shape)), last)
    return where(reshape(taken, shape), reshape(values, shape), x)


def _is_one_mask(x: Any, index: Any) -> bool:
    items = index if isinstance(index, tuple) else (index,)
    return len(items) == 1 and is_mask(index_array("set_item", x, items[0])[1])


def _places(x: Any, pick: Callable[[Variable], Variable]) -> Array:
    """The numbers that the picked elements have in the flattened `x`."""
    owner, shape = owner_of("set_item", x), shape_of("set_item", x)
    device = owner.device(x.data if isinstance(x, Variable) else x)
    numbers = owner.xp.reshape(owner.xp.arange(math.prod(shape), device=device), shape)
    with no_grad():
        return pick(make_variable(numbers, None, 0)).data


def _ndim(value: Any) -> int:
    return len(getattr(value, "shape", ()))


def _fitting(x: Any, value: Any) -> Any:
    """A value that may be assigned to elements of `x`, in its dtype."""
    owner = owner_of("set_item", x)
    if isinstance(value, list | tuple):
        value = owner.xp.asarray(value, device=owner.device(x.data if isinstance(x, Variable) else x))
    if not isinstance(value, Variable) and not is_array(value):
        return value
    if value.dtype == x.dtype or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value
    if owner.is_complex(value.dtype) and not owner.is_complex(x.dtype):
        raise TypeError(f"set_item: expected a real value for elements of {x.dtype}; got {value.dtype}")
    if not owner.is_floating(x.dtype) and isinstance(value, Variable) and value.requires_grad:
        raise TypeError(
            f"set_item: elements of {x.dtype} hold no gradient; got a value that requires one. "
            "Convert the array with astype first, or assign v.data."
        )
    return astype(value, x.dtype)


def _within(value: Any, region: tuple[int, ...]) -> Any:
    """The value without leading axes of length 1 that `region` lacks; an error if it does not fit."""
    shape = tuple(getattr(value, "shape", ()))
    extra = max(len(shape) - len(region), 0)
    pairs = zip(reversed(shape[extra:]), reversed(region), strict=False)
    if any(n != 1 for n in shape[:extra]) or any(n not in (1, m) for n, m in pairs):
        raise ValueError(f"set_item: expected a value that broadcasts to shape {region}; got shape {shape}")
    return reshape(value, shape[extra:]) if extra else value


# -- what changes a handle -----------------------------------------------------------------------


def _write(root: Variable, path: tuple[Step, ...], value: Variable) -> Variable:
    """`root` with the elements that the path leads to replaced."""
    if len(path) == 1 and path[0][0] is GetItem:
        return set_item(root, path[0][1], value)
    if not all(op.pick for op, _ in path):
        names = ", ".join(op.__name__ for op, _ in path if not op.pick)
        raise ValueError(
            f"in-place change: this is a view through {names}, which cannot be written through. "
            "Change a copy: v = v.copy()."
        )
    places = _places(root, lambda numbers: along(path, numbers))
    owner = root.backend
    flat = owner.xp.reshape(places, (-1,))
    if flat.shape[0] == 0:
        return copy(root)
    taken, last = owner.last_writers(flat, root.size)
    values = reshape(take(value, last), root.shape)
    return where(reshape(taken, root.shape), values, root)


def _fits(v: Variable, new: Variable, name: str) -> Variable:
    """The result of an in-place operator in the dtype of `v`, or an error if it is no such value."""
    if new.shape != v.shape:
        raise ValueError(
            f"{name}: expected an operand that broadcasts to shape {v.shape}; "
            f"the result has shape {new.shape}"
        )
    if new.dtype == v.dtype:
        return new
    owner = v.backend
    if owner.is_floating(v.dtype) and (owner.is_complex(v.dtype) or not owner.is_complex(new.dtype)):
        return astype(new, v.dtype)
    raise TypeError(
        f"{name}: expected a result of dtype {v.dtype}; it has {new.dtype}. Write v = v {name[:-1]} x."
    )


def in_place(op: type[Function], sign: str) -> Callable[[Variable, Any], Variable]:
    """The in-place operator of an op."""

    def method(self: Variable, other: Any) -> Variable:
        change(self, lambda: _fits(self, op()(self, other), sign), _write, sign)
        return self

    return method


def assign(self: Variable, index: Any, value: Any) -> None:
    """``v[index] = value``."""
    if isinstance(value, Variable) and _is_that_part(self, index, value):
        return  # ``v[index] += x``: the view has been changed, and this value with it
    if not _requires_grad(self, value) and self.backend.may_overwrite(self):
        self.data = self.backend.setitem(self.data, _raw(index), _raw(_fitting(self, value)))
    else:
        change(self, lambda: set_item(self, index, value), _write, "v[index] = x")


def _requires_grad(v: Variable, value: Any) -> bool:
    if not Config.enable_backprop:
        return False
    return v.requires_grad or (isinstance(value, Variable) and value.requires_grad)


def _is_that_part(v: Variable, index: Any, value: Variable) -> bool:
    items = index if isinstance(index, tuple) else (index,)
    shared, path = shared_of(value)
    if shared is None or not BASIC.issuperset(map(type, items)):
        return False
    mine, way = shared_of(v)
    return mine is shared and path == (*way, (GetItem, index))


def _raw(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_raw, value))
    return value.data if isinstance(value, Variable) else value
