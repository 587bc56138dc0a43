"""Functions as the Array API writes them, where the book writes them otherwise or lacks them."""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import Backend, backend_of, is_array
from tensorgrad.core import Variable
from tensorgrad.core.variable import make_variable, transfer
from tensorgrad.functions.cumulative import cumsum
from tensorgrad.functions.indexing import take_along_axis
from tensorgrad.functions.joining import concat, stack
from tensorgrad.functions.manipulation import axis_of, broadcast_to, flatten, same_value, shape_of
from tensorgrad.functions.manipulation import reshape as _reshape
from tensorgrad.functions.transfer import astype as _astype
from tensorgrad.functions.transfer import copy as _copy
from tensorgrad.functions.transfer import to


def positive(x: Any, /) -> Variable:
    """``+x``."""
    return same_value(x)


def reshape(x: Any, /, shape: Any, *, copy: bool | None = None) -> Variable:
    """The same elements in another shape; in memory of their own with ``copy=True``."""
    y = _reshape(x, shape)
    return _copy(y) if copy else y


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Variable:
    """The values in another dtype, and on another device where one is given."""
    y = _astype(x, dtype, copy=copy)
    return y if device is None else to(y, device=device)


def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Variable:
    """Sums of the first one, two, three, ... elements; of none first with `include_initial`."""
    shape = shape_of("cumulative_sum", x)
    if axis is None and len(shape) != 1:
        raise ValueError(f"cumulative_sum: expected an axis for shape {shape}; got None")
    axis = axis_of("cumulative_sum", 0 if axis is None else axis, len(shape))
    y = cumsum(x, axis, dtype=dtype)
    if not include_initial:
        return y
    first = (*shape[:axis], 1, *shape[axis + 1 :])
    zeros = y.backend.xp.zeros(first, dtype=y.dtype, device=y.device)
    return concat([zeros, y], axis=axis)


def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Variable:
    """The elements in order along an axis; each gradient goes where its element came from."""
    array = x.data if isinstance(x, Variable) else x
    owner: Any = backend_of(array)
    order = owner.xp.argsort(array, axis=axis, descending=descending, stable=stable)
    return take_along_axis(x, order, axis)


def broadcast_arrays(*arrays: Any) -> tuple[Variable, ...]:
    """Arrays repeated to the shape that they have in common."""
    shape: tuple[int, ...] = ()
    for x in arrays:
        shape = _common(shape, shape_of("broadcast_arrays", x))
    return tuple(broadcast_to(x, shape) for x in arrays)


def _common(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    n = max(len(a), len(b))
    pairs = zip((1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b, strict=True)
    common = []
    for i, j in pairs:
        if i != j and 1 not in (i, j):
            raise ValueError(f"broadcast_arrays: expected shapes that go together; got {a} and {b}")
        common.append(j if i == 1 else i)
    return tuple(common)


def meshgrid(*arrays: Any, indexing: str = "xy") -> tuple[Variable, ...]:
    """Vectors repeated to a grid, one axis for each: rows before columns with ``indexing="xy"``."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: expected indexing 'xy' or 'ij'; got {indexing!r}")
    order = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) > 1:
        order[:2] = [1, 0]
    lengths = [0] * len(arrays)
    vectors = [flatten(x) for x in arrays]
    for x, axis in zip(vectors, order, strict=True):
        lengths[axis] = x.size
    grid = []
    for x, axis in zip(vectors, order, strict=True):
        line = tuple(x.size if i == axis else 1 for i in range(len(arrays)))
        grid.append(broadcast_to(_reshape(x, line), tuple(lengths)))
    return tuple(grid)


def asarray(
    backend: Backend, value: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Variable:
    """An array, a number or nested lists as a Variable; what is a Variable already keeps its graph."""
    if isinstance(value, list | tuple) and _holds_variables(value):
        value = stack([asarray(backend, item, device=device) for item in value])
    if not isinstance(value, Variable):
        if is_array(value):
            value = transfer(value, backend)
        array = backend.xp.asarray(value, dtype=dtype, device=device, copy=copy)
        return make_variable(array, None, 0)
    y = value if value.backend is backend else to(value, backend, device)
    if dtype is not None and y.dtype != dtype:
        if copy is False:
            raise ValueError(f"asarray: a Variable of {y.dtype} cannot be {dtype} without a copy")
        y = _astype(y, dtype)
    if device is not None and y.device != device:
        y = to(y, device=device)
    return _copy(y) if copy and y is value else y


def _holds_variables(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_variables, value))
    return isinstance(value, Variable)
