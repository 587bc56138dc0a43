"""Models: what they compute, how they draw themselves, and that they learn."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from tensorgrad import Layer, Model, Variable, no_grad
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import models as M
from tensorgrad import optimizers as O
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).standard_normal(shape).astype(np.float32)


def paths(layer: Layer) -> list[str]:
    return [path for path, _ in layer.namedparams()]


# -- MLP -----------------------------------------------------------------------------------------


def test_mlp_computes_its_formula(backend):
    model = M.MLP((6, 5, 2))
    x = drawn(4, 3)
    y = to_numpy(model(backend.from_numpy(x)))
    for i in range(3):
        layer = getattr(model, f"l{i}")
        x = x @ to_numpy(layer.W) + to_numpy(layer.b)
        x = x if i == 2 else 1 / (1 + np.exp(-x))
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, x, rtol=1e-5, atol=1e-6)


def test_the_activation_of_an_mlp():
    x = drawn(4, 3)
    for activation, expected in [(F.tanh, np.tanh), (F.relu, lambda z: np.maximum(z, 0))]:
        model = M.MLP([6, 2], activation=activation)
        y = model(x)
        hidden = expected(x @ model.l0.W.data)
        np.testing.assert_allclose(y.data, hidden @ model.l1.W.data, rtol=1e-5, atol=1e-6)


def test_the_layers_of_an_mlp():
    model = M.MLP((6, 2))
    assert paths(model) == ["l0/W", "l0/b", "l1/W", "l1/b"]
    assert model.layers == [model.l0, model.l1]
    assert isinstance(model, Model)
    assert isinstance(model, Layer)


def test_an_mlp_of_one_number_is_refused():
    with pytest.raises(TypeError, match=message("MLP: expected a tuple of output sizes; got int")):
        M.MLP(3)


def test_an_mlp_of_nothing_is_refused():
    expected = "MLP: expected at least one output size; got none"
    with pytest.raises(ValueError, match=message(expected)):
        M.MLP(())


# -- Sequential ----------------------------------------------------------------------------------


def test_sequential_calls_one_after_the_other(backend):
    model = M.Sequential(L.Linear(5), F.tanh, L.Linear(2), lambda x: 2 * x)
    x = drawn(4, 3)
    y = to_numpy(model(backend.from_numpy(x)))
    hidden = np.tanh(x @ to_numpy(model.l0.W))
    np.testing.assert_allclose(y, 2 * hidden @ to_numpy(model.l2.W), rtol=1e-5, atol=1e-6)
    assert paths(model) == ["l0/W", "l0/b", "l2/W", "l2/b"]


def test_a_layer_of_sequential_can_be_replaced():
    model = M.Sequential(L.Linear(5), F.relu)
    model.l1 = L.Linear(2)
    assert model(drawn(4, 3)).shape == (4, 2)
    assert paths(model) == ["l0/W", "l0/b", "l1/W", "l1/b"]
    assert model.layers == [model.l0, model.l1]


def test_a_layer_that_stands_twice_has_its_parameters_once():
    layer = L.Linear(3)
    model = M.Sequential(layer, F.tanh, layer)
    assert model(drawn(4, 3)).shape == (4, 3)
    assert paths(model) == ["l0/W", "l0/b"]


def test_sequential_in_sequential_and_empty():
    model = M.Sequential(M.Sequential(), M.Sequential(L.Linear(2)))
    assert model(drawn(4, 3)).shape == (4, 2)
    assert paths(model) == ["l1/l0/W", "l1/l0/b"]


def test_sequential_is_read_like_a_list():
    parts = [L.Linear(5), F.relu, L.Linear(2)]
    model = M.Sequential(*parts)
    x = drawn(4, 3)
    y = model(x)
    assert len(model) == 3
    assert list(model) == parts
    assert model[0] is parts[0]
    assert model[-1] is parts[2]
    assert isinstance(model[1:], M.Sequential)
    np.testing.assert_array_equal(model[1:](model[:1](x)).data, y.data)
    with pytest.raises(IndexError):
        model[3]


def test_sequential_refuses_what_cannot_be_called():
    expected = "Sequential: expected layers and functions; got int at position 1"
    with pytest.raises(TypeError, match=message(expected)):
        M.Sequential(F.relu, 3)


# -- plot ----------------------------------------------------------------------------------------


def test_plot_writes_the_graph(tmp_path):
    model = M.MLP((4, 2))
    file = tmp_path / "model.dot"
    with no_grad():  # a picture is wanted all the same
        picture = model.plot(Variable(drawn(1, 3), name="x"), to_file=str(file))
    assert picture.path == file
    text = file.read_text()
    assert "x: (1, 3) float32" in text
    assert text.count('label="Linear"') == 2
    assert "Sigmoid" in text


def test_plot_of_a_raw_array_and_of_several_outputs(tmp_path):
    class Twins(Model):
        def __init__(self):
            super().__init__()
            self.l = L.Linear(2)

        def forward(self, x):
            return F.sin(self.l(x)), F.cos(self.l(x))

    Twins().plot(drawn(1, 3), to_file=tmp_path / "model.dot")
    text = (tmp_path / "model.dot").read_text()
    assert "Sin" in text
    assert "Cos" in text


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_plot_draws_a_png_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    M.MLP((4, 2)).plot(Variable(drawn(1, 3)))
    assert (tmp_path / "model.png").read_bytes().startswith(b"\x89PNG")


# -- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [O.MomentumSGD(0.1), O.Adam(0.05)])
def test_a_model_learns_xor(backend, rule):
    np.random.seed(1)  # noqa: NPY002  # weights are drawn from it
    x = backend.from_numpy(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32))
    t = backend.from_numpy(np.array([0, 1, 1, 0]))
    model = M.MLP((8, 2), activation=F.tanh)
    optimizer = rule.setup(model)
    for _ in range(120):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
    assert float(F.accuracy(model(x), t)) == 1
    assert float(loss) < 0.1
    assert all(p.dtype == backend.xp.float32 for p in model.params())


def test_training_as_in_the_book_goes_as_written_by_hand():
    rng = np.random.default_rng(0)
    x = rng.random((100, 1))
    t = np.sin(2 * np.pi * x) + rng.random((100, 1))
    model = M.Sequential(L.Linear(10, False, np.float64, 1), F.sigmoid, L.Linear(1, False, np.float64, 10))
    W1, b1, W2, b2 = (p.data.copy() for p in model.params())
    optimizer = O.SGD(lr=0.2).setup(model)
    for _ in range(100):
        loss = F.mean_squared_error(t, model(x))
        model.cleargrads()
        loss.backward()
        optimizer.update()

        h = 1 / (1 + np.exp(-(x @ W1 + b1)))
        error = h @ W2 + b2 - t
        np.testing.assert_allclose(float(loss), np.mean(error**2), rtol=1e-10)
        gy = 2 * error / len(x)
        gz = gy @ W2.T * h * (1 - h)
        for array, gradient in [(W1, x.T @ gz), (b1, gz.sum(0)), (W2, h.T @ gy), (b2, gy.sum(0))]:
            np.subtract(array, 0.2 * gradient, out=array)
    for p, expected in zip(model.params(), (W1, b1, W2, b2), strict=True):
        np.testing.assert_allclose(p.data, expected, rtol=1e-9)
