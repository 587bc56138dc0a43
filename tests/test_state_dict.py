"""state_dict and load_state_dict; what is shared is updated once; what is refused changes nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Layer, Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.backend import backend_of
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


class Net(tg.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first = L.Linear(4)
        self.norm = L.BatchNorm()
        self.last = L.Linear(2, nobias=True)

    def forward(self, x):
        return self.last(F.relu(self.norm(self.first(x))))


X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


def called() -> Net:
    net = Net()
    net(X)
    return net


def values(layer: Layer) -> dict[str, np.ndarray]:
    return {path: to_numpy(p).copy() for path, p in layer.namedparams()}


def test_a_state_dict_is_a_copy_in_place(backend):
    net = called().to(backend)
    state = net.state_dict()
    assert list(state) == [path for path, _ in net.namedparams()]
    before = values(net)
    for path, array in state.items():
        assert backend_of(array) is backend
        np.testing.assert_array_equal(backend.to_numpy(array), before[path])
    optimizer = tg.optimizers.SGD(0.5).setup(net)
    (net(backend.from_numpy(X)) ** 2).sum().backward()
    optimizer.update()
    assert not np.array_equal(values(net)["last/W"], before["last/W"])
    for path, array in state.items():
        np.testing.assert_array_equal(backend.to_numpy(array), before[path])
    assert net.load_state_dict(state) == ([], [])
    for path, value in values(net).items():
        np.testing.assert_array_equal(value, before[path])


def test_what_was_loaded_shares_no_memory(backend):
    net = called().to(backend)
    state = {path: Variable(a) for path, a in net.state_dict().items()}
    net.load_state_dict(state)
    bias = net.first.b
    bias.data = backend.add_scaled(bias.data, backend.ones_like(bias.data), 1.0)
    assert_close(to_numpy(state["first/b"]), np.zeros(4, np.float32))


def test_each_parameter_keeps_its_library_device_and_dtype(backend):
    """Loading once put NumPy arrays into a model that lay elsewhere."""
    net = called().to(backend)
    devices = [backend.device(p.data) for p in net.params()]
    net.load_state_dict({path: a.astype(np.float64) for path, a in values(called()).items()})
    for p, device in zip(net.params(), devices, strict=True):
        assert backend_of(p.data) is backend
        assert backend.device(p.data) == device
        assert p.dtype == backend.xp.float32


def test_a_state_of_another_library(backend):
    there = called().to(backend)
    here = Net()  # its sizes are open
    here.load_state_dict(there.state_dict())
    assert {backend_of(p.data).name for p in here.params()} == {"numpy"}
    for path, value in values(here).items():
        np.testing.assert_array_equal(value, values(there)[path])


def test_a_state_that_does_not_fit_changes_nothing(backend):
    net = called().to(backend)
    before = values(net)
    state = {path: value + 1 for path, value in before.items()}
    state["first/W"] = np.ones((3, 5), np.float32)
    state["norm/beta"] = np.ones(4, np.complex64)
    del state["last/W"]
    state["other"] = np.ones(1)
    expected = (
        "load_state_dict: the state does not fit this Net; nothing was loaded. "
        "Was it saved from a model of other sizes?\n"
        "  first/W: expected shape (3, 4), got (3, 5)\n"
        f"  norm/beta: expected dtype {net.norm.beta.dtype}, got complex64\n"
        "  last/W: missing in the state\n"
        "  other: only in the state"
    )
    with pytest.raises(ValueError, match=message(expected)):
        net.load_state_dict(state)
    for path, value in values(net).items():
        np.testing.assert_array_equal(value, before[path])


def test_what_is_not_strict_loads_what_is_there():
    net = called()
    before = values(net)
    found = net.load_state_dict({"first/b": np.full(4, 3.0), "x": np.ones(1)}, strict=False)
    missing = [path for path in before if path != "first/b"]
    assert found == (missing, ["x"])
    for path, value in values(net).items():
        np.testing.assert_array_equal(value, 3.0 if path == "first/b" else before[path])
    with pytest.raises(ValueError, match=r"first/b: expected shape \(4,\), got \(5,\)"):
        net.load_state_dict({"first/b": np.ones(5)}, strict=False)


def test_an_open_layer_has_no_state_yet():
    expected = (
        "state_dict: first/W, norm/avg_mean, norm/avg_var, norm/gamma, norm/beta, last/W of Net without data "
        "yet. Call the model on an input first: it fixes the sizes that were left open."
    )
    with pytest.raises(ValueError, match=message(expected)):
        Net().state_dict()


# -- what layers share ---------------------------------------------------------------------------


class Shared(tg.Model):
    """The same layer twice, and its weights in a third place."""

    def __init__(self) -> None:
        super().__init__()
        self.a = L.Linear(3, in_size=3)
        self.again = self.a
        self.tied = L.Linear(3, nobias=True, in_size=3)
        self.tied.W = self.a.W

    def forward(self, x):
        return self.tied(self.again(self.a(x)))


def test_shared_parameters_are_updated_once_and_their_order_is_stable():
    """Shared parameters were once updated twice, and came in another order in each run."""
    net = Shared()
    assert [path for path, _ in net.namedparams()] == ["a/W", "a/b"]
    optimizer = tg.optimizers.SGD(0.1).setup(net)
    net(X).sum().backward()
    before, gradient = net.a.W.data.copy(), net.a.W.grad.data.copy()
    optimizer.update()
    assert_close(net.a.W, before - np.float32(0.1) * gradient, rtol=1e-5, atol=1e-6)
    assert [id(p) for p in net.params()] == [id(p) for p in net.params()] == [id(net.a.W), id(net.a.b)]


def test_shared_parameters_are_saved_once_and_stay_shared(tmp_path):
    net, twin = Shared(), Shared()
    net.save_weights(tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz") as file:
        assert file.files == ["a/W", "a/b"]
    twin.load_weights(tmp_path / "w.npz")
    assert twin.tied.W is twin.a.W
    assert_close(twin(X), net(X).data)
