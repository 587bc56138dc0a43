"""What NumPy's functions on Variables have in common: reading arguments, constants, and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import numpy as np

from tensorgrad.backend import get_backend, is_array
from tensorgrad.core import Config, Variable
from tensorgrad.core.tree import tree_leaves, tree_map
from tensorgrad.core.variable import make_variable
from tensorgrad.functions.transfer import astype, dtype_of

_F = TypeVar("_F", bound=Callable[..., Any])

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""NumPy's name (``sum``, ``linalg.inv``) -> what computes it with Variables, under NumPy's signature.

It has only the parameters that it supports; where NumPy has another one in between, those after it are
keyword-only.
"""


class Unsupported(Exception):  # noqa: N818  # a reason on its way to the TypeError that names the function
    """An argument that an implementation in `FUNCTIONS` does not take; the text says which."""


def implements(*names: str) -> Callable[[_F], _F]:
    """Declare what computes the NumPy functions of these names."""

    def declare(function: _F) -> _F:
        for name in names:
            FUNCTIONS[name] = function
        return function

    return declare


# -- arguments -----------------------------------------------------------------------------------


def anchor(*values: Any) -> Variable:
    """The first Variable among arguments: it says which library the others are for."""
    for value in tree_leaves(values):
        if isinstance(value, Variable):
            return value
    raise TypeError("expected a Variable among the arguments")


def space(*values: Any) -> Any:
    """The Array API namespace of the first Variable among arguments."""
    return anchor(*values).__array_namespace__()


def arrays(*values: Any) -> list[Any]:
    """Arguments as Variables or arrays: numbers and nested lists go to the library of the Variable."""
    v = anchor(*values)
    return [_array(x, v) for x in values]


def _array(x: Any, v: Variable) -> Any:
    if isinstance(x, Variable) or is_array(x):
        return x
    return v.__array_namespace__().asarray(x, device=v.device)


def operands(*values: Any) -> list[Any]:
    """Operands of a ufunc as Variables or arrays. Numbers are weak: they take the dtype of the Variable."""
    v = anchor(*values)
    xp = v.backend.xp
    return [
        xp.asarray(x, dtype=xp.result_type(v.dtype, x), device=v.device)
        if isinstance(x, bool | int | float | complex)
        else _array(x, v)
        for x in values
    ]


def listed(*values: Any) -> list[Any]:
    """Lists and tuples among operands as arrays; numbers stay weak."""
    v = anchor(*values)
    return [_array(x, v) if isinstance(x, list | tuple) else x for x in values]


def converted(dtype: Any, *values: Any) -> list[Any]:
    """Operands in a dtype, where one is given; numbers stay as they are."""
    if dtype is None:
        return list(values)
    return [astype(x, dtype, copy=False) if hasattr(x, "dtype") else x for x in values]


def dtype_for(v: Variable, dtype: Any) -> Any:
    """A dtype as NumPy's users write it, in the terms of the library of `v`."""
    return dtype if dtype is None else dtype_of(v.backend, dtype)


def floating(x: Any) -> Any:
    """Integers and bools in the floating dtype that NumPy would give them."""
    v = x if isinstance(x, Variable) else make_variable(x, None, 0)
    return x if v.backend.is_floating(v.dtype) else astype(x, v.backend.xp.asarray(0.5).dtype)


# -- constants and refusals ----------------------------------------------------------------------


def needs_gradient(*values: Any) -> bool:
    """Whether a Variable among arguments requires a gradient, in a context that records."""
    return Config.enable_backprop and any(
        isinstance(x, Variable) and x.requires_grad for x in tree_leaves(values)
    )


def on_numpy(*values: Any) -> bool:
    """Whether every Variable among arguments holds a NumPy array."""
    numpy = get_backend("numpy")
    return all(x.backend is numpy for x in tree_leaves(values) if isinstance(x, Variable))


def on_arrays(call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What a function of NumPy gives for the arrays inside of Variables, as constants."""
    return tree_map(_wrapped, call(*tree_map(_bare, args), **tree_map(_bare, kwargs)))


def _bare(x: Any) -> Any:
    return x.data if isinstance(x, Variable) else x


def _wrapped(x: Any) -> Any:
    if isinstance(x, np.generic):
        x = np.asarray(x)
    return make_variable(x, None, 0) if type(x) is np.ndarray and x.dtype != object else x


def refuse(name: str, why: str, instead: str = "") -> NoReturn:
    """The error for what is not supported."""
    instead = instead or "Pass v.data, or tg.stop_gradient(v), where the values alone are wanted."
    raise TypeError(f"numpy.{name}: {why}. {instead}")
