"""Weights that others trained: torchvision's networks give the same here, and so do the book's files."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import dezero
from tensorgrad import models as M
from tensorgrad.models.pretrained import from_torch
from tensorgrad.models.resnet import DEPTHS
from tensorgrad.testing.arrays import to_numpy

X = np.random.default_rng(2).standard_normal((2, 3, 64, 64)).astype(np.float32)


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def predicted(model: M.Model, x=X) -> np.ndarray:
    with tg.no_grad(), tg.test_mode():
        return to_numpy(model(x))


# -- torchvision's networks, built of torch's layers under the names that they have there -------------


def torch_resnet(n_layers: int, width: int, *, caffe: bool = False):
    """ResNet; with `caffe` as in the paper's release, with a bias in the first convolution."""
    import torch
    from torch import nn

    expansion = 4 if n_layers >= 50 else 1

    class Block(nn.Module):
        def __init__(self, ins, channels, stride):
            super().__init__()
            outs = channels * expansion
            if expansion == 4:
                first, second = (stride, 1) if caffe else (1, stride)
                sizes = [(ins, channels, 1, first), (channels, channels, 3, second), (channels, outs, 1, 1)]
            else:
                sizes = [(ins, outs, 3, stride), (outs, outs, 3, 1)]
            self.n = len(sizes)
            for i, (a, b, k, s) in enumerate(sizes, 1):
                setattr(self, f"conv{i}", nn.Conv2d(a, b, k, s, k // 2, bias=False))
                setattr(self, f"bn{i}", nn.BatchNorm2d(b, eps=2e-5 if caffe else 1e-5))
            if stride > 1 or ins != outs:
                norm = nn.BatchNorm2d(outs, eps=2e-5 if caffe else 1e-5)
                self.downsample = nn.Sequential(nn.Conv2d(ins, outs, 1, stride, bias=False), norm)

        def forward(self, x):
            h = x
            for i in range(1, self.n + 1):
                h = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(h))
                h = torch.relu(h) if i < self.n else h
            return torch.relu(h + (self.downsample(x) if hasattr(self, "downsample") else x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=caffe)
            self.bn1 = nn.BatchNorm2d(width, eps=2e-5 if caffe else 1e-5)
            ins = width
            for stage, n in enumerate(DEPTHS[n_layers], 1):
                channels, blocks = width * 2 ** (stage - 1), []
                for i in range(n):
                    blocks.append(Block(ins, channels, 2 if stage > 1 and i == 0 else 1))
                    ins = channels * expansion
                setattr(self, f"layer{stage}", nn.Sequential(*blocks))
            self.fc = nn.Linear(ins, 5)

        def forward(self, x):
            x = torch.relu(self.bn1(self.conv1(x)))
            pool = {"ceil_mode": True} if caffe else {"padding": 1}
            x = nn.functional.max_pool2d(x, 3, 2, **pool)
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(x.mean((2, 3)))

    return lively(Net())


def torch_vgg(width: int):
    from torch import nn

    features, ins = [], 3
    for factor, n in [(1, 2), (2, 2), (4, 3), (8, 3), (8, 3)]:
        for _ in range(n):
            features += [nn.Conv2d(ins, factor * width, 3, padding=1), nn.ReLU()]
            ins = factor * width
        features.append(nn.MaxPool2d(2, 2))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(*features)
            hidden = [
                nn.Linear(ins * 4, 6),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(6, 6),
                nn.ReLU(),
                nn.Dropout(),
            ]
            self.classifier = nn.Sequential(*hidden, nn.Linear(6, 5))

        def forward(self, x):
            return self.classifier(self.features(x).flatten(1))

    return lively(Net())


def torch_squeezenet(version: str):
    import torch
    from torch import nn

    class Fire(nn.Module):
        def __init__(self, ins, squeezed, expanded):
            super().__init__()
            self.squeeze = nn.Conv2d(ins, squeezed, 1)
            self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
            self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

        def forward(self, x):
            x = torch.relu(self.squeeze(x))
            return torch.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))

    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    a, b, c = Fire(128, 16, 64), Fire(128, 32, 128), Fire(256, 32, 128)
    rest = [Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256)]
    last = Fire(512, 64, 256)
    if version == "1.0":
        first = [nn.Conv2d(3, 96, 7, 2), nn.ReLU(), pool(), Fire(96, 16, 64)]
        features = [*first, a, b, pool(), c, *rest, pool(), last]
    else:
        first = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(), Fire(64, 16, 64)]
        features = [*first, a, pool(), b, c, pool(), *rest, last]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(*features)
            classifier = [nn.Dropout(), nn.Conv2d(512, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
            self.classifier = nn.Sequential(*classifier)

        def forward(self, x):
            return self.classifier(self.features(x)).flatten(1)

    return lively(Net())


def lively(net):
    """Weights that keep the size of activations, and running statistics as after training."""
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, p in [*net.named_parameters(), *net.named_buffers()]:
            if p.dtype != torch.float32:
                continue
            if p.dim() > 1:
                fan_in = p[0].numel()
                p.copy_(torch.randn(p.shape, generator=generator) * (2 / fan_in) ** 0.5)
            elif name.endswith("running_var") or "weight" in name:
                p.copy_(torch.rand(p.shape, generator=generator) * 0.5 + 0.75)
            else:
                p.copy_(torch.randn(p.shape, generator=generator) * 0.1)
    return net.eval()


def theirs(net, x=X) -> np.ndarray:
    import torch

    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


NETWORKS = {  # name -> torch's network, and ours with a source of weights
    "resnet18": (lambda: torch_resnet(18, 4), lambda s: M.ResNet18(s, width=4, n_classes=5)),
    "resnet50": (lambda: torch_resnet(50, 4), lambda s: M.ResNet50(s, width=4, n_classes=5)),
    "vgg16": (lambda: torch_vgg(4), lambda s: M.VGG16(s, width=4, hidden_size=6, n_classes=5)),
    "squeezenet1.0": (lambda: torch_squeezenet("1.0"), lambda s: M.SqueezeNet(s, n_classes=5)),
    "squeezenet1.1": (lambda: torch_squeezenet("1.1"), lambda s: M.SqueezeNet(s, "1.1", n_classes=5)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_torchvision_s_weights_give_its_results(name, tmp_path):
    pytest.importorskip("torch", reason="makes the weights")
    save_file = pytest.importorskip("safetensors.torch", reason="writes them").save_file
    make, ours = NETWORKS[name]
    net = make()
    expected = theirs(net)
    assert expected.std() > 0.1  # something to compare
    path = tmp_path / "weights.safetensors"
    save_file(net.state_dict(), path)
    model = ours(path)
    np.testing.assert_allclose(predicted(model), expected, rtol=1e-4, atol=1e-4)
    ours_path = tmp_path / "ours.safetensors"  # under our names
    model.save_weights(ours_path)
    twin = M.ResNet(model.n_layers, style="torch", width=4, n_classes=5) if "res" in name else ours(False)
    twin.load_weights(ours_path)
    np.testing.assert_array_equal(predicted(twin), predicted(model))


def test_a_state_of_torch_goes_into_a_model_where_it_lies(backend):
    pytest.importorskip("torch", reason="makes the weights")
    net = torch_resnet(50, 2)
    model = M.ResNet50(style="torch", width=2, n_classes=5)
    model(X[:1])
    model.to(backend)
    assert model.load_state_dict(net.state_dict()) == ([], [])
    assert all(p.backend is backend for p in model.params())
    y = predicted(model, backend.from_numpy(X))
    np.testing.assert_allclose(y, theirs(net), rtol=1e-4, atol=1e-4)
    assert not model.load_state_dict({"fc.bias": np.zeros(5)}, strict=False)[1]
    assert to_numpy(model.fc6.b).tolist() == [0] * 5


# -- the book's files ----------------------------------------------------------------------------


def book_file(path, net, n_layers: int):
    """The weights of a network under the book's names, as an npz file."""
    model = M.ResNet(n_layers, width=4, n_classes=5)
    state = {name: t.numpy() for name, t in net.state_dict().items()}
    arrays = from_torch(state, model.torch_names())
    assert "conv1/b" in arrays
    assert np.abs(arrays["conv1/b"]).max() > 0.1
    np.savez(path, **arrays)
    return path


def test_the_book_s_resnet_gives_what_the_paper_s_release_gives(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="makes the weights")
    net = torch_resnet(50, 4, caffe=True)
    book_file(tmp_path / "resnet50.npz", net, 50)
    monkeypatch.setenv("TENSORGRAD_HOME", str(tmp_path))  # where a download would lie
    model = M.ResNet50(pretrained=True, width=4, n_classes=5)
    assert (model.style, model.conv1.b) == ("caffe", None)
    np.testing.assert_allclose(predicted(model), theirs(net), rtol=1e-4, atol=1e-4)


def small_vgg(source=False, **settings) -> M.VGG16:
    return M.VGG16(source, width=2, hidden_size=4, n_classes=3, **settings)


@pytest.fixture
def vgg_file(tmp_path):
    """Weights of a small VGG16 in a folder of their own, and the network."""
    model = small_vgg()
    model(X)
    folder = tmp_path / "server"
    folder.mkdir()
    model.save_weights(folder / "vgg16.npz")
    return folder / "vgg16.npz", model


def test_weights_are_downloaded_once_and_checked(vgg_file, tmp_path, monkeypatch):
    file, model = vgg_file
    monkeypatch.setattr(M.VGG16, "WEIGHTS_PATH", file.as_uri())
    monkeypatch.setenv("TENSORGRAD_HOME", str(tmp_path / "cache"))
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=r"has another checksum than expected \(sha256:0000\)"):
        small_vgg(True, sha256="0000")
    assert not list((tmp_path / "cache").iterdir())
    np.testing.assert_array_equal(predicted(small_vgg(True, sha256=sha256)), predicted(model))
    file.unlink()
    np.testing.assert_array_equal(predicted(small_vgg(True)), predicted(model))


def test_offline_the_error_says_where_to_put_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(M.VGG16, "WEIGHTS_PATH", (tmp_path / "nowhere" / "vgg16.npz").as_uri())
    monkeypatch.setenv("TENSORGRAD_HOME", str(tmp_path / "cache"))
    where = re.escape(str(tmp_path / "cache" / "vgg16.npz"))
    with pytest.raises(ConnectionError, match=rf"cannot download .*vgg16\.npz.* put it at {where}$"):
        M.VGG16(pretrained=True)


def test_a_local_file_may_have_a_checksum_too(vgg_file):
    file, model = vgg_file
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    np.testing.assert_array_equal(predicted(small_vgg(file, sha256=sha256.upper())), predicted(model))
    expected = f"VGG16: {file} has another checksum than expected (sha256:12ab): sha256:{sha256}"
    with pytest.raises(ValueError, match=message(expected)):
        small_vgg(file, sha256="12ab")


# -- what is refused -----------------------------------------------------------------------------


def test_weights_of_other_sizes_and_damaged_files(vgg_file, tmp_path):
    file, _ = vgg_file
    expected = (
        rf"^VGG16: {re.escape(str(file))} does not fit this VGG16; nothing was loaded\. .*\n  conv1_1/W: "
    )
    with pytest.raises(ValueError, match=expected):
        M.VGG16(file, width=3)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is not a whole npz file of numbers"):
        small_vgg(file)
    with pytest.raises(FileNotFoundError):
        small_vgg(tmp_path / "none.npz")


@pytest.mark.parametrize("make", [lambda: M.SqueezeNet(True), lambda: M.ResNet18(True)])
def test_where_nothing_is_published_the_error_says_how_to_make_a_file(make):
    expected = (
        r"^(SqueezeNet|ResNet18): no weights are known .* safetensors\.torch\.save_file.* pretrained=path$"
    )
    with pytest.raises(LookupError, match=expected):
        make()


def test_weights_of_the_other_style_are_refused(tmp_path):
    model = M.ResNet18(width=2, n_classes=3)
    model(X)
    state = model.state_dict()
    names = {ours: theirs for theirs, ours in model.torch_names().items()}
    assert names["layer2.0.downsample.1"] == "res3/a/bn3"
    torch_state = {"conv1.weight": state["conv1/W"]}
    expected = (
        "ResNet18: these weights are for style='torch'; this network has 'caffe'. "
        "Make one with style='torch', or give the file as pretrained="
    )
    with pytest.raises(ValueError, match=message(expected)):
        model.load_state_dict(torch_state)
    other = M.ResNet18(width=2, n_classes=3, style="torch")
    with pytest.raises(ValueError, match=r"these weights are for style='caffe'; this network has 'torch'"):
        other.load_state_dict({**state, "conv1/b": np.zeros(2)})


def test_what_is_missing_in_a_state_of_torch_is_named():
    model = M.ResNet18(width=2, n_classes=3, style="torch")
    with pytest.raises(
        ValueError, match=r"(?s)bn1/gamma: missing in the state.*\n  head\.weight: only in the state$"
    ):
        model.load_state_dict({"head.weight": np.zeros((2, 3))})


# -- step 58 of the book: what is in a picture? ----------------------------------------------------

STEP_58 = """
import numpy as np
from PIL import Image
import dezero
from dezero.models import VGG16

address = 'https://github.com/oreilly-japan/deep-learning-from-scratch-3/raw/images/zebra.jpg'
picture = Image.open(dezero.utils.get_file(address))
batch = VGG16.preprocess(picture)[np.newaxis]
model = VGG16(pretrained=True)
with dezero.test_mode():
    logits = model(batch)
model.plot(batch, to_file='vgg.dot')
print(dezero.datasets.ImageNet.labels()[np.argmax(logits.data)])
"""


def test_the_book_s_picture_is_classified(tmp_path, monkeypatch, capsys):
    """Everything that it downloads is in the folder; VGG16 is a narrow one."""
    image_of = pytest.importorskip("PIL.Image", reason="pictures need Pillow").fromarray
    plain = M.VGG16.__init__
    small = {"width": 2, "hidden_size": 4}
    monkeypatch.setattr(M.VGG16, "__init__", lambda self, pretrained=False: plain(self, pretrained, **small))
    monkeypatch.setenv("TENSORGRAD_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    image_of(pixels).save(tmp_path / "zebra.jpg")
    labels = {i: f"class {i}" for i in range(1000)}
    (tmp_path / "imagenet1000_clsidx_to_labels.txt").write_text(repr(labels), encoding="utf-8")
    model = M.VGG16()
    with tg.no_grad():
        model(np.zeros((1, 3, 224, 224), np.float32))
    model.fc8.b.data[340] = 1e3  # whatever the picture
    model.save_weights(tmp_path / "vgg16.npz")
    (tmp_path / "step58.py").write_text(STEP_58, encoding="utf-8")
    dezero.run(tmp_path / "step58.py")
    assert capsys.readouterr().out == "class 340\n"
    assert (tmp_path / "vgg.dot").read_text(encoding="utf-8").count('"MaxPool"') == 5
