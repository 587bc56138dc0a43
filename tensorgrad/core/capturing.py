"""Whether a step is being captured: for what keeps something that no program takes in and gives out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tensorgrad.backend import CannotCompileError

_CAPTURING = ContextVar("tensorgrad.capturing", default=False)


@contextmanager
def capturing() -> Iterator[None]:
    """Within the ``with`` a step runs once, to be recorded."""
    token = _CAPTURING.set(True)
    try:
        yield
    finally:
        _CAPTURING.reset(token)


def refuse_capture(what: str) -> None:
    """Called by what a replay would not repeat.

    Parameters
    ----------
    what : str
        As users call it: ``"Schedule.step"``.

    Raises
    ------
    CannotCompileError
        While a step is captured.
    """
    if _CAPTURING.get():
        raise CannotCompileError(f"a replay would leave out what {what} keeps; call it after the step")
