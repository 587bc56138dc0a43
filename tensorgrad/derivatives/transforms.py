"""Functions into their derivatives: arrays in, arrays out; Variables in, Variables in the graph out.

A transform gives its function fresh inputs, records what it computes, and asks the engine for gradients.
Inside another transform, or where an input is a Variable that requires a gradient, the derivative is
recorded in turn: that is what makes them nest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from numbers import Integral, Number
from typing import Any

from tensorgrad.backend import backend_of
from tensorgrad.core import Op, Variable, as_array, as_variable, using_config
from tensorgrad.core.engine import gradients as _gradients
from tensorgrad.core.tree import tree_leaves, tree_map
from tensorgrad.core.variable import make_variable
from tensorgrad.derivatives.of_values import gradient_of
from tensorgrad.functions.manipulation import as_tuple

_depth: ContextVar[int] = ContextVar("tensorgrad.derivatives.depth", default=0)

Argnums = int | Sequence[int]


class Identity(Op):
    """``y = x``: a point in the graph at which a gradient can be asked for."""

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, gy: Any) -> Any:
        return gy


@contextmanager
def _within() -> Iterator[bool]:
    """Record in this block; says whether another transform is at work around it."""
    outer = _depth.get()
    token = _depth.set(outer + 1)
    try:
        with using_config("enable_backprop", True):
            yield outer > 0
    finally:
        _depth.reset(token)


def traced(x: Any) -> Variable:
    """An input as the function sees it: a Variable of its own, joined to the graph that `x` is in."""
    if isinstance(x, Variable) and x.requires_grad:
        joined: Variable = Identity()(x)
        return joined
    return Variable(as_array(x))


class Linearization:
    """A function at a point: its value, and its gradients for any cotangent.

    Parameters
    ----------
    function : callable
    args, kwargs
        Its arguments.
    argnums : int or sequence of int
        The arguments to differentiate by.
    has_aux : bool
        Whether the function returns ``(value, aux)``.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        argnums: Argnums,
        *,
        has_aux: bool = False,
    ) -> None:
        self.single = isinstance(argnums, Integral)
        positions = _positions(argnums, len(args))
        chosen = [args[i] for i in positions]
        self._cotangents: Any = None
        with _within() as inner:
            self.nests = inner or any(
                isinstance(x, Variable) and x.requires_grad for x in tree_leaves(chosen)
            )
            self.inputs = [tree_map(traced, x) for x in chosen]
            filled = list(args)
            for i, x in zip(positions, self.inputs, strict=True):
                filled[i] = tree_map(Identity(), x)  # another handle: the function may change it in place
            result = function(*filled, **kwargs)
        if has_aux and not (isinstance(result, tuple | list) and len(result) == 2):
            raise TypeError(
                f"has_aux: expected a function that returns (value, aux); got {type(result).__name__}"
            )
        value, aux = result if has_aux else (result, None)
        self.aux: Any = aux
        self.value = tree_map(as_variable, value)
        self.as_variables = inner or any(isinstance(x, Variable) for x in tree_leaves(chosen))

    def pull(self, cotangent: Any, *, create_graph: bool = False, retain_graph: bool = True) -> list[Any]:
        """The gradients for this cotangent of the value, one container for each argument."""
        create_graph = create_graph or self.nests
        outputs = tree_leaves(self.value)
        seeds = tree_leaves(cotangent)
        xs = tree_leaves(self.inputs)
        found = iter(
            _gradients(
                outputs,
                xs,
                seeds,
                create_graph=create_graph,
                retain_graph=retain_graph or create_graph,
            )
        )
        return [tree_map(lambda x: gradient_of(x, next(found)), arg) for arg in self.inputs]

    def push(self, tangents: Any) -> Any:
        """The derivative of the value along tangents of the inputs."""
        if self._cotangents is None:
            with _within():
                self._cotangents = tree_map(lambda v: Variable(v.backend.xp.zeros_like(v.data)), self.value)
                self._pulled = tree_leaves(self.pull(self._cotangents, create_graph=True))
        seeds = tree_leaves(self._cotangents)
        linear = [(g, t) for g, t in zip(self._pulled, tree_leaves(tangents), strict=True) if g.requires_grad]
        found = iter(
            _gradients(
                [g for g, _ in linear],
                seeds,
                [t for _, t in linear],
                create_graph=self.nests,
                retain_graph=True,
            )
        )
        return tree_map(lambda v: gradient_of(v, next(found)), self.value)

    def out(self, tree: Any) -> Any:
        """Results as the caller's arguments were: arrays for arrays, Variables for Variables."""
        if self.as_variables:
            return tree
        return tree_map(lambda v: v.data if isinstance(v, Variable) else v, tree)

    def ones(self) -> Variable:
        """The cotangent of a scalar value, or the error that says it is none."""
        y = self.value
        if not isinstance(y, Variable) or y.shape != ():
            got = f"shape {y.shape}" if isinstance(y, Variable) else type(y).__name__
            raise TypeError(
                f"grad: expected a function with a scalar value, a Variable of shape (); got {got}. "
                "Reduce it with .sum(), or use tg.vjp or tg.jacobian."
            )
        return make_variable(y.backend.ones_like(y.data), None, 0)


