"""The programs in examples/ that train a network, in short: what they reach and what they write."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tensorgrad as tg
from under_test import BACKENDS

pytest.importorskip("matplotlib", reason="the examples draw")

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PNG = b"\x89PNG\r\n\x1a\n"

# They compute on NumPy unless they are told otherwise, so the sessions of other libraries would repeat it.
on_numpy = pytest.mark.skipif("numpy" not in BACKENDS, reason="runs where NumPy is tested")


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Import an example as Python does when it runs one: its folder comes first."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module
    tg.seed(None)


def pictures(folder: Path) -> set[str]:
    """The names of the pictures in a folder; each must be one, and show something."""
    from matplotlib.image import imread

    found = {path.name for path in folder.glob("*.png")}
    for name in found:
        assert (folder / name).read_bytes().startswith(PNG)
        assert np.ptp(imread(folder / name)[..., :3]) > 0.5
    return found


def write_idx(path: Path, array: np.ndarray) -> None:
    sizes = np.array(array.shape, dtype=">u4").tobytes()
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


@on_numpy
def test_mnist_on_idx_files(example, tmp_path, capsys):
    """The bundled digits, enlarged to the size of MNIST: 1,259 to train on."""
    digits = tg.datasets.Digits(flatten=False)
    large = np.kron(digits.data[:, 0] * 255, np.ones((3, 3)))
    write_idx(tmp_path / "images-idx3-ubyte", np.pad(large, ((0, 0), (2, 2), (2, 2))))
    write_idx(tmp_path / "labels-idx1-ubyte", digits.label)
    mnist = example("mnist")
    history = mnist.main(["--quick", "--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert len(history.losses) == len(history.accuracies) == 3
    assert history.losses[-1] < 0.6 * history.losses[0]
    assert history.accuracies[-1] > 0.7
    assert pictures(tmp_path / "out") == {"curves.png", "misread.png"}
    model = mnist.CNN()
    model.load_weights(tmp_path / "out" / "weights.npz")
    held_out = mnist.MNIST(train=False, transform=mnist.AS_IT_IS, root=tmp_path)
    again = example("common").accuracy(model, tg.DataLoader(held_out, 100))
    assert again == pytest.approx(history.accuracies[-1])
    assert f"{again:.1%} are read rightly" in capsys.readouterr().out


@on_numpy
@pytest.mark.parametrize(("model", "goal"), [("mlp", 0.94), ("cnn", 0.97), ("transformer", 0.9)])
def test_digits(example, tmp_path, model, goal):
    history = example("digits").main(["--quick", "--model", model, "--out", str(tmp_path)])
    assert history.accuracies[-1] > goal
    assert pictures(tmp_path) == {f"{model}.png"}


@on_numpy
@pytest.mark.parametrize("model", ["rnn", "lstm"])
def test_a_free_run_follows_the_wave(example, tmp_path, model, capsys):
    run = example("sin_curve").main(["--quick", "--model", model, "--out", str(tmp_path)])
    assert run.predicted.shape == run.truth.shape == (200,)
    # Saying 0 is off by 0.71, saying the value before is off by 0.098 at a single step.
    assert run.errors[0] < 0.3
    assert pictures(tmp_path) == {f"{model}.png"}
    assert f"{model}: mean squared error 0.00" in capsys.readouterr().out


@pytest.fixture(scope="module")
def numpy_curve() -> list[float]:
    """The losses of examples/backends.py on NumPy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        curve = importlib.import_module("backends").train("numpy", 20)
    tg.seed(None)
    return curve


def test_the_same_script_on_every_backend(example, backend, numpy_curve, capsys):
    on_double = os.environ.get("TENSORGRAD_CUPY_DOUBLE")
    steps = 4 if on_double else 20  # which runs each thread of a kernel in turn
    curve = example("backends").main(["--backend", backend.name, "--steps", str(steps)])[backend.name]
    np.testing.assert_allclose(curve, numpy_curve[:steps], atol=1e-4)
    assert numpy_curve[-1] < 0.4 * numpy_curve[0]
    printed = capsys.readouterr().out
    assert f"{backend.name}: {steps} steps in " in printed
    assert f"\n{steps:4}{curve[-1]:18.6f}\n" in printed


@on_numpy
@pytest.mark.parametrize(("model", "goal"), [("lstm", 1.8), ("gpt", 2.3)])
def test_text_is_learned(example, tmp_path, model, goal, capsys):
    text = example("text")
    zen = text.zen()
    assert zen.startswith("The Zen of Python")
    assert text.entropy("abab") == pytest.approx(np.log(2))
    losses, sample = text.main(["--quick", "--model", model, "--out", str(tmp_path)])
    assert losses[-1] < goal < text.entropy(zen) - 0.7
    assert sample.startswith("The ")
    assert len(sample) == 404
    assert set(sample) <= set(zen)
    assert sample in capsys.readouterr().out
    assert pictures(tmp_path) == {f"{model}.png"}


