"""What Jupyter shows of Variables, models, summaries and profiles."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F

X = np.ones((4, 3), np.float32)


def text_of(html: str) -> str:
    """The text in markup, which is well-formed."""
    return "".join(ET.fromstring(f"<div>{html}</div>").itertext())


def rows_of(html: str) -> list[list[str]]:
    root = ET.fromstring(f"<div>{html}</div>")
    return [[cell.text or "" for cell in row] for row in root.iter("tr")]


# -- Variables -----------------------------------------------------------------------------------


def test_a_variable_says_what_it_is(var):
    x = var([[1.0, 2.0]], name="x")
    text = text_of(x._repr_html_())
    assert text.startswith("x shape (1, 2) · float64 · ")
    assert "a leaf, Variable · requires a gradient, has none" in text
    assert re.search(r"1\. +2\.", text)
    y = F.sum(F.tanh(x))
    assert "made by Sum" in text_of(y._repr_html_())
    y.backward(create_graph=True)
    assert "has a gradient, which can be differentiated" in text_of(x._repr_html_())
    x.cleargrad()
    F.sum(x * 2.0).backward()
    assert "has a gradient[" in text_of(x._repr_html_())
    assert x.backend.name in text


def test_variables_of_other_kinds():
    assert text_of(Variable(None, name="later")._repr_html_()) == "later Variable without data"
    assert "requires no gradient" in text_of(Variable(np.array([True]))._repr_html_())
    assert "a leaf, Parameter" in text_of(tg.Parameter(np.array(1.0))._repr_html_())
    assert "3.0" in text_of(Variable(np.array(3.0))._repr_html_())
    assert text_of(Variable(np.ones((0, 3)))._repr_html_()).endswith("[]")


def test_names_are_no_markup():
    html = Variable(np.ones(2), name="<script>alert(1)</script>&")._repr_html_()
    assert "<script" not in html
    assert "<script>alert(1)</script>&" in text_of(html)


@pytest.mark.parametrize("shape", [(2000,), (60, 50), (7, 8, 30), (3, 2000), (4, 4, 4, 4, 5), (1, 1500)])
def test_large_arrays_are_printed_as_numpy_prints_them(var, shape):
    values = np.arange(np.prod(shape), dtype=np.float64).reshape(shape) / 8
    x = var(values)
    wanted = str(values)
    assert repr(x) == f"variable({wanted})".replace("\n", "\n" + " " * 9)
    assert text_of(x._repr_html_()).endswith(wanted)
    with np.printoptions(threshold=5, edgeitems=1):
        assert text_of(x._repr_html_()).endswith(str(values))


def test_of_a_large_array_only_the_ends_are_fetched(var, monkeypatch):
    x = var(np.ones((1000, 1000)))
    fetched = []
    to_numpy = type(x.backend).to_numpy
    monkeypatch.setattr(
        type(x.backend), "to_numpy", lambda self, a: fetched.append(a.shape) or to_numpy(self, a)
    )
    repr(x)
    x._repr_html_()
    assert fetched == [(7, 7), (7, 7)]


def test_nothing_of_it_is_loaded_before_it_is_asked_for():
    code = """
import sys
import numpy as np
import tensorgrad as tg
x = tg.Variable(np.ones(3))
tg.functions.sum(x * x).backward()
late = {"tensorgrad.core.display", "tensorgrad.graphs", "html", "IPython"}
print(sorted(late & set(sys.modules)))
x._repr_html_()
print("tensorgrad.core.display" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]


# -- tables --------------------------------------------------------------------------------------


def test_a_model_is_a_table_of_its_layers():
    model = tg.models.MLP((8, 2))
    html = model._repr_html_()
    assert rows_of(html) == [
        ["layer", "parameters", "memory"],
        ["MLP", "", ""],
        ["l0 Linear", "?", "32 B"],
        ["l1 Linear", "?", "8 B"],
    ]
    assert "2 parameters get their size with the first call" in text_of(html)
    model(X)
    html = model._repr_html_()
    assert rows_of(html)[2:] == [["l0 Linear", "32", "128 B"], ["l1 Linear", "18", "72 B"]]
    assert text_of(html).endswith("50 parameters: 200 B")
    assert "padding-left" in html


def test_a_summary_shows_what_its_text_does():
    summary = tg.models.MLP((8, 2)).summary(X)
    html = summary._repr_html_()
    lines = repr(summary).splitlines()
    assert [row[0] for row in rows_of(html)] == ["layer", "MLP", "l0 Linear", "l1 Linear"]
    assert rows_of(html)[2] == ["l0 Linear", "(4, 8)", "32", "128 B", "128 B"]
    for line in lines[-2:]:
        assert line in text_of(html)


def test_a_profile_shows_its_rows():
    with tg.profile() as p:
        F.sum(F.tanh(Variable(np.ones(10)))).backward()
    head, *rows = rows_of(p._repr_html_())
    assert head[:3] == ["op", "calls", "forward"]
    assert {row[0] for row in rows} == {"Tanh", "Sum"}
    assert "in 4 calls of ops" in text_of(p._repr_html_())
