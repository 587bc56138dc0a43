"""What the command line says of files of weights."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import __main__ as program
from tensorgrad import npz


@pytest.fixture(params=["npz", "safetensors"])
def file(request, tmp_path):
    if request.param == "safetensors":
        pytest.importorskip("safetensors")
    model = tg.models.MLP((3, 2))
    model(np.zeros((1, 4), np.float32))
    model.l0.W.data[...] = np.arange(12, dtype=np.float32).reshape(4, 3)
    model.l0.b.data[...] = [np.nan, 1.0, np.inf]
    path = tmp_path / f"weights.{request.param}"
    model.save_weights(path)
    return path


def test_inspect(file, capsys):
    assert program.main(["inspect", str(file)]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "name shape dtype numbers size values"
    assert "l0/W 4 x 3 float32 12 48 B 0 to 11" in lines
    assert "l0/b 3 float32 3 12 B 1 to 1 (2 not finite)" in lines
    assert lines[-1] == "4 arrays, 23 numbers, 92 B"


def test_graph(file, capsys):
    assert program.main(["graph", str(file)]) == 0
    first, *tree = capsys.readouterr().out.splitlines()
    assert first == f"{file}: 23 numbers"
    assert tree == [
        "├── l0: 15",
        "│   ├── W 4 x 3 float32",
        "│   └── b 3 float32",
        "└── l1: 8",
        "    ├── W 3 x 2 float32",
        "    └── b 2 float32",
    ]


def test_names_of_torch_and_other_dtypes(tmp_path, capsys):
    path = tmp_path / "other.npz"
    arrays = {"block.0.weight": np.ones((2, 2)), "block.0.count": np.array(3), "empty": np.zeros((0, 2))}
    npz.write(path, arrays)
    program.main(["graph", str(path)])
    assert "│   └── 0: 5" in capsys.readouterr().out
    program.main(["inspect", str(path)])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "block.0.count () int64 1 8 B 3 to 3" in lines
    assert "empty 0 x 2 float64 0 0 B" in lines


def test_what_cannot_be_read(tmp_path, capsys):
    (tmp_path / "damaged.npz").write_bytes(b"PK\x03\x04")
    assert program.main(["inspect", str(tmp_path / "damaged.npz")]) == 1
    assert "damaged.npz" in capsys.readouterr().err
    assert program.main(["graph", str(tmp_path / "missing.npz")]) == 1
    assert capsys.readouterr().err.startswith("graph: ")


def test_as_a_program(file):
    command = [sys.executable, "-m", "tensorgrad", "graph", str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    assert "l1: 8" in run.stdout
    usage = subprocess.run([*command[:3], "--help"], capture_output=True, text=True, check=True)
    assert all(word in usage.stdout for word in ("demo", "inspect", "graph"))
