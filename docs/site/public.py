"""The public names of tensorgrad: what a package exports (``from x import y as y``) and a module defines."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import GenericAlias, ModuleType
from typing import Any

import tensorgrad as tg
from tensorgrad.functions.namespace import STANDARD

# Beside the modules that `tensorgrad` exports. The rest of the tree is where things are written, not where
# users find them.
BESIDE = ("tensorgrad.backend", "tensorgrad.layers.initializers")

# Modules are listed as such, and aliases of types only shorten annotations.
NO_NAMES = (ModuleType, GenericAlias)

# Where a name that several modules export is described; the others refer to it.
HOMES = ("tensorgrad.functions", "tensorgrad.layers", "tensorgrad.models", "tensorgrad")


@dataclass(frozen=True)
class Name:
    """A public name: the module that exports it, and what it names."""

    module: str
    name: str
    value: Any
    origin: str

    @property
    def path(self) -> str:
        """As users write it."""
        return f"{self.module}.{self.name}"

    @property
    def kind(self) -> str:
        """The directive of autodoc that describes it."""
        if inspect.isclass(self.value):
            return "exception" if issubclass(self.value, BaseException) else "class"
        return "function" if inspect.isroutine(self.value) else "data"


def exported(body: list[ast.stmt], module: str) -> Iterator[tuple[str, str]]:
    """(name, module that it comes from) of the statements of a module."""
    for node in body:
        match node:
            case ast.ImportFrom(module=str(origin)):
                yield from ((alias.name, origin) for alias in node.names if alias.name == alias.asname)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield from exported(node.body, module)
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name, module
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name, module


def names_of(module: str) -> list[Name]:
    """The public names of one module, in alphabetical order."""
    loaded = import_module(module)
    tree = ast.parse(Path(str(loaded.__file__)).read_text(encoding="utf-8"))
    found = {name: origin for name, origin in exported(tree.body, module) if not name.startswith("_")}
    names = (Name(module, name, getattr(loaded, name), origin) for name, origin in found.items())
    return sorted((n for n in names if not isinstance(n.value, NO_NAMES)), key=lambda n: n.name.lower())


def modules() -> list[str]:
    """The public modules."""
    tree = ast.parse(Path(str(tg.__file__)).read_text(encoding="utf-8"))
    names = [name for name, _ in exported(tree.body, "tensorgrad")]
    found = [f"tensorgrad.{name}" for name in names if isinstance(getattr(tg, name), ModuleType)]
    return ["tensorgrad", *found, *BESIDE]


def public() -> dict[str, list[Name]]:
    """All public names by module, but for those of the Array API standard."""
    return {module: names_of(module) for module in modules()}


def standard() -> list[str]:
    """The names of the Array API that ``tensorgrad.__getattr__`` finds, extensions as their contents."""
    found = []
    for name in sorted(STANDARD):
        if name == "linalg":
            found += [f"tensorgrad.linalg.{inner}" for inner in dir(tg.linalg)]
        elif name not in ("fft", "special") and not name.startswith("_"):
            found.append(f"tensorgrad.{name}")
    return found


def homes(names: dict[str, list[Name]]) -> dict[str, str]:
    """Path of each name -> the path under which its value is described: its own, for most."""
    order = [*HOMES[:3], *(m for m in names if m not in HOMES), HOMES[3]]
    first: dict[int, Name] = {}
    for name in (name for module in order for name in names[module]):
        known = first.get(id(name.value))
        # A class or function is described under the name that it was defined with.
        called = getattr(name.value, "__name__", name.name)
        if known is None or (known.module == name.module and known.name != called == name.name):
            first[id(name.value)] = name
    return {
        name.path: name.path if name.kind == "data" else first[id(name.value)].path
        for given in names.values()
        for name in given
    }
