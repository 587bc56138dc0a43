"""The demo as users run it: what it says, what it writes and how it exits."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tensorgrad import cuda, demo
from tensorgrad.backend import get_backend

PNG = b"\x89PNG\r\n\x1a\n"

WITHOUT_EXTRAS = """
import sys
sys.modules["tqdm"] = sys.modules["matplotlib"] = None
from tensorgrad.demo import main
sys.exit(main())
"""

WITH_PYPLOT_WATCHED = """
import sys
from tensorgrad.demo import main
code = main()
sys.exit(code if "matplotlib.pyplot" not in sys.modules else 9)
"""


def run(folder: Path, *args: str, code: str | None = None, **env: str) -> subprocess.CompletedProcess:
    start = ["-m", "tensorgrad.demo"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, "-W", "error", *start, *args],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def accuracy(output: str) -> float:
    found = re.search(r"^Test accuracy: ([\d.]+)% \((\d+) of 359\)$", output, re.MULTILINE)
    assert found, output
    percent, right = float(found[1]), int(found[2])
    assert percent == round(100 * right / 359, 2)
    return percent


def test_the_whole_run_reaches_the_goal(tmp_path):
    done = run(tmp_path, code=WITH_PYPLOT_WATCHED)
    assert done.returncode == 0, done.stdout + done.stderr
    assert accuracy(done.stdout) >= 97
    folder = tmp_path / "tensorgrad-demo"
    assert f"Written to {folder}:\n" in done.stdout
    assert "1,438 images to train on, 359 held out" in done.stdout

    where = (
        "on the GPU (" if cuda.is_available() else f"on the CPU, with NumPy. No GPU: {cuda.why_unavailable()}"
    )
    assert f"Training {where}" in done.stdout

    bar = done.stderr.split("\r")[-1]
    assert re.search(r"epoch 25/25: 100%.*images/s, loss 0\.\d{3}, test accuracy 9\d\.\d%\]", bar)

    assert (folder / "loss.png").read_bytes().startswith(PNG)
    dot = (folder / "graph.dot").read_text()
    for text in ("x: (32, 64) float32", "l1/W: (64, 128) float32", "SoftmaxCrossEntropy", "loss: ()"):
        assert text in dot
    assert (folder / "graph.svg").exists() == (shutil.which("dot") is not None)

    model = demo.Classifier()
    model.load_weights(folder / "weights.npz")
    assert demo.accuracy(model, get_backend("numpy")) * 100 == pytest.approx(accuracy(done.stdout), abs=0.01)


def test_a_short_run_that_misses_the_goal(tmp_path):
    done = run(tmp_path, "--epochs", "1", "--out", "made/here", "--seed", "3", "--backend", "numpy")
    assert done.returncode == 1, done.stdout + done.stderr
    assert 30 < accuracy(done.stdout) < 97
    assert "Training on numpy (cpu): --backend asks for it\n" in done.stdout
    assert "That is below the goal of 97%." in done.stderr
    assert {p.name for p in (tmp_path / "made" / "here").iterdir()} >= {
        "loss.png",
        "graph.dot",
        "weights.npz",
    }
    assert not (tmp_path / "tensorgrad-demo").exists()


def test_without_the_extras_it_says_what_installs_them(tmp_path):
    done = run(tmp_path, "--epochs", "2", code=WITHOUT_EXTRAS, PATH="")
    assert done.returncode == 1, done.stdout + done.stderr
    install = "python -m pip install 'tensorgrad[demo]'"
    assert f"(no progress bar: tqdm is not installed; {install})" in done.stdout
    assert re.search(
        r"^epoch 2/2: loss \d\.\d{3}, test accuracy \d\d\.\d%, [\d,]+ images/s$", done.stdout, re.MULTILINE
    )
    assert f"loss.png     not drawn: matplotlib is not installed; {install}" in done.stdout
    assert "(Graphviz, not installed, makes a picture of it)" in done.stdout
    assert {p.name for p in (tmp_path / "tensorgrad-demo").iterdir()} == {"graph.dot", "weights.npz"}


def test_a_seed_repeats_a_run(tmp_path):
    weights = []
    for folder, seed in [("a", "1"), ("b", "1"), ("c", "2")]:
        done = run(tmp_path, "--epochs", "1", "--out", folder, "--seed", seed, code=WITHOUT_EXTRAS)
        assert done.returncode == 1, done.stdout + done.stderr
        weights.append((tmp_path / folder / "weights.npz").read_bytes())
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--epochs", "0"], "argument --epochs: expected at least 1; got 0"),
        (["--epochs", "many"], "argument --epochs: invalid"),
        (["--backend", "nowhere"], "no backend is named 'nowhere'; there are: numpy, "),
    ],
)
def test_wrong_options(args, complaint, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        demo.main(args)
    assert exit_.value.code == 2
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as exit_:
        demo.main(["--out", str(tmp_path / "file" / "folder")])
    assert exit_.value.code == 2
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.skipif(cuda.is_available(), reason="there is a GPU")
def test_a_backend_that_is_missing(capsys):
    with pytest.raises(SystemExit):
        demo.main(["--backend", "cupy"])
    assert cuda.why_unavailable() in capsys.readouterr().err


class FakeGpu:
    """What `choose` asks of a backend."""

    def devices(self):
        return ["cuda:0 (a GPU)"]


def test_a_gpu_is_chosen_where_there_is_one(monkeypatch):
    gpu = FakeGpu()
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(demo, "get_backend", {"cupy": gpu}.__getitem__)
    assert demo.choose(None) == (gpu, "on the GPU (cuda:0 (a GPU)): CuPy found it")


def test_the_cpu_is_chosen_otherwise(monkeypatch):
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    monkeypatch.setattr(cuda, "why_unavailable", lambda: "it is at home")
    backend, why = demo.choose(None)
    assert backend.name == "numpy"
    assert why == "on the CPU, with NumPy. No GPU: it is at home"


@pytest.mark.gpu
def test_the_whole_run_on_the_gpu(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Training on the GPU (" in done.stdout
    assert accuracy(done.stdout) >= 97


def test_one_epoch_on_every_backend(backend, tmp_path):
    np.random.seed(0)  # noqa: NPY002  # weights and shuffles draw from it
    model = demo.Classifier().to(backend)
    history = demo.train(model, backend, 1)
    assert len(history.losses) == 45
    assert np.mean(history.losses[-5:]) < 0.7 * history.losses[0]
    assert history.accuracies[0] > 0.7
    assert demo.write_graph(model, backend, tmp_path / "graph.dot").startswith("the computation graph")
    assert "l3/W: (64, 10)" in (tmp_path / "graph.dot").read_text()


def test_the_mean_of_every_epoch():
    history = demo.History([4.0, 2.0, 1.0, 0.0], [0.5, 0.75])
    np.testing.assert_array_equal(history.epoch_losses(), [3.0, 0.5])


def test_the_curve_of_a_single_epoch_and_of_poor_results(tmp_path):
    pytest.importorskip("matplotlib", reason="draws")
    for n, history in enumerate([demo.History([2.0], [0.1]), demo.History([2.0, 1.0], [0.1, 0.2])]):
        demo.write_curve(history, tmp_path / f"{n}.png")
        assert (tmp_path / f"{n}.png").read_bytes().startswith(PNG)