@on_numpy
def test_a_text_of_ones_own(example, tmp_path):
    """What follows is certain, so the loss falls to almost nothing, and the sample is the text."""
    text = example("text")
    (tmp_path / "own.txt").write_text("abc " * 40)
    chosen = [
        "--text",
        str(tmp_path / "own.txt"),
        "--out",
        str(tmp_path),
        "--model",
        "lstm",
        "--epochs",
        "20",
    ]
    losses, sample = text.main(chosen)
    assert losses[-1] < 0.2
    assert sample[4:24] == "abc " * 5
    with pytest.raises(ValueError, match=r"^expected a text of more than 64 characters; got 3$"):
        text.Pieces("abc")


@on_numpy
def test_the_licence_is_found_or_the_error_says_where_it_was_sought(example, tmp_path, monkeypatch):
    text = example("text")
    (tmp_path / "lib").mkdir()
    monkeypatch.setattr(text.os, "__file__", str(tmp_path / "lib" / "os.py"))
    monkeypatch.setattr(text.sys, "base_prefix", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"Name another text: --text FILE"):
        text.licence()
    (tmp_path / "LICENSE.txt").write_text("A. HISTORY")
    assert text.licence() == "A. HISTORY"


@on_numpy
def test_the_vae_knows_more_than_the_means(example, tmp_path):
    vae = example("vae")
    history = vae.main(["--quick", "--out", str(tmp_path)])
    p = np.clip(tg.datasets.Digits().data.mean(axis=0, dtype=np.float64), 1e-4, 1 - 1e-4)
    x = tg.datasets.Digits(train=False).data
    means = -np.mean(np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=1))
    # By 2.2 nats after 15 epochs, by 3.4 at the end of a whole run.
    assert history.held_out[-1] < means - 1.5
    assert history.held_out[-1] < history.held_out[0]
    assert pictures(tmp_path) == {"curves.png", "map.png", "pairs.png"}


def fid_by_roots(a: np.ndarray, b: np.ndarray) -> float:
    """The squared Fréchet distance with the matrix root of SciPy."""
    from scipy.linalg import sqrtm

    cov = [np.cov(x.T) for x in (a, b)]
    return np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(cov[0] + cov[1] - 2 * sqrtm(cov[0] @ cov[1]).real)


@on_numpy
def test_the_gan_comes_nearer_to_real_digits(example, tmp_path):
    gan = example("gan")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 5)), rng.normal(1.0, 2.0, size=(80, 5))
    assert gan.frechet_distance(a, b) == pytest.approx(fid_by_roots(a, b))
    assert gan.frechet_distance(a, a) == pytest.approx(0.0, abs=1e-10)
    history = gan.main(["--quick", "--out", str(tmp_path)])
    assert history.distances[-1] < 0.4 * history.distances[0]
    assert pictures(tmp_path) == {"curves.png", "samples.png"}


@on_numpy
def test_grad_cam_looks_at_the_stroke(example, tmp_path):
    found = example("gradcam").main(["--quick", "--out", str(tmp_path)])
    assert found.accuracy > 0.9
    assert found.on_stroke > 1.3 * found.elsewhere
    assert found.without_hot < found.without_random - 0.02
    assert pictures(tmp_path) == {"heat.png"}


@on_numpy
def test_grad_cam_of_a_network_that_is_known(example):
    """One filter that sees the stroke, and a class that wants it: the heat is the pooled image."""
    gradcam = example("gradcam")
    model = gradcam.CNN()
    x = np.zeros((1, 1, 28, 28), np.float32)
    x[0, 0, 6:22, 12:16] = 1.0
    model(x)
    for p in model.params():
        p.data[...] = 0
    model.conv1.W.data[0, 0, 2, 2] = model.conv2.W.data[0, 0, 2, 2] = 1
    model.l1.W.data[: 7 * 7, 0] = 1
    model.l2.W.data[0, 3] = 1
    heat, classes = gradcam.grad_cam(model, x)
    np.testing.assert_array_equal(classes, [3])
    np.testing.assert_allclose(heat[0], x[0, 0])


@on_numpy
def test_style_is_transferred(example, tmp_path):
    result = example("style").main(["--quick", "--out", str(tmp_path)])
    assert result.accuracy > 0.4  # of four angles
    assert result.style[-1] < 0.05 * result.style[0]
    assert result.content[-1] < 1
    assert result.picture.shape == (3, 48, 64)
    assert pictures(tmp_path) == {"style.png", "curves.png"}


@on_numpy
def test_a_picture_of_ones_own(example, tmp_path):
    image = pytest.importorskip("PIL.Image", reason="reads pictures")
    image.new("RGB", (40, 80), (255, 0, 51)).save(tmp_path / "red.png")
    picture = example("style").load(str(tmp_path / "red.png"), 10, 20)
    np.testing.assert_allclose(picture, np.broadcast_to([[[1.0]], [[0.0]], [[0.2]]], (3, 10, 20)))
