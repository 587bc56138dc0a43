"""The tables by library. One whose library is not installed is empty."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple

from consumers.call import Call


class Table(NamedTuple):
    """The calls of one module, and the library that they need."""

    module: str
    library: str
    title: str
    calls: list[Call]


def _table(module: str, library: str, title: str) -> Table:
    found = find_spec(library) is not None
    return Table(module, library, title, import_module(f"consumers.{module}").CALLS if found else [])


def missing(table: Table) -> bool:
    """Whether the library is not installed."""
    return find_spec(table.library) is None


TABLES = [
    _table("special", "scipy", "scipy.special"),
    _table("stats", "scipy", "scipy.stats"),
    _table("signals", "scipy", "scipy.signal and scipy.fft"),
    _table("numerics", "scipy", "scipy.integrate, differentiate, optimize, linalg, interpolate, constants"),
    _table("geometry", "scipy", "scipy.spatial"),
    _table("images", "scipy", "scipy.ndimage and scipy.cluster"),
    _table("learn", "sklearn", "scikit-learn, with array_api_dispatch=True"),
    _table("tools", "array_api_extra", "array-api-extra"),
    _table("einsums", "einops", "einops"),
]
