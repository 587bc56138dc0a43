"""Graphs as data and as pictures, and the notes of lines, layers and times in them."""

from __future__ import annotations

import json
import re
import weakref
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Function, Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import models as M
from tensorgrad.core import watch
from tensorgrad.graphs import Graph, annotate
from tensorgrad.graphs.layout import Cell, arrange

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def _nothing_is_left():
    call, of_layers = Function.__call__, tg.Layer.__call__
    yield
    assert Function.__call__ is call
    assert tg.Layer.__call__ is of_layers
    assert not watch._entered


def data_of(path: Path) -> dict:
    """What a page has of its graph."""
    (text,) = re.findall(
        r'<script type="application/json" id="graph">(.*?)</script>', path.read_text("utf-8"), re.DOTALL
    )
    return json.loads(text)


def boxes(data: dict, i: int) -> list[str]:
    """The names of the boxes around a node, from the outside."""
    names, group = [], data["nodes"][i]["group"]
    while group is not None:
        names.insert(0, data["groups"][group]["name"])
        group = data["groups"][group]["outer"]
    return names


# -- the data ------------------------------------------------------------------------------------


def test_nodes_come_after_their_inputs_and_say_what_they_are(var):
    x, w = var(np.ones((2, 3)), name="x"), tg.Parameter(var(np.ones(3)).data, name="w")
    y = F.sum(F.tanh(x * w), axis=0)
    y.name = "y"
    graph = Graph(y)
    assert {(node.name, node.kind) for node in graph.nodes[:2]} == {("x", "leaf"), ("w", "parameter")}
    assert [node.name for node in graph.ops] == ["Mul", "Tanh", "Sum"]
    for i, node in enumerate(graph.nodes):
        assert all(at is None or at[0] < i for at in node.inputs)
    mul, tanh, last = graph.ops
    assert (mul.outputs[0].shape, mul.outputs[0].dtype, mul.outputs[0].bytes) == ((2, 3), "float64", 48)
    assert (mul.kept, tanh.kept) == (48 + 24, 48)
    assert last.outputs[0].name == "y"
    assert graph.outputs == ((4, 0),)
    assert tanh.formula == "``y = tanh(x)``."
    y.backward()
    assert [node.kept for node in Graph(y).ops] == [0, 0, 0]
    assert mul.kept == 72, "a graph is what it was when it was taken"


def test_views_several_outputs_constants_and_hidden_outputs():
    class Halves(Function):
        def forward(self, x):
            return x[:1], x[1:]

    x = Variable(np.ones(2), name="x")
    a, b = Halves()(x * np.array([1.0, 2.0]))
    graph = Graph([b, F.reshape(a, (1, 1))])
    mul, halves, reshape = graph.ops
    assert mul.inputs == ((0, 0), None)
    assert [value.shape for value in halves.outputs] == [(1,), (1,)]
    assert (reshape.is_view, mul.is_view) == (True, False)
    assert graph.outputs == ((2, 1), (3, 0))


def test_leaves_alone_and_what_was_unchained():
    x = Variable(np.ones(2), name="x")
    t = x * 2.0
    y = t + 1.0
    t.unchain()
    assert [node.name for node in Graph(y).nodes] == ["", "Add"]
    assert [(n.name, n.outputs[0].shape) for n in Graph(Variable(np.ones(2), name="v")).nodes] == [
        ("v", (2,))
    ]
    assert [node.outputs[0].dtype for node in Graph(Variable(None, name="v")).nodes] == ["no data yet"]


def test_what_it_says_of_itself():
    x = Variable(np.ones(2))
    assert repr(Graph(F.exp(x))) == "<Graph of 1 op and 1 leaf>"
    y = x
    for _ in range(500):
        y = -y * Variable(np.ones(2))
    text = "<Graph of 1,000 ops and 501 leaves; its .page('graph.html') is a picture to look around in>"
    assert repr(Graph(y)) == text
    assert Graph(y)._repr_svg_() is None


def test_a_deep_graph():
    y = Variable(np.array(1.0))
    for _ in range(20_000):
        y = -y
    assert len(Graph(y).nodes) == 20_001


# -- notes ---------------------------------------------------------------------------------------


