"""Arrays and weights that go to PyTorch and JAX and come back: by DLPack, by safetensors, by name."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable, migration
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.testing import assert_close


def library(name: str, reason: str) -> Any:
    module = pytest.importorskip(name, reason=reason)
    gc.freeze()
    return module


@pytest.fixture(scope="module")
def torch() -> Any:
    return library("torch", "migrates from and to PyTorch")


@pytest.fixture(scope="module")
def jax() -> Any:
    return library("jax", "migrates from and to JAX")


def reals(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


class Net(tg.Model):
    """One layer of each kind that PyTorch has too."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = L.EmbedID(5, 4)
        self.conv = L.Conv2d(4, 3, 1, 1)
        self.batch = L.BatchNorm()
        self.up = L.ConvTranspose2d(2, 2, 2)
        self.l1 = L.Linear(6)
        self.norm = L.LayerNorm()
        self.l2 = L.Linear(3, nobias=True)

    def forward(self, x: Any) -> Variable:
        h = F.permute_dims(self.embed(x), (0, 3, 1, 2))
        h = self.up(F.relu(self.batch(self.conv(h))))
        return self.l2(F.relu(self.norm(self.l1(F.flatten(h)))))


def module_of(torch: Any) -> Any:
    """The same network in PyTorch; its last layer is called ``out``."""
    nn = torch.nn

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.conv = nn.Embedding(5, 4), nn.Conv2d(4, 4, 3, 1, 1)
            self.batch, self.up = nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 2, 2, 2)
            self.l1, self.norm, self.out = nn.Linear(24, 6), nn.LayerNorm(6), nn.Linear(6, 3, bias=False)

        def forward(self, x: Any) -> Any:
            h = self.embed(x).permute(0, 3, 1, 2)
            h = self.up(torch.relu(self.batch(self.conv(h))))
            return self.out(torch.relu(self.norm(self.l1(h.flatten(1)))))

    torch.manual_seed(0)
    return Module()


NAMES = {"l2": "out"}
X = np.random.default_rng(1).integers(0, 5, (4, 1, 3))


def given(torch: Any, module: Any) -> np.ndarray:
    with torch.no_grad():
        return module.eval()(torch.from_numpy(X)).numpy()


def ours(net: Net) -> np.ndarray:
    with tg.test_mode(), tg.no_grad():
        return net(X).data


# -- weights by name -------------------------------------------------------------------------------------


def test_a_module_of_torch_becomes_a_model(torch):
    module = module_of(torch)
    module(torch.from_numpy(X))  # running statistics of its own
    net = Net()
    net.load_state_dict(migration.from_torch(net, module.state_dict(), NAMES))
    assert_close(ours(net), given(torch, module), rtol=1e-5, atol=1e-5)
    assert all(isinstance(p.data, np.ndarray) for p in net.params())


def test_a_model_becomes_a_module_of_torch(torch):
    net = Net()
    net(X)
    state = migration.to_torch(net, NAMES)
    module = module_of(torch)
    missing, unexpected = module.load_state_dict({k: torch.from_dlpack(v) for k, v in state.items()})
    assert (missing, unexpected) == ([], [])
    assert_close(ours(net), given(torch, module), rtol=1e-5, atol=1e-5)
    again = migration.from_torch(net, module.state_dict(), NAMES)
    for name, array in net.state_dict().items():
        assert_close(again[name].numpy(), array, rtol=0, atol=0)
    net.to("torch")
    assert all(isinstance(array, torch.Tensor) for array in migration.to_torch(net, NAMES).values())


def test_safetensors_of_torch(torch, tmp_path):
    save = library("safetensors.torch", "writes the file")
    module = module_of(torch)
    save.save_file(module.state_dict(), tmp_path / "theirs.safetensors")
    read = library("safetensors.numpy", "reads the file").load_file(tmp_path / "theirs.safetensors")
    net = Net()
    net.load_state_dict(migration.from_torch(net, read, NAMES))
    assert_close(ours(net), given(torch, module), rtol=1e-5, atol=1e-5)

    net.save_weights(tmp_path / "ours.safetensors")  # and back
    state = save.load_file(tmp_path / "ours.safetensors")
    assert set(state) == set(net.state_dict())
    assert torch.equal(state["l1/W"].T, module.l1.weight)


def test_what_the_state_has_beside_is_told(torch):
    net = Net()
    state = {**module_of(torch).state_dict(), "other.weight": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"other\.weight: only in the state"):
        net.load_state_dict(migration.from_torch(net, state, NAMES))


