"""Rules of your own: values without a gradient, and functions whose gradient you give."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from tensorgrad.core import Config, Function, Variable, as_array, no_grad
from tensorgrad.core.tree import tree_map
from tensorgrad.core.variable import make_variable


def stop_gradient(x: Any) -> Any:
    """The same value as a constant: backwards end here.

    Parameters
    ----------
    x : Variable, array, or a nested container of them

    Returns
    -------
    Variables on the same arrays, without a copy

    Examples
    --------
    >>> x = Variable(np.array(3.0))
    >>> (x * tg.stop_gradient(x)).backward()
    >>> x.grad
    variable(3.0)
    """
    return tree_map(lambda v: make_variable(as_array(v), None, 0), x)


class Custom(Function):
    """A call of a function whose gradient is given."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._pullback: Callable[..., Any] | None = None

    def forward(self, *xs: Any) -> Any:
        as_array = self.backend.as_array
        with no_grad():
            value, self._pullback = self._function(*(make_variable(as_array(x), None, 0) for x in xs))
        return tree_map(_array_of, tuple(value) if isinstance(value, list) else value)

    def backward(self, *gys: Variable) -> Any:
        pullback = self._pullback
        if Config.enable_backprop or pullback is None:  # what it closed over must be in the graph
            _, pullback = self._function(*self.inputs)
        grads = pullback(*gys)
        return tuple(grads) if isinstance(grads, list) else grads

    def release(self) -> None:
        super().release()
        self._pullback = None


def _array_of(v: Any) -> Any:
    return v.data if isinstance(v, Variable) else v


def custom_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose gradient is given by the function itself.

    Parameters
    ----------
    function : callable
        Takes Variables, returns ``(value, pullback)``. ``pullback(*gys)`` gets a Variable for each output
        and returns the gradient of each argument (None for none), computed with Variables, so that it
        can be differentiated again.

    Returns
    -------
    callable
        Returns the value.

    Examples
    --------
    >>> @tg.custom_gradient
    ... def log1pexp(x):
    ...     e = F.exp(x)
    ...     return F.log(1 + e), lambda gy: gy * (1 - 1 / (1 + e))
    >>> tg.grad(log1pexp)(np.array(100.0))
    array(1.)
    """

    @wraps(function)
    def called(*args: Any) -> Any:
        return Custom(function)(*args)

    return called
