"""ndonnx's arrays with plain ONNX operators, and what an index picks of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import EllipsisType
from typing import Any, NoReturn

import ndonnx as ndx
import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox._future import initializer

from tensorgrad.backend import is_basic

FLOATS = frozenset((ndx.float32, ndx.float64))
SERVED = FLOATS | {ndx.int32, ndx.int64}
"""The dtypes for which onnxruntime has all the plain operators; ndonnx knows ways round for the others."""


def traced(var: Any) -> OnnxArray:
    """The array of a value in the graph."""
    array: OnnxArray = ndx.asarray(var)
    array.__class__ = OnnxArray
    return array


def ours(value: Any) -> Any:
    """What ndonnx gives, with its arrays as `OnnxArray`."""
    if isinstance(value, ndx.Array):
        value.__class__ = OnnxArray
        return value
    if isinstance(value, tuple | list):
        items = [ours(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def constant(value: Any, dtype: Any = None) -> Any:
    """A constant of the graph. The operator `Constant` would be run by onnxruntime, in ten milliseconds."""
    return initializer(np.array(value, dtype))


def pair_of(a: Any, b: Any, served: frozenset[Any]) -> tuple[Any, Any] | None:
    """Two operands in one dtype; None where they are better left to ndonnx."""
    if not all(isinstance(x, ndx.Array | int | float) for x in (a, b)):
        return None
    dtype = ndx.result_type(*(x.dtype if isinstance(x, ndx.Array) else x for x in (a, b)))
    if dtype not in served or any(isinstance(x, ndx.Array) and 0 in x.shape for x in (a, b)):
        return None
    first, second = (in_dtype(x, dtype) for x in (a, b))
    return first, second


def in_dtype(x: Any, dtype: Any) -> Any:
    """The value of an array or a number in the graph, in that dtype."""
    if not isinstance(x, ndx.Array):
        return constant(x, dtype.unwrap_numpy())
    return (x if x.dtype == dtype else ndx.astype(x, dtype)).unwrap_spox()


def _operator(
    name: str, operator: Callable[[Any, Any], Any], served: frozenset[Any] = SERVED
) -> Callable[..., Any]:
    """A method of two operands: one ONNX operator, or what ndonnx makes of it."""
    general = getattr(ndx.Array, name)
    reflected = name.startswith("__r")

    @wraps(general)
    def method(self: ndx.Array, other: Any) -> Any:
        pair = pair_of(other, self, served) if reflected else pair_of(self, other, served)
        return ours(general(self, other)) if pair is None else traced(operator(*pair))

    return method


def _by_ndonnx(name: str) -> Callable[..., Any]:
    general = getattr(ndx.Array, name)

    @wraps(general)
    def method(self: ndx.Array, *args: Any) -> Any:
        return ours(general(self, *args))

    return method


class OnnxArray(ndx.Array):  # type: ignore[misc]  # noqa: PLW1641  # no array has a hash
    """An array of ndonnx with plain operators.

    ndonnx guards its own against empty arrays, at which onnxruntime fails: each becomes several operators,
    and a product of matrices a branch. Here only arrays that are empty get these guards.
    """

    __add__ = _operator("__add__", op.add)
    __radd__ = _operator("__radd__", op.add)
    __sub__ = _operator("__sub__", op.sub)
    __rsub__ = _operator("__rsub__", op.sub)
    __mul__ = _operator("__mul__", op.mul)
    __rmul__ = _operator("__rmul__", op.mul)
    __truediv__ = _operator("__truediv__", op.div, FLOATS)
    __rtruediv__ = _operator("__rtruediv__", op.div, FLOATS)
    __pow__ = _operator("__pow__", op.pow, FLOATS)
    __matmul__ = _operator("__matmul__", op.matmul)
    __rmatmul__ = _operator("__rmatmul__", op.matmul)
    __lt__ = _operator("__lt__", op.less)
    __le__ = _operator("__le__", op.less_or_equal)
    __gt__ = _operator("__gt__", op.greater)
    __ge__ = _operator("__ge__", op.greater_or_equal)
    __eq__ = _operator("__eq__", op.equal)

    for _name in (
        *("floordiv", "mod", "and", "or", "xor", "lshift", "rshift"),
        *("rfloordiv", "rmod", "rpow", "rand", "ror", "rxor", "rlshift", "rrshift"),
        *("neg", "pos", "abs", "invert", "ne"),
    ):
        vars()[f"__{_name}__"] = _by_ndonnx(f"__{_name}__")

    @property
    def T(self) -> OnnxArray:
        return traced(op.transpose(self.unwrap_spox(), perm=range(self.ndim)[::-1]))

    def __getitem__(self, index: Any) -> OnnxArray:
        return getitem(self, index)

    def __len__(self) -> int:
        return self.shape[0]  # type: ignore[no-any-return]

    def __iter__(self) -> Any:
        return (self[i] for i in range(self.shape[0]))

    def unwrap_numpy(self) -> np.ndarray[Any, Any]:
        """The value, if it is known."""
        try:
            return super().unwrap_numpy()  # type: ignore[no-any-return]
        except ValueError:
            _unknown()


def _unknown() -> NoReturn:
    raise ValueError(
        "the value of an array is asked for that is only known when the ONNX file is run: by an if, a "
        "float(x), a loop up to x or a NumPy function. where(condition, a, b) does without a branch."
    )


# -- indices ---------------------------------------------------------------------------------------------

_END = np.iinfo(np.int64).max  # beyond every end: ONNX cuts it down to the length


def getitem(x: ndx.Array, index: Any) -> OnnxArray:
    """``x[index]``: integers and slices, integer arrays along one axis or on the leading ones, a mask."""
    items = index if isinstance(index, tuple) else (index,)
    if is_basic(index):
        return sliced(x, items)
    *before, last = items
    if _is_integers(last) and all(isinstance(i, slice) and i == slice(None) for i in before):
        return traced(op.gather(x.unwrap_spox(), last.unwrap_spox(), axis=len(before)))
    if all(map(_is_integers, items)):
        places = [ndx.expand_dims(ndx.astype(i, ndx.int64), axis=-1) for i in ndx.broadcast_arrays(*items)]
        return traced(op.gather_nd(x.unwrap_spox(), ndx.concat(places, axis=-1).unwrap_spox()))
    return ours(ndx.Array.__getitem__(x, last if not before else index))  # type: ignore[no-any-return]


def _is_integers(item: Any) -> bool:
    return isinstance(item, ndx.Array) and bool(ndx.isdtype(item.dtype, "integral"))


def sliced(x: ndx.Array, items: tuple[Any, ...]) -> OnnxArray:
    """``x[items]`` with integers, slices, None and Ellipsis: at most a Slice, a Squeeze and an Unsqueeze."""
    np.broadcast_to(np.int8(0), x.shape)[items]  # an IndexError where ONNX would cut down an integer
    used = sum(i is not None and not isinstance(i, EllipsisType) for i in items)
    cuts: list[tuple[int, int, int, int]] = []  # axis, start, end, step
    gone, new = [], []
    axis = place = 0
    for item in items:
        if item is None:
            new.append(place)
            place += 1
        elif isinstance(item, EllipsisType):
            axis += x.ndim - used
            place += x.ndim - used
        elif isinstance(item, slice):
            if item != slice(None):
                cuts.append((axis, *_bounds(item)))
            axis += 1
            place += 1
        else:
            cuts.append((axis, int(item), int(item) + 1 or _END, 1))
            gone.append(axis)
            axis += 1
    var = x.unwrap_spox()
    if cuts:
        axes, starts, ends, steps = (constant(column, np.int64) for column in zip(*cuts, strict=True))
        var = op.slice(var, starts, ends, axes, steps)
    if gone:
        var = op.squeeze(var, constant(gone, np.int64))
    if new:
        var = op.unsqueeze(var, constant(new, np.int64))
    return traced(var)


def _bounds(item: slice) -> tuple[int, int, int]:
    step = 1 if item.step is None else int(item.step)
    first, last = (0, _END) if step > 0 else (_END, -_END)
    return (
        first if item.start is None else int(item.start),
        last if item.stop is None else int(item.stop),
        step,
    )
