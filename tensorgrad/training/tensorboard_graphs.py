"""The graph of a model as TensorBoard shows it: ops in the boxes of their layers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tensorgrad.core import test_mode, using_config
from tensorgrad.core.tree import tree_leaves
from tensorgrad.core.variable import Variable
from tensorgrad.graphs import Graph, annotate
from tensorgrad.graphs.collect import Node
from tensorgrad.layers import Layer
from tensorgrad.models.summary import as_before


def graph_of(model: Layer, example: Any) -> Any:
    """One forward at test time as a ``GraphDef`` of TensorFlow's.

    A node's name is the path of layers around it, its op and a number: ``MLP/l0/Linear_4``. Parameters are
    called by their paths in the model.

    Parameters
    ----------
    model : Layer
    example : array, or tuple of arrays
        What the model is called with.
    """
    arguments = example if isinstance(example, tuple) else (example,)
    layers = list(model._layers())
    with as_before(layers), test_mode(), using_config("enable_backprop", True), annotate():
        ys = [y for y in tree_leaves(model(*arguments)) if isinstance(y, Variable)]
        graph = Graph(ys)
    proto = import_module("tensorboardX.proto.graph_pb2").GraphDef()
    names: list[str] = []
    for number, node in enumerate(graph.nodes):
        names.append(_name(node, number))
        made = proto.node.add(name=names[-1], op=node.name if node.kind == "op" else node.kind)
        for edge in node.inputs:
            if edge is not None:
                place, index = edge
                made.input.append(names[place] if index == 0 else f"{names[place]}:{index}")
        shapes = made.attr["_output_shapes"].list
        for value in node.outputs:
            shape = shapes.shape.add()
            for length in value.shape:
                shape.dim.add(size=length)
    return proto


def _name(node: Node, number: int) -> str:
    path = f"{node.path}/" if node.path else ""
    return f"{path}{node.name or node.kind}_{number}"
