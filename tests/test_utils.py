"""The tools of `tensorgrad.utils`: graph pictures, and gradient checks under the book's names."""

from __future__ import annotations

import logging
import re
import shutil

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Function, Op, Variable, utils
from tensorgrad import functions as F
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy

needs_graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


def leaf(values, name=None, dtype=np.float64):
    return Variable(np.array(values, dtype=dtype), name=name)


def ovals(text: str) -> list[str]:
    return re.findall(r'^v\d+ \[label="(.*)", color=orange, style=filled\]$', text, re.MULTILINE)


def boxes(text: str) -> list[str]:
    pattern = r'^f\d+ \[label="(.*)", color=lightblue, style=filled, shape=box\]$'
    return re.findall(pattern, text, re.MULTILINE)


def arrows(text: str) -> list[tuple[str, str]]:
    """The arrows, between the labels of what they join."""
    labels = dict(re.findall(r'^(\w+) \[label="(.*?)", color', text, re.MULTILINE))
    ends = re.findall(r"^(\w+) -> (\w+)$", text, re.MULTILINE)
    return sorted((labels[a], labels[b]) for a, b in ends)


# -- the text ------------------------------------------------------------------------------------


def test_functions_are_boxes_and_variables_are_orange_ovals():
    x, w = leaf([1.0, 2.0], "x"), leaf(3.0, "w")
    y = F.sin(w * x**2 - x)
    y.name = "y"
    text = utils.get_dot_graph(y, verbose=False)
    assert text.startswith("digraph g {\n")
    assert text.endswith("\n}")
    assert sorted(boxes(text)) == ["Mul", "Pow", "Sin", "Sub"]
    assert sorted(ovals(text)) == ["", "", "", "w", "x", "y"]
    assert arrows(text) == sorted(
        [
            *(("x", "Pow"), ("Pow", ""), ("w", "Mul"), ("", "Mul"), ("Mul", "")),
            *(("", "Sub"), ("x", "Sub"), ("Sub", ""), ("", "Sin"), ("Sin", "y")),
        ]
    )


def test_verbose_shows_shapes_and_dtypes_of_values_that_are_gone():
    x = leaf([[1.0, 2.0]], "x", np.float32)
    t = F.broadcast_to(x, (3, 2))
    t.name = "t"
    y = F.sum(t)
    del t
    assert sorted(ovals(utils.get_dot_graph(y))) == [
        "() float32",
        "t: (3, 2) float32",
        "x: (1, 2) float32",
    ]
    assert sorted(ovals(utils.get_dot_graph(y, verbose=False))) == ["", "t", "x"]


def test_a_dead_leaf_keeps_its_name():
    y = leaf(1.0, "gone") + 1.0
    assert sorted(ovals(utils.get_dot_graph(y))) == ["() float64", "gone: () float64"]


def test_a_name_given_late_is_shown():
    x = leaf(1.0)
    y = x * x
    x.name, y.name = "late", "later"
    assert sorted(ovals(utils.get_dot_graph(y, verbose=False))) == ["late", "later"]


def test_shared_inputs_are_drawn_once():
    x = leaf(2.0, "x")
    a = x * x
    text = utils.get_dot_graph(a + a, verbose=False)
    assert sorted(ovals(text)) == ["", "", "x"]
    assert arrows(text) == [("", "Add")] * 2 + [("Add", "")] + [("Mul", "")] + [("x", "Mul")] * 2


def test_several_outputs():
    x = leaf(2.0, "x")
    a, b = F.sin(x), F.tanh(x)
    a.name, b.name = "a", "b"
    text = utils.get_dot_graph([a, b], verbose=False)
    assert sorted(ovals(text)) == ["a", "b", "x"]
    assert arrows(text) == [("Sin", "a"), ("Tanh", "b"), ("x", "Sin"), ("x", "Tanh")]
    assert text.count("digraph") == 1


def test_a_function_of_several_outputs():
    class Halves(Function):
        def forward(self, x):
            return x[:1], x[1:]

    x = leaf([1.0, 2.0], "x")
    first, second = Halves()(x)
    first.name, second.name = "first", "second"
    text = utils.get_dot_graph(first, verbose=False)
    assert sorted(ovals(text)) == ["first", "second", "x"]
    assert arrows(text) == [("Halves", "first"), ("Halves", "second"), ("x", "Halves")]


def test_hidden_outputs_are_not_drawn():
    class WithHidden(Op):
        hidden = 1

        def forward(self, x):
            return x * 1.0, x * 2.0

    y = WithHidden()(leaf(1.0, "x"))
    assert sorted(ovals(utils.get_dot_graph(y, verbose=False))) == ["", "x"]


