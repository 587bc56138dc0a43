"""A model's forward as a graph of ONNX operators: the model is run on arrays of ndonnx, which note them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad.backend import Array, Backend, backend_of, get_backend, is_array
from tensorgrad.core import Function, Parameter, Variable, no_grad, test_mode
from tensorgrad.core.tree import tree_leaves, tree_map
from tensorgrad.core.variable import transfer
from tensorgrad.core.watch import Watcher
from tensorgrad.layers import Layer
from tensorgrad.models.summary import as_before

NumpyArray = np.ndarray[Any, Any]


class CannotExportError(RuntimeError):
    """A model cannot be written in that format; the message names the op, and says why."""


def plainly(model: Callable[..., Any], arguments: Sequence[Any]) -> list[NumpyArray]:
    """What a model gives at test time, on the host; parameters that wait for an input get their size."""
    with _at_test_time(model):
        ys = tree_leaves(model(*arguments))
    for number, y in enumerate(ys):
        if not is_value(y):
            raise CannotExportError(f"output {number} is no array: {type(y).__name__}")
    if not ys:
        raise CannotExportError("the model gives nothing that could be written")
    return [on_host(y) for y in ys]


def graph_of(model: Callable[..., Any], arguments: Sequence[Any], names: Sequence[str]) -> Any:
    """The ONNX model of a call, its parameters being inputs.

    Parameters
    ----------
    model : Layer, method of one, or function
    arguments : sequence
        What it is called with. Arrays become inputs, of which the shapes and dtypes matter; what is no array
        is given as it is.
    names : sequence of str
        Of the arrays.

    Returns
    -------
    onnx.ModelProto
        Its outputs are numbered.
    """
    backend: Any = get_backend("ndonnx")
    inputs = iter(names)
    made: dict[str, Array] = {}

    def as_input(x: Any) -> Any:
        if not is_value(x):
            return x
        host = on_host(x)
        made[name := next(inputs)] = backend.argument(host.shape, host.dtype)
        return Variable(made[name], requires_grad=False) if isinstance(x, Variable) else made[name]

    given = tree_map(as_input, list(arguments))
    with _at_test_time(model), _parameters(model, backend) as parameters, _Tracing(backend):
        try:
            ys = model(*given)
        except CannotExportError:
            raise
        except Exception as error:
            raise CannotExportError(f"{_place(error)} cannot be exported: {error}") from error
    outputs = {f"output {i}": _output(y, backend) for i, y in enumerate(tree_leaves(ys))}
    return backend.graph({**made, **parameters}, outputs)


def parameters_of(model: Callable[..., Any]) -> dict[str, Parameter]:
    """The parameters of a layer, of that which a method belongs to, or none, by path."""
    layer = _layer(model)
    return {} if layer is None else dict(layer.namedparams())


def values_in(arguments: list[Any]) -> list[Any]:
    """The arrays and Variables among arguments, in containers too."""
    return [x for x in tree_leaves(arguments) if is_value(x)]


def on_host(x: Any) -> NumpyArray:
    """An array, or that of a Variable, as NumPy's."""
    return np.asarray(transfer(x.data if isinstance(x, Variable) else x, get_backend("numpy")))


def is_value(x: Any) -> bool:
    """Whether something is an array or a Variable."""
    return isinstance(x, Variable) or is_array(x)


def _layer(model: Callable[..., Any]) -> Layer | None:
    owner = model if isinstance(model, Layer) else getattr(model, "__self__", None)
    return owner if isinstance(owner, Layer) else None


@contextmanager
def _at_test_time(model: Callable[..., Any]) -> Iterator[None]:
    """Without a graph, dropout and recurrent state, all of which are afterwards as they were."""
    layer = _layer(model)
    layers = [] if layer is None else list(layer._layers())
    with as_before(layers), no_grad(), test_mode():
        yield


@contextmanager
def _parameters(model: Callable[..., Any], backend: Any) -> Iterator[dict[str, Array]]:
    """Inputs of the graph in the place of a model's parameters."""
    named = parameters_of(model)
    before = {name: p.data for name, p in named.items()}
    try:
        for p in named.values():
            if p.data is not None:
                host = on_host(p)
                p.data = backend.argument(host.shape, host.dtype)
        yield {name: p.data for name, p in named.items() if p.data is not None}
    finally:
        for name, p in named.items():
            p.data = before[name]


class _Tracing(Watcher):
    """Makes constants of the arrays that ops meet, and says of which op the graph lacks an operator."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def call(self, function: Function, inputs: tuple[Any, ...]) -> Any:
        try:
            ys = super().call(function, tuple(map(self._constant, inputs)))
        except Exception as error:
            lacks = isinstance(error, AttributeError | NotImplementedError)
            reason = f"no ONNX operator is known for it ({error})" if lacks else str(error)
            raise CannotExportError(f"{type(function).__name__} cannot be exported: {reason}") from error
        for y in ys if isinstance(ys, tuple) else (ys,):
            if None in y.shape:
                raise CannotExportError(
                    f"{type(function).__name__} cannot be exported: the shape of its result, "
                    f"{tuple(y.shape)}, is only known when the file is run. Is it an index of truth values? "
                    "where(mask, x, 0) has one shape."
                )
        return ys

    def _constant(self, x: Any) -> Any:
        if not is_value(x) or backend_of(x.data if isinstance(x, Variable) else x) in (None, self._backend):
            return x
        return self._backend.from_numpy(on_host(x))


def _output(y: Any, backend: Backend) -> Array:
    array = y.data if isinstance(y, Variable) else y
    return array if backend_of(array) is backend else backend.from_numpy(on_host(array))


def _place(error: Exception) -> str:
    """The public function of tensorgrad, or else the line of the model, in which an error was raised."""
    steps = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in reversed(frames):
        if str(frame.f_globals.get("__name__", "")).startswith("tensorgrad.functions"):
            function = getattr(F, frame.f_code.co_name, None)
            if function is not None and getattr(function, "__code__", None) is frame.f_code:
                return str(frame.f_code.co_name)
    own = [s for s, f in zip(steps, frames, strict=True) if not _is_library(f.f_globals.get("__name__", ""))]
    return f"line {own[-1].lineno} of {own[-1].filename} ({own[-1].line})" if own else "the model"


def _is_library(module: str) -> bool:
    return module.partition(".")[0] in ("tensorgrad", "tensorgrad_backends", "ndonnx", "spox", "onnx")
