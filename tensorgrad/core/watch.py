"""Watchers: what a profiler and a debug mode put around every call of an op or a layer, and every backward.

While nobody watches, nothing of it exists: `Function.__call__`, that of layers and every ``backward`` are
replaced when the first watcher comes, and put back when the last one goes. A watcher belongs to the context
(thread, async task) that entered it; in the others the replacements pass everything on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import wraps
from threading import RLock
from typing import Any, Self, TypeVar

from tensorgrad.core.function import Function

_ACTIVE: ContextVar[Watcher | None] = ContextVar("tensorgrad.watcher", default=None)
_LOCK = RLock()
_entered: list[Watcher] = []
_met: set[type[Function]] = set()
_replaced: dict[type[Function], Any] = {}  # class -> the backward that it defines
_callers: dict[type, Any] = {}  # class of what calls ops -> its __call__
_call = Function.__call__
_C = TypeVar("_C", bound=type)


class Watcher:
    """Sees the ops of a ``with`` block; a subclass overrides some of `call`, `backward` and `within`.

    Watchers may be nested: the inner one hands on to the outer one.
    """

    _outer: Watcher | None = None
    _token: Token[Watcher | None] | None = None

    def call(self, function: Function, inputs: tuple[Any, ...]) -> Any:
        """Stand around the call of an op: what it returns is what the user gets."""
        outer = self._outer
        return _call(function, *inputs) if outer is None else outer.call(function, inputs)

    def backward(self, node: Function, plain: Any, gys: tuple[Any, ...]) -> Any:
        """Stand around ``plain(node, *gys)``, the backward of a node."""
        outer = self._outer
        return plain(node, *gys) if outer is None else outer.backward(node, plain, gys)

    def within(self, caller: Any, run: Callable[[], Any]) -> Any:
        """Stand around ``run()``, the call of a layer, in which ops are called."""
        outer = self._outer
        return run() if outer is None else outer.within(caller, run)

    def __enter__(self) -> Self:
        if self._token is not None:
            raise RuntimeError(f"{type(self).__name__}: this block was entered already; make a new one")
        with _LOCK:
            if not _entered:
                _install()
            _entered.append(self)
        self._outer = _ACTIVE.get()
        self._token = _ACTIVE.set(self)
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._token is not None, "what is left was entered"
        _ACTIVE.reset(self._token)
        self._outer = self._token = None
        with _LOCK:
            _entered.remove(self)
            if not _entered:
                _remove()


def calls_ops(cls: _C) -> _C:
    """Have watchers see the calls of a class whose calls consist of ops: a decorator."""
    with _LOCK:
        _callers[cls] = vars(cls)["__call__"]
        if _entered:
            _replace_caller(cls)
    return cls


def _watched_call(function: Function, *inputs: Any) -> Any:
    watcher = _ACTIVE.get()
    if watcher is None:
        return _call(function, *inputs)
    if type(function) not in _met:  # a class that was made while somebody watches
        _replace(type(function))
    return watcher.call(function, inputs)


def _install() -> None:
    stack: list[type[Function]] = [Function]
    while stack:
        cls = stack.pop()
        stack += cls.__subclasses__()
        _replace(cls)
    Function.__call__ = _watched_call  # type: ignore[method-assign, assignment]
    for caller in _callers:
        _replace_caller(caller)


def _replace_caller(cls: type) -> None:
    plain = _callers[cls]

    @wraps(plain)
    def watched(caller: Any, *inputs: Any, **options: Any) -> Any:
        watcher = _ACTIVE.get()
        if watcher is None:
            return plain(caller, *inputs, **options)
        return watcher.within(caller, lambda: plain(caller, *inputs, **options))

    setattr(cls, "__call__", watched)  # noqa: B010  # of a class that is not known


def _replace(cls: type[Function]) -> None:
    _met.add(cls)
    if cls in _replaced or "backward" not in vars(cls):
        return
    plain = _replaced[cls] = vars(cls)["backward"]

    @wraps(plain)
    def watched(node: Function, *gys: Any) -> Any:
        watcher = _ACTIVE.get()
        return plain(node, *gys) if watcher is None else watcher.backward(node, plain, gys)

    setattr(cls, "backward", watched)  # noqa: B010  # of a class that is not known


def _remove() -> None:
    Function.__call__ = _call  # type: ignore[method-assign]
    for caller, plain in _callers.items():
        setattr(caller, "__call__", plain)  # noqa: B010
    for cls, plain in _replaced.items():
        setattr(cls, "backward", plain)  # noqa: B010
    _replaced.clear()
    _met.clear()
