"""Scripts of the book "Deep Learning from Scratch 3", as they stand.

    python -m tensorgrad.dezero steps/step52.py

While such a script runs, ``import dezero`` gives it tensorgrad. The names that only the book's framework has
are here, and nowhere in tensorgrad's own API.
"""

from __future__ import annotations

import ast
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import tensorgrad
from tensorgrad import utils
from tensorgrad.backend import is_array
from tensorgrad.downloads import cache_folder

SUBMODULES = (
    *("functions", "layers", "models", "optimizers", "datasets", "dataloaders"),
    *("transforms", "utils", "cuda"),
)
ELSEWHERE = {
    "core": ("tensorgrad.core", "tensorgrad.functions"),
    "core_simple": ("tensorgrad.core", "tensorgrad.functions"),
    "functions_conv": ("tensorgrad.functions", "tensorgrad.utils"),
}
"""The book's modules that tensorgrad has not, and the modules that have what is in them."""


def setup_variable() -> None:
    """Nothing to do: the operators are there from the start."""


def _extras() -> dict[str, dict[str, Any]]:
    """Module of the book -> names that it has and tensorgrad has not."""
    return {
        "": {"is_simple_core": False, "setup_variable": setup_variable},
        "core": {"setup_variable": setup_variable},
        "core_simple": {"setup_variable": setup_variable},
        "functions": {"batch_nrom": tensorgrad.functions.batch_norm},
        "utils": {"cache_dir": str(cache_folder())},
    }


class _Stand(ModuleType):
    """A module of the book's framework; what it lacks is looked up in tensorgrad's."""

    def __init__(self, name: str, targets: Iterable[ModuleType], extras: dict[str, Any]) -> None:
        self._targets = tuple(targets)
        super().__init__(name, self._targets[0].__doc__)
        self.__path__: list[str] = []  # a package, so that it has submodules
        self.__dict__.update(extras)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for target in self._targets:
            if hasattr(target, name):
                return getattr(target, name)
        where = " or ".join(target.__name__ for target in self._targets)
        raise AttributeError(f"{self.__name__}.{name}: tensorgrad has no {name!r} in {where}")


def modules() -> dict[str, ModuleType]:
    """The modules of the book's framework by name, as they stand for tensorgrad's.

    Examples
    --------
    >>> from tensorgrad.dezero import modules
    >>> modules()["dezero.functions_conv"].conv2d is F.conv2d
    True
    """
    extras = _extras()
    made: dict[str, ModuleType] = {"dezero": _Stand("dezero", [tensorgrad], extras[""])}
    sources = {name: (f"tensorgrad.{name}",) for name in SUBMODULES} | ELSEWHERE
    for name, source in sources.items():
        module = _Stand(f"dezero.{name}", map(import_module, source), extras.get(name, {}))
        made[module.__name__] = module
        setattr(made["dezero"], name, module)
    return made


@contextmanager
def as_dezero() -> Iterator[None]:
    """Let ``import dezero`` give tensorgrad in this block.

    Examples
    --------
    >>> from tensorgrad.dezero import as_dezero
    >>> with as_dezero():
    ...     import dezero
    ...     x = dezero.Variable(np.array(3.0))
    """
    ours = modules()
    before = {name: sys.modules.get(name) for name in ours}
    sys.modules.update(ours)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


@contextmanager
def _drawing_or_text() -> Iterator[None]:
    """Where Graphviz is missing, a graph is written as text and the script goes on, as in the book."""
    if shutil.which("dot"):
        yield
        return
    draw = utils.plot_dot_graph

    def write(output: Any, verbose: bool = True, to_file: str | Path = "graph.png") -> Any:
        path = Path(to_file).with_suffix(".dot")
        sys.stderr.write(f"{to_file} is not drawn: Graphviz is not installed. Its text is in {path}.\n")
        return draw(output, verbose, path)

    vars(utils)["plot_dot_graph"] = write
    try:
        yield
    finally:
        vars(utils)["plot_dot_graph"] = draw


class _FloatCalls(ast.NodeTransformer):
    """Calls of ``float`` become calls of `_float`: the book has arrays of shape (1, 1) made numbers.

    NumPy once allowed that of any array with one element, and now of those without axes alone.
    """

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "float":
            node.func.id = _float.__name__
        return node


def _float(x: Any = 0.0) -> float:
    return float(tensorgrad.Variable(x) if is_array(x) else x)


def _execute(path: Path) -> dict[str, Any]:
    """Run a file as Python runs a script; its global names."""
    tree = ast.parse(path.read_bytes(), str(path))
    code = compile(_FloatCalls().visit(tree), str(path), "exec")
    module = ModuleType("__main__")
    vars(module).update({"__file__": str(path), _float.__name__: _float})
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        exec(code, vars(module))
    finally:
        sys.modules["__main__"] = before
    return dict(vars(module))


def run(script: str | Path, arguments: list[str] | None = None) -> dict[str, Any]:
    """Run a script of the book, and give its global names.

    Where Graphviz is not installed, the graphs that it draws are written as text beside their pictures.
    ``float(x)`` takes an array of one element, whatever its axes, as NumPy did when the book was written.

    Parameters
    ----------
    script : path
    arguments : list of str, optional
        What the script finds in ``sys.argv`` after its own name.

    Raises
    ------
    FileNotFoundError
        If there is no such script.
    """
    path = Path(script)
    if not path.is_file():
        raise FileNotFoundError(f"expected the path of a script; got {str(script)!r}, which is no file")
    argv, sys.argv = sys.argv, [str(path), *(arguments or [])]
    where = str(path.parent.resolve())
    sys.path.insert(0, where)  # as for a script that Python runs
    try:
        with _drawing_or_text(), as_dezero():
            return _execute(path)
    finally:
        sys.argv = argv
        sys.path.remove(where)


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        sys.stdout.write("usage: python -m tensorgrad.dezero SCRIPT.py [argument ...]\n\n")
        sys.stdout.write(f"{(__doc__ or '').partition(chr(10))[0]}\n")
        return 0 if argv else 2
    run(argv[0], argv[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
