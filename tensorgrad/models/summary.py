"""What a model consists of: its layers, the shapes they give, and how much memory they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Self

import numpy as np

from tensorgrad.core import Function, Variable, as_array, no_grad, test_mode
from tensorgrad.core.alias import ViewOp
from tensorgrad.core.tree import tree_leaves
from tensorgrad.core.watch import Watcher
from tensorgrad.layers import Layer
from tensorgrad.tools.table import aligned, as_html, in_bytes

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """One layer of a model; numbers are of what lies in it directly, not in layers within it.

    Attributes
    ----------
    path : str
        Where it is in the model, as ``'blocks/0'``; empty for the model itself.
    kind : str
        The name of its class.
    calls : int
        How often it was called: 0 for one whose parameters are used directly, or a list of layers.
    outputs : tuple of tuple of int
        The shapes that its last call gave.
    parameters, trained : int
        How many numbers are in its parameters, and in those that get gradients. What layers share counts
        for the first of them.
    parameter_bytes, activation_bytes : int
        Of its parameters, and of the results of all ops that its calls consist of.
    open : tuple of str
        Its parameters that have no size yet, since no call reached them.
    """

    path: str
    kind: str
    calls: int
    outputs: tuple[Shape, ...]
    parameters: int
    trained: int
    parameter_bytes: int
    activation_bytes: int
    open: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Summary:
    """A model, layer by layer; it prints as a table.

    Attributes
    ----------
    rows : tuple of Row
        The model itself and every layer in it, each once, in the order of definition.
    input_bytes : int
        Of the inputs of the call.
    """

    rows: tuple[Row, ...]
    input_bytes: int

    @property
    def parameters(self) -> int:
        """How many numbers are in all parameters, running statistics included."""
        return sum(row.parameters for row in self.rows)

    @property
    def trained(self) -> int:
        """How many of them get gradients."""
        return sum(row.trained for row in self.rows)

    @property
    def parameter_bytes(self) -> int:
        """The memory of all parameters."""
        return sum(row.parameter_bytes for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """The memory of the results of all ops of one forward. Views of other arrays count nothing."""
        return sum(row.activation_bytes for row in self.rows)

    def __repr__(self) -> str:
        lines = aligned(*self._table())
        return "\n".join([*lines, lines[1], *self._notes()])

    def _repr_html_(self) -> str:
        return as_html(*self._table(), self._notes())

    def _table(self) -> tuple[list[str], list[list[str]]]:
        several = any(row.calls > 1 for row in self.rows)
        head = ["layer", *(["calls"] if several else []), "output", "parameters", "memory", "activations"]
        cells = [self._cells(row, several) for row in self.rows]
        if not self._is_of_a_call():
            return [head[0], *head[-3:-1]], [[row[0], *row[-3:-1]] for row in cells]
        return head, cells

    def _is_of_a_call(self) -> bool:
        return any(row.calls for row in self.rows)

    def _notes(self) -> list[str]:
        total = f"{self.parameters:,} parameters"
        if self.trained != self.parameters:
            total += f", {self.trained:,} of them trained"
        notes = [f"{total}: {in_bytes(self.parameter_bytes)}"]
        if self._is_of_a_call():
            size, given = in_bytes(self.activation_bytes), in_bytes(self.input_bytes)
            notes.append(f"activations: {size} for inputs of {given}")
        waiting = [f"{row.path}/{name}".lstrip("/") for row in self.rows for name in row.open]
        if waiting and not self._is_of_a_call():
            notes.append(f"{len(waiting)} parameters get their size with the first call")
        elif waiting:
            notes.append(f"without a size, as no call reached them: {', '.join(waiting)}")
        return notes

    def _cells(self, row: Row, several: bool) -> list[str]:
        depth = row.path.count("/") + 1 if row.path else 0
        name = row.path.rpartition("/")[2]
        return [
            f"{'  ' * depth}{name} {row.kind}" if name else row.kind,
            *([str(row.calls)] if several else []),
            ", ".join(map(str, row.outputs)),
            "?" if row.open else f"{row.parameters:,}" if row.parameters else "",
            in_bytes(row.parameter_bytes) if row.parameters else "",
            in_bytes(row.activation_bytes) if row.activation_bytes else "",
        ]


def summarize(model: Layer, inputs: tuple[Any, ...], options: dict[str, Any]) -> Summary:
    """Call a layer once, at test time and without a graph, and say what its layers were."""
    layers = _paths(model)
    with as_before(layers), _Calls(layers) as calls, no_grad(), test_mode():
        model(*inputs, **options)
    given = [x for x in tree_leaves([inputs, options]) if hasattr(x, "shape")]
    return Summary(_rows(model, layers, calls), sum(map(_size_of, given)))


def described(model: Layer) -> Summary:
    """What the layers of a model are, without a call: their parameters, neither outputs nor activations."""
    layers = _paths(model)
    return Summary(_rows(model, layers, _Calls(layers)), 0)


def _paths(model: Layer) -> list[tuple[str, Layer]]:
    return [(path.removesuffix("/"), layer) for path, layer in model._layers()]


def _rows(model: Layer, layers: list[tuple[str, Layer]], calls: _Calls) -> tuple[Row, ...]:
    slots: dict[int, list[tuple[str, Any]]] = {}
    for slot in model._slots():
        slots.setdefault(id(slot.layer), []).append((slot.name, slot.parameter))
    rows = []
    for path, layer in layers:
        named = slots.get(id(layer), [])
        filled = [p for _, p in named if p.data is not None]
        rows.append(
            Row(
                path=path,
                kind=type(layer).__name__,
                calls=calls.counts.get(id(layer), 0),
                outputs=calls.outputs.get(id(layer), ()),
                parameters=sum(p.size for p in filled),
                trained=sum(p.size for p in filled if p.requires_grad),
                parameter_bytes=sum(map(_size_of, filled)),
                activation_bytes=calls.sizes.get(id(layer), 0),
                open=tuple(name for name, p in named if p.data is None),
            )
        )
    return tuple(rows)


class _Calls(Watcher):
    """Notes what each layer gives, and how large the results of the ops within it are."""

    def __init__(self, layers: list[tuple[str, Layer]]) -> None:
        self._layers = [layer for _, layer in layers]
        self._own: dict[int, Any] = {}  # what an instance has for the forward of its class, by id
        self._inside: list[int] = []  # the layers that are being called, by id
        self.counts: dict[int, int] = {}
        self.outputs: dict[int, tuple[Shape, ...]] = {}
        self.sizes: dict[int, int] = {}

    def __enter__(self) -> Self:
        for layer in self._layers:
            if "forward" in vars(layer):
                self._own[id(layer)] = vars(layer)["forward"]
            vars(layer)["forward"] = self._noted(layer, layer.forward)
        return super().__enter__()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        for layer in self._layers:
            del vars(layer)["forward"]
            if id(layer) in self._own:
                vars(layer)["forward"] = self._own[id(layer)]

    def _noted(self, layer: Layer, forward: Callable[..., Any]) -> Callable[..., Any]:
        key = id(layer)

        @wraps(forward)
        def noted(*inputs: Any, **options: Any) -> Any:
            self._inside.append(key)
            try:
                y = forward(*inputs, **options)
            finally:
                self._inside.pop()
            self.counts[key] = self.counts.get(key, 0) + 1
            self.outputs[key] = tuple(tuple(v.shape) for v in tree_leaves(y) if hasattr(v, "shape"))
            return y

        return noted

    def call(self, function: Function, inputs: tuple[Any, ...]) -> Any:
        ys = super().call(function, inputs)
        if self._inside and not isinstance(function, ViewOp):
            size = sum(map(_size_of, ys if isinstance(ys, tuple) else (ys,)))
            self.sizes[self._inside[-1]] = self.sizes.get(self._inside[-1], 0) + size
        return ys


@contextmanager
def as_before(layers: list[tuple[str, Layer]]) -> Iterator[None]:
    """Begin without recurrent state; afterwards it is as it was, and so is what layers note of a call."""
    before = [
        (layer, name, vars(layer)[name])
        for _, layer in layers
        for name in ("inputs", "outputs", *layer.carried)
        if name in vars(layer)
    ]
    try:
        for _, layer in layers:
            for name in layer.carried:
                setattr(layer, name, None)
        yield
    finally:
        for _, layer in layers:
            vars(layer).pop("inputs", None)
            vars(layer).pop("outputs", None)
        for layer, name, value in before:
            setattr(layer, name, value)


def _size_of(x: Any) -> int:
    """The bytes of an array, or of that in a Variable."""
    array = as_array(x) if isinstance(x, Variable) else x
    itemsize = getattr(array.dtype, "itemsize", None)
    if itemsize is None:  # a dtype of the standard, which has a name only
        itemsize = np.dtype(str(array.dtype).rpartition(".")[2]).itemsize
    return int(np.prod(array.shape, dtype=np.int64)) * int(itemsize)
