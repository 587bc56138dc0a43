"""Names of a package that are loaded when they are first asked for (PEP 562).

``import tensorgrad`` is to cost little, and most programs need a small part of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def later(
    package: str,
    modules: dict[str, str],
    *,
    submodules: str = "",
    otherwise: tuple[Callable[[str], Any], Callable[[], list[str]]] | None = None,
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and the ``__dir__`` of a package that loads some of its modules late.

    Parameters
    ----------
    package : str
        The ``__name__`` of the package.
    modules : dict of str to str
        Module of the package -> the names that the package takes from it, separated by blanks. No name
        may be that of a module of the package, which the import would put in its place.
    submodules : str
        Modules that are names of the package themselves.
    otherwise : (callable, callable), optional
        Gives every other name, or raises an AttributeError; and lists those names.
    """
    origin = {name: module for module, given in modules.items() for name in given.split()}
    itself = set(submodules.split())

    def find(name: str) -> Any:
        if name in itself:
            return import_module(f"{package}.{name}")
        module = origin.get(name)
        if module is None:
            if otherwise is not None:
                return otherwise[0](name)
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        value = getattr(import_module(f"{package}.{module}"), name)
        setattr(sys.modules[package], name, value)  # found directly from now on
        return value

    def names() -> list[str]:
        others = () if otherwise is None else otherwise[1]()
        return sorted({*vars(sys.modules[package]), *origin, *itself, *others})

    return find, names
