"""The arrays that ops make, followed from their birth to the moment when they are freed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any, NamedTuple
from weakref import getweakrefcount, getweakrefs, ref

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


class Track:
    """Notes each array that comes, and by a weak reference when it goes; `stop` makes a log of it.

    What is noted goes into flat lists: tuples by the thousand would have the garbage collector search them.
    """

    def __init__(self) -> None:
        self.made: dict[str, int] = {}
        self._log: list[tuple[float, str, int]] = []  # name, and bytes: negative where it went
        self._zero = 0.0
        self._came: list[Any] = []  # of each array: when, reference, op, form of the name, bytes
        self._went: list[Any] = []  # when, reference
        note = self._went.extend
        self._gone = lambda reference: note((perf_counter(), reference))

    def outputs(self, function: Function, inputs: tuple[Any, ...], ys: Any) -> None:
        """The arrays of a call that has just been made."""
        if not isinstance(function, ViewOp):
            if ys.__class__ is tuple:
                for y in ys:
                    self._add(y.data, function.__class__, "{}")
            else:
                self._add(ys.data, function.__class__, "{}")
        if function.kept or function.hidden:
            old = [x.data if isinstance(x, Variable) else x for x in inputs]
            for array in (*(function.saved or ()), *function.kept):  # hidden outputs, masks
                if is_array(array) and not any(array is x for x in old):
                    self._add(array, function.__class__, "{}, kept for backward")

    def gradients(self, node: Function, gys: tuple[Any, ...], gxs: Any) -> None:
        """The arrays that a backward has just given."""
        if isinstance(node, ViewOp):
            return
        for g in gxs if gxs.__class__ is tuple else (gxs,):
            for gy in gys:
                if g is gy:  # None, too
                    break
            else:
                array = g.data if g.__class__ is Variable else g
                if array.__class__ in BY_TYPE:
                    self._add(array, node.__class__, "gradient by {}")

    def _add(self, array: Any, maker: type[Function], form: str) -> None:
        if getweakrefcount(array) and any(r.__callback__ is self._gone for r in getweakrefs(array)):
            return  # an op gave what another had made
        base = getattr(array, "base", None)
        size = getattr(array, "nbytes", None)
        if size is None or (base is not None and is_array(base)):  # a view of an array that others hold
            return
        try:
            reference = ref(array, self._gone)
        except TypeError:  # the library's arrays allow no weak references: nobody can tell when they go
            return
        self._came += (perf_counter(), reference, maker, form, size)

    def stop(self, zero: float) -> None:
        """Nothing that happens from here on counts; times are told from `zero` on."""
        self._zero = zero
        born: dict[int, tuple[str, int]] = {}  # by the id of the reference
        for seconds, reference, maker, form, size in in_turn(self._came, 5):
            name = form.format(maker.__name__)
            born[id(reference)] = name, int(size)
            self._log.append((seconds, name, int(size)))
            self.made[name] = self.made.get(name, 0) + int(size)
        for seconds, reference in in_turn(self._went, 2):
            name, size = born[id(reference)]
            self._log.append((seconds, name, -size))
        self._log.sort(key=lambda entry: entry[0])
        self._came.clear()
        self._went.clear()

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


def in_turn(flat: list[Any], width: int) -> Iterator[tuple[Any, ...]]:
    """What was noted in a list, `width` entries at a time."""
    return zip(*[iter(flat)] * width, strict=True)


def _grouped(changes: Iterable[tuple[str, int]]) -> list[Live]:
    found: dict[str, list[int]] = {}
    for name, size in changes:
        entry = found.setdefault(name, [0, 0])
        entry[0] += 1 if size >= 0 else -1
        entry[1] += size
    alive = [Live(name, count, size) for name, (count, size) in found.items() if count]
    return sorted(alive, key=lambda live: -live.size)
