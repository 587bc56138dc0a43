"""Draws the pictures of the explanation: graphs as they are, and the memory of a step as it was measured."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad.layers import Linear

BLUE, ORANGE = "#2a5d8f", "#c8641e"


def graph() -> str:
    """A graph that branches at its leaf."""
    x = tg.Variable(np.array([1.0, 2.0]), name="x")
    return tg.graphs.Graph(F.sum(F.tanh(x) * x)).svg()


def second() -> str:
    """The graph that a recorded backward makes."""
    x = tg.Variable(np.array([1.0, 2.0]), name="x")
    F.sum(F.tanh(x)).backward(create_graph=True)
    assert x.grad is not None
    return tg.graphs.Graph(x.grad).svg()


def held(through: Callable[[Linear, Any], Any]) -> list[float]:
    """MB that are held after each layer of a forward, and after the backward of each: of NumPy's arrays."""
    layers = [Linear(200, in_size=200) for _ in range(8)]
    h = np.ones((2000, 200), np.float32)
    found = []

    def note(_: Any = None) -> None:
        found.append(tracemalloc.get_traced_memory()[0] / 1e6)

    for layer in layers:
        layer.W.on_grad(note)
    tracemalloc.start()
    note()
    for layer in layers:
        h = through(layer, h)
        note()
    F.sum(h).backward()
    tracemalloc.stop()
    return found


def memory() -> str:
    """What a step holds, with and without checkpoints."""
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    plain = held(lambda layer, h: F.gelu(layer(h)))
    again = held(lambda layer, h: tg.checkpoint(lambda v: F.gelu(layer(v)), h))
    axes.plot(plain, color=BLUE, marker="o", markersize=3, label="as it is")
    axes.plot(again, color=ORANGE, marker="o", markersize=3, label="a checkpoint around each layer")
    axes.axvline(8, color="#999999", linewidth=0.8)
    axes.set(xlabel="layers: forward to 8, then backward", ylabel="MB held", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def write(folder: Path) -> None:
    """Draw them all."""
    for draw in (graph, second, memory):
        (folder / f"{draw.__name__}.svg").write_text(draw(), encoding="utf-8")
