"""The examples of several processes: the result does not depend on how many there are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def load(name):
        sys.modules.pop(name, None)
        return __import__(name)

    return load


def test_data_parallel(comm, example, tmp_path, capsys):
    folder = str(comm.bcast_object(tmp_path))
    main = example("data_parallel").main
    right = main(["--quick", "--out", folder])
    assert right > 0.9
    assert (f"{comm.size} processes, epoch 2: loss 0." in capsys.readouterr().out) == comm.is_main
    assert set(comm.allgather_object(right)) == {right}
    again = main(["--epochs", "3", "--resume", "--out", folder])
    assert again > 0.93
    assert main(["--quick", "--sharded", "--out", folder]) == pytest.approx(right, abs=0.01)
    assert main(["--quick", "--compression", "bfloat16", "--out", folder]) == pytest.approx(right, abs=0.02)


def test_tensor_parallel(comm, example, tmp_path, capsys):
    right = example("tensor_parallel").main(["--quick", "--out", str(tmp_path)])
    assert right > 0.85
    assert (f"{comm.size} processes with" in capsys.readouterr().out) == comm.is_main
    assert set(comm.allgather_object(right)) == {right}
