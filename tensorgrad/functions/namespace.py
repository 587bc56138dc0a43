"""tensorgrad's own Array API namespace: one per backend, its functions take and give Variables.

Its names are those of the standard, on every backend. A function with a derivative is tensorgrad's op. One
whose derivative is 0 or does not exist (``floor``, ``argmax``, comparisons) is the backend's own: Variables
go in as arrays, and constants come out. So is creation. What has a derivative but no op yet works on
constants, and refuses what requires a gradient: nothing loses a gradient silently.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from tensorgrad.backend import Backend, get_backend, is_array
from tensorgrad.core import Config, Variable
from tensorgrad.core.variable import make_variable
from tensorgrad.functions import (
    arithmetic,
    comparison,
    complex_parts,
    elementwise,
    extremes,
    indexing,
    joining,
    linalg,
    manipulation,
    rearrangement,
    reduction,
    selection,
    standard,
    transfer,
    trigonometric,
)

DIFFERENTIABLE: dict[str, Callable[..., Any]] = {
    "add": arithmetic.add,
    "subtract": arithmetic.sub,
    "multiply": arithmetic.mul,
    "divide": arithmetic.div,
    "negative": arithmetic.neg,
    "pow": arithmetic.pow,
    "exp": elementwise.exp,
    "expm1": elementwise.expm1,
    "log": elementwise.log,
    "log2": elementwise.log2,
    "log10": elementwise.log10,
    "log1p": elementwise.log1p,
    "sqrt": elementwise.sqrt,
    "square": elementwise.square,
    "reciprocal": elementwise.reciprocal,
    "abs": elementwise.abs,
    "sign": elementwise.sign,
    "logaddexp": elementwise.logaddexp,
    "sin": trigonometric.sin,
    "cos": trigonometric.cos,
    "tan": trigonometric.tan,
    "asin": trigonometric.asin,
    "acos": trigonometric.acos,
    "atan": trigonometric.atan,
    "atan2": trigonometric.atan2,
    "sinh": trigonometric.sinh,
    "cosh": trigonometric.cosh,
    "tanh": trigonometric.tanh,
    "asinh": trigonometric.asinh,
    "acosh": trigonometric.acosh,
    "atanh": trigonometric.atanh,
    "hypot": trigonometric.hypot,
    "maximum": selection.maximum,
    "minimum": selection.minimum,
    "where": selection.where,
    "clip": selection.array_api_clip,
    "positive": standard.positive,
    "remainder": arithmetic.remainder,
    "real": complex_parts.real,
    "imag": complex_parts.imag,
    "conj": complex_parts.conj,
    "sum": reduction.sum,
    "mean": reduction.mean,
    "var": reduction.var,
    "std": reduction.std,
    "prod": reduction.prod,
    "max": extremes.max,
    "min": extremes.min,
    "cumulative_sum": standard.cumulative_sum,
    "sort": standard.sort,
    "reshape": standard.reshape,
    "permute_dims": manipulation.permute_dims,
    "moveaxis": manipulation.moveaxis,
    "expand_dims": manipulation.expand_dims,
    "squeeze": manipulation.squeeze,
    "broadcast_to": manipulation.broadcast_to,
    "broadcast_arrays": standard.broadcast_arrays,
    "meshgrid": standard.meshgrid,
    "concat": joining.concat,
    "stack": joining.stack,
    "unstack": joining.unstack,
    "flip": rearrangement.flip,
    "roll": rearrangement.roll,
    "repeat": rearrangement.repeat,
    "tile": rearrangement.tile,
    "tril": rearrangement.tril,
    "triu": rearrangement.triu,
    "take": indexing.take,
    "take_along_axis": indexing.take_along_axis,
    "matmul": linalg.matmul,
    "matrix_transpose": manipulation.matrix_transpose,
    "tensordot": linalg.tensordot,
    "vecdot": linalg.vecdot,
    "astype": standard.astype,
}
"""Array API name -> the op that computes it."""

CONSTANT: dict[str, Callable[..., Any]] = {
    "equal": comparison.equal,
    "not_equal": comparison.not_equal,
    "less": comparison.less,
    "less_equal": comparison.less_equal,
    "greater": comparison.greater,
    "greater_equal": comparison.greater_equal,
    "floor_divide": arithmetic.floor_divide,
}
"""The same, for ops that bring no gradient."""


def _named(text: str) -> frozenset[str]:
    return frozenset(text.split())


STEPS = _named("""
    all any argmax argmin argsort bitwise_and bitwise_invert bitwise_left_shift bitwise_or
    bitwise_right_shift bitwise_xor ceil count_nonzero empty_like floor isfinite isinf isnan
    logical_and logical_not logical_or logical_xor nonzero ones_like round searchsorted signbit
    trunc unique_all unique_counts unique_inverse unique_values zeros_like
    """)
"""Functions whose derivative is 0 or does not exist: the backend's, for constants."""

