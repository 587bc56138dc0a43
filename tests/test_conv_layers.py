"""Layers of convolution and pooling: their weights, sizes, places and values."""

# ruff: noqa: NPY002  (weights are drawn from the state that users of the book seed)
from __future__ import annotations

import re

import numpy as np
import pytest

import tensorgrad as tg
from references.convolution import correlated, transposed
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape)


CONVOLUTIONS = [L.Conv1d, L.Conv2d, L.Conv3d]
TRANSPOSED = [L.ConvTranspose1d, L.ConvTranspose2d, L.ConvTranspose3d]


def test_weights_are_those_of_the_book():
    np.random.seed(3)
    layer = L.Conv2d(4, (3, 2), in_channels=5)
    np.random.seed(3)
    want = (np.random.randn(4, 5, 3, 2) * np.sqrt(1 / (5 * 3 * 2))).astype(np.float32)
    assert_close(layer.W, want, rtol=1e-6, atol=0)
    assert layer.W.dtype == np.float32
    assert layer.b.data.tolist() == [0.0] * 4

    layer = L.Deconv2d(4, 3, in_channels=5)
    np.random.seed(3)
    layer._make_weights(5)
    np.random.seed(3)
    want = (np.random.randn(5, 4, 3, 3) * np.sqrt(1 / (5 * 3 * 3))).astype(np.float32)
    assert_close(layer.W, want, rtol=1e-6, atol=0)
    assert type(layer).__name__ == "Deconv2d"  # scripts of the book tell layers apart so
    assert isinstance(layer, L.ConvTranspose2d)


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_convolution_finds_its_input_channels(backend, kind):
    axes = kind.axes
    layer = kind(4, 3, 2, 1, dtype=np.float64, dilation=2, groups=2)
    assert (layer.W.data, layer.in_channels) == (None, None)
    assert layer.lazy_spec("W") == ((4, None, *[3] * axes), np.float64)
    x = normal(2, 6, *[7] * axes)
    y = layer(Variable(backend.from_numpy(x)))
    assert layer.W.shape == (4, 3, *[3] * axes)
    assert layer.in_channels == 6
    assert isinstance(layer.W.data, backend.array_types)
    want = correlated(x, to_numpy(layer.W), to_numpy(layer.b), 2, 1, 2, 2)
    assert_close(y, want, rtol=1e-10, atol=1e-10)
    y.sum().backward()
    assert (layer.W.grad.shape, layer.b.grad.shape) == (layer.W.shape, layer.b.shape)


@pytest.mark.parametrize("kind", TRANSPOSED)
def test_a_transposed_convolution_finds_its_input_channels(backend, kind):
    axes = kind.axes
    layer = kind(4, 3, 2, 1, dtype=np.float64, outsize=6, groups=2)
    assert layer.lazy_spec("W") == ((None, 2, *[3] * axes), np.float64)
    x = normal(2, 6, *[3] * axes)
    y = layer(Variable(backend.from_numpy(x)))
    assert layer.W.shape == (6, 2, *[3] * axes)
    assert (layer.in_channels, y.shape) == (6, (2, 4, *[6] * axes))
    want = transposed(x, to_numpy(layer.W), to_numpy(layer.b), 2, 1, 6, 1, 2)
    assert_close(y, want, rtol=1e-10, atol=1e-10)


def test_nobias_and_initialisers():
    layer = L.Conv2d(3, 1, nobias=True, in_channels=2, initial_W=L.initializers.Ones())
    assert layer.b is None
    assert layer.W.data.tolist() == np.ones((3, 2, 1, 1)).tolist()
    assert [path for path, _ in layer.namedparams()] == ["W"]
    layer = L.Conv2d(3, 1, in_channels=2, initial_W=lambda shape, dtype: np.full(shape, 2, dtype))
    assert (layer.W.data == 2).all()
    wide = L.ConvTranspose2d(64, 3, in_channels=256, groups=4)
    assert np.std(wide.W.data) == pytest.approx((64 * 9) ** -0.5, rel=0.05)


def test_weights_are_loaded_before_the_sizes_are_known(tmp_path):
    first, second = L.Conv2d(3, 2), L.Conv2d(3, 2)
    x = normal(1, 2, 4, 4).astype(np.float32)
    y = first(x)
    first.save_weights(tmp_path / "w.npz")
    second.load_weights(tmp_path / "w.npz")
    assert_close(second(x), y, rtol=0, atol=0)
    with pytest.raises(ValueError, match="W"):
        L.Conv2d(4, 2).load_weights(tmp_path / "w.npz")


def test_errors():
    with pytest.raises(
        ValueError, match=message("Conv2d: expected x of shape (N, C, ...) with 4 axes; got (3, 4, 4)")
    ):
        L.Conv2d(2, 3)(normal(3, 4, 4))
    with pytest.raises(
        ValueError, match=message("Conv2d: expected groups that divide the 3 out_channels; got 2")
    ):
        L.Conv2d(3, 3, groups=2)
    with pytest.raises(
        ValueError, match=message("Conv2d: expected in_channels that the 2 groups divide; got 3")
    ):
        L.Conv2d(4, 3, groups=2, in_channels=3)


def test_pooling_layers():
    x = normal(2, 3, 6, 4)
    for layer, want in [
        (L.MaxPool2d(2), F.pooling(x, 2, 2)),
        (L.MaxPool2d(3, 1, 1), F.pooling(x, 3, 1, 1)),
        (L.MaxPool2d(3, 2, cover_all=True), F.pooling(x, 3, 2, cover_all=True)),
        (L.AveragePool2d((2, 1)), F.average_pooling(x, (2, 1), (2, 1))),
        (L.AdaptiveMaxPool2d((4, 3)), F.adaptive_max_pooling(x, (4, 3))),
        (L.AdaptiveAveragePool2d(3), F.adaptive_average_pooling(x, 3)),
        (L.GlobalAveragePool(), F.mean(x, (2, 3))),
        (L.Flatten(), x.reshape(2, 72)),
    ]:
        assert_close(layer(x), to_numpy(want), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_pooling_layers_of_sequences_images_and_volumes(axes):
    x = normal(2, 3, *(6, 4, 5)[:axes])
    for name, function, given in [
        ("MaxPool", F.pooling, (2, 2)),
        ("AveragePool", F.average_pooling, (2, 2)),
        ("AdaptiveMaxPool", F.adaptive_max_pooling, (3,)),
        ("AdaptiveAveragePool", F.adaptive_average_pooling, (3,)),
    ]:
        layer = getattr(L, f"{name}{axes}d")(*given)
        assert_close(layer(x), to_numpy(function(x, *given)), rtol=1e-12, atol=1e-12)
        expected = f"{name}{axes}d: expected x of shape (N, C, ...) with {axes + 2} axes; got (2, 3)"
        with pytest.raises(ValueError, match=message(expected)):
            layer(np.ones((2, 3)))


def test_a_small_network_learns():
    rng = np.random.default_rng(0)
    t = rng.integers(0, 2, 32)
    x = rng.standard_normal((32, 1, 8, 8)).astype(np.float32)
    x[t == 1, :, :, ::2] += 1.0  # stripes
    model = tg.models.Sequential(L.Conv2d(4, 3, pad="same"), F.relu, L.MaxPool2d(2), L.Flatten(), L.Linear(2))
    optimizer = tg.optimizers.Adam(0.01).setup(model)
    losses = []
    for _ in range(30):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.data))
    assert losses[-1] < 0.2 * losses[0]
