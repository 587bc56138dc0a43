"""VGG16, ResNet and SqueezeNet: their parameters at full size, their formulas, what they refuse."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import models as M
from tensorgrad.models.resnet import DEPTHS
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


# -- full size -----------------------------------------------------------------------------------


@pytest.fixture
def shapes_only(monkeypatch):
    """Weights of no memory, and layers that compute nothing but shapes: VGG16 would need half a GB."""

    def zeros(shape, dtype=np.float32, *_, **__):
        return np.broadcast_to(np.zeros((), dtype), shape)

    def conv2d(x, W, b, stride, pad, **_):
        assert x.shape[1] == W.shape[1]
        lengths = [(n + 2 * pad - k) // stride + 1 for n, k in zip(x.shape[2:], W.shape[2:], strict=True)]
        return Variable(zeros((x.shape[0], W.shape[0], *lengths)))

    def pooling(x, kernel, stride, pad=0, *, cover_all=False):
        more = stride - 1 if cover_all else 0
        lengths = [(n + 2 * pad - kernel + more) // stride + 1 for n in x.shape[2:]]
        return Variable(zeros((*x.shape[:2], *lengths)))

    def linear(x, W, b):
        assert x.shape[1] == W.shape[0]
        return Variable(zeros((x.shape[0], W.shape[1])))

    for kind in (L.initializers.Initializer, L.initializers.LeCunNormal):
        monkeypatch.setattr(kind, "__call__", lambda self, *given, **fans: zeros(*given))
    monkeypatch.setattr(L.Conv2d, "function", staticmethod(conv2d))
    monkeypatch.setattr(F, "linear", linear)
    monkeypatch.setattr(F, "pooling", pooling)
    monkeypatch.setattr(F, "relu", lambda x: x)
    monkeypatch.setattr(F, "batch_norm", lambda x, *_: x)


def sizes(model: M.Model) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter, after one picture of 224 x 224."""
    with tg.no_grad(), tg.test_mode():
        assert model(np.zeros((1, 3, 224, 224), np.float32)).shape == (1, 1000)
    return {path: p.shape for path, p in model.namedparams()}


def trained(model: M.Model) -> int:
    return sum(p.size for p in model.params() if p.requires_grad)


def test_vgg16_has_138_357_544_parameters(shapes_only):
    model = M.VGG16()
    shapes = sizes(model)
    assert trained(model) == sum(p.size for p in model.params()) == 138_357_544
    layers = [f"conv{i}_{j}" for i, n in enumerate((2, 2, 3, 3, 3), 1) for j in range(1, n + 1)]
    assert list(shapes) == [f"{name}/{p}" for name in (*layers, "fc6", "fc7", "fc8") for p in "Wb"]
    assert shapes["conv1_1/W"] == (64, 3, 3, 3)
    assert shapes["conv5_3/W"] == (512, 512, 3, 3)
    assert shapes["fc6/W"] == (25_088, 4096)
    assert shapes["fc8/W"] == (4096, 1000)


@pytest.mark.parametrize(
    ("kind", "count", "layers"),
    [
        (M.ResNet18, 11_689_512, 20),
        (M.ResNet34, 21_797_672, 36),
        (M.ResNet50, 25_557_032, 53),
        (M.ResNet101, 44_549_160, 104),
        (M.ResNet152, 60_192_808, 155),
    ],
)
def test_the_parameters_of_resnets(shapes_only, kind, count, layers):
    model = kind()
    shapes = sizes(model)
    assert trained(model) == count
    statistics = [p for p in model.params() if not p.requires_grad]
    assert len(statistics) == 2 * layers
    assert len(shapes) == 5 * layers + 2  # a convolution and a normalisation each, and fc6
    n_blocks = sum(DEPTHS[model.n_layers])
    assert len({path.rpartition("/")[0].rpartition("/")[0] for path in shapes} - {""}) == n_blocks


def test_the_names_in_a_resnet_are_those_of_the_book(shapes_only):
    shapes = sizes(M.ResNet(50))
    norm = ("avg_mean", "avg_var", "gamma", "beta")
    a = [name for i in range(1, 5) for name in (f"conv{i}/W", *(f"bn{i}/{p}" for p in norm))]
    expected = ["conv1/W", *(f"bn1/{p}" for p in norm)]
    for stage, n in enumerate((3, 4, 6, 3), 2):
        expected += [f"res{stage}/a/{name}" for name in a]
        expected += [f"res{stage}/b{i}/{name}" for i in range(1, n) for name in a[:15]]
    assert list(shapes) == [*expected, "fc6/W", "fc6/b"]
    assert shapes["res5/a/conv4/W"] == (2048, 1024, 1, 1)


