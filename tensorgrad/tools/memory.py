"""The arrays that ops make, followed from their birth to the moment when they are freed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any, NamedTuple
from weakref import ref

from tensorgrad.backend import BY_TYPE, is_array
from tensorgrad.core.alias import ViewOp
from tensorgrad.core.function import Function
from tensorgrad.core.variable import Variable


class Moment(NamedTuple):
    """So many bytes were held from `seconds` after the start on."""

    seconds: float
    size: int


class Live(NamedTuple):
    """Arrays that were held at the peak: how many, and how many bytes, that an op made."""

    name: str
    arrays: int
    size: int


class _Held(ref[Any]):
    """A weak reference to an array that is followed."""

    __slots__ = ("key", "name", "size")

    key: int
    name: str
    size: int


class Track:
    """Notes each array that comes, and by a weak reference when it goes."""

    def __init__(self) -> None:
        self.made: dict[str, int] = {}
        self._held: dict[int, _Held] = {}  # by id
        self._log: list[tuple[float, str, int]] = []  # name, and bytes: negative where it went
        self._zero = 0.0
        log, held = self._log, self._held

        def gone(reference: Any) -> None:
            del held[reference.key]
            log.append((perf_counter(), reference.name, -reference.size))

        self._gone = gone

    def outputs(self, function: Function, inputs: tuple[Any, ...], ys: Any) -> None:
        """The arrays of a call that has just been made."""
        name = type(function).__name__
        if not isinstance(function, ViewOp):
            for y in ys if ys.__class__ is tuple else (ys,):
                self._add(y.data, name)
        if function.kept or function.hidden:
            old = [x.data if isinstance(x, Variable) else x for x in inputs]
            for array in (*(function.saved or ()), *function.kept):  # hidden outputs, masks
                if is_array(array) and not any(array is x for x in old):
                    self._add(array, f"{name}, kept for backward")

    def gradients(self, node: Function, gys: tuple[Any, ...], gxs: Any) -> None:
        """The arrays that a backward has just given."""
        if isinstance(node, ViewOp):
            return
        name = f"gradient by {type(node).__name__}"
        for g in gxs if gxs.__class__ is tuple else (gxs,):
            if g is not None and not any(g is x for x in gys):
                array = g.data if g.__class__ is Variable else g
                if type(array) in BY_TYPE:
                    self._add(array, name)

    def _add(self, array: Any, name: str) -> None:
        key = id(array)
        if key in self._held:
            return
        base = getattr(array, "base", None)
        size = getattr(array, "nbytes", None)
        if size is None or (base is not None and is_array(base)):  # a view of an array that others hold
            return
        try:
            held = _Held(array, self._gone)
        except TypeError:  # the library's arrays allow no weak references: nobody can tell when they go
            return
        size = int(size)
        held.key, held.name, held.size = key, name, size
        self._held[key] = held
        self._log.append((perf_counter(), name, size))
        self.made[name] = self.made.get(name, 0) + size

    def stop(self, zero: float) -> None:
        """Nothing that happens from here on counts; times are told from `zero` on."""
        self._zero = zero
        self._held.clear()

    def _sizes(self) -> Iterator[int]:
        held = 0
        for _, _, size in self._log:
            held += size
            yield held

    @property
    def peak(self) -> int:
        """The most bytes that were held at once."""
        return max(self._sizes(), default=0)

    def curve(self) -> list[Moment]:
        """The bytes held, whenever they changed."""
        return [Moment(e[0] - self._zero, s) for e, s in zip(self._log, self._sizes(), strict=True)]

    def at_peak(self) -> list[Live]:
        """What was held at the peak, by the name of what made it, the largest first."""
        sizes = list(self._sizes())
        last = sizes.index(max(sizes)) + 1 if sizes else 0
        return _grouped((name, size) for _, name, size in self._log[:last])


def _grouped(changes: Iterable[tuple[str, int]]) -> list[Live]:
    found: dict[str, list[int]] = {}
    for name, size in changes:
        entry = found.setdefault(name, [0, 0])
        entry[0] += 1 if size >= 0 else -1
        entry[1] += size
    alive = [Live(name, count, size) for name, (count, size) in found.items() if count]
    return sorted(alive, key=lambda live: -live.size)
