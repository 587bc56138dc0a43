"""Normalisation: running statistics, test mode, third derivatives, PyTorch's values, the layers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.backend import backend_of
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(2.0, 3.0, (4, 3, 2, 2))
ROWS = RNG.normal(-1.0, 2.0, (5, 3))
GAMMA, BETA = np.array([0.5, 1.0, 2.0]), np.array([1.0, 0.0, -1.0])


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def axes_of(x: np.ndarray) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


# -- running statistics --------------------------------------------------------------------------


@pytest.mark.parametrize("x", [ROWS, IMAGES], ids=["2-D", "4-D"])
def test_running_statistics_move_towards_the_batch(backend, x):
    mean, var = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    running = [Variable(backend.from_numpy(v), requires_grad=False) for v in (mean, var)]
    given = [Variable(backend.from_numpy(v)) for v in (x, GAMMA, BETA)]
    F.batch_norm(*given, *running, decay=0.75)
    assert_close(running[0], 0.75 * mean + 0.25 * x.mean(axis=axes_of(x)))
    assert_close(running[1], 0.75 * var + 0.25 * x.var(axis=axes_of(x), ddof=1))


def test_arrays_of_running_statistics_are_changed_in_place(backend):
    given = [backend.from_numpy(v) for v in (ROWS, GAMMA, BETA)]
    mean, var = (backend.from_numpy(v) for v in (np.zeros(3), np.ones(3)))
    if not backend.writable:
        with pytest.raises(TypeError, match=r"expected mean that can be changed in place; .*Pass Variable"):
            F.batch_norm(*given, mean, var)
        return
    F.batch_norm(*given, mean, var)
    assert_close(mean, 0.1 * ROWS.mean(axis=0))
    assert_close(var, 0.9 + 0.1 * ROWS.var(axis=0, ddof=1))


def test_one_element_to_a_channel():
    mean, var = np.ones(3), np.ones(3)
    y = F.batch_norm(ROWS[:1], GAMMA, BETA, mean, var)
    assert_close(y, BETA[None])
    assert_close(var, 0.9 * np.ones(3))


def test_test_mode_uses_the_running_statistics_and_leaves_them(backend):
    mean, var = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    x, gamma, beta, m, v = (Variable(backend.from_numpy(a)) for a in (ROWS, GAMMA, BETA, mean, var))
    with tg.test_mode():
        y = F.batch_norm(x, gamma, beta, m, v)
    assert_close(y, GAMMA * (ROWS - mean) / np.sqrt(var + 2e-5) + BETA)
    y.sum().backward()
    assert_close(x.grad, np.broadcast_to(GAMMA / np.sqrt(var + 2e-5), ROWS.shape))
    assert (m.grad, v.grad) == (None, None)
    assert_close(m, mean)
    assert_close(v, var)


# -- gradients: the inverse deviation is no constant, and test mode has a backward ----------------


@pytest.mark.parametrize("x", [ROWS, IMAGES[:2, :, :1]], ids=["2-D", "4-D"])
def test_derivatives_of_batch_norm_to_third_order(x):
    check_gradients(lambda x: F.batch_norm(x, GAMMA, BETA), [x], order=3, rtol=1e-4)


@pytest.mark.parametrize("train", [True, False])
def test_double_backward_of_batch_norm_in_both_modes(train):
    mean, var = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])

    def call(x, gamma, beta):
        with tg.using_config("train", train):
            return F.tanh(F.batch_norm(x, gamma, beta, mean.copy(), var.copy()))

    check_gradients(call, [ROWS, GAMMA, BETA], order=2)


def test_a_constant_batch_has_finite_gradients():
    x = Variable(np.ones((4, 3)))
    F.batch_norm(x, GAMMA, BETA).sum().backward()
    assert_close(x.grad, np.zeros((4, 3)))


def test_large_values_of_half_precision():
    x = np.full((2, 400), 300.0, np.float16)
    x[:, ::2] = -300.0  # the sum of squares is far beyond 65504
    for f in (F.layer_norm, F.rms_norm):
        v = Variable(x)
        y = f(v)
        assert y.dtype == np.float16
        assert_close(y, np.sign(x))
        y.sum().backward()
        assert v.grad.dtype == np.float16
        assert np.isfinite(v.grad.data).all()


def test_normalised_values_do_not_lose_digits_far_from_zero():
    x = (1e4 + RNG.normal(size=(3, 64))).astype(np.float32)
    want = x.astype(np.float64)
    want = (want - want.mean(axis=1, keepdims=True)) / want.std(axis=1, keepdims=True)
    assert_close(F.layer_norm(x, eps=0.0), want.astype(np.float32), atol=2e-3)  # x is rounded to 1e-3


# -- PyTorch -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "group_norm", "rms_norm"])
def test_pytorch_has_the_same_values_and_gradients(name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    nn = torch.nn.functional
    x, g, b = RNG.normal(size=(3, 4, 2)), RNG.uniform(0.5, 1.5, 4), RNG.normal(size=4)
    last, weight = RNG.uniform(0.5, 1.5, 2), RNG.normal(size=(3, 4, 2))
    stats = np.zeros(4), np.ones(4)
    running = [torch.tensor(s) for s in stats]
    ours, theirs = {
        "batch_norm": (
            lambda x, g, b, _: F.batch_norm(x, g, b, *stats, eps=1e-3),
            lambda x, g, b, _: nn.batch_norm(x, *running, g, b, training=True, momentum=0.1, eps=1e-3),
        ),
        "layer_norm": (
            lambda x, _, __, s: F.layer_norm(x, s),
            lambda x, _, __, s: nn.layer_norm(x, (2,), s),
        ),
        "group_norm": (
            lambda x, g, b, _: F.group_norm(x, 2, g, b),
            lambda x, g, b, _: nn.group_norm(x, 2, g, b),
        ),
        "rms_norm": (
            lambda x, _, __, s: F.rms_norm(x, s),
            lambda x, _, __, s: nn.rms_norm(x, (2,), s, eps=1e-6),
        ),
    }[name]
    mine = [Variable(v) for v in (x, g, b, last)]
    other = [torch.tensor(v, requires_grad=True) for v in (x, g, b, last)]
    y, z = ours(*mine), theirs(*other)
    assert_close(y, z.detach().numpy(), rtol=1e-10, atol=1e-10)
    (y * weight).sum().backward()
    (z * torch.tensor(weight)).sum().backward()
    for v, t in zip(mine, other, strict=True):
        assert (v.grad is None) == (t.grad is None)
        if v.grad is not None:
            assert_close(v.grad, t.grad.numpy(), rtol=1e-9, atol=1e-10)
    if name == "batch_norm":
        for s, t in zip(stats, running, strict=True):
            assert_close(s, t.numpy(), rtol=1e-12)


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: F.batch_norm(np.ones(3), GAMMA, BETA),
            ValueError,
            "batch_norm: expected x of shape (N, C, ...); got (3,)",
        ),
        (
            lambda: F.batch_norm(np.ones((2, 4)), GAMMA, BETA),
            ValueError,
            "batch_norm: expected gamma of shape (4,); got (3,)",
        ),
        (
            lambda: F.batch_norm(ROWS, GAMMA, BETA, np.zeros(3)),
            ValueError,
            "batch_norm: expected both of mean and var, or none of them; got one",
        ),
        (
            lambda: F.batch_norm(np.ones((0, 3)), GAMMA, BETA),
            ValueError,
            "batch_norm: expected one element or more in each channel; got x of shape (0, 3)",
        ),
        (
            lambda: F.layer_norm(np.ones((2, 3), int)),
            TypeError,
            "layer_norm: expected a real floating dtype; got int64",
        ),
        (
            lambda: F.layer_norm(ROWS, axis=2),
            ValueError,
            "layer_norm: expected an axis from -2 to 1; got 2",
        ),
        (
            lambda: F.layer_norm(ROWS, np.ones(2)),
            ValueError,
            "layer_norm: expected gamma of shape (3,); got (2,)",
        ),
        (
            lambda: F.group_norm(ROWS, 2),
            ValueError,
            "group_norm: expected groups that divide 3 channels; got 2",
        ),
        (
            lambda: F.fixed_batch_norm(ROWS, GAMMA, BETA, GAMMA, np.ones(2)),
            ValueError,
            "fixed_batch_norm: expected var of shape (3,); got (2,)",
        ),
        (
            lambda: L.LayerNorm(axis=3)(ROWS),
            ValueError,
            "LayerNorm: expected an x that has the axes (3,); got shape (5, 3)",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=message(text)):
        call()


def test_a_failed_call_changes_no_running_statistic():
    mean = np.zeros(3)
    with pytest.raises(ValueError, match="expected var"):
        F.batch_norm(ROWS, GAMMA, BETA, mean, np.ones(2))
    assert_close(mean, np.zeros(3))


# -- layers --------------------------------------------------------------------------------------


class Net(tg.Model):
    def __init__(self) -> None:
        super().__init__()
        self.l1 = L.Linear(4)
        self.norm = L.BatchNorm()
        self.l2 = L.Linear(2)

    def forward(self, x):
        return self.l2(F.relu(self.norm(self.l1(x))))


def test_batch_norm_layer_trains_gamma_and_beta_alone(backend):
    net = Net()
    x = backend.from_numpy(RNG.normal(size=(8, 3)).astype(np.float32))
    optimizer = tg.optimizers.SGD(0.1).setup(net)
    optimizer.add_hook(tg.optimizers.WeightDecay(0.1))
    for _ in range(3):
        net.cleargrads()
        (net(x) ** 2).sum().backward()
        before = to_numpy(net.norm.avg_mean).copy()
        gamma = to_numpy(net.norm.gamma).copy()
        optimizer.update()
        assert net.norm.avg_mean.grad is None
        np.testing.assert_array_equal(to_numpy(net.norm.avg_mean), before)
        assert (to_numpy(net.norm.gamma) != gamma).any()
    assert (before != 0).all()
    assert all(p.dtype == backend.xp.float32 for p in net.params())


def test_running_statistics_are_saved_loaded_and_moved(backend, tmp_path: Path):
    net = Net()
    net(ROWS.astype(np.float32))
    net.save_weights(tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz") as file:
        assert [k for k in file.files if k.startswith("norm")] == [
            "norm/avg_mean",
            "norm/avg_var",
            "norm/gamma",
            "norm/beta",
        ]
    twin = Net()
    twin.load_weights(tmp_path / "w.npz")  # before any size is known
    twin.to(backend)
    assert backend_of(twin.norm.avg_mean.data) is backend
    with tg.test_mode():
        want = net(ROWS.astype(np.float32))
        got = twin(backend.from_numpy(ROWS.astype(np.float32)))
    assert_close(to_numpy(got), want, rtol=1e-4, atol=1e-5)


def test_an_open_norm_checks_what_it_loads():
    assert L.LayerNorm(axis=(-2, -1)).lazy_spec("gamma") == ((None, None), None)
    with pytest.raises(ValueError, match=r"gamma: expected shape \(None,\), got \(2, 3\)"):
        L.LayerNorm().load_state_dict({"gamma": np.ones((2, 3)), "beta": np.ones(3)})


@pytest.mark.parametrize(
    ("make", "function"),
    [
        (L.LayerNorm, F.layer_norm),
        (lambda: L.LayerNorm(axis=(1, 2), nobias=True), lambda x: F.layer_norm(x, axis=(1, 2))),
        (L.RMSNorm, F.rms_norm),
        (lambda: L.GroupNorm(3), lambda x: F.group_norm(x, 3)),
        (L.BatchNorm, lambda x: F.batch_norm(x, np.ones(6, x.dtype), np.zeros(6, x.dtype))),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layers_compute_their_function(make, function, dtype):
    layer = make()
    x = RNG.normal(size=(2, 6, 4)).astype(dtype)
    assert_close(layer(x), function(x))
    assert {p.dtype for p in layer.params()} == {np.dtype(dtype)}


def test_parameters_of_half_precision_have_32_bits():
    layer = L.BatchNorm()
    assert layer(ROWS.astype(np.float16)).dtype == np.float16
    assert {p.dtype for p in layer.params()} == {np.dtype(np.float32)}
    with tg.test_mode():
        assert layer(ROWS.astype(np.float16)).dtype == np.float16
