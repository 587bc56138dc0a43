"""ONNX models that take batches of any size, made from the graphs of three sizes.

A forward computes with shapes as with other integers of Python, so a graph has them as constants. What
depends on the size of the batch is what differs between the graphs of a model for several sizes: each such
number is a linear function of the size, and is computed from the input's shape in the graph that comes of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from tensorgrad.exporting.tracing import CannotExportError, NumpyArray

BATCH = "batch"
"""What the open length is called."""


def with_dynamic_batch(models: Sequence[Any], sizes: Sequence[int], axes: Mapping[str, int | None]) -> Any:
    """One ONNX model for all sizes of the batch.

    Parameters
    ----------
    models : sequence of onnx.ModelProto
        Of the same program, for batches of `sizes`; the first is changed, and returned.
    sizes : sequence of int
        Three, all different.
    axes : dict of str to int or None
        Where the batch is among the axes of each input.

    Raises
    ------
    CannotExportError
        If the graphs differ in more than in numbers that are linear in the size.
    """
    graphs = [model.graph for model in models]
    if len({len(graph.node) for graph in graphs}) > 1:
        raise CannotExportError(
            f"the model does other things with batches of {sizes[0]}, {sizes[1]} and {sizes[2]}: no one "
            "graph serves all. Leave batch_axis out, for a file of one size."
        )
    rewriting = _Rewriting(graphs[0], sizes, axes)
    nodes = [
        made for column in zip(*(g.node for g in graphs), strict=True) for made in rewriting.node(column)
    ]
    opened = rewriting.first_nodes() + nodes
    del graphs[0].node[:]
    graphs[0].node.extend(opened)
    for kind in ("input", "output"):
        for column in zip(*(getattr(g, kind) for g in graphs), strict=True):
            _open_lengths(column, sizes)
    return models[0]


class _Rewriting:
    """Puts sums of the batch's size in the place of the constants that depend on it."""

    def __init__(self, graph: Any, sizes: Sequence[int], axes: Mapping[str, int | None]) -> None:
        self._onnx = import_module("onnx")
        self._sizes = sizes
        self._source = next((name, axis) for name, axis in axes.items() if axis is not None)
        self._is_used = False
        self._uses: dict[str, list[tuple[str, int]]] = {}
        for node in graph.node:
            for position, name in enumerate(node.input):
                self._uses.setdefault(name, []).append((node.op_type, position))

    def first_nodes(self) -> list[Any]:
        """The size of the batch, of shape (1,), if something is computed with it."""
        if not self._is_used:
            return []
        name, axis = self._source
        return [self._node("Shape", [name], _SIZE, start=axis, end=axis + 1 or None)]

    def node(self, column: tuple[Any, ...]) -> list[Any]:
        """What stands for a node of the graphs."""
        node = column[0]
        if all(other == node for other in column[1:]):
            return [node]
        if any(other.op_type != "Constant" for other in column):
            raise CannotExportError(self._explained(node.op_type, "is another operation"))
        (output,) = node.output
        values = [self._onnx.numpy_helper.to_array(other.attribute[0].t) for other in column]
        if len({v.shape for v in values}) > 1:
            return self._filled(output, values)
        line = _line(values, self._sizes)
        if line is None:
            raise CannotExportError(self._explained(self._user(output), "gets other numbers"))
        return self._reshape(output, values) or self._sum(output, *line, values[0].dtype)

    def _reshape(self, output: str, values: list[NumpyArray]) -> list[Any]:
        """A shape in which the one length that depends on the size follows from the others."""
        open_ = np.flatnonzero(values[0] != values[1])
        fits = (
            set(self._uses.get(output, ())) == {("Reshape", 1)} and len(open_) == 1 and np.all(values[0] > 0)
        )
        return [self._constant(output, np.where(values[0] != values[1], -1, values[0]))] if fits else []

    def _sum(self, output: str, slope: NumpyArray, start: NumpyArray, dtype: np.dtype[Any]) -> list[Any]:
        """``start + slope * size``, in the shape of both."""
        self._is_used = True
        size, steps, made = f"{output}/size", f"{output}/steps", f"{output}/made"
        shape = np.array(slope.shape, np.int64)
        code = self._onnx.helper.np_dtype_to_tensor_dtype(dtype)
        return [
            self._constant(f"{output}/slope", slope),
            self._constant(f"{output}/start", start),
            self._constant(f"{output}/shape", shape),
            self._node("Mul", [_SIZE, f"{output}/slope"], size),
            self._node("Add", [size, f"{output}/start"], steps),
            self._node("Reshape", [steps, f"{output}/shape"], made),
            self._node("Cast", [made], output, to=code),
        ]

    def _filled(self, output: str, values: list[NumpyArray]) -> list[Any]:
        """An array of one number in a shape that depends on the size."""
        numbers = np.unique(np.concatenate([v.reshape(-1) for v in values]))
        line = (
            _line([np.array(v.shape, np.int64) for v in values], self._sizes) if numbers.size == 1 else None
        )
        if line is None:
            raise CannotExportError(self._explained(self._user(output), "gets another array"))
        shape = f"{output}/lengths"
        return [
            *self._sum(shape, *line, np.dtype(np.int64)),
            self._constant(f"{output}/number", numbers[0]),
            self._node("Expand", [f"{output}/number", shape], output),
        ]

    def _user(self, output: str) -> str:
        uses = self._uses.get(output)
        return uses[0][0] if uses else "an output"

    def _explained(self, operator: str, what: str) -> str:
        return (
            f"{operator} {what} for each size of the batch, in a way that does not follow from it: no one "
            "graph serves all. Leave batch_axis out, for a file of one size."
        )

    def _constant(self, output: str, value: Any) -> Any:
        return self._node("Constant", [], output, value=self._onnx.numpy_helper.from_array(np.asarray(value)))

    def _node(self, operator: str, inputs: list[str], output: str, **settings: Any) -> Any:
        return self._onnx.helper.make_node(operator, inputs, [output], name=output, **settings)


_SIZE = "size of the batch"


def _line(values: list[NumpyArray], sizes: Sequence[int]) -> tuple[NumpyArray, NumpyArray] | None:
    """Slope and start of numbers that are linear in the size, both integers; None if they are not."""
    if values[0].dtype.kind not in "iuf":
        return None
    wide = [v.astype(np.int64) for v in values]
    if any(not np.array_equal(v, w) for v, w in zip(values, wide, strict=True)):
        return None
    slope = (wide[1] - wide[0]) // (sizes[1] - sizes[0])
    start = wide[0] - slope * sizes[0]
    linear = all(np.array_equal(v, start + slope * n) for v, n in zip(wide, sizes, strict=True))
    return (slope, start) if linear else None


def _open_lengths(column: tuple[Any, ...], sizes: Sequence[int]) -> None:
    """Name the lengths of an input or output that are not the same for all sizes."""
    for lengths in zip(*(value.type.tensor_type.shape.dim for value in column), strict=True):
        found = [length.dim_value for length in lengths]
        if len(set(found)) > 1:
            line = _line([np.array(n) for n in found], sizes)
            slope, start = (0, 0) if line is None else map(int, line)
            named = f"{slope} * {BATCH}" if slope != 1 else BATCH
            lengths[0].ClearField("dim_value")
            lengths[0].dim_param = f"{named} + {start}" if start else named