def test_layers_that_torch_has_otherwise():
    lstm = L.NStepLSTM(3, in_size=2)
    text = r"^l0/W: expected a parameter of a linear, .* layer; got one of _Cell, for which PyTorch has other"
    for call in (lambda: migration.to_torch(lstm), lambda: migration.from_torch(lstm, {})):
        with pytest.raises(TypeError, match=text):
            call()


def test_states_and_trees():
    state = tg.models.MLP((4, 2))
    state(reals(1, 3))
    tree = migration.nested(state.state_dict())
    assert list(tree) == ["l0", "l1"]
    assert list(migration.flat(tree)) == list(state.state_dict())
    assert migration.flat(tree)["l1/b"] is tree["l1"]["b"]


def test_a_pytree_of_jax_there_and_back(jax):
    """JAX differentiates the same network on the same weights, and its update comes back."""
    jnp = jax.numpy
    net, x = tg.models.MLP((4, 2)), reals(3, 5)
    loss = F.sum(net(x) ** 2)
    loss.backward()
    tree = jax.tree.map(jnp.asarray, migration.nested(net.state_dict()))

    def loss_of(tree: Any) -> Any:
        h = jax.nn.sigmoid(x @ tree["l0"]["W"] + tree["l0"]["b"])
        return jnp.sum((h @ tree["l1"]["W"] + tree["l1"]["b"]) ** 2)

    value, grads = jax.value_and_grad(loss_of)(tree)
    assert_close(np.asarray(value), loss.data, rtol=1e-5)
    for path, g in migration.flat(grads).items():
        assert_close(np.asarray(g), dict(net.namedparams())[path].grad.data, rtol=1e-4, atol=1e-5)
    updated = migration.flat(jax.tree.map(lambda w, g: w - 0.1 * g, tree, grads))
    net.load_state_dict(updated)
    assert_close(net.l1.b.data, np.asarray(updated["l1/b"]), rtol=0, atol=0)


def test_safetensors_of_jax(jax, tmp_path):
    flax = library("safetensors.flax", "reads and writes files for JAX")
    net = tg.models.MLP((4, 2))
    net(reals(1, 3))
    net.save_weights(tmp_path / "ours.safetensors")
    state = flax.load_file(tmp_path / "ours.safetensors")
    assert all(isinstance(array, jax.Array) for array in state.values())
    doubled = {name: 2 * array for name, array in state.items()}
    flax.save_file(doubled, tmp_path / "theirs.safetensors")
    net.load_weights(tmp_path / "theirs.safetensors")
    assert_close(net.l0.W.data, 2 * np.asarray(state["l0/W"]), rtol=0, atol=0)


# -- arrays by DLPack ------------------------------------------------------------------------------------


def test_dlpack_from_and_to_torch_copies_nothing(torch):
    tensor = torch.arange(6.0).reshape(2, 3)
    assert Variable(tensor).data is tensor
    x = tg.from_dlpack(tensor)
    assert isinstance(x.data, np.ndarray)
    back = torch.from_dlpack(x)
    assert back.data_ptr() == tensor.data_ptr() == x.data.ctypes.data
    tensor[0, 0] = 7.0
    assert x.data[0, 0] == back[0, 0] == 7.0
    inside = Variable(tensor, requires_grad=False)
    assert torch.from_dlpack(inside).data_ptr() == tensor.data_ptr()


def test_dlpack_from_and_to_jax(jax):
    jnp = jax.numpy
    array = jnp.arange(6.0, dtype=jnp.float32).reshape(2, 3)
    assert Variable(array).data is array
    x = tg.from_dlpack(array)
    assert isinstance(x.data, np.ndarray)
    assert x.data.ctypes.data == array.unsafe_buffer_pointer()
    assert not x.data.flags.writeable  # JAX's arrays never change
    numbers = reals(2, 3)
    assert_close(np.asarray(jnp.from_dlpack(tg.from_dlpack(numbers))), numbers, rtol=0, atol=0)
    inside = Variable(array, requires_grad=False)
    assert jnp.from_dlpack(inside).unsafe_buffer_pointer() == array.unsafe_buffer_pointer()


def test_dlpack_loses_no_gradient_silently(torch):
    x = Variable(np.ones(2, np.float32))
    with pytest.raises(
        BufferError, match="this Variable requires a gradient, which the other library would lose"
    ):
        torch.from_dlpack(x)
