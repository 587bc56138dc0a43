"""A small array library: immutable arrays with the functions of the Array API, computed by NumPy.

It knows nothing of tensorgrad. No array of it turns into a NumPy array unless `to_host` is called.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

__version__ = "0.1.0"


class Array:
    """An array that nobody can change."""

    __slots__ = ("_held",)
    __array_ufunc__ = None

    def __init__(self, held: Any) -> None:
        self._held = np.asarray(held)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._held.shape

    @property
    def ndim(self) -> int:
        return self._held.ndim

    @property
    def size(self) -> int:
        return self._held.size

    @property
    def dtype(self) -> Any:
        return self._held.dtype

    @property
    def T(self) -> Array:
        return Array(self._held.T)

    @property
    def mT(self) -> Array:
        return Array(self._held.mT)

    @property
    def device(self) -> str:
        return "tiny"

    def __getitem__(self, index: Any) -> Array:
        return Array(self._held[_open(index)])

    def __bool__(self) -> bool:
        return bool(self._held)

    def __int__(self) -> int:
        return int(self._held)

    def __float__(self) -> float:
        return float(self._held)

    def __index__(self) -> int:
        return operator.index(self._held)

    def __repr__(self) -> str:
        return f"tinyarray.{self._held!r}"


def _operator(name: str, reflected: bool) -> Any:
    function = getattr(operator, f"__{name}__")

    def method(self: Array, *others: Any) -> Any:
        if not all(isinstance(other, Array | bool | int | float | complex) for other in others):
            return NotImplemented
        args = [self._held, *(_open(other) for other in others)]
        return Array(function(*(reversed(args) if reflected else args)))

    return method


for _name in ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"]:
    setattr(Array, f"__{_name}__", _operator(_name, reflected=False))
    setattr(Array, f"__r{_name}__", _operator(_name, reflected=True))
for _name in ["neg", "pos", "abs", "invert", "lt", "le", "gt", "ge", "eq", "ne"]:
    setattr(Array, f"__{_name}__", _operator(_name, reflected=False))
Array.__hash__ = None


def _open(value: Any) -> Any:
    if isinstance(value, Array):
        return value._held
    if isinstance(value, list | tuple):
        return type(value)(map(_open, value))
    return value


def _close(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return Array(value)
    if isinstance(value, list | tuple):
        return tuple(map(_close, value))
    return value


def from_host(array: Any) -> Array:
    """A copy of a NumPy array."""
    return Array(np.array(array))


def to_host(array: Array) -> Any:
    """A copy as a NumPy array."""
    return np.array(array._held)


def __getattr__(name: str) -> Any:
    """The functions of the Array API, those of NumPy for this type of array."""
    if name.startswith("_"):
        raise AttributeError(f"tinyarray has no {name}")
    function = getattr(np, name)
    if not callable(function) or isinstance(function, type):
        return function

    def closed(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("device") not in (None, "tiny"):
            raise ValueError(f"tinyarray has no device {kwargs['device']!r}")
        kwargs = {key: _open(value) for key, value in kwargs.items() if key != "device"}
        return _close(function(*map(_open, args), **kwargs))

    return closed
