"""The namespace that ops compute with on CuPy: array-api-compat's, with products of stacks and bfloat16.

From version 14 CuPy knows the bfloat16 of the package ml_dtypes, but not everywhere: some functions give
float32 for it, some refuse it, and array-api-compat's do not take it for a dtype of real numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isfunction
from types import ModuleType
from typing import Any

import array_api_compat.cupy
import cupy
import numpy as np

from tensorgrad.backend import Array
from tensorgrad_backends import cuda_products
from tensorgrad_backends.cuda_graphs import captured

_THROUGH_FLOAT32 = (
    *("clip", "cumulative_prod", "cumulative_sum", "round", "sort", "std", "var"),
    *("argsort", "count_nonzero", "isin", "nonzero", "searchsorted"),
    *("unique_all", "unique_counts", "unique_inverse", "unique_values", "vecdot"),
)
"""Functions that CuPy has for other dtypes: they get float32."""

_OF_TWO = (
    *("add", "atan2", "copysign", "divide", "floor_divide", "hypot", "logaddexp", "maximum", "minimum"),
    *("multiply", "nextafter", "pow", "remainder", "subtract"),
)
"""Functions that give float32 for a float of Python's beside a bfloat16 array."""


def namespace() -> ModuleType:
    """The namespace. It has ``bfloat16`` where the CuPy that is installed knows it."""
    source = array_api_compat.cupy
    made = ModuleType("tensorgrad_backends.cupy.xp", source.__doc__)
    kept = {name: value for name, value in vars(source).items() if not name.startswith("__")}
    vars(made).update(kept, __array_namespace_info__=source.__array_namespace_info__)
    if BFLOAT16 is not None:
        vars(made).update(_with_bfloat16(source))
    made.matmul = captured("matmul", _matmul, out=True)  # type: ignore[attr-defined]
    for name in ("tensordot", "vecdot"):
        setattr(made, name, captured(name, getattr(made, name), out=False))
    return made


def _matmul(x1: Array, x2: Array, /, out: Array | None = None) -> Array:
    if cuda_products.serves(x1, x2):
        return cuda_products.matmul(x1, x2, out)
    return array_api_compat.cupy.matmul(x1, x2, **({} if out is None else {"out": out}))


# -- bfloat16 ------------------------------------------------------------------------------------


def _bfloat16() -> Any:
    """The type of bfloat16 numbers, or None: CuPy has it from 14, with ml_dtypes and NumPy from 2.1.2."""
    try:
        import ml_dtypes  # noqa: PLC0415  # not everybody has it
    except ImportError:
        return None
    return ml_dtypes.bfloat16 if "EE->E" in getattr(cupy.add, "types", ()) else None


BFLOAT16: Any = _bfloat16()
"""The type of the numbers, or None where CuPy does not know it."""


def is_bfloat16(x: Any) -> bool:
    """Whether something is a CuPy array of bfloat16."""
    return BFLOAT16 is not None and isinstance(x, cupy.ndarray) and x.dtype == BFLOAT16


def _with_bfloat16(source: ModuleType) -> dict[str, Any]:
    functions: dict[str, Any] = {name: through_float32(getattr(source, name)) for name in _THROUGH_FLOAT32}
    functions |= {name: _beside_numbers(getattr(source, name)) for name in _OF_TWO}
    functions |= {name: _on_bits(getattr(source, name)) for name in ("tril", "triu")}
    functions |= {name: _module_through_float32(getattr(source, name)) for name in ("linalg", "fft")}
    return {**functions, "bfloat16": BFLOAT16, "where": _where, "isdtype": _isdtype, "finfo": _finfo}


def _module_through_float32(source: ModuleType) -> ModuleType:
    made = ModuleType(source.__name__, source.__doc__)
    public = {name: value for name, value in vars(source).items() if not name.startswith("_")}
    vars(made).update({name: through_float32(v) if isfunction(v) else v for name, v in public.items()})
    return made


def through_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose bfloat16 arguments become float32, and its float32 results bfloat16 again."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not any(map(is_bfloat16, args)):
            return function(*args, **kwargs)
        y = function(*(x.astype(cupy.float32) if is_bfloat16(x) else x for x in args), **kwargs)
        if isinstance(y, tuple):
            narrowed = map(_narrowed, y)
            return type(y)(*narrowed) if hasattr(y, "_fields") else tuple(narrowed)
        return _narrowed(y)

    return call


def _narrowed(y: Any) -> Any:
    return y.astype(BFLOAT16) if y.dtype == cupy.float32 else y


def _beside_numbers(function: Callable[..., Array]) -> Callable[..., Array]:
    """A function of two for which a float of Python's is of the dtype of the array beside it."""

    @wraps(function)
    def call(x1: Any, x2: Any, /, **kwargs: Any) -> Array:
        if type(x2) is float and is_bfloat16(x1):
            x2 = BFLOAT16(x2)
        elif type(x1) is float and is_bfloat16(x2):
            x1 = BFLOAT16(x1)
        return function(x1, x2, **kwargs)

    return call


def _on_bits(function: Callable[..., Array]) -> Callable[..., Array]:
    """A function that moves elements about, or puts zeros."""

    @wraps(function)
    def call(x: Array, /, **kwargs: Any) -> Array:
        if not is_bfloat16(x):
            return function(x, **kwargs)
        return function(x.view(np.uint16), **kwargs).view(BFLOAT16)

    return call


def _where(condition: Array, x1: Any, x2: Any, /) -> Array:
    xs = (x1, x2)
    if not any(map(is_bfloat16, xs)) or not all(is_bfloat16(x) or isinstance(x, int | float) for x in xs):
        return array_api_compat.cupy.where(condition, x1, x2)
    bits = [(x if is_bfloat16(x) else BFLOAT16(x)).view(np.uint16) for x in xs]
    return cupy.where(condition, *bits).view(BFLOAT16)


def _isdtype(dtype: Any, kind: Any) -> bool:
    isdtype = array_api_compat.cupy.isdtype
    known = np.float32 if dtype == BFLOAT16 else dtype
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return any(isdtype(known, k) if isinstance(k, str) else np.dtype(dtype) == np.dtype(k) for k in kinds)


def _finfo(type: Any, /) -> Any:
    dtype = type.dtype if isinstance(type, cupy.ndarray) else type
    if dtype != BFLOAT16:
        return array_api_compat.cupy.finfo(dtype)
    import ml_dtypes  # noqa: PLC0415  # it is there: it has the type

    return ml_dtypes.finfo(BFLOAT16)