OTHERS = _named("""
    arange copysign cumulative_prod diff empty eye from_dlpack linspace nextafter ones result_type zeros
    """)
"""The other functions of the standard: the backend's, for what requires no gradient."""

ATTRIBUTES = _named("""
    __array_api_version__ __array_namespace_info__ bool complex64 complex128 e float32 float64 inf int8
    int16 int32 int64 nan newaxis pi uint8 uint16 uint32 uint64
    """)
"""What is no function of arrays: the backend's own."""

LINALG = _named("""
    cholesky cross det diagonal eigh eigvalsh inv matrix_norm matrix_power matrix_rank pinv qr slogdet
    solve svd svdvals trace vector_norm
    """)
FFT = _named("fft fftfreq fftn fftshift hfft ifft ifftn ifftshift ihfft irfft irfftn rfft rfftfreq rfftn")
"""The functions of the extensions, without derivatives so far."""


class _Module:
    """Attributes found once and then kept: those of one module of the standard."""

    def __init__(self, name: str, source: Any, names: frozenset[str]) -> None:
        self.__name__ = name
        self._source = source
        self._names = names

    def _find(self, name: str, missing: Any) -> Any:
        """The value of a name of the standard; `missing` if the array library lacks it."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        missing = object()
        value = self._find(name, missing) if name in self._names else missing
        if value is missing:
            raise AttributeError(f"namespace {self.__name__} has no attribute {name!r}", name=name, obj=self)
        setattr(self, name, value)  # found directly from now on
        return value

    def __dir__(self) -> list[str]:
        return sorted(name for name in self._names if hasattr(self, name))

    def __repr__(self) -> str:
        return f"<namespace {self.__name__}>"


class Namespace(_Module):
    """The Array API over one backend, with derivatives.

    Examples
    --------
    >>> xp = Variable(np.array(1.0)).__array_namespace__()
    >>> xp
    <namespace tensorgrad.numpy>
    >>> xp.floor(Variable(np.array([1.5])))
    variable([1.])
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__(f"tensorgrad.{backend.name}", backend.xp, _STANDARD)
        self._backend = backend

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are this namespace again."""
        return _of_backend, (self._backend.name,)

    def _find(self, name: str, missing: Any) -> Any:
        op = DIFFERENTIABLE.get(name) or CONSTANT.get(name)
        if op is not None:
            return op
        value = getattr(self._source, name, missing)
        if name in ATTRIBUTES or value is missing:
            return value
        if name in _EXTENSIONS:
            return Extension(self, name, value)
        return _constant(value, None if name in STEPS else f"{self.__name__}.{name}")

    # -- what asks for a dtype, not for values ---------------------------------------------------

    def finfo(self, type: Any, /) -> Any:
        """The limits of a floating dtype, or of that of an array."""
        return self._source.finfo(_dtype(type))

    def iinfo(self, type: Any, /) -> Any:
        """The limits of an integer dtype, or of that of an array."""
        return self._source.iinfo(_dtype(type))

    def isdtype(self, dtype: Any, kind: Any) -> bool:
        """Whether a dtype is of a kind."""
        return bool(self._source.isdtype(_dtype(dtype), kind))

    def can_cast(self, from_: Any, to: Any, /) -> bool:
        """Whether a dtype, or that of an array, goes into another one by promotion."""
        return bool(self._source.can_cast(_dtype(from_), to))

    # -- creation from values that may have a gradient -------------------------------------------

    def asarray(
        self, obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None
    ) -> Variable:
        """An array, number or nested lists as a Variable; a Variable keeps its graph."""
        return standard.asarray(self._backend, obj, dtype=dtype, device=device, copy=copy)

    def full(self, shape: Any, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Variable:
        """An array of one value; a Variable for the value gets the sum of the gradients."""
        if isinstance(fill_value, Variable):
            value = self.asarray(fill_value, dtype=dtype, device=device)
            shape = (shape,) if isinstance(shape, int) else shape
            return transfer.copy(manipulation.broadcast_to(value, shape))
        return _wrap(self._source.full(shape, fill_value, dtype=dtype, device=device))  # type: ignore[no-any-return]

    def full_like(self, x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Variable:
        """One value in the shape of `x`."""
        if isinstance(fill_value, Variable):
            return self.full(x.shape, fill_value, dtype=dtype or x.dtype, device=device)
        y = self._source.full_like(_unwrap(x), fill_value, dtype=dtype, device=device)
        return _wrap(y)  # type: ignore[no-any-return]


class Extension(_Module):
    """An extension of the standard, such as ``linalg``."""

    def __init__(self, whole: Namespace, name: str, source: Any) -> None:
        others, ops = _EXTENSIONS[name]
        super().__init__(f"{whole.__name__}.{name}", source, others.union(ops))
        self._ops = ops
        self._way = (whole, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, self._way

    def _find(self, name: str, missing: Any) -> Any:
        value = self._ops.get(name) or getattr(self._source, name, missing)
        if name in self._ops or value is missing:
            return value
        return _constant(value, f"{self.__name__}.{name}")


_EXTENSIONS: dict[str, tuple[frozenset[str], dict[str, Callable[..., Any]]]] = {
    "linalg": (
        LINALG,
        {
            "matmul": linalg.matmul,
            "matrix_transpose": manipulation.matrix_transpose,
            "outer": linalg.outer,
            "tensordot": linalg.tensordot,
            "vecdot": linalg.vecdot,
        },
    ),
    "fft": (FFT, {}),
}

_METHODS = _named("asarray can_cast finfo full full_like iinfo isdtype")
_STANDARD = (
    STEPS | OTHERS | ATTRIBUTES | _METHODS | DIFFERENTIABLE.keys() | CONSTANT.keys() | _EXTENSIONS.keys()
)


def _constant(function: Callable[..., Any], refuses: str | None) -> Callable[..., Any]:
    """A function of the backend: Variables go in as arrays, arrays come out as constants.

    Under a name in `refuses` it does not take what requires a gradient.
    """

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if refuses and Config.enable_backprop and _requires_grad((args, kwargs)):
            raise NotImplementedError(
                f"{refuses} has no derivative in tensorgrad so far; got a Variable that requires a "
                "gradient. Compute it under tensorgrad.no_grad(), or pass v.data."
            )
        values = {name: _unwrap(value) for name, value in kwargs.items()}
        return _wrap(function(*map(_unwrap, args), **values))

    return wrapped


def _requires_grad(value: Any) -> bool:
    if isinstance(value, Variable):
        return value.requires_grad
    if isinstance(value, dict):
        value = tuple(value.values())
    return isinstance(value, list | tuple) and any(map(_requires_grad, value))


def _dtype(value: Any) -> Any:
    return value.dtype if isinstance(value, Variable) or is_array(value) else value


def _unwrap(value: Any) -> Any:
    if isinstance(value, Variable):
        return value.data
    if isinstance(value, list | tuple):
        return type(value)(map(_unwrap, value))
    return value


def _wrap(value: Any) -> Any:
    if isinstance(value, list | tuple):
        wrapped = map(_wrap, value)
        return type(value)(*wrapped) if hasattr(value, "_fields") else tuple(wrapped)
    if isinstance(value, np.generic):
        value = np.asarray(value)
    return make_variable(value, None, 0) if is_array(value) else value


_made: dict[str, Namespace] = {}


def namespace(backend: Backend) -> Namespace:
    """The namespace over a backend; always the same object."""
    made = _made.get(backend.name)
    if made is None or made._backend is not backend:
        made = _made[backend.name] = Namespace(backend)
    return made


def _of_backend(name: str) -> Namespace:
    return namespace(get_backend(name))
