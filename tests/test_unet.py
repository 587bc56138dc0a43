"""U-Net: its parameters, its sizes, torch's results, and that it learns to mark what it should."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import models as M
from tensorgrad import optimizers as O
from tensorgrad.testing.arrays import to_numpy


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def test_its_parameters():
    model = M.UNet(2, width=4, depth=2, batch_norm=False)
    model(drawn(1, 1, 8, 8))

    def twice(ins, outs):
        return ins * outs * 9 + outs + outs * outs * 9 + outs

    def larger(ins, outs):
        return ins * outs * 4 + outs

    expected = twice(1, 4) + twice(4, 8) + twice(8, 16) + twice(16, 8) + twice(8, 4)
    expected += larger(16, 8) + larger(8, 4) + (4 * 2 + 2)
    assert sum(p.size for p in model.params()) == expected
    names = [path for path, _ in model.namedparams()]
    assert names[:2] == ["down/0/conv1/W", "down/0/conv1/b"]
    assert names[-2:] == ["out/W", "out/b"]
    normed = M.UNet(2, width=4, depth=2)
    normed(drawn(1, 1, 8, 8))
    names = [path for path, _ in normed.namedparams()]
    assert names[:5] == [
        "down/0/conv1/W",
        *(f"down/0/norm1/{p}" for p in ("avg_mean", "avg_var", "gamma", "beta")),
    ]


def test_every_size_comes_out_as_it_went_in(backend):
    model = M.UNet(3, width=2, depth=3).to(backend)
    for height, width in [(8, 16), (9, 13), (1, 1), (7, 30)]:
        y = model(backend.from_numpy(drawn(2, 2, height, width)))
        assert y.shape == (2, 3, height, width)
        assert y.dtype == backend.xp.float32
    assert M.UNet(1, width=2, depth=0)(drawn(1, 1, 5, 5)).shape == (1, 1, 5, 5)


def test_torch_s_functions_give_the_same():
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    f = torch.nn.functional
    model = M.UNet(2, width=3, depth=2, batch_norm=False)
    x = drawn(1, 2, 10, 7)
    y = model(x)
    w = {path: torch.from_numpy(p.data) for path, p in model.namedparams()}

    def twice(x, path):
        for i in (1, 2):
            x = torch.relu(f.conv2d(x, w[f"{path}/conv{i}/W"], w[f"{path}/conv{i}/b"], padding=1))
        return x

    a = twice(torch.from_numpy(x), "down/0")
    b = twice(f.max_pool2d(a, 2, 2, ceil_mode=True), "down/1")
    h = twice(f.max_pool2d(b, 2, 2, ceil_mode=True), "bottom")
    for i, beside in ((1, b), (0, a)):
        h = f.conv_transpose2d(h, w[f"larger/{i}/W"], w[f"larger/{i}/b"], 2)
        h = twice(torch.cat([beside, h[..., : beside.shape[2], : beside.shape[3]]], 1), f"up/{i}")
    z = f.conv2d(h, w["out/W"], w["out/b"])
    np.testing.assert_allclose(y.data, z.numpy(), rtol=1e-4, atol=1e-5)


def test_it_learns_to_mark_squares(backend):
    """Bright squares on noise; most pixels are marked right after some steps."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 1, 12, 12)).astype(np.float32)
    t = np.zeros((4, 12, 12), np.int64)
    for i in range(4):
        top, left = rng.integers(0, 7, 2)
        t[i, top : top + 5, left : left + 5] = 1
    x[:, 0] += 2 * t
    model = M.UNet(2, width=4, depth=1).to(backend)
    optimizer = O.Adam(0.03).setup(model)
    x, labels = backend.from_numpy(x), backend.from_numpy(t.reshape(-1))
    for _ in range(15):
        logits = F.reshape(F.permute_dims(model(x), (0, 2, 3, 1)), (-1, 2))
        loss = F.softmax_cross_entropy(logits, labels)
        model.cleargrads()
        loss.backward()
        optimizer.update()
    assert float(F.accuracy(logits, labels)) > 0.95


def test_weights_go_through_a_file(tmp_path):
    model, twin = (M.UNet(2, width=2, depth=1) for _ in range(2))
    x = drawn(1, 1, 6, 6)
    model(x)
    model.save_weights(tmp_path / "w.npz")
    twin.load_weights(tmp_path / "w.npz")
    with tg.test_mode():
        np.testing.assert_array_equal(to_numpy(twin(x)), to_numpy(model(x)))


def test_errors():
    expected = "UNet: expected out_channels and width of 1 or more and depth >= 0; got 0, 64 and 4"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        M.UNet(0)
    with pytest.raises(ValueError, match=r"^UNet: expected x of shape \(N, C, H, W\); got \(3, 8, 8\)$"):
        M.UNet(1)(drawn(3, 8, 8))
