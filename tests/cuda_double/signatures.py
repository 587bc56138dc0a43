"""The signatures of CuPy's functions: compiled ones have theirs in the first line of their documentation."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any


def signature(function: Any) -> inspect.Signature | None:
    """How a function of CuPy is called, as far as it tells."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        pass
    line = (getattr(function, "__doc__", None) or "").strip().partition("\n")[0].replace("\\*", "*")
    found = re.match(r"[\w.]+\((.*)\)(?: -> .*)?$", line)
    if found is None:
        return None
    names = re.sub(r"\b(?:\w+ )+(?=\w+\s*(?:[,=)]|$))", "", found[1])  # C's types before names
    scope: dict[str, Any] = {}
    try:
        exec(f"def f({names}): pass", scope)
    except (SyntaxError, NameError):
        return None
    return inspect.signature(scope["f"])


def checked(real: Any, function: Callable[..., Any], method: bool = False) -> Callable[..., Any]:
    """A function that refuses arguments which CuPy's own would refuse."""
    known = signature(real)
    if known is None:
        return function
    own = (None,) if method else ()

    def call(*args: Any, **kwargs: Any) -> Any:
        known.bind(*own, *args, **kwargs)
        return function(*args, **kwargs)

    return call
