"""What makes Variables compute: the operators and methods that are ops, given to the core's class."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from tensorgrad.backend import Backend, is_array
from tensorgrad.core import Function, Variable
from tensorgrad.core.engine import set_namespace_factory
from tensorgrad.core.variable import install
from tensorgrad.functions import (
    arithmetic,
    comparison,
    cumulative,
    elementwise,
    extremes,
    indexing,
    inplace,
    linalg,
    manipulation,
    reduction,
    transfer,
)

_Method = Callable[[Variable, Any], Any]

_OURS = (Variable, np.ndarray, np.generic, int, float, complex, list, tuple)
"""What an operator of Variable answers for, if only with an error that says what would do."""

_SIGNS = {
    "add": "+=",
    "sub": "-=",
    "mul": "*=",
    "truediv": "/=",
    "floordiv": "//=",
    "mod": "%=",
    "pow": "**=",
    "matmul": "@=",
    "and": "&=",
    "or": "|=",
    "xor": "^=",
    "lshift": "<<=",
    "rshift": ">>=",
}

_PROTOCOLS = ("__array_ufunc__", "__array_function__", "__cupy_override_elementwise_kernel__")

VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")
"""Of the Array API standard."""


def _operator(op: type[Function]) -> _Method:
    """``self op other``; a type that nobody here knows may answer for itself."""

    def method(self: Variable, other: Any) -> Any:
        try:
            return op()(self, other)
        except TypeError:
            if isinstance(other, _OURS) or is_array(other):
                raise
            return NotImplemented

    return method


def _reflected(op: type[Function]) -> _Method:
    """``other op self``."""

    def method(self: Variable, other: Any) -> Any:
        try:
            return op()(other, self)
        except TypeError:
            if isinstance(other, _OURS) or is_array(other):
                raise
            return NotImplemented

    return method


def _pos(self: Variable) -> Variable:
    return manipulation.same_value(self)


def _invert(self: Variable) -> Any:
    return comparison.Invert()(self)


def _reshape(self: Variable, *shape: Any) -> Variable:
    """The same elements in another shape: ``reshape(2, 3)`` or ``reshape((2, 3))``."""
    if len(shape) == 1 and isinstance(shape[0], tuple | list):
        shape = tuple(shape[0])
    return manipulation.reshape(self, shape)


def _transpose(self: Variable, *axes: Any) -> Variable:
    """The axes in another order: ``transpose()``, ``transpose(1, 0)`` or ``transpose((1, 0))``."""
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], tuple | list)):
        return manipulation.transpose(self, axes[0])
    return manipulation.transpose(self, axes or None)


def _to_device(self: Variable, device: Any, /, *, stream: Any = None) -> Variable:
    """The values on another device of the same library. The gradient is moved back.

    Of a `stream` only the library's own order is known here: expected None.
    """
    if stream is not None:
        raise ValueError(
            f"to_device: expected stream=None; got {stream!r}. Move v.data on a stream of yours."
        )
    return transfer.to(self, device=device)


def _array_namespace(self: Variable, *, api_version: str | None = None) -> Any:
    """tensorgrad's Array API namespace over the backend of this array."""
    if api_version is not None and api_version not in VERSIONS:
        raise ValueError(f"expected a version of the standard in {VERSIONS}; got {api_version!r}")
    return _namespace(self.backend)


def _namespace(backend: Backend) -> Any:
    """tensorgrad's namespace over a backend. Few programs ask for one, so it is loaded when one does."""
    return import_module("tensorgrad.functions.namespace").namespace(backend)


def _protocol(name: str) -> Callable[..., Any]:
    """A method of NumPy's protocols. The first call loads them all, and they take the place of this."""

    def first_call(self: Variable, *args: Any, **kwargs: Any) -> Any:
        install(**import_module("tensorgrad.functions.numpy_protocol").PROTOCOLS)
        return getattr(self, name)(*args, **kwargs)

    return first_call


def install_operators() -> None:
    """Give Variable its operators and methods."""
    set_namespace_factory(_namespace)
    both_sides: dict[str, type[Function]] = {
        "add": arithmetic.Add,
        "sub": arithmetic.Sub,
        "mul": arithmetic.Mul,
        "truediv": arithmetic.Div,
        "floordiv": arithmetic.FloorDivide,
        "mod": arithmetic.Remainder,
        "pow": arithmetic.Pow,
        "matmul": linalg.MatMul,
        "and": comparison.And,
        "or": comparison.Or,
        "xor": comparison.Xor,
        "lshift": comparison.LeftShift,
        "rshift": comparison.RightShift,
    }
    for name, op in both_sides.items():
        install(**{f"__{name}__": _operator(op), f"__r{name}__": _reflected(op)})
        install(**{f"__i{name}__": inplace.in_place(op, _SIGNS[name])})
    install(
        __neg__=arithmetic.neg,
        __pos__=_pos,
        __abs__=elementwise.abs,
        __invert__=_invert,
        __eq__=_operator(comparison.Equal),
        __ne__=_operator(comparison.NotEqual),
        __lt__=_operator(comparison.Less),
        __le__=_operator(comparison.LessEqual),
        __gt__=_operator(comparison.Greater),
        __ge__=_operator(comparison.GreaterEqual),
        __getitem__=indexing.get_item,
        __setitem__=inplace.assign,
        __array_namespace__=_array_namespace,
        T=property(manipulation.transpose, doc="The axes in reverse order, as in NumPy."),
        mT=property(manipulation.matrix_transpose, doc="The last two axes exchanged."),
        reshape=_reshape,
        transpose=_transpose,
        squeeze=manipulation.squeeze,
        flatten=manipulation.ravel,
        sum=reduction.sum,
        mean=reduction.mean,
        var=reduction.var,
        std=reduction.std,
        prod=reduction.prod,
        max=extremes.max,
        min=extremes.min,
        cumsum=cumulative.cumsum,
        dot=linalg.matmul,
        matmul=linalg.matmul,
        astype=transfer.astype,
        copy=transfer.copy,
        to=transfer.to,
        to_device=_to_device,
    )
    install(**{name: _protocol(name) for name in _PROTOCOLS})


install_operators()
