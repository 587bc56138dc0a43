"""The programs in examples/ that train a network, in short: what they reach and what they write."""

from __future__ import annotations

import importlib
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
    curve = example("backends").main(["--backend", backend.name])[backend.name]
    np.testing.assert_allclose(curve, numpy_curve, atol=1e-4)
    assert numpy_curve[-1] < 0.4 * numpy_curve[0]
    printed = capsys.readouterr().out
    assert f"{backend.name}: 20 steps in " in printed
    assert f"\n  20{curve[-1]:18.6f}\n" in printed


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
