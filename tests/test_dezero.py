"""Scripts of the book run as they stand. Its own are in test_book_checkout.py."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tensorgrad as tg
from tensorgrad import dezero

SCRIPT = """
if '__file__' in globals():
    import os, sys
    sys.path.append(os.path.join(os.path.dirname(__file__), '..'))
import sys
import numpy as np
import dezero
import dezero.functions as F
import dezero.layers as L
from dezero import Variable, Model, setup_variable
from dezero import optimizers
from dezero.core_simple import Variable as Simple
from dezero.models import MLP
from dezero.utils import plot_dot_graph

assert not dezero.is_simple_core
setup_variable()
arguments = sys.argv[1:]

np.random.seed(0)
x = np.random.rand(100, 1)
y = np.sin(2 * np.pi * x) + np.random.rand(100, 1)

model = MLP((10, 1))
optimizer = optimizers.SGD(0.2).setup(model)
for i in range(3):
    loss = F.mean_squared_error(y, model(x))
    model.cleargrads()
    loss.backward()
    optimizer.update()
    print(loss)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "steps" / "step.py"
    path.parent.mkdir()
    path.write_text(SCRIPT, encoding="utf-8")
    return path


def test_a_script_of_the_book_gets_tensorgrad(script, capsys):
    argv, path = list(sys.argv), list(sys.path)
    found = dezero.run(script, ["-v"])
    losses = [float(line[len("variable(") : -1]) for line in capsys.readouterr().out.splitlines()]
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 3
    assert found["Variable"] is tg.Variable is found["Simple"]
    assert found["arguments"] == ["-v"]
    assert "dezero" not in sys.modules
    assert sys.argv == argv
    assert sys.path[: len(path)] == path or set(path) <= set(sys.path)


def test_an_installed_dezero_comes_back(monkeypatch):
    theirs = type(sys)("dezero")
    monkeypatch.setitem(sys.modules, "dezero", theirs)
    with dezero.as_dezero():
        assert sys.modules["dezero"] is not theirs
    assert sys.modules["dezero"] is theirs


def test_names_that_are_nowhere_say_so():
    book = dezero.modules()["dezero"]
    assert book.functions.sin is tg.functions.sin
    with pytest.raises(AttributeError, match=r"dezero\.functions\.sine: tensorgrad has no 'sine'"):
        _ = book.functions.sine


def test_the_command_line(script, tmp_path):
    def command(*args):
        return subprocess.run(
            [sys.executable, "-m", "tensorgrad.dezero", *args], capture_output=True, text=True, check=False
        )

    done = command(str(script))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("variable(") == 3
    assert command("--help").returncode == 0
    assert command().returncode == 2
    missing = command(str(tmp_path / "none.py"))
    assert missing.returncode == 1
    assert "expected the path of a script" in missing.stderr


# -- what is older than the libraries of today -----------------------------------------------------


def test_float_takes_one_element_whatever_its_axes(tmp_path, capsys):
    path = tmp_path / "old.py"
    path.write_text(
        "import numpy as np\n"
        "from dezero import Variable\n"
        "print(float(np.ones((1, 1))), float(Variable(np.ones((1, 1)))), float('2'), float(3), float())\n"
        "print(np.zeros(1, dtype=float).dtype, isinstance(1.0, float), list(map(float, '12')))\n",
        encoding="utf-8",
    )
    dezero.run(path)
    assert capsys.readouterr().out == "1.0 1.0 2.0 3.0 0.0\nfloat64 True [1.0, 2.0]\n"
    path.write_text("import numpy as np\nfloat(np.ones(2))\n", encoding="utf-8")
    with pytest.raises(ValueError, match="expected one element") as caught:
        dezero.run(path)
    assert caught.traceback[-4].path == path
    del caught


def test_a_script_is_the_main_module_while_it_runs(tmp_path):
    path = tmp_path / "main.py"
    path.write_text(
        "import os, sys\nimport __main__\nfound = __main__.path = os.path.basename(__file__)\n",
        encoding="utf-8",
    )
    main = sys.modules["__main__"]
    names = dezero.run(path)
    assert (names["__name__"], names["found"], names["path"]) == ("__main__", "main.py", "main.py")
    assert sys.modules["__main__"] is main


def test_graphs_are_text_where_graphviz_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("shutil.which", lambda program: None)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "draw.py"
    path.write_text(
        "import numpy as np\n"
        "from dezero import Variable\n"
        "from dezero.models import MLP\n"
        "from dezero.utils import plot_dot_graph\n"
        "plot_dot_graph(Variable(np.array(1.0)) * 2.0, verbose=False, to_file='graph.png')\n"
        "MLP((2,)).plot(np.ones((1, 3)), to_file='mlp.pdf')\n",
        encoding="utf-8",
    )
    before = tg.utils.plot_dot_graph
    dezero.run(path)
    assert tg.utils.plot_dot_graph is before
    assert 'label="Mul"' in (tmp_path / "graph.dot").read_text(encoding="utf-8")
    assert 'label="Linear"' in (tmp_path / "mlp.dot").read_text(encoding="utf-8")
    assert capsys.readouterr().err == (
        "graph.png is not drawn: Graphviz is not installed. Its text is in graph.dot.\n"
        "mlp.pdf is not drawn: Graphviz is not installed. Its text is in mlp.dot.\n"
    )
