"""What a function finds when it is called again: random numbers and attributes as the first time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from tensorgrad.backend import backend_of, is_array, loaded_backends
from tensorgrad.core import Variable
from tensorgrad.core.tree import tree_leaves

Attribute = tuple[Any, str, Any]
"""An object, the name of an attribute, and its value."""


class Replay:
    """The random states, and what callable objects hold as attributes, when a function is first called.

    Parameters
    ----------
    roots
        The function and its arguments. Objects are found through its closure, the globals that it names,
        the object that it is a method of, and from there through attributes that are callable.
    """

    def __init__(self, roots: Any) -> None:
        self._attributes = list(_attributes(roots))
        self._random = [(backend, backend.random_state()) for backend in loaded_backends()]

    def note_changes(self) -> None:
        """After the call: keep what attributes held before, of those alone that the call assigned."""
        self._attributes = [
            (owner, name, value)
            for owner, name, value in self._attributes
            if getattr(owner, name, None) is not value
        ]

    @contextmanager
    def again(self, roots: Any, replaced: list[Attribute]) -> Iterator[None]:
        """Around the repetition: everything as it was, and afterwards as it is now.

        Arrays that the repetition might change in place are exchanged for copies, but for those in
        `replaced`, which are given.
        """
        random = [(backend, backend.random_state()) for backend, _ in self._random]
        given = {(id(owner), name) for owner, name, _ in (*self._attributes, *replaced)}
        copied = [
            (owner, name, _copy(value))
            for owner, name, value in _attributes(roots)
            if is_array(value) and (id(owner), name) not in given and not _is_in_graph(owner)
        ]
        before = [*_attributes(roots), *((owner, name, getattr(owner, name)) for owner, name, _ in replaced)]
        try:
            for owner, name, value in (*copied, *self._attributes, *replaced):
                setattr(owner, name, value)
            for backend, state in self._random:
                backend.set_random_state(state)
            yield
        finally:
            for owner, name, value in before:
                if getattr(owner, name, None) is not value:
                    setattr(owner, name, value)
            for backend, state in random:
                backend.set_random_state(state)


def _is_in_graph(owner: Any) -> bool:
    """Whether an object is a Variable that gets gradients: what is saved is its array, not a copy."""
    return isinstance(owner, Variable) and owner.requires_grad


def _copy(array: Any) -> Any:
    owner: Any = backend_of(array)
    return owner.copy(array)


_KEPT = (bool, int, float, complex, Variable)


def _attributes(roots: Any) -> Iterator[Attribute]:
    """Numbers, arrays and Variables that callable objects hold, and the data of these Variables."""
    met: set[int] = set()
    stack = [x for x in tree_leaves(roots) if callable(x)]
    while stack:
        x = stack.pop()
        if id(x) in met or isinstance(x, type):
            continue
        met.add(id(x))
        if isinstance(x, FunctionType | MethodType | partial):
            stack += _callables(_seen_by(x))
            continue
        try:
            held = list(vars(x).items())
        except TypeError:  # an object without attributes of its own, such as a function in C
            continue
        stack += _callables(value for _, value in held)
        for name, value in held:
            if isinstance(value, _KEPT) or is_array(value):
                yield x, name, value
            if isinstance(value, Variable) and id(value) not in met and value.data is not None:
                met.add(id(value))
                yield value, "data", value.data


def _callables(values: Iterable[Any]) -> list[Any]:
    return [x for x in tree_leaves(list(values)) if callable(x)]


def _seen_by(function: Any) -> Iterator[Any]:
    """What a function refers to: its closure, the globals that it names, what it is bound to."""
    if isinstance(function, partial):
        yield from (function.func, *function.args, *function.keywords.values())
        return
    if isinstance(function, MethodType):
        yield from (function.__self__, function.__func__)
        return
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        known = getattr(value, "__globals__", None)
        if not isinstance(value, FunctionType) or known is function.__globals__:  # not into other modules
            yield value
    yield from function.__defaults__ or ()
