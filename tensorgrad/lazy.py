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
    otherwise: str = "",
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
    otherwise : str, optional
        A module of the package that knows all other names: its ``find(name)`` gives one, or raises an
        AttributeError, and its ``names()`` lists them.
    """
    origin = {name: module for module, given in modules.items() for name in given.split()}
    itself = set(submodules.split())

    def find(name: str) -> Any:
        if name in itself:
            return import_module(f"{package}.{name}")
        module = origin.get(name)
        if module is None:
            if otherwise:
                return import_module(f"{package}.{otherwise}").find(name)
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name)
        value = getattr(import_module(f"{package}.{module}"), name)
        setattr(sys.modules[package], name, value)  # found directly from now on
        return value

    def names() -> list[str]:
        others = import_module(f"{package}.{otherwise}").names() if otherwise else ()
        return sorted({*vars(sys.modules[package]), *origin, *itself, *others})

    return find, names
