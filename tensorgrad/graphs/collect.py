"""A graph as data: its ops and leaves, what they give, and how they hang together."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.core.alias import ViewOp
from tensorgrad.core.function import Function
from tensorgrad.core.node import Edge, Leaf, Spec, uncut
from tensorgrad.core.variable import Parameter, Variable
from tensorgrad.graphs import page, svg
from tensorgrad.graphs.notes import Note, Scope


class Value(NamedTuple):
    """What a node gives: bytes are None where the array library does not say how large an element is."""

    name: str | None
    shape: tuple[int, ...]
    dtype: str
    bytes: int | None


@dataclass(frozen=True)
class Node:
    """An op, or a leaf: a Variable that no op made.

    Attributes
    ----------
    name : str
        The name of the op's class, or that of the Variable (which may be empty).
    kind : {'op', 'leaf', 'parameter'}
    formula : str
        What the op says of itself.
    inputs : tuple
        For each input the place of its node in the graph's `nodes` and which of its outputs it is; None for a
        constant.
    outputs : tuple of Value
    generation : int
        -1 for a leaf.
    kept : int
        Bytes of the arrays that are kept now for the backward. What several ops keep counts for each of them.
    is_view : bool
        Whether the result shares the memory of the first input.
    note : Note or None
        What `annotate` saw.
    """

    name: str
    kind: str
    formula: str
    inputs: tuple[tuple[int, int] | None, ...]
    outputs: tuple[Value, ...]
    generation: int
    kept: int = 0
    is_view: bool = False
    note: Note | None = None

    @property
    def path(self) -> str:
        """The layers and groups around an op, from the outside: ``'MLP/l0'``."""
        names = []
        scope: Scope | None = None if self.note is None else self.note.scope
        while scope is not None:
            names.append(scope.name)
            scope = scope.outer
        return "/".join(reversed(names))


class Graph:
    """The graph that Variables were computed with, to look at. Jupyter shows it as a picture.

    It is what the graph was when it was taken: a backward that frees arrays afterwards does not show. What
    was computed within `annotate` shows the lines of the program, the layers and the times too. Constants
    are not part of a graph.

    Parameters
    ----------
    output : Variable, or several

    Attributes
    ----------
    nodes : tuple of Node
        Each after those that it depends on.
    outputs : tuple of (int, int)
        Where in `nodes` the outputs come from, and which of the results there they are.

    Examples
    --------
    >>> x = Variable(np.array([1.0, 2.0]), name="x")
    >>> graph = tg.graphs.Graph(F.sum(F.tanh(x)))
    >>> graph
    <Graph of 2 ops and 1 leaf>
    >>> [(node.name, node.outputs[0].shape) for node in graph.nodes]
    [('x', (2,)), ('Tanh', (2,)), ('Sum', ())]
    """

    def __init__(self, output: Variable | Iterable[Variable]) -> None:
        ends = [_end(y) for y in ([output] if isinstance(output, Variable) else output)]
        found = _above(ends)
        places = {node: i for i, node in enumerate(found)}
        self.nodes = tuple(_described(node, places) for node in found)
        self.outputs = tuple((places[node], index) for node, index in ends)

    @property
    def ops(self) -> tuple[Node, ...]:
        """Those of the nodes that compute something."""
        return tuple(node for node in self.nodes if node.kind == "op")

    def svg(self) -> str:
        """The picture as text in SVG: every op and leaf, the inputs above. It needs no other program.

        For more than some hundred ops `page` serves better.
        """
        return svg.draw(self)

    def page(self, path: str | PathLike[str], title: str = "Graph") -> page.Page:
        """Write a page to look around in: zoom, pan, fold layers up, look for ops, click them for details.

        Parameters
        ----------
        path : str or path
            An HTML file. It holds all that it needs, and asks the network for nothing. It contains the lines
            of source that `annotate` saw, with their paths.
        title : str, default 'Graph'

        Returns
        -------
        Page
            Jupyter shows it; ``path`` is the file.
        """
        return page.write(self, path, title)

    def _repr_svg_(self) -> str | None:
        return self.svg() if len(self.nodes) <= svg.MOST else None

    def __repr__(self) -> str:
        ops = len(self.ops)
        leaves = len(self.nodes) - ops
        text = f"{ops:,} op{'s'[: ops != 1]} and {leaves:,} lea{'f' if leaves == 1 else 'ves'}"
        hint = (
            "" if len(self.nodes) <= svg.MOST else "; its .page('graph.html') is a picture to look around in"
        )
        return f"<Graph of {text}{hint}>"


def _end(y: Variable) -> Edge:
    if y._node is not None:
        return uncut((y._node, y._index))
    if y.data is None:  # to be filled in later
        return Leaf(y, ((), "no data yet")), 0
    return Leaf(y, (y.shape, y.dtype)), 0


def _above(ends: list[Edge]) -> list[Function | Leaf]:
    """All nodes that are needed for some, each after its inputs. Nothing recurses: graphs may be deep."""
    met: dict[Function | Leaf, None] = {}
    stack: list[Function | Leaf] = [node for node, _ in reversed(ends)]
    while stack:
        node = stack.pop()
        if node in met:
            continue
        met[node] = None
        if isinstance(node, Function):
            stack += [uncut(edge)[0] for edge in reversed(node.edges) if edge is not None]
    return sorted(met, key=lambda node: node.generation)


def _described(node: Function | Leaf, places: dict[Function | Leaf, int]) -> Node:
    names = node.names or {}
    shown = len(node.specs) - (0 if isinstance(node, Leaf) else node.hidden)
    outputs = tuple(_value(names.get(i), spec) for i, spec in enumerate(node.specs[:shown]))
    if isinstance(node, Leaf):
        kind = "parameter" if isinstance(node.variable(), Parameter) else "leaf"
        return Node(outputs[0].name or "", kind, "", (), outputs, -1)
    inputs: list[tuple[int, int] | None] = []
    for edge in node.edges:
        if edge is not None:
            above, index = uncut(edge)
            inputs.append((places[above], index))
        else:
            inputs.append(None)
    arrays = [*(node.saved or ()), *node.kept]
    return Node(
        name=type(node).__name__,
        kind="op",
        formula=(inspect.getdoc(type(node)) or "").partition("\n\n")[0].replace("\n", " "),
        inputs=tuple(inputs),
        outputs=outputs,
        generation=node.generation,
        kept=sum(_bytes(a.shape, a.dtype) or 0 for a in arrays if hasattr(a, "dtype")),
        is_view=isinstance(node, ViewOp),
        note=node.note,
    )


def _value(name: str | None, spec: Spec) -> Value:
    shape, dtype = spec
    return Value(name, tuple(shape), str(dtype).rpartition(".")[2], _bytes(shape, dtype))


def _bytes(shape: tuple[int, ...], dtype: Any) -> int | None:
    size = getattr(dtype, "itemsize", None)
    if size is None:  # a dtype of the standard, which has a name only
        try:
            size = np.dtype(str(dtype).rpartition(".")[2]).itemsize
        except TypeError:
            return None
    return prod(shape) * int(size)
