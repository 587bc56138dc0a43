"""What CuPy makes of bfloat16: its ufuncs are asked, of other functions it is read in its source.

NumPy computes with the bfloat16 of ml_dtypes too, but by rules of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cuda_double import arrays

MOVES = """
    array_equal asarray ascontiguousarray astype broadcast_arrays broadcast_to can_cast concatenate copy
    copyto diagonal empty_like expand_dims fill flip full full_like matrix_transpose moveaxis ndim ones_like
    ravel repeat reshape result_type roll shape split squeeze stack swapaxes take take_along_axis tile
    transpose view zeros_like
"""
"""Functions and methods that take elements as they are."""

SUMS = "sum prod mean max min tensordot dot matmul"
"""Those that CuPy sums in float32 and rounds once."""

WIDENING = "where clip argmax argmin any all isin count_nonzero"
"""Those that have no loop for it: CuPy takes the one for float32, and gives that."""

OPERATORS = {"sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide"}
OPERATORS |= {"mod": "remainder", "pow": "power", "neg": "negative", "pos": "positive", "abs": "absolute"}
OPERATORS |= {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
OPERATORS |= {"eq": "equal", "ne": "not_equal"}


def applied(name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the function of CuPy's of this name gives where an argument is a NumPy array of bfloat16."""
    if not any(map(_is_bfloat16, args)) or name in MOVES.split():
        return function(*args, **kwargs)
    real = getattr(arrays.REAL, name, None)
    if name == "matmul" and all(map(_is_bfloat16, args)) and _is_of_stacks(*args):
        raise TypeError("CuPy's matmul has no stacks of bfloat16 matrices")
    if hasattr(real, "_ops"):
        taken, given = _loop(real, args)
        y = function(*(np.asarray(x).astype(t) for x, t in zip(args, taken, strict=True)), **kwargs)
        return y if isinstance(y, tuple) else np.asarray(y).astype(given, copy=False)
    wide = [x.astype(np.float32) if _is_bfloat16(x) else x for x in args]
    if name in SUMS.split():
        y = np.asarray(function(*wide, **kwargs))
        of_arrays = [x.dtype for x in args if isinstance(x, np.ndarray)]
        return y if kwargs.get("dtype") is not None else y.astype(np.result_type(*of_arrays))
    if name in WIDENING.split():
        return function(*wide, **kwargs)
    raise TypeError(f"cupy.{name} is not known to take bfloat16")


def _is_bfloat16(x: Any) -> bool:
    if isinstance(x, tuple | list):
        return any(map(_is_bfloat16, x))
    return isinstance(x, np.ndarray | np.generic) and x.dtype.name == "bfloat16"


def _is_of_stacks(a: np.ndarray, b: np.ndarray) -> bool:
    fits = a.shape[-1] == b.shape[max(b.ndim - 2, 0)] != 0  # what does not, or is empty, CuPy answers before
    return fits and max(a.ndim, b.ndim) > 2  # axes of a matrix


def _loop(ufunc: Any, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
    """The dtypes that a ufunc of CuPy's takes for these arguments, and the dtype of what it gives."""
    weak = tuple(type(x) if type(x) in (int, float) else False for x in args)
    found = ufunc._ops._guess_routine_from_in_types(tuple(np.asarray(x).dtype for x in args), weak)
    if found is None:
        raise TypeError(f"Wrong type of arguments for {ufunc.name}")
    return found.in_types, found.out_types[0]