def _positions(argnums: Argnums, n: int) -> list[int]:
    positions = list(as_tuple(argnums))
    for i in positions:
        if not -n <= i < n:
            raise ValueError(f"argnums: expected positions below {n}, the number of arguments; got {i}")
    return [i % n for i in positions]


def value_and_grad(
    function: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that returns the value of `function` and its gradient.

    Parameters
    ----------
    function : callable
        With a scalar value; its arguments are arrays, Variables, numbers, or nested containers of them.
    argnums : int or sequence of int, default 0
        The arguments to differentiate by.
    has_aux : bool, default False
        Whether `function` returns ``(value, aux)``; then ``((value, aux), gradient)`` is returned.

    Returns
    -------
    callable
        Takes the arguments of `function`. The gradient has the structure of the argument, or is a tuple
        of such where `argnums` is a sequence. Arrays in give arrays out.

    Raises
    ------
    TypeError
        When called, if the value is no scalar.

    Examples
    --------
    >>> f = tg.value_and_grad(lambda x: (x * x).sum())
    >>> f(np.array([1.0, 2.0]))
    (array(5.), array([2., 4.]))
    """

    @wraps(function)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        at = Linearization(function, args, kwargs, argnums, has_aux=has_aux)
        grads = at.pull(at.ones(), retain_graph=False)
        value = (at.out(at.value), at.out(at.aux)) if has_aux else at.out(at.value)
        return value, at.out(grads[0] if at.single else tuple(grads))

    return transformed


def grad(function: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of `function`, a function with a scalar value.

    Parameters
    ----------
    function, argnums, has_aux
        As for `value_and_grad`; with `has_aux` the result is ``(gradient, aux)``.

    Examples
    --------
    >>> tg.grad(lambda x: x**3)(np.array(2.0))
    array(12.)
    >>> tg.grad(tg.grad(lambda x: x**3))(np.array(2.0))
    array(12.)
    """
    both = value_and_grad(function, argnums, has_aux=has_aux)

    @wraps(function)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return transformed


def vjp(function: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value of `function`, and the function that multiplies a cotangent by its Jacobian.

    Parameters
    ----------
    function : callable
    *primals : arrays, Variables, or nested containers of them
        The arguments, all of which are differentiated by.

    Returns
    -------
    value, pullback
        ``pullback(cotangent)``, with a cotangent like the value, is a tuple with a gradient for each
        argument; it may be called several times.

    Examples
    --------
    >>> y, pullback = tg.vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pullback(np.array([1.0, 10.0]))
    (array([ 2., 40.]),)
    """
    at = Linearization(function, primals, {}, range(len(primals)))

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        return tuple(at.out(g) for g in at.pull(tree_map(_direction, at.value, cotangent)))

    return at.out(at.value), pullback


def _direction(value: Any, given: Any) -> Any:
    """A tangent or cotangent as an array, or the error that says that it has not the shape of the value."""
    v = as_variable(value)
    if isinstance(given, Number) or not hasattr(given, "shape"):  # a number, or lists
        given = v.backend.xp.asarray(given, dtype=v.dtype, device=v.device)
    owner = backend_of(as_array(given))
    if owner is not v.backend:
        raise TypeError(
            f"expected a tangent or cotangent of {v.backend.name}, the library of the value; got one of "
            f"{owner.name if owner else type(given).__name__}"
        )
    if v.shape != tuple(given.shape):
        raise ValueError(f"expected a tangent or cotangent of shape {v.shape}; got {tuple(given.shape)}")
    return given


def directions(name: str, primals: Any, tangents: Any) -> list[Any]:
    """A tangent for each of the primals, or the error in the name of a function that says why not."""
    for role, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise TypeError(
                f"{name}: expected {role} as a tuple or list with an entry for each argument; "
                f"got {type(given).__name__}. Of one argument x it is (x,)."
            )
    if len(primals) != len(tangents):
        raise ValueError(
            f"{name}: expected one tangent for each of {len(primals)} primals; got {len(tangents)}"
        )
    return list(tree_map(_direction, list(primals), list(tangents)))


def jvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of `function` and its derivative along `tangents`: forward mode.

    The pullback is linear in its cotangent u, so the derivative of ``<pullback(u), tangents>`` by u is the
    Jacobian times the tangents, whatever u is (the double-vjp identity).

    Parameters
    ----------
    function : callable
    primals, tangents : tuples or lists of arrays, Variables, or nested containers of them
        The point and the direction, with an entry for each argument of `function`.

    Returns
    -------
    value, derivative
        Of one structure.

    Raises
    ------
    TypeError, ValueError
        If the tangents have not the structure and shapes of the primals.

    Examples
    --------
    >>> tg.jvp(lambda x: x * x, [np.array([1.0, 2.0])], [np.array([1.0, 10.0])])
    (array([1., 4.]), array([ 2., 40.]))
    """
    along = directions("jvp", primals, tangents)
    at = Linearization(function, tuple(primals), {}, range(len(primals)))
    return at.out(at.value), at.out(at.push(along))