def test_a_variable_alone():
    assert ovals(utils.get_dot_graph(leaf([1.0, 2.0], "x"))) == ["x: (2,) float64"]
    assert ovals(utils.get_dot_graph(Variable(None, name="empty"))) == ["empty"]
    with tg.no_grad():
        y = leaf(1.0) * 2.0
    text = utils.get_dot_graph(y)
    assert ovals(text) == ["() float64"]
    assert boxes(text) == []


def test_the_recorded_graph_of_a_gradient():
    x = leaf(1.0, "x")
    y = F.tanh(x)
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.name = "gx"
    text = utils.get_dot_graph(gx, verbose=False)
    assert "Tanh" in boxes(text)
    assert "gx" in ovals(text)
    assert ovals(text).count("x") == 1


def test_unchained_values_are_drawn_as_leaves():
    x = leaf(2.0, "x")
    t = x * x
    t.name = "t"
    y = t + 1.0
    t.unchain()
    text = utils.get_dot_graph(y, verbose=False)
    assert sorted(ovals(text)) == ["", "t"]
    assert boxes(text) == ["Add"]


def test_labels_are_escaped():
    x = leaf(1.0, 'say "x\\y"\nor z')
    (label,) = ovals(utils.get_dot_graph(x, verbose=False))
    assert label == 'say \\"x\\\\y\\"\\nor z'


def test_a_deep_graph():
    y = leaf(1.0)
    for _ in range(100_000):
        y = -y
    text = utils.get_dot_graph(y, verbose=False)
    assert text.count("Neg") == 100_000


def test_on_every_backend(var):
    y = F.sin(var([1.0, 2.0], name="x"))
    text = utils.get_dot_graph(y)
    assert boxes(text) == ["Sin"]
    assert all("(2,) " in label and "float64" in label for label in ovals(text))


# -- pictures ------------------------------------------------------------------------------------

STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@needs_graphviz
@pytest.mark.parametrize("kind", STARTS)
def test_plot_dot_graph(tmp_path, kind):
    x = leaf(1.0, 'the "x"')
    path = tmp_path / f"graph.{kind}"
    picture = utils.plot_dot_graph(F.sin(x) * x, to_file=path)
    assert path.read_bytes().startswith(STARTS[kind])
    assert picture.path == path
    shown = {
        "png": picture._repr_png_(),
        "svg": picture._repr_svg_(),
        "pdf": picture._repr_pdf_(),
    }
    assert [k for k, content in shown.items() if content is not None] == [kind]
    content = shown[kind]
    assert (content.encode() if kind == "svg" else content) == path.read_bytes()
    assert repr(picture) == f"Picture({str(path)!r})"


@needs_graphviz
def test_plot_dot_graph_writes_graph_png_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    utils.plot_dot_graph(leaf(1.0, "x") * 2.0)
    assert (tmp_path / "graph.png").exists()


def test_the_text_in_a_file_needs_no_graphviz(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    y = leaf(1.0, "größe") * 2.0
    picture = utils.plot_dot_graph(y, verbose=False, to_file=str(tmp_path / "graph.dot"))
    assert picture.path.read_text(encoding="utf-8") == utils.get_dot_graph(y, verbose=False) + "\n"
    assert picture._repr_png_() is None


def test_without_graphviz_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    expected = (
        "plot_dot_graph: the program 'dot' of Graphviz was not found. Install Graphviz "
        "(apt install graphviz, brew install graphviz, conda install graphviz, "
        "winget install graphviz), or write an .html or a .dot file: these need no program, and neither "
        "does get_dot_graph(output), which gives the text."
    )
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(expected)}$"):
        utils.plot_dot_graph(leaf(1.0), to_file=tmp_path / "graph.png")


def test_a_file_without_an_ending(tmp_path):
    path = tmp_path / "graph"
    wanted = ".png, .svg, .pdf, .html or .dot"
    expected = f"plot_dot_graph: expected to_file to end with {wanted}; got {str(path)!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        utils.plot_dot_graph(leaf(1.0), to_file=path)


@needs_graphviz
def test_a_format_that_graphviz_does_not_write(tmp_path):
    with pytest.raises(ValueError, match=r'^plot_dot_graph: Graphviz says: Format: "docx" not rec'):
        utils.plot_dot_graph(leaf(1.0), to_file=tmp_path / "graph.docx")


# -- checks under the book's names ---------------------------------------------------------------


