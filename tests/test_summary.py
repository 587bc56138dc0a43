"""Model.summary: the figures, the table, and that nothing of the model changes."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Parameter, Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import models as M
from tensorgrad.models.summary import Row
from tensorgrad.testing.arrays import to_numpy

X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


class Net(tg.Model):
    """Layers within layers, one of them twice, statistics, and a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = Parameter(np.ones(3, np.float32), name="scale")
        self.inner = M.Sequential(L.Linear(4, in_size=3), F.relu, L.BatchNorm())
        self.twice = L.Linear(4, in_size=4)
        self.unused = L.Linear(9)

    def forward(self, x):
        h = self.inner(self.scale * x)
        return self.twice(self.twice(h)), h


def row(summary, path: str) -> Row:
    (found,) = [r for r in summary.rows if r.path == path]
    return found


def test_the_figures_of_a_model(backend):
    model = Net().to(backend)
    s = model.summary(backend.from_numpy(X))
    assert [r.path for r in s.rows] == ["", "inner", "inner/l0", "inner/l2", "twice", "unused"]
    assert [r.kind for r in s.rows] == ["Net", "Sequential", "Linear", "BatchNorm", "Linear", "Linear"]
    assert [r.calls for r in s.rows] == [1, 1, 1, 1, 2, 0]
    assert row(s, "").outputs == ((5, 4), (5, 4))
    assert row(s, "twice").outputs == ((5, 4),)
    assert [r.parameters for r in s.rows] == [3, 0, 16, 16, 20, 9]
    assert [r.trained for r in s.rows] == [3, 0, 16, 8, 20, 9]
    assert row(s, "unused").open == ("W",)
    assert (s.parameters, s.trained, s.parameter_bytes) == (64, 56, 256)
    own = {r.path: r.activation_bytes for r in s.rows}
    assert own[""] == 5 * 3 * 4  # x * scale
    assert own["inner"] == own["inner/l0"] == 5 * 4 * 4  # relu; x W + b
    assert own["twice"] == 2 * 5 * 4 * 4
    assert s.activation_bytes == sum(own.values())
    assert s.input_bytes == X.nbytes


def test_the_table():
    s = Net().summary(X)
    norm = row(s, "inner/l2").activation_bytes  # as many as its ops make
    assert repr(s).splitlines() == [
        "layer               calls          output  parameters  memory  activations",
        "--------------------------------------------------------------------------",
        "Net                     1  (5, 4), (5, 4)           3    12 B         60 B",
        "  inner Sequential      1          (5, 4)                             80 B",
        "    l0 Linear           1          (5, 4)          16    64 B         80 B",
        f"    l2 BatchNorm        1          (5, 4)          16    64 B{f'{norm} B':>13}",
        "  twice Linear          2          (5, 4)          20    80 B        160 B",
        "  unused Linear         0                           ?    36 B",
        "--------------------------------------------------------------------------",
        "64 parameters, 56 of them trained: 256 B",
        f"activations: {380 + norm} B for inputs of 60 B",
        "without a size, as no call reached them: unused/W",
    ]


def test_shared_parameters_count_once():
    class Tied(tg.Model):
        def __init__(self):
            super().__init__()
            self.a = L.Linear(3, in_size=3)
            self.b = L.Linear(3, nobias=True, in_size=3)
            self.b.W = self.a.W
            self.again = self.a

        def forward(self, x):
            return self.again(self.b(self.a(x)))

    s = Tied().summary(X)
    assert s.parameters == 12
    assert [(r.path, r.parameters, r.calls) for r in s.rows] == [("", 0, 1), ("a", 12, 2), ("b", 0, 1)]


def test_several_inputs_options_and_nested_results():
    class Pair(tg.Model):
        def __init__(self):
            super().__init__()
            self.l = L.Linear(2)

        def forward(self, x, pair, *, factor):
            return {"sum": self.l(x) * factor, "rest": [pair[0], None, 3]}

    s = Pair().summary(X, (X[:1], np.ones((2, 2))), factor=np.float32(2))
    assert row(s, "").outputs == ((5, 2), (1, 3))
    assert s.input_bytes == X.nbytes + X[:1].nbytes + 32 + 4


def test_nothing_changes_but_what_any_call_fixes(backend):
    class State(tg.Model):
        def __init__(self):
            super().__init__()
            self.rnn = L.LSTM(4, in_size=3)
            self.norm = L.BatchNorm()
            self.drop = L.Dropout()
            self.seen = []

        def forward(self, x):
            self.seen.append((tg.Config.enable_backprop, tg.Config.train))
            y = self.drop(self.norm(self.rnn(x)))
            assert y.creator is None or tg.Config.enable_backprop
            return y

    model = State().to(backend)
    x = Variable(backend.from_numpy(X))
    y = model(x)
    before = {path: to_numpy(p).copy() for path, p in model.namedparams()}
    h, c = model.rnn.h, model.rnn.c
    attributes = {id(m): set(vars(m)) for m in (model, model.rnn, model.norm, model.drop)}
    model.summary(backend.from_numpy(X[:2]))  # another batch than the state is for
    assert model.seen == [(True, True), (False, False)]
    assert model.rnn.h is h
    assert model.rnn.c is c
    assert model.outputs[0]() is y
    assert model.inputs[0]() is x
    assert attributes == {id(m): set(vars(m)) for m in (model, model.rnn, model.norm, model.drop)}
    for path, p in model.namedparams():
        np.testing.assert_array_equal(to_numpy(p), before[path])
    assert x.grad is None


def test_after_an_error_the_model_is_as_it_was():
    model = Net()
    model.twice.forward = lambda x: x + 1  # an instance may have a forward of its own
    own = model.twice.forward
    with pytest.raises(ValueError, match="broadcast"):
        model.summary(X[:, :2])
    assert "forward" not in vars(model)
    assert model.twice.forward is own
    s = model.summary(X)
    assert row(s, "twice").activation_bytes == 2 * 5 * 4 * 4
    assert model.twice.forward is own


def test_large_models_read_well():
    s = M.ResNet18(n_classes=10, width=4).summary(np.zeros((2, 3, 64, 64), np.float32))
    lines = repr(s).splitlines()
    assert lines[0].split() == ["layer", "output", "parameters", "memory", "activations"]
    assert "      conv2 Conv2d    (2, 4, 16, 16)" in repr(s)
    assert len({len(line) for line in lines[1:-2] if line.startswith("-")}) == 1
    assert (
        lines[-2]
        == f"{s.parameters:,} parameters, {s.trained:,} of them trained: {s.parameters / 256:.1f} KiB"
    )


def test_attention_caches_and_lists_of_layers():
    s = M.GPT(11, size=8, n_layers=2, n_heads=2).summary(np.array([[1, 2, 3]]))
    assert row(s, "blocks").calls == 0
    assert row(s, "blocks/1/attention/key").outputs == ((1, 3, 8),)
    assert s.trained == s.parameters
