"""Gradients against central differences, to any order.

Values go through NumPy in float64, so one text serves every backend. An output is made a number by
an inner product with a random cotangent: the gradient of a plain sum would not see an error that
cancels. The second order is the first order of the gradient function, which takes the inputs and
the cotangents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.backend import Array, Backend, backend_of, is_array
from tensorgrad.core import Variable, as_variable
from tensorgrad.core.engine import gradients
from tensorgrad.testing.arrays import NumpyArray, compare, to_numpy

_Many = Callable[..., list[Variable]]


class _Rule(NamedTuple):
    """How differences are taken, and how near a gradient must come."""

    eps: float
    rtol: float
    atol: float


class _Case(NamedTuple):
    """A function, where it is checked, and the gradients that its backward gave there."""

    call: _Many
    leaves: list[Variable]
    names: list[str]
    cotangents: list[Variable]
    grads: list[Any]  # arrays or Variables; None where no gradient arrived


def numerical_grad(f: Callable[[Variable], Any], x: Any, eps: float = 1e-5) -> Array:
    """Gradient of ``sum(f(x))`` in `x` by central differences, in float64.

    Parameters
    ----------
    f : callable
        Takes a Variable, gives a Variable or a tuple of them.
    x : Variable, array, number or list, real
    eps : float, default 1e-5
        The step, times ``max(1, |x|)``.

    Returns
    -------
    array of the library of `x`, shape of `x`, float64

    Examples
    --------
    >>> tg.testing.numerical_grad(lambda x: x * x, Variable(np.array([1.0, 2.0]))).round(6)
    array([2., 4.])
    """
    v = as_variable(x)
    values = _float64(v, "x")
    call = _on_numpy(lambda x: _outputs(f(x)), [v])
    ones = [np.ones_like(y) for y in call([values])]
    return _like(v, _elementwise(call, [values], 0, ones, eps)).data


def check_gradients(
    f: Callable[..., Any],
    inputs: Any,
    order: int = 2,
    *,
    eps: float = 1e-5,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    seed: int = 0,
    every_element: bool = True,
) -> None:
    """Assert that gradients agree with central differences, in all inputs, up to an order.

    All floating inputs are checked, but for Variables made with ``requires_grad=False``. They are
    copied in float64; the inputs themselves stay as they are.

    Parameters
    ----------
    f : callable
        Takes as many arguments as there are inputs, gives a Variable or a tuple or list of them. It
        must give the same values each time: a random function sets its seed itself.
    inputs : list or tuple of Variable, array, number or lists of these; or one Variable or array
    order : int, default 2
        1 checks gradients, 2 gradients of gradients too (in the inputs and in the cotangents), and
        so on.
    eps : float, default 1e-5
        The step, times ``max(1, |x|)``.
    rtol, atol : float
        ``|gradient - difference| <= atol + rtol * |difference|``.
    seed : int, default 0
        Of the random cotangents and directions.
    every_element : bool, default True
        Whether first gradients are compared element by element, at two calls of `f` for each. False: along
        one random direction of each input, at two calls for each input, and element by element only where
        that differs. Higher orders are always compared so.

    Raises
    ------
    AssertionError
        If a gradient has another shape or dtype than its input, or other values than the
        differences; the message names the input, the index, both values and the tolerance.
    TypeError
        If there is nothing to check, or `f` gives something other than Variables.

    Examples
    --------
    >>> x = Variable(np.array([1.0, 2.0, 3.0]))
    >>> tg.testing.check_gradients(lambda x: (x * F.sin(x)).sum(), [x], order=3)
    """
    if not isinstance(inputs, list | tuple):
        inputs = [inputs]
    found = list(_floating(inputs))
    if not found:
        raise TypeError(
            "check_gradients: expected a floating input that requires a gradient; got "
            f"{', '.join(map(_describe, inputs)) or 'none'}"
        )

    def call(*xs: Variable) -> list[Variable]:
        return _outputs(f(*_rebuild(inputs, iter(xs))))

    leaves = [_like(v, _float64(v, label)) for label, v in found]
    labels = [label for label, _ in found]
    rule = _Rule(eps, rtol, atol)
    rng = np.random.default_rng(seed)
    for level in range(1, order + 1):
        prefix = "" if level == 1 else f"order {level}: "
        names = [f"{prefix}gradient of {label}" for label in labels]
        cotangents = [_like(y, rng.uniform(0.5, 1.5, y.shape)) for y in call(*leaves)]
        grads = _gradients(call, leaves, cotangents, create_graph=False)
        case = _Case(call, leaves, names, cotangents, grads)
        _check_form(case)
        if level == 1 and every_element:
            for i in range(len(leaves)):
                _check_each_element(case, i, rule)
        else:
            _check_along_directions(case, rule, rng)
        if level < order:
            _check_recorded(case, rule)
            call = _gradient_function(call, len(leaves))
            leaves = [*leaves, *cotangents]
            labels = [*labels, *(f"{prefix}cotangent {i}" for i in range(len(cotangents)))]


def _gradient_function(call: _Many, n: int) -> _Many:
    """The function from n inputs and the cotangents to those gradients that there are."""

    def gradient(*xs: Variable) -> list[Variable]:
        found = _gradients(call, list(xs[:n]), list(xs[n:]), create_graph=True)
        return [g for g in found if g is not None]

    return gradient


def _gradients(
    call: _Many, xs: list[Variable], cotangents: list[Variable], *, create_graph: bool
) -> list[Any]:
    """Gradients of ``sum(<output, cotangent>)``: arrays, or Variables with a graph; None for none."""
    outs = call(*xs)
    return gradients(outs, xs, cotangents, create_graph=create_graph)


# -- comparisons ---------------------------------------------------------------------------------


def _check_form(case: _Case) -> None:
    """A gradient has the shape and the dtype of its input."""
    for name, x, g in zip(case.names, case.leaves, case.grads, strict=True):
        if g is not None and tuple(g.shape) != x.shape:
            raise AssertionError(f"{name}: expected the input's shape {x.shape}; got {tuple(g.shape)}")
        if g is not None and g.dtype != x.dtype:
            raise AssertionError(f"{name}: expected the input's dtype {x.dtype}; got {g.dtype}")


def _check_recorded(case: _Case, rule: _Rule) -> None:
    """A backward gives the same, recorded or not."""
    recorded = _gradients(case.call, case.leaves, case.cotangents, create_graph=True)
    _check_form(case._replace(grads=recorded))
    for name, g, h in zip(case.names, case.grads, recorded, strict=True):
        if g is None and h is None:
            continue
        if g is None or h is None:
            raise AssertionError(f"{name}: with create_graph=True {h!r}; without it {g!r}")
        _near(f"{name} with create_graph=True", to_numpy(h), to_numpy(g), rule)


def _check_each_element(case: _Case, i: int, rule: _Rule) -> None:
    """Compare every element of one gradient with its difference."""
    values = [to_numpy(x) for x in case.leaves]
    weights = [to_numpy(v) for v in case.cotangents]
    want = _elementwise(_on_numpy(case.call, case.leaves), values, i, weights, rule.eps)
    g = case.grads[i]
    if g is None:
        _near(f"{case.names[i]} (no gradient arrived)", np.zeros_like(want), want, rule)
    else:
        _near(case.names[i], to_numpy(g), want, rule)


def _check_along_directions(case: _Case, rule: _Rule, rng: np.random.Generator) -> None:
    """Compare gradients along a random direction of each input; where they differ, every element.

    A direction costs two calls, whatever the size of the input.
    """
    evaluate = _on_numpy(case.call, case.leaves)
    values = [to_numpy(x) for x in case.leaves]
    weights = [to_numpy(v) for v in case.cotangents]
    for i, (x, g) in enumerate(zip(values, case.grads, strict=True)):
        along = rng.uniform(-1.0, 1.0, x.shape)
        step = rule.eps * max(1.0, float(np.abs(x).max(initial=0.0)))
        upper = evaluate([*values[:i], x + step * along, *values[i + 1 :]])
        lower = evaluate([*values[:i], x - step * along, *values[i + 1 :]])
        want = _slope(upper, lower, weights, 2 * step)
        parts = np.zeros_like(x) if g is None else to_numpy(g) * along
        tolerance = rule.atol + rule.rtol * np.abs(parts).sum()
        if not (np.isfinite(tolerance) and abs(parts.sum() - want) <= tolerance):
            _check_each_element(case, i, rule)


def _near(name: str, got: NumpyArray, want: NumpyArray, rule: _Rule) -> None:
    text = f"rtol={rule.rtol:g}, atol={rule.atol:g}"
    compare(got, want, rule.atol + rule.rtol * np.abs(want), name, text)


# -- differences ---------------------------------------------------------------------------------


def _elementwise(
    call: Callable[[list[NumpyArray]], list[NumpyArray]],
    values: list[NumpyArray],
    i: int,
    weights: list[NumpyArray],
    eps: float,
) -> NumpyArray:
    """The gradient of ``sum(<output, weight>)`` in value i, element by element."""
    grad = np.zeros_like(values[i])
    for index in np.ndindex(grad.shape):
        step = eps * max(1.0, abs(float(values[i][index])))
        ends = []
        for sign in (1.0, -1.0):
            moved = values[i].copy()
            moved[index] += sign * step
            ends.append(call([*values[:i], moved, *values[i + 1 :]]))
        grad[index] = _slope(ends[0], ends[1], weights, 2 * step)
    return grad


def _slope(
    upper: list[NumpyArray], lower: list[NumpyArray], weights: list[NumpyArray], width: float
) -> float:
    terms = zip(upper, lower, weights, strict=True)
    return float(sum(((u - v) * w).sum() for u, v, w in terms)) / width


def _on_numpy(call: _Many, like: list[Variable]) -> Callable[[list[NumpyArray]], list[NumpyArray]]:
    """`call` from float64 NumPy arrays to float64 NumPy arrays, by way of the backend of `like`."""

    def evaluate(values: list[NumpyArray]) -> list[NumpyArray]:
        outs = call(*(_like(x, a) for x, a in zip(like, values, strict=True)))
        return [np.asarray(to_numpy(y), dtype=np.float64) for y in outs]

    return evaluate


# -- inputs and outputs --------------------------------------------------------------------------


def _floating(items: Sequence[Any], place: str = "input ") -> Iterator[tuple[str, Variable]]:
    """The inputs to check, each with what messages call it."""
    for i, item in enumerate(items):
        label = f"{place}{i}"
        if isinstance(item, list | tuple):
            yield from _floating(item, f"{label}, item ")
        elif _is_checked(item):
            v = as_variable(item)
            yield label if v.name is None else f"{label} ({v.name!r})", v


def _is_checked(item: Any) -> bool:
    if isinstance(item, Variable):
        return item.requires_grad and item.backend.is_floating(item.dtype)
    return is_array(item) and _owner(item).is_floating(item.dtype)


def _rebuild(items: Sequence[Any], xs: Iterator[Variable]) -> list[Any]:
    """The inputs with new Variables in the place of those to check, constants in float64."""
    rebuilt: list[Any] = []
    for item in items:
        if isinstance(item, list | tuple):
            inner = _rebuild(item, xs)
            rebuilt.append(tuple(inner) if isinstance(item, tuple) else inner)
        elif _is_checked(item):
            rebuilt.append(next(xs))
        elif isinstance(item, Variable) and item.backend.is_floating(item.dtype):
            constant = _like(item, _float64(item, "a constant"))
            constant.requires_grad = False
            rebuilt.append(constant)
        else:
            rebuilt.append(item)
    return rebuilt


def _outputs(ys: Any) -> list[Variable]:
    """The real floating outputs of a function."""
    many = list(ys) if isinstance(ys, list | tuple) else [ys]
    for y in many:
        if not isinstance(y, Variable):
            raise TypeError(
                f"expected f to return a Variable, or a tuple or list of them; got {_describe(y)}"
            )
    return [y for y in many if y.backend.is_floating(y.dtype)]


def _float64(v: Variable, label: str) -> NumpyArray:
    """A copy of the values in float64."""
    values = to_numpy(v)
    if values.dtype.kind == "c":
        raise TypeError(f"differences are taken of real inputs; {label} is {values.dtype}")
    return np.array(values, dtype=np.float64)


def _like(v: Variable, values: NumpyArray) -> Variable:
    """A leaf with other values in the library and on the device of `v`."""
    owner = v.backend
    return Variable(owner.from_numpy(np.array(values, dtype=np.float64), owner.device(v.data)))


def _owner(array: Array) -> Backend:
    owner = backend_of(array)
    if owner is None:
        raise TypeError(f"expected an array; got {type(array).__name__}")
    return owner


def _describe(x: Any) -> str:
    if isinstance(x, Variable) or is_array(x):
        kind = "Variable" if isinstance(x, Variable) else type(x).__name__
        constant = isinstance(x, Variable) and not x.requires_grad
        return f"{kind} of {x.dtype}{' with requires_grad=False' if constant else ''}"
    return type(x).__name__