def test_array_equal_and_array_allclose(var):
    assert utils.array_equal(var([1.0, 2.0]), np.array([1.0, 2.0]))
    assert not utils.array_equal(var([1.0, 2.0]), [1.0, 2.5])
    assert not utils.array_equal(var([1.0, 2.0]), [[1.0, 2.0]])
    assert utils.array_allclose(var([1.0, 2.0]), var([1.00001, 2.0]))
    assert not utils.array_allclose(var([1.0, 2.0]), var([1.001, 2.0]))
    assert utils.array_allclose(var([1.0, 2.0]), var([1.001, 2.0]), rtol=1e-2)
    assert utils.array_allclose(0.0, 1e-6)
    assert not utils.array_allclose(0.0, 1e-4)
    assert utils.array_equal(np.ones(2).data, [1.0, 1.0])  # what .data of a NumPy array is
    assert type(utils.array_equal(1, 1)) is bool
    assert type(utils.array_allclose(1, 1)) is bool


def test_numerical_grad(var):
    grad = utils.numerical_grad(F.pow, var([1.0, 2.0]), 3)
    assert_close(grad, [3.0, 12.0], rtol=1e-8)
    grad = utils.numerical_grad(F.sum, var([[1.0, 2.0]]), axis=0)
    assert_close(grad, [[1.0, 1.0]], rtol=1e-8)


class WrongSecond(Function):
    """A product with a wrong gradient in its second input."""

    def forward(self, a, b):
        return a * b

    def backward(self, gy):
        a, b = self.inputs
        return gy * b, gy * a * 1.01


def wrong_second(a, b):
    return WrongSecond()(a, b)


def test_gradient_check(var):
    assert utils.gradient_check(F.sin, var([1.0, 2.0])) is True
    assert utils.gradient_check(F.sin, var([1.0, 2.0], np.float32)) is True
    assert utils.gradient_check(F.mul, var([1.0, 2.0]), var([3.0, 4.0])) is True
    assert utils.gradient_check(F.mul, var([1.0, 2.0]), 3.0) is True
    assert utils.gradient_check(F.reshape, var([1.0, 2.0]), (2, 1)) is True
    assert utils.gradient_check(F.sum, var([[1.0, 2.0]]), axis=0, keepdims=True) is True
    assert utils.gradient_check(lambda x: x**2, np.array([1.0, 2.0])) is True


def test_gradient_check_sees_every_input_and_logs_what_differs(var, caplog):
    """The one of the book looks at the first input only."""
    with caplog.at_level(logging.WARNING):
        assert utils.gradient_check(wrong_second, var([1.0]), var([2.0])) is False
    assert "gradient of input 1, index (0,): expected" in caplog.text
    assert utils.gradient_check(wrong_second, var([1.0]), 2.0) is True
    assert utils.gradient_check(wrong_second, var([1.0]), var([2.0]), rtol=0.1) is True


def test_gradient_check_leaves_its_inputs_as_they_are(var):
    x = var([1.0, 2.0], np.float32)
    assert utils.gradient_check(F.sin, x)
    assert to_numpy(x).dtype == np.float32
    assert x.grad is None


def test_gradient_check_takes_integers_in_float64_as_the_book_does(var):
    x = var([[1, 2, 3], [4, 5, 6]], int)
    assert utils.gradient_check(F.transpose, x) is True
    assert utils.gradient_check(F.get_item, x, (0, 1)) is True
    assert "int" in str(x.dtype)


def test_gradient_check_catches_what_a_cotangent_of_ones_does_not(var):
    """The book's check sums the outputs: errors that cancel in the sum pass it."""

    class Swapped(Function):
        def forward(self, x):
            return x * 1.0

        def backward(self, gy):
            return gy[::-1]

    assert utils.gradient_check(Swapped(), var([1.0, 2.0])) is False


def test_gradient_check_passes_keywords_and_leaves_constants_alone(var):
    c = var([3.0, 4.0], requires_grad=False)
    assert utils.gradient_check(lambda x, c, power=1: x**power * c, var([1.0, 2.0]), c, power=3) is True
    assert c.grad is None


def test_logsumexp(backend):
    x = np.random.default_rng(0).standard_normal((2, 3, 4)) * 500
    for axis in (1, -1, (0, 2)):
        got = utils.logsumexp(backend.from_numpy(x), axis)
        assert isinstance(got, backend.array_types)
        want = np.logaddexp.reduce(x, axis=axis, keepdims=True)
        np.testing.assert_allclose(to_numpy(got), want, rtol=1e-12)
    assert utils.logsumexp(backend.from_numpy(x[0].astype("f"))).shape == (3, 1)
