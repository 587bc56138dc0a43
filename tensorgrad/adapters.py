"""Doors to libraries that do not ask an array for its namespace: SciPy's optimizers, and einops."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tensorgrad.backend import get_backend
from tensorgrad.core import Variable, as_variable
from tensorgrad.core.variable import transfer
from tensorgrad.derivatives import hessian, hvp, jacobian, vjp
from tensorgrad.functions import concat, einsum, expand_dims, permute_dims, reshape, stack, tile


class ScipyObjective:
    """A function of Variables as SciPy's optimizers call it: NumPy in, NumPy and Python numbers out.

    Made by `scipy_objective`. Calling it gives the value, `jac` the gradient or Jacobian, `hess` the Hessian
    and `hessp` the Hessian times a vector. Where the value is a scalar, the gradient is computed with it, and
    `jac` at the point of the last call has it ready.
    """

    def __init__(self, function: Callable[..., Any], backend: str) -> None:
        self._function = function
        self._backend = get_backend(backend)
        self._last: tuple[Any, tuple[Any, ...], Any] | None = None

    def __call__(self, x: Any, *args: Any) -> Any:
        """The value: a float, or an array for a function with several values."""
        point = self._array(x)
        value, pull = vjp(lambda x: self._function(x, *args), point)
        if value.ndim:
            self._last = None
            return _numpy(value)
        self._last = (np.array(x), args, _numpy(pull(self._backend.ones_like(value))[0]))
        return float(_numpy(value))

    def jac(self, x: Any, *args: Any) -> Any:
        """The gradient; the Jacobian for a function with several values."""
        if self._last is not None:
            at, others, gradient = self._last
            if np.array_equal(at, x) and [*map(id, others)] == [*map(id, args)]:
                return gradient.copy()
        return _numpy(jacobian(self._function)(self._array(x), *args))

    def hess(self, x: Any, *args: Any) -> Any:
        """The matrix of second derivatives."""
        return _numpy(hessian(self._function)(self._array(x), *args))

    def hessp(self, x: Any, p: Any, *args: Any) -> Any:
        """The matrix of second derivatives times a vector, without the matrix."""
        primals, tangents = [self._array(x)], [self._array(p)]
        return _numpy(hvp(lambda x: self._function(x, *args), primals, tangents)[0])

    def _array(self, x: Any) -> Any:
        return transfer(np.array(x), self._backend)


def _numpy(x: Any) -> Any:
    return np.array(transfer(as_variable(x).data, get_backend("numpy")))


def scipy_objective(function: Callable[..., Any], backend: str = "numpy") -> ScipyObjective:
    """A function of Variables for ``scipy.optimize``, with its derivatives.

    SciPy's optimizers keep their state in NumPy arrays of float64, whatever they are given. This is the
    bridge: it makes a Variable of their point, and NumPy arrays of the derivatives.

    Parameters
    ----------
    function : callable
        Takes a Variable of shape (n,), and what `minimize` has as ``args``; returns a scalar, or an array of
        shape (m,) for `least_squares` and `root`. Written with operators, the Array API or `F`.
    backend : str, default 'numpy'
        The library in which the function computes.

    Returns
    -------
    ScipyObjective
        A callable with the methods ``jac``, ``hess`` and ``hessp``.

    Examples
    --------
    >>> f = tg.scipy_objective(lambda x: ((x - 3.0) ** 4).sum())
    >>> x = np.array([1.0, 5.0])
    >>> f(x), f.jac(x)
    (32.0, array([-32.,  32.]))

    With SciPy: ``scipy.optimize.minimize(f, x, jac=f.jac, hess=f.hess, method="trust-ncg")``.
    """
    return ScipyObjective(function, backend)


class _Einops:
    """What einops asks of an array library, for Variables."""

    framework_name = "tensorgrad"

    def is_appropriate_type(self, tensor: Any) -> bool:
        return isinstance(tensor, Variable)

    def from_numpy(self, x: Any) -> Variable:
        return Variable(x)

    def to_numpy(self, x: Variable) -> Any:
        return _numpy(x)

    def arange(self, start: int, stop: int) -> Variable:
        return Variable(np.arange(start, stop))

    def reshape(self, x: Variable, shape: Any) -> Variable:
        return reshape(x, tuple(shape))

    def transpose(self, x: Variable, axes: Any) -> Variable:
        return permute_dims(x, tuple(axes))

    def reduce(self, x: Variable, operation: str, axes: Any) -> Variable:
        reduced: Variable = getattr(x, operation)(axis=tuple(axes))
        return reduced

    def stack_on_zeroth_dimension(self, tensors: list[Variable]) -> Variable:
        return stack(tensors)

    def add_axis(self, x: Variable, new_position: int) -> Variable:
        return expand_dims(x, new_position)

    def tile(self, x: Variable, repeats: Any) -> Variable:
        return tile(x, repeats)

    def concat(self, tensors: Any, axis: int) -> Variable:
        return concat(list(tensors), axis=axis)

    def is_float_type(self, x: Variable) -> bool:
        return x.backend.is_floating(x.dtype)

    def einsum(self, pattern: str, *x: Variable) -> Variable:
        return einsum(pattern, *x)


@cache
def register_einops() -> None:
    """Let einops take Variables: ``rearrange``, ``reduce``, ``repeat``, ``einsum``, ``pack``, ``unpack``.

    einops keeps a list of array libraries of its own; this adds tensorgrad to it. Without it,
    ``einops.array_api`` works on Variables as it does on any array of the standard (it has no ``einsum``).

    Raises
    ------
    ImportError
        If einops is not installed.
    """
    from einops._backends import AbstractBackend  # noqa: PLC0415  (an optional library)

    _living.append(type("VariableBackend", (_Einops, AbstractBackend), {}))


_living: list[type] = []
"""einops finds its libraries among the living subclasses of its class."""
