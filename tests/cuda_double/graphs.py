"""Graphs of the double: what a stream captures is noted, and computed only when the graph is launched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

CAPTURING: list[Capture] = []
"""The capture that is going on, if there is one."""

LIVE: WeakValueDictionary[int, Any] = WeakValueDictionary()
"""Every array of the double, in the order in which they were made."""

_numbers = count()


def live(array: Any) -> None:
    """Note that an array of the double was made."""
    LIVE[next(_numbers)] = array
    for capture in CAPTURING:
        capture.made.append(array._a)


def refuse(why: str, error: type[Exception] = RuntimeError) -> None:
    """Raise while a stream captures."""
    if CAPTURING:
        raise error(why)


def leaves(y: Any) -> Iterator[np.ndarray]:
    """NumPy's arrays in a result, of the double's own or in tuples and lists."""
    y = getattr(y, "_a", y)
    if isinstance(y, tuple | list):
        for item in y:
            yield from leaves(item)
    elif isinstance(y, np.ndarray | np.generic):
        yield np.asarray(y)


class Capture:
    """Notes of what a stream was given.

    Each is computed at once, since shapes must be known; `undo` takes that back, so that nothing is computed
    before the graph is launched.
    """

    def __init__(self) -> None:
        self.notes: list[tuple[Callable[[], Any], list[np.ndarray]]] = []
        self.made: list[np.ndarray] = []  # their memory is the graph's, as a pool of its own keeps it
        roots = {id(root): root for root in map(_root, (array._a for array in LIVE.values()))}
        self.before = {i: (root, root.copy()) for i, root in roots.items() if root.flags.writeable}

    def note(self, function: Callable[[], Any], result: Any) -> None:
        self.notes.append((function, list(leaves(result))))

    def undo(self) -> None:
        """Leave arrays that were there as they were, and rubbish in those that were made."""
        for root, values in self.before.values():
            root[...] = values
        for root in map(_root, self.made):
            if id(root) not in self.before and root.flags.writeable:
                root.reshape(-1).view(np.uint8)[:] = 0x7F
        self.before.clear()


class Graph:
    """A captured graph: launched, it computes what was noted, into the same memory."""

    launches = 0

    def __init__(self, capture: Capture) -> None:
        self.notes, self.made = capture.notes, capture.made

    def launch(self, stream: Any = None) -> None:
        refuse("a graph is launched while a stream captures")
        self.launches += 1
        for function, results in self.notes:
            for old, new in zip(results, leaves(function()), strict=True):
                if not np.may_share_memory(old, new):
                    old[...] = new


def _root(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory of this one."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
