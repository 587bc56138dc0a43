"""Modes: recording and training. They belong to the context (thread, async task) that sets them."""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Any, NamedTuple


class State(NamedTuple):
    """The modes of one context."""

    enable_backprop: bool = True
    train: bool = True


STATE: ContextVar[State] = ContextVar("tensorgrad.config", default=State())  # noqa: B039  # a NamedTuple cannot change
"""What the hot path reads: ``STATE.get().enable_backprop``."""


_CHANGED: dict[tuple[State, str, bool], State] = {}


def _changed(state: State, name: str, value: bool) -> State:
    """The state with one value changed; made once, as there are few."""
    key = (state, name, value)
    changed = _CHANGED.get(key)
    if changed is None:
        changed = _CHANGED[key] = state._replace(**{name: value})
    return changed


def _check(name: str) -> None:
    if name not in State._fields:
        raise LookupError(f"no configuration is named {name!r}; there are: {', '.join(State._fields)}")


class _Config:
    """The configuration of the current context; reads and writes like attributes.

    Attributes
    ----------
    enable_backprop : bool
        Whether ops record the graph that a backward needs.
    train : bool
        Whether dropout, batch normalisation and the like behave as in training.

    Examples
    --------
    >>> tg.Config.enable_backprop
    True
    """

    __slots__ = ()
    enable_backprop: bool
    train: bool

    def __getattribute__(self, name: str) -> Any:
        if name in State._fields:
            return getattr(STATE.get(), name)
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _check(name)
        STATE.set(_changed(STATE.get(), name, bool(value)))

    def __repr__(self) -> str:
        return repr(STATE.get()).replace("State", "Config", 1)


Config = _Config()


def set_recording(recording: bool) -> State:
    """Switch recording on or off in this context, and return the state to go back to with ``STATE.set``.

    `using_config` without its object, for the engine: it does this twice in every training step.
    """
    before = STATE.get()
    if before.enable_backprop is not recording:
        STATE.set(_changed(before, "enable_backprop", recording))
    return before


class using_config(ContextDecorator):
    """Set one configuration value for a ``with`` block, or for the calls of a decorated function.

    Parameters
    ----------
    name : {'enable_backprop', 'train'}
    value : bool

    Raises
    ------
    LookupError
        If no configuration has that name.

    Examples
    --------
    >>> with tg.using_config("train", False):
    ...     tg.Config.train
    False
    """

    def __init__(self, name: str, value: bool) -> None:
        _check(name)
        self._name = name
        self._value = bool(value)
        self._before: list[bool] = []

    def _recreate_cm(self) -> using_config:
        return using_config(self._name, self._value)

    def __enter__(self) -> None:
        state = STATE.get()
        self._before.append(getattr(state, self._name))
        STATE.set(_changed(state, self._name, self._value))

    def __exit__(self, *exc: object) -> None:
        STATE.set(_changed(STATE.get(), self._name, self._before.pop()))


def no_grad() -> using_config:
    """Record nothing in this block: what ops return has no creator and needs no memory for a backward.

    Examples
    --------
    >>> x = Variable(np.array(2.0))
    >>> with tg.no_grad():
    ...     y = x * x
    >>> y.creator is None
    True
    """
    return using_config("enable_backprop", False)


def test_mode() -> using_config:
    """Behave as at test time in this block: no dropout, running statistics are used, not updated.

    Examples
    --------
    >>> with tg.test_mode():
    ...     tg.Config.train
    False
    """
    return using_config("train", False)


test_mode.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever pytest makes of its name
