"""The environment report, and the program that prints it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint, PackageNotFoundError

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import __main__ as program
from tensorgrad import backend as contract
from tensorgrad import report


@pytest.fixture
def only_numpy(monkeypatch):
    """A registry with NumPy and backends that do not load: no library needs to be imported."""
    entries = {"numpy": contract.entry_points()["numpy"]}

    def add(name, value):
        entries[name] = EntryPoint(name, value, contract.GROUP)

    monkeypatch.setattr(contract, "entry_points", lambda: entries)
    monkeypatch.setattr(report, "entry_points", lambda: entries)
    return add


def test_versions_come_first(only_numpy):
    lines = report.environment_report().splitlines()
    assert lines[0] == f"tensorgrad {tg.__version__}"
    assert lines[1].startswith(f"Python {sys.version.split()[0]} (")
    assert re.fullmatch(rf"numpy {re.escape(np.__version__)}, array-api-compat \d+\..*", lines[3])
    assert f"  numpy             {np.__version__} on cpu" in lines


def test_a_missing_library_says_what_installs_it(only_numpy, tmp_path, monkeypatch):
    (tmp_path / "of_nothing_else.py").write_text(
        "from tensorgrad.backend import importing\n"
        "with importing('Nothing', install='python -m pip install nothing'):\n"
        "    import no_such_library\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    only_numpy("nothing", "of_nothing_else:Nothing")
    assert (
        "  nothing           missing: Nothing is not installed (there is no module 'no_such_library').\n"
        "                    Install it: python -m pip install nothing\n"
    ) in report.environment_report()


def test_a_broken_backend_does_not_break_the_report(only_numpy):
    only_numpy("broken", "math:sqrt")  # takes one argument
    text = report.environment_report()
    assert "  broken            fails: TypeError: " in text
    assert text.index("broken") < text.index("Optional tools")


def test_an_alias_is_not_listed_twice():
    entries = contract.entry_points()
    assert entries["jax"].value == entries["jaxlib"].value
    assert report._names().count("jax") == 1
    assert "jaxlib" not in report._names()
    assert report._names()[0] == "numpy"


def test_tools(only_numpy, monkeypatch):
    text = report.environment_report()
    graphviz = "graphviz version" if shutil.which("dot") else "missing: without its program `dot`"
    assert graphviz in text
    assert re.search(r"^  BLAS {14}\w+", text, re.MULTILINE)

    def absent(distribution):
        raise PackageNotFoundError(distribution)

    monkeypatch.setattr(report, "version", absent)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    text = report.environment_report()
    assert "tensorgrad (not installed as a package)" in text
    assert "Install it: python -m pip install tqdm" in text
    assert "Install it: apt install graphviz" in text


def test_settings_are_shown_where_they_are_made(only_numpy, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    text = report.environment_report()
    assert "  OMP_NUM_THREADS   3\n" in text
    assert "CUDA_VISIBLE_DEVICES" not in text


def test_the_program_prints_the_report(only_numpy, capsys):
    assert program.main([]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("tensorgrad ")
    assert "\nBackends\n" in printed


def test_the_program_forwards_to_the_demonstration(monkeypatch):
    given = []
    monkeypatch.setattr(tg, "demo", None, raising=False)
    monkeypatch.setitem(sys.modules, "tensorgrad.demo", type(sys)("tensorgrad.demo"))
    sys.modules["tensorgrad.demo"].main = given.append
    assert program.main(["demo", "--epochs", "1"]) == 0
    assert given == [["--epochs", "1"]]


def test_the_program_refuses_what_it_does_not_know(capsys):
    with pytest.raises(SystemExit) as e:
        program.main(["nope"])
    assert e.value.code == 2
    assert "invalid choice: 'nope'" in capsys.readouterr().err


def test_python_m_tensorgrad():
    """With every backend that is installed here."""
    done = subprocess.run([sys.executable, "-m", "tensorgrad"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("numpy", "array_api_strict", "cupy", "dask", "dpnp", "jax", "torch"):
        assert re.search(rf"^  {name} +(missing: |\d)", done.stdout, re.MULTILINE), name
