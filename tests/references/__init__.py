"""What every public function must give, computed by other means: NumPy, SciPy or plain loops.

Each module here covers a family of functions and has a dict ``REFERENCES``: the name of a public
function to a function of the same arguments, with NumPy arrays in the place of Variables. It
returns an array, or a tuple or list of arrays where the function returns several Variables.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

REFERENCES: dict[str, Callable[..., Any]] = {}

for _found in iter_modules(__path__):
    _family = import_module(f"{__name__}.{_found.name}").REFERENCES
    if _twice := REFERENCES.keys() & _family.keys():
        raise ValueError(f"references.{_found.name}: {sorted(_twice)} have a reference elsewhere")
    REFERENCES |= _family