class Net(tg.Model):
    """Layers within layers, and one that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = M.Sequential(L.Linear(4, in_size=3), F.relu)
        self.parts = L.LayerList([L.Linear(4, in_size=4)])

    def forward(self, x):
        h = self.inner(x)
        return self.parts[0](F.tanh(self.parts[0](h)))


def test_layers_lines_and_times():
    with annotate():
        y = F.sum(Net()(X))
        y.backward(retain_graph=True)
    graph = Graph(y)
    assert [(node.name, node.path) for node in graph.ops] == [
        ("Linear", "Net/inner/l0"),
        ("ReLU", "Net/inner"),
        ("Linear", "Net/parts/0"),
        ("Tanh", "Net"),
        ("Linear", "Net/parts/0"),
        ("Sum", ""),
    ]
    first, *_, last = [node.note for node in graph.ops]
    assert re.fullmatch(r".*test_graphs\.py:\d+: h = self\.inner\(x\)", first.line)
    assert re.fullmatch(r".*test_graphs\.py:\d+: y = F\.sum\(Net\(\)\(X\)\)", last.line)
    assert all(node.note.forward > 0 and node.note.backward > 0 for node in graph.ops)
    assert {node.note.order for node in graph.ops} == {0}


def test_outside_of_the_block_nothing_is_noted():
    with annotate():
        pass
    assert [node.note for node in Graph(Net()(X)).ops] == [None] * 5
    with pytest.raises(ZeroDivisionError), annotate():
        raise ZeroDivisionError


def test_derivatives_are_under_the_layer_that_they_are_of():
    model = Net()
    with annotate():
        y = F.sum(model(X) ** 2)
        y.backward(create_graph=True)
        g = F.sum(model.inner[0].W.grad ** 2)
        model.cleargrads()
        g.backward(create_graph=True)
    graph = Graph(F.sum(model.inner[0].W.grad))
    orders = {node.note.order for node in graph.ops if node.note}
    assert orders == {0, 1, 2}
    first = [node for node in graph.ops if node.note and node.note.order == 1]
    assert "Net/inner/l0" in {node.path for node in first}
    by_note = {id(node.note): node.name for node in graph.ops if node.note}
    assert {"Linear", "Tanh", "ReLU"} <= {by_note.get(id(node.note.cause)) for node in first}
    assert {node.note.line.rpartition(": ")[2] for node in first} == {
        "y.backward(create_graph=True)",
        "g.backward(create_graph=True)",  # of what the program computed from the first
    }
    second = [node for node in graph.ops if node.note and node.note.order == 2]
    assert all(node.note.line.endswith("g.backward(create_graph=True)") for node in second)


def test_groups_of_ones_own():
    x = Variable(np.ones(3))
    with annotate() as notes:
        with notes.group("outer"), notes.group("inner"):
            y = F.exp(x)
        z = y * 2.0
    assert [node.path for node in Graph(z).ops] == ["outer/inner", ""]


def test_notes_keep_no_array():
    x = Variable(np.ones(1000))
    with annotate():
        h = F.tanh(x)
        y = F.sum(h + 1.0)
        of_h = weakref.ref(h.data)
        del h
        F.sum(y * y).backward(create_graph=True)
        del y
        x.cleargrad()
    assert of_h() is None


def test_results_are_those_without_notes(var):
    plain, noted = var([0.5, -1.0]), var([0.5, -1.0])
    F.sum(F.exp(plain) * plain).backward()
    with annotate(synchronize=True):
        F.sum(F.exp(noted) * noted).backward()
    assert tg.utils.array_equal(plain.grad, noted.grad)


def test_beside_other_watchers():
    with tg.profile() as p, annotate(), tg.debug():
        y = Net()(X)
    assert [row.forward_calls for row in p.rows() if row.name == "Linear"] == [3]
    assert Graph(y).ops[0].path == "Net/inner/l0"


# -- the page ------------------------------------------------------------------------------------


def test_the_page_has_the_graph_in_boxes(tmp_path):
    model = Net()
    with annotate():
        y = F.sum(model(X))
    page = Graph(y).page(tmp_path / "graph.html", title="Net")
    assert page.path == tmp_path / "graph.html"
    assert repr(page) == f"Page({str(page.path)!r})"
    data = data_of(page.path)
    named = [(node["name"], boxes(data, i)) for i, node in enumerate(data["nodes"])]
    assert named[4:] == [
        ("Linear", ["Net", "inner", "l0"]),
        ("ReLU", ["Net", "inner"]),
        ("Linear", ["Net", "parts/0"]),
        ("Tanh", ["Net"]),
        ("Linear", ["Net", "parts/0 (2)"]),
        ("Sum", []),
    ]
    assert sorted(named[:4]) == [
        ("W", ["Net"]),
        ("W", ["Net", "inner", "l0"]),
        ("b", ["Net"]),
        ("b", ["Net", "inner", "l0"]),
    ]
    (node,) = [node for node in data["nodes"] if node["name"] == "Tanh"]
    assert node["outputs"] == [[None, [5, 4], "float32", 80]]
    assert data["lines"][node["line"]].endswith("return self.parts[0](F.tanh(self.parts[0](h)))")
    assert node["forward"] > 0
    assert "backward" not in node


def test_derivatives_have_a_box_of_their_own(tmp_path):
    model = Net()
    with annotate():
        F.sum(model(X) ** 2).backward(create_graph=True)
    data = data_of(Graph(model.inner[0].W.grad).page(tmp_path / "graph.html").path)
    around = {tuple(boxes(data, i)) for i in range(len(data["nodes"]))}
    assert ("derivative 1", "Net", "inner") in around
    assert ("Net", "inner") in around
    causes = [node["cause"] for node in data["nodes"] if "cause" in node]
    assert causes
    assert all(data["nodes"][i]["kind"] == "op" for i in causes)


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>@GRAPH@\u2028\ud800"


def test_names_are_no_markup(tmp_path):
    x = Variable(np.ones(2), name=EVIL)
    path = tmp_path / "graph.html"
    Graph(x * 2.0).page(path, title=EVIL)
    text = path.read_text("utf-8", errors="surrogateescape")
    assert "<script>alert" not in text
    assert "<img" not in text
    assert text.count("</script>") == 2
    svg = Graph(x * 2.0).svg()
    assert "<script" not in svg
    assert "<img" not in svg


def test_the_page_asks_for_nothing(tmp_path):
    page = Graph(F.exp(Variable(np.ones(2)))).page(tmp_path / "graph.html")
    text = page.path.read_text("utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|\bsrc=|\bhref=|@import|url\(", text)
    html = page._repr_html_()
    assert html.startswith('<iframe sandbox="allow-scripts"')
    assert html.count("<") == 2, "the page stands within an attribute"


# -- SVG -----------------------------------------------------------------------------------------


def test_the_picture_has_every_node_once_and_every_edge():
    model = Net()
    with annotate():
        y = F.sum(model(X) ** 2)
    root = ET.fromstring(Graph(y)._repr_svg_())
    inside = "{http://www.w3.org/2000/svg}"
    texts = [e.text for e in root.iter(f"{inside}text")]
    assert [texts.count(name) for name in ("Linear", "ReLU", "Tanh", "Pow", "Sum")] == [3, 1, 1, 1, 1]
    assert texts.count("W") == 3, "a parameter is drawn beside each op that uses it"
    heads = [e for e in root.iter(f"{inside}path") if e.get("class") == "head"]
    assert len(heads) == 6
    assert root.get("aria-label").startswith("A graph of 7 ops: Linear, ReLU, Linear, Tanh")


def test_cells_do_not_overlap_and_edges_go_down():
    rng = np.random.default_rng(0)
    cells = [Cell(*rng.uniform(5, 40, 2), 20.0) for _ in range(60)]
    edges = [(int(a), b) for b in range(1, 60) for a in set(rng.integers(max(0, b - 9), b, 2))]
    courses, width, height = arrange(cells, edges)
    for (a, b), course in zip(edges, courses, strict=True):
        assert (course[0], course[-1]) == (cells[a], cells[b])
        assert all(one.y + one.height < two.y for one, two in pairwise(course))
    everything = {cell for course in courses for cell in course} | set(cells)
    for layer in {cell.layer for cell in everything}:
        row = sorted((c for c in everything if c.layer == layer), key=lambda c: c.x)
        for one, two in pairwise(row):
            assert one.x + one.right < two.x - two.left
    assert min(c.x - c.left for c in everything) == pytest.approx(0)
    assert max(c.x + c.right for c in everything) == pytest.approx(width)
    assert max(c.y + c.height for c in everything) == pytest.approx(height)


def test_a_chain_is_straight():
    cells = [Cell(10.0 + i, 10.0, 20.0) for i in range(5)]
    arrange(cells, [(i, i + 1) for i in range(4)])
    assert {round(cell.x, 6) for cell in cells} == {14.0}


# -- under the names of the book -----------------------------------------------------------------


def test_plot_dot_graph_and_plot_write_pages(tmp_path):
    page = tg.utils.plot_dot_graph(F.exp(Variable(np.ones(2))), to_file=tmp_path / "graph.html")
    assert [node["name"] for node in data_of(page.path)["nodes"]] == ["", "Exp"]
    page = Net().plot(X, to_file=tmp_path / "model.html")
    data = data_of(page.path)
    assert data["title"] == "Net"
    assert boxes(data, len(data["nodes"]) - 1) == ["Net", "parts/0 (2)"]
