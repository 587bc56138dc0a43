"""The default backend: whose arrays creation functions and numbers become."""

from __future__ import annotations

import os
from contextlib import ContextDecorator
from contextvars import ContextVar

from tensorgrad.backend import Backend, get_backend

VARIABLE = "TENSORGRAD_BACKEND"
"""The environment variable that names the first default; it is read when a default is first needed."""

_of_process: list[Backend] = []  # one, or none before it is needed
_of_context: ContextVar[Backend | None] = ContextVar("tensorgrad.backend", default=None)


def default_backend() -> Backend:
    """The backend that is the default in this context."""
    backend = _of_context.get()
    if backend is None:
        backend = _of_process[0] if _of_process else _first()
    return backend


def _first() -> Backend:
    name = os.environ.get(VARIABLE, "").strip() or "numpy"
    try:
        backend = get_backend(name)
    except (LookupError, ImportError) as error:
        error.add_note(f"The environment variable {VARIABLE} asks for it.")
        raise
    _of_process[:] = [backend]
    return backend


def get_default_backend() -> str:
    """The name of the backend whose arrays creation functions make in this context.

    Examples
    --------
    >>> tg.get_default_backend()
    'numpy'
    """
    return default_backend().name


def set_default_backend(name: str | Backend) -> None:
    """Make a backend the default of the whole process, in all of its threads.

    Functions without an array among their arguments follow it: ``tg.zeros``, ``tg.asarray([1.0])``,
    ``F.exp(2.0)``. Arrays stay in their own library, and so does what is computed from them. Where
    nothing was set, the environment variable ``TENSORGRAD_BACKEND`` names the default, or it is NumPy.

    Parameters
    ----------
    name : str or Backend
        Its library is imported now. A `using_backend` that is entered goes before it.

    Raises
    ------
    LookupError
        If no backend has that name; the message lists those there are.
    BackendUnavailableError
        If its library is not installed, or does not work here.

    Examples
    --------
    >>> tg.set_default_backend("numpy")
    >>> tg.zeros(2)
    variable([0. 0.])
    """
    _of_process[:] = [get_backend(name)]


class using_backend(ContextDecorator):
    """Make a backend the default in a ``with`` block, or in the calls of a decorated function.

    It belongs to the context: other threads and async tasks do not see it.

    Parameters
    ----------
    name : str or Backend
        Its library is imported now.

    Raises
    ------
    LookupError
        If no backend has that name; the message lists those there are.
    BackendUnavailableError
        If its library is not installed, or does not work here.

    Examples
    --------
    >>> with tg.using_backend("array_api_strict"):
    ...     x = tg.ones(3)
    >>> x.backend
    <backend array_api_strict>
    """

    def __init__(self, name: str | Backend) -> None:
        self._backend = get_backend(name)
        self._before: list[Backend | None] = []

    def _recreate_cm(self) -> using_backend:
        return using_backend(self._backend)

    def __enter__(self) -> None:
        self._before.append(_of_context.get())
        _of_context.set(self._backend)

    def __exit__(self, *exc: object) -> None:
        _of_context.set(self._before.pop())