@pytest.mark.parametrize(("version", "count"), [("1.0", 1_248_424), ("1.1", 1_235_496)])
def test_the_parameters_of_squeezenet(shapes_only, version, count):
    model = M.SqueezeNet(version=version)
    shapes = sizes(model)
    assert trained(model) == sum(p.size for p in model.params()) == count
    assert list(shapes)[:4] == ["conv1/W", "conv1/b", "fire2/squeeze/W", "fire2/squeeze/b"]
    assert shapes["fire9/expand3/W"] == (256, 64, 3, 3)


# -- what they compute ---------------------------------------------------------------------------

SMALL = {
    "vgg": lambda: M.VGG16(n_classes=7, width=2, hidden_size=5),
    "basic": lambda: M.ResNet18(n_classes=7, width=2),
    "bottleneck": lambda: M.ResNet50(n_classes=7, width=2, style="torch"),
    "squeezenet": lambda: M.SqueezeNet(version="1.1", n_classes=7),
}


@pytest.mark.parametrize("name", SMALL)
def test_they_run_train_and_come_back_from_a_file(name, backend, tmp_path):
    model = SMALL[name]()
    x = backend.from_numpy(drawn(2, 3, 40, 33))
    F.softmax_cross_entropy(model(x), backend.from_numpy(np.array([1, 6]))).backward()
    assert all(p.grad.shape == p.shape for p in model.params() if p.requires_grad)
    model.save_weights(tmp_path / "w.npz")
    twin = SMALL[name]()
    twin.load_weights(tmp_path / "w.npz")
    with tg.no_grad(), tg.test_mode():
        y, z = model(x), twin.to(backend)(x)
    assert y.shape == (2, 7)
    assert y.dtype == backend.xp.float32
    np.testing.assert_array_equal(to_numpy(y), to_numpy(z))


def test_the_two_styles_of_resnet_have_the_same_parameters_and_other_results(tmp_path):
    """The step is taken in another convolution, pooling ends elsewhere."""
    x = drawn(1, 3, 64, 64)
    one, other = (M.ResNet50(n_classes=3, width=2, style=style) for style in ("caffe", "torch"))
    one(x)
    one.save_weights(tmp_path / "w.npz")
    other.load_weights(tmp_path / "w.npz")
    strides = [(m.res3.a.conv1.stride, m.res3.a.conv2.stride) for m in (one, other)]
    assert strides == [(2, 1), (1, 2)]
    with tg.test_mode():
        assert not np.allclose(one(x).data, other(x).data, rtol=1e-3)
    assert M.ResNet50(width=2).style == "caffe"


# -- pictures ------------------------------------------------------------------------------------


def test_pictures_are_prepared_as_in_the_book():
    image_of = pytest.importorskip("PIL.Image", reason="pictures need Pillow").fromarray
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3)).astype(np.uint8)
    image = image_of(pixels)
    x = M.VGG16.preprocess(image, size=None)
    assert x.dtype == np.float32
    assert x.shape == (3, 5, 4)
    means = np.array([103.939, 116.779, 123.68], np.float32)
    np.testing.assert_array_equal(x, (pixels[:, :, ::-1] - means).transpose(2, 0, 1))
    assert M.VGG16.preprocess(image).shape == (3, 224, 224)
    wide = M.ResNet.preprocess(image.convert("L"), (6, 3), np.float64)
    assert (wide.shape, wide.dtype) == ((3, 3, 6), np.float64)
    grey = np.asarray(image.convert("L").resize((6, 3)).convert("RGB"), np.float64)
    np.testing.assert_allclose(wide[0], grey[:, :, 2] - 103.063)

    y = M.SqueezeNet.preprocess(image, None)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(
        y, ((pixels / 255 - mean) / deviation).transpose(2, 0, 1), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(M.VGG16.preprocess(image, None, style="torch"), y)
    for given, text in [
        ({"dtype": np.int64}, "preprocess: expected a real floating dtype; got int64"),
        ({"style": "keras"}, "preprocess: expected the style 'caffe' or 'torch'; got 'keras'"),
    ]:
        with pytest.raises((TypeError, ValueError), match=message(text)):
            M.VGG16.preprocess(image, **given)
    with pytest.raises(TypeError, match="expected a PIL image; got ndarray"):
        M.VGG16.preprocess(pixels)


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: M.ResNet(20), "ResNet: expected n_layers of 18, 34, 50, 101 or 152; got 20"),
        (lambda: M.ResNet(style="tf"), "ResNet: expected the style 'caffe' or 'torch'; got 'tf'"),
        (lambda: M.SqueezeNet(version="2"), "SqueezeNet: expected the version '1.0' or '1.1'; got '2'"),
    ],
)
def test_errors(call, text):
    with pytest.raises(ValueError, match=message(text)):
        call()
