"""ONNX files: written from a model, and run beside it before they are kept."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.backend import backend_of
from tensorgrad.core import Variable
from tensorgrad.core.tree import tree_map
from tensorgrad.exporting.batches import with_dynamic_batch
from tensorgrad.exporting.tracing import (
    CannotExportError,
    NumpyArray,
    graph_of,
    is_value,
    on_host,
    parameters_of,
    plainly,
    values_in,
)
from tensorgrad.npz import replacing

Shape = tuple[int | str, ...]

_SIZES = (2, 3, 5)
"""Of the batches for which graphs are made where the size is to be left open."""


class ExportedModel(NamedTuple):
    """What was written.

    Attributes
    ----------
    opset : int
        The version of ONNX's operators.
    inputs, outputs : dict of str to (shape, dtype)
        A length that is left open has a name in the shape.
    parameters : tuple of str
        The initializers, by their names in ``state_dict``.
    difference : float or None
        Of what the file and the model gave for the same inputs, the largest, in parts of the largest number
        of the output, or of 1 where that is smaller; None if the file was not run.
    """

    opset: int
    inputs: dict[str, tuple[Shape, str]]
    outputs: dict[str, tuple[Shape, str]]
    parameters: tuple[str, ...]
    difference: float | None


def export_onnx(
    model: Callable[..., Any],
    example: Any,
    path: str | os.PathLike[str],
    *,
    batch_axis: int | Sequence[int | None] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    tolerance: float | None = 1e-5,
) -> ExportedModel:
    """Write a model as an ONNX file, for onnxruntime and whatever else reads that format.

    The model is called once on arrays of ndonnx, which note the operators: at test time (no dropout, running
    statistics), without a gradient, and without the state that recurrent layers carry. What it computes with
    plain Python, such as the number of steps of a sequence, is fixed in the file. So is every length, but
    that of the batch if `batch_axis` leaves it open.

    Parameters
    ----------
    model : Layer, method of a layer, or function
        ``vae.encode`` as well as ``vae``.
    example : array, Variable or tuple of them
        What it is called with: the shapes and dtypes of the inputs. What is no array is given as it is.
    path : str or path
        An older file is replaced when the new one is complete.
    batch_axis : int or sequence of (int or None), optional
        The axis of all inputs, or of each, whose length is left open. By default all lengths are fixed.
    input_names, output_names : sequence of str, optional
        By default the inputs are called as by ``forward``, an output ``output``, several ``output0``,
        ``output1``, ...
    tolerance : float or None, default 1e-5
        How far the outputs of the file may be from those of the model, in parts of the largest, or of 1 where
        that is smaller. The file is run by onnxruntime on the example and, where the batch is open, on one
        larger by one. None: it is not run.

    Returns
    -------
    ExportedModel
        Names, shapes, the opset and the difference that was found.

    Raises
    ------
    CannotExportError
        If the model does what ONNX cannot, or branches on values: the message names the op. Or if the file
        gives something else than the model. Nothing is written then.
    BackendUnavailableError
        If ndonnx is not installed: ``python -m pip install 'tensorgrad[onnx]'``.
    ValueError
        If names or axes do not fit the inputs.

    Examples
    --------
    >>> def write():  # needs the extra `onnx`
    ...     model = tg.models.MLP((8, 3))
    ...     return tg.export_onnx(model, np.zeros((2, 4), np.float32), "mlp.onnx", batch_axis=0)
    """
    arguments = list(example) if isinstance(example, tuple) else [example]
    names = _input_names(model, arguments, input_names)
    axes = _batch_axes(batch_axis, arguments)
    size = _batch_size(arguments, axes)
    checks = [(arguments, plainly(model, arguments))]
    if size is not None:
        larger = _resized(arguments, axes, size + 1)
        checks.append((larger, plainly(model, larger)))
        graphs = [graph_of(model, _resized(arguments, axes, n), names) for n in _SIZES]
        made = with_dynamic_batch(graphs, _SIZES, dict(zip(names, axes, strict=True)))
    else:
        made = graph_of(model, arguments, names)
    _name_outputs(made.graph, output_names)
    parameters = {name: on_host(p) for name, p in parameters_of(model).items() if p.data is not None}
    kept = _initialize(made.graph, parameters)
    data = _finished(made, model)
    difference = None if tolerance is None else _checked(data, names, checks, tolerance)
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)
    opset = next(o.version for o in made.opset_import if not o.domain)
    return ExportedModel(opset, _described(made.graph.input), _described(made.graph.output), kept, difference)


# -- inputs ----------------------------------------------------------------------------------------------


def _input_names(
    model: Callable[..., Any], arguments: list[Any], given: Sequence[str] | None
) -> tuple[str, ...]:
    """A name for each array among the arguments."""
    count = len(values_in(arguments))
    if count == 0:
        raise ValueError("export_onnx: expected an example with an array at least; got none")
    if given is not None:
        names = tuple(given)
        if len(names) != count or len(set(names)) != count:
            raise ValueError(f"export_onnx: expected {count} different input_names; got {names}")
        clash = [name for name in names if name in parameters_of(model)]
        if clash:
            raise ValueError(
                f"export_onnx: expected input_names that no parameter has; got {', '.join(clash)}"
            )
        return names
    forward = getattr(model, "forward", model)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = [p.name for p in inspect.signature(forward).parameters.values() if p.kind in positional]
    if len(known) >= len(arguments) and all(is_value(x) or not values_in([x]) for x in arguments):
        names = tuple(name for name, x in zip(known, arguments, strict=False) if is_value(x))
        if not set(names) & set(parameters_of(model)):
            return names
    return tuple(f"input{i}" for i in range(count)) if count > 1 else ("input",)


def _batch_axes(given: int | Sequence[int | None] | None, arguments: list[Any]) -> tuple[int | None, ...]:
    """The axis of the batch of each array, counted from the first, or None."""
    shapes = [x.shape for x in values_in(arguments)]
    axes = tuple(given) if isinstance(given, Sequence) else (given,) * len(shapes)
    fits = len(axes) == len(shapes) and all(
        axis is None or -len(shape) <= axis < len(shape) for axis, shape in zip(axes, shapes, strict=False)
    )
    if not fits:
        raise ValueError(
            f"export_onnx: expected a batch_axis that the inputs have, or one for each of {len(shapes)}; got "
            f"{given} for shapes {', '.join(map(str, map(tuple, shapes)))}"
        )
    return tuple(
        None if axis is None else axis % len(shape) for axis, shape in zip(axes, shapes, strict=True)
    )


def _batch_size(arguments: list[Any], axes: tuple[int | None, ...]) -> int | None:
    """How many examples the inputs hold; None if that is not left open."""
    sizes = {x.shape[a] for x, a in zip(values_in(arguments), axes, strict=True) if a is not None}
    if len(sizes) > 1:
        raise ValueError(f"export_onnx: expected one size of the batch in all inputs; got {sorted(sizes)}")
    return int(sizes.pop()) if sizes else None


def _resized(arguments: list[Any], axes: tuple[int | None, ...], size: int) -> list[Any]:
    """The arguments with so many examples in the batch, some of them repeated."""
    remaining = iter(axes)

    def resized(x: Any) -> Any:
        if not is_value(x):
            return x
        axis = next(remaining)
        if axis is None:
            return x
        array = x.data if isinstance(x, Variable) else x
        owner: Any = backend_of(array)
        host = np.take(on_host(x), np.arange(size) % x.shape[axis], axis=axis)
        moved = owner.from_numpy(host, owner.device(array))
        return Variable(moved) if isinstance(x, Variable) else moved

    return tree_map(resized, arguments)  # type: ignore[no-any-return]


# -- the file --------------------------------------------------------------------------------------------


def _name_outputs(graph: Any, given: Sequence[str] | None) -> None:
    """Give the outputs, which are numbered, their names."""
    count = len(graph.output)
    default = ("output",) if count == 1 else tuple(f"output{i}" for i in range(count))
    names = default if given is None else tuple(given)
    if len(names) != count or len(set(names)) != count:
        raise ValueError(f"export_onnx: expected {count} different output_names; got {names}")
    taken = sorted(set(names) & {value.name for value in graph.input})
    if taken:
        raise ValueError(
            f"export_onnx: expected output_names that no input and no parameter has; got {', '.join(taken)}"
        )
    new = {value.name: name for value, name in zip(graph.output, names, strict=True)}
    for value in graph.output:
        value.name = new[value.name]
    for node in graph.node:
        for position, name in enumerate(node.output):
            node.output[position] = new.get(name, name)


def _initialize(graph: Any, parameters: Mapping[str, NumpyArray]) -> tuple[str, ...]:
    """Make initializers of the parameters, which were inputs, as far as something is computed with them."""
    onnx = import_module("onnx")
    used = {name for node in graph.node for name in node.input}
    kept = tuple(name for name in parameters if name in used)
    graph.initializer.extend(onnx.numpy_helper.from_array(parameters[name], name) for name in kept)
    inputs = [value for value in graph.input if value.name not in parameters]
    del graph.input[:]
    graph.input.extend(inputs)
    return kept


def _finished(made: Any, model: Callable[..., Any]) -> bytes:
    """The bytes of the file."""
    onnx, owner = import_module("onnx"), getattr(model, "__self__", model)
    made.graph.name = getattr(owner, "__name__", type(owner).__name__)
    made.producer_name = "tensorgrad"
    del made.metadata_props[:]  # ndonnx's own, of which the parameters were inputs
    try:
        data: bytes = made.SerializeToString()
    except ValueError as error:  # protobuf's limit of 2 GiB
        raise CannotExportError(f"the file would be too large: {error}") from error
    onnx.checker.check_model(data, full_check=True)
    return data


def _described(values: Any) -> dict[str, tuple[Shape, str]]:
    onnx = import_module("onnx")
    found = {}
    for value in values:
        tensor = value.type.tensor_type
        shape = tuple(length.dim_param or length.dim_value for length in tensor.shape.dim)
        found[value.name] = (shape, onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name)
    return found


# -- the check -------------------------------------------------------------------------------------------


def _checked(
    data: bytes,
    names: tuple[str, ...],
    checks: list[tuple[list[Any], list[NumpyArray]]],
    tolerance: float,
) -> float:
    """How far the file is from the model; an error if that is more than the tolerance."""
    runtime = import_module("onnxruntime")
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    worst = (0.0, "")
    for arguments, wanted in checks:
        inputs = dict(zip(names, map(on_host, values_in(arguments)), strict=True))
        pairs = zip(session.run(None, inputs), wanted, strict=True)
        worst = max([worst, *((_distance(*pair), name) for name, pair in zip(outputs, pairs, strict=True))])
    difference, name = worst
    if difference > tolerance:
        raise CannotExportError(
            f"the file gives something else than the model: {name} differs by {difference:.2g}, and the "
            f"tolerance is {tolerance:.2g}. Does the model give the same when it is called again?"
        )
    return difference


def _distance(got: NumpyArray, want: NumpyArray) -> float:
    """The largest difference in parts of the largest number, or of 1; inf where one is no number."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return np.inf
    if want.size == 0:
        return 0.0
    pair = [np.where(np.isfinite(a), a, 0).astype(np.float64) for a in (got, want)]
    strange = [np.where(np.isfinite(a), 0, a) for a in (got, want)]
    if not np.array_equal(strange[0], strange[1], equal_nan=True):
        return np.inf
    return float(np.max(np.abs(pair[0] - pair[1])) / max(1.0, np.max(np.abs(pair[1]))))
