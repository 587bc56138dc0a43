"""Functions as the Array API writes them, where the book writes them otherwise or lacks them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from tensorgrad.backend import Backend, backend_of, is_array
from tensorgrad.core import Variable
from tensorgrad.core.variable import make_variable, transfer
from tensorgrad.functions.cumulative import cumprod, cumsum
from tensorgrad.functions.indexing import take_along_axis
from tensorgrad.functions.joining import concat, stack
from tensorgrad.functions.manipulation import axes_of, axis_of, broadcast_to, ravel, same_value, shape_of
from tensorgrad.functions.manipulation import expand_dims as _expand_dims
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


def expand_dims(x: Any, /, axis: int | tuple[int, ...]) -> Variable:
    """The same elements with an axis of length 1 at each position of the result that `axis` names."""
    if not isinstance(axis, tuple):
        return _expand_dims(x, axis)
    shape = list(shape_of("expand_dims", x))
    for position in sorted(axes_of("expand_dims", axis, len(shape) + len(axis))):
        shape.insert(position, 1)
    return _reshape(x, tuple(shape))


def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Variable:
    """Sums of the first one, two, three, ... elements; of none first with `include_initial`."""
    axis = _axis_of_running("cumulative_sum", x, axis)
    y = cumsum(x, axis, dtype=dtype)
    return _from(0, y, axis) if include_initial else y


def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Variable:
    """Products of the first one, two, three, ... elements; of none first with `include_initial`."""
    axis = _axis_of_running("cumulative_prod", x, axis)
    y = cumprod(x, axis, dtype=dtype)
    return _from(1, y, axis) if include_initial else y


def _axis_of_running(name: str, x: Any, axis: int | None) -> int:
    shape = shape_of(name, x)
    if axis is None and len(shape) != 1:
        raise ValueError(f"{name}: expected an axis for shape {shape}; got None")
    return axis_of(name, 0 if axis is None else axis, len(shape))


def _from(value: int, y: Variable, axis: int) -> Variable:
    """`y` with a constant before the first element of an axis."""
    first = (*y.shape[:axis], 1, *y.shape[axis + 1 :])
    return concat([y.backend.xp.full(first, value, dtype=y.dtype, device=y.device), y], axis=axis)


def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Variable:
    """The elements in order along an axis; each gradient goes where its element came from."""
    array = x.data if isinstance(x, Variable) else x
    owner: Any = backend_of(array)
    order = owner.xp.argsort(array, axis=axis, descending=descending, stable=stable)
    return take_along_axis(x, order, axis)


def broadcast_arrays(*arrays: Any) -> tuple[Variable, ...]:
    """Arrays repeated to the shape that they have in common."""
    shape = broadcast_shapes(*(shape_of("broadcast_arrays", x) for x in arrays))
    return tuple(broadcast_to(x, shape) for x in arrays)


def broadcast_shapes(*shapes: tuple[int | None, ...]) -> tuple[Any, ...]:
    """The shape that arrays of these shapes have in common; None for a length that is not known."""
    common: tuple[int | None, ...] = ()
    for shape in shapes:
        n = max(len(common), len(shape))
        pairs = zip((1,) * (n - len(common)) + common, (1,) * (n - len(shape)) + tuple(shape), strict=True)
        common = tuple(_common(i, j, shapes) for i, j in pairs)
    return common


def _common(i: int | None, j: int | None, shapes: tuple[Any, ...]) -> int | None:
    """The length that two lengths have in common: an unknown one is any that goes with the other."""
    if i in (1, j):
        return j
    if j == 1 or j is None:
        return i
    if i is None:
        return j
    raise ValueError(f"expected shapes that broadcast to one; got {' and '.join(map(str, shapes))}")


def meshgrid(*arrays: Any, indexing: str = "xy") -> tuple[Variable, ...]:
    """Vectors repeated to a grid, one axis for each: rows before columns with ``indexing="xy"``."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: expected indexing 'xy' or 'ij'; got {indexing!r}")
    order = list(range(len(arrays)))
    if indexing == "xy" and len(arrays) > 1:
        order[:2] = [1, 0]
    lengths = [0] * len(arrays)
    vectors = [ravel(x) for x in arrays]
    for x, axis in zip(vectors, order, strict=True):
        lengths[axis] = x.size
    grid = []
    for x, axis in zip(vectors, order, strict=True):
        line = tuple(x.size if i == axis else 1 for i in range(len(arrays)))
        grid.append(broadcast_to(_reshape(x, line), tuple(lengths)))
    return tuple(grid)


def promoting(op: Callable[..., Any]) -> Callable[..., Any]:
    """The op with its arguments in their common dtype, for a library that does not see to that."""

    @wraps(op)
    def wrapped(x1: Any, x2: Any, /) -> Any:
        if getattr(x1, "dtype", None) != getattr(x2, "dtype", None) and hasattr(x1, "dtype"):
            arrays = [x.data if isinstance(x, Variable) else x for x in (x1, x2)]
            owner = backend_of(arrays[0])
            if owner is not None and owner is backend_of(arrays[1]):
                dtype = owner.xp.result_type(*(x.dtype for x in arrays))
                x1, x2 = (x if x.dtype == dtype else _astype(x, dtype) for x in (x1, x2))
        return op(x1, x2)

    return wrapped


def asarray(
    backend: Backend, value: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None
) -> Variable:
    """An array, a number or nested lists as a Variable; what is a Variable already keeps its graph."""
    if isinstance(value, list | tuple) and _holds_variables(value):
        value = stack([asarray(backend, item, device=device) for item in value])
    if not isinstance(value, Variable):
        if is_array(value):
            value = transfer(value, backend)
        array = backend.xp.asarray(value, dtype=dtype, device=backend.as_device(device), copy=copy)
        return make_variable(array, None, 0)
    y = value if value.backend is backend else to(value, backend, device)
    if dtype is not None and y.dtype != dtype:
        if copy is False:
            raise ValueError(f"asarray: a Variable of {y.dtype} cannot be {dtype} without a copy")
        y = _astype(y, dtype)
    if device is not None and y.device != device:
        y = to(y, device=device)
    return _copy(y) if copy and y is value else y


def from_dlpack(backend: Backend, x: Any, *, device: Any = None, copy: bool | None = None) -> Variable:
    """The array behind the DLPack protocol, as a constant of the library of `backend`."""
    options = {"device": backend.as_device(device), "copy": copy}
    given = {name: option for name, option in options.items() if option is not None}
    array = backend.xp.from_dlpack(x, **given)  # not every library knows the two
    return make_variable(transfer(array, backend), None, 0)  # dpnp leaves what lies on the host with NumPy


def _holds_variables(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_variables, value))
    return isinstance(value, Variable)
