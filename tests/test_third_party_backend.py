"""A backend from another distribution, found through its entry point and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from shutil import copy
from textwrap import dedent

import pytest

SOURCE = Path(__file__).parent / "third_party_backend"


def install_with_pip(target: Path) -> None:
    if find_spec("pip") is None or find_spec("hatchling") is None:
        pytest.skip("needs pip and hatchling")
    built_from = target.with_name("source")  # a copy: building leaves nothing in the repository
    built_from.mkdir()
    for file in SOURCE.glob("*.*"):
        copy(file, built_from)
    command = "-m pip install --quiet --no-index --no-deps --no-build-isolation --no-compile"
    flags = [*command.split(), "--disable-pip-version-check", "--target", str(target), str(built_from)]
    done = subprocess.run([sys.executable, *flags], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def install_by_hand(target: Path) -> None:
    """What an installer would write: the modules and the metadata."""
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]
    info = target / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    for module in SOURCE.glob("*.py"):
        copy(module, target)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module", params=[install_with_pip, install_by_hand], ids=["pip", "metadata"])
def environ(request, tmp_path_factory):
    """The environment of a process that finds the distribution."""
    target = tmp_path_factory.mktemp("installed") / "site"
    request.param(target)
    paths = [str(target), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def run(code: str, environ: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        env=environ,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_arrays_of_another_library_are_differentiated(environ):
    """Found by the type of the array alone; first and second derivatives, with repeated indices."""
    code = """
    import sys
    import numpy as np
    import tensorgrad as tg
    from tensorgrad import functions as F
    assert "tinyarray" not in sys.modules
    import tinyarray

    def derivatives(array, index, owner):
        x = tg.Variable(array)
        y = F.sum(F.tanh(x) * x**3) + F.mean(F.exp(x) / (1.0 + F.exp(x)), axis=0)
        y = y + F.sum(F.matmul(F.reshape(x[index], (2, 2)), F.reshape(x, (2, 2))))
        y.backward(create_graph=True)
        first = x.grad
        x.cleargrad()
        (first * first).sum().backward()
        results = [y, first, x.grad]
        assert all(type(v.data) is type(array) for v in results), [type(v.data) for v in results]
        assert {v.backend.name for v in results} == {owner}
        return [tg.as_variable(v.backend.to_numpy(v.data)).data for v in results]

    a = np.array([0.5, -1.0, 2.0, 0.1])
    i = np.array([0, 2, 2, -1])
    tiny = derivatives(tinyarray.from_host(a), tinyarray.from_host(i), "tinyarray")
    for got, want in zip(tiny, derivatives(a, i, "numpy"), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)
    print("same")
    """
    assert run(code, environ) == "same\n"


def test_the_default_scatter_add_serves_it(environ):
    code = """
    import numpy as np
    from tensorgrad.backend import get_backend
    b = get_backend("tinyarray")
    for index in (1, slice(0, 2), np.array([[0, 2], [2, 2]]), np.array([True, False, True])):
        base = np.arange(6.0).reshape(3, 2)
        values = np.ones(base[index].shape)
        there = b.from_numpy(index) if isinstance(index, np.ndarray) else index
        got = b.scatter_add(b.from_numpy(base), there, b.from_numpy(values))
        np.add.at(base, index, values)
        np.testing.assert_array_equal(b.to_numpy(got), base)
    print("same")
    """
    assert run(code, environ) == "same\n"


def test_it_is_named_like_the_others(environ):
    code = """
    import numpy as np
    import tensorgrad as tg
    from tensorgrad.backend import get_backend
    b = get_backend("tinyarray")
    v = tg.Variable(b.from_numpy(np.array([1.0, 2.0])))
    print(v, b, v.device)
    try:
        v + np.array([1.0, 2.0])
    except TypeError as error:
        print(error)
    """
    shown, error = run(code, environ).splitlines()
    assert shown == "variable([1. 2.]) <backend tinyarray> tiny"
    assert error.startswith("Add: expected inputs of one array library; got tinyarray (2,) and numpy (2,). ")


def test_the_environment_report_lists_it(environ):
    code = """
    from tensorgrad import report
    print(report._backend("tinyarray"))
    """
    assert run(code, environ) == "0.1.0 on cpu\n"


def test_the_readme_shows_it():
    shown = (SOURCE.parent.parent / "README.md").read_text()
    source = (SOURCE / "tinyarray_tensorgrad.py").read_text()
    assert source[source.index("from tensorgrad.backend") :] in shown
    entry = tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]["entry-points"]
    for name, value in entry["tensorgrad.backends"].items():
        assert f'{name} = "{value}"' in shown
