"""What a graph does not know of itself: the lines of the program, the layers, and the times of its ops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Self

from tensorgrad.backend import loaded_backends
from tensorgrad.core.function import Function
from tensorgrad.core.program import calling_line
from tensorgrad.core.variable import Variable
from tensorgrad.core.watch import Watcher


@dataclass(frozen=True, eq=False)
class Scope:
    """One call of a layer, or one group of the user's, within another."""

    name: str
    kind: str
    outer: Scope | None


@dataclass(eq=False)
class Note:
    """What was seen of one node of a graph.

    `order` is 0 for what the program computes, 1 for what a backward of that does, 2 for a backward that goes
    through such a one, and so on; `cause` is then the note of the node whose backward it was. Seconds are
    None where nothing was measured.
    """

    line: str
    scope: Scope | None
    order: int
    cause: Note | None
    forward: float | None = None
    backward: float | None = None


class annotate(Watcher):  # noqa: N801  # read like a function: with tg.graphs.annotate()
    """Note with every op of a ``with`` block the line that called it, the layers around it, and its time.

    The notes go into the graphs that the block makes: a picture of them shows what is known, in or after the
    block. Ops that a backward records are noted too, under the layer whose derivative they are. A note adds
    8 us to a call and 3 us to its backward (processor time, 1,000 ops in a chain on NumPy); graphs that are
    made outside of the block cost nothing.

    Parameters
    ----------
    synchronize : bool, default False
        Whether to wait for the device after each op, where a library works in the background (dpnp, JAX) and
        has no events to measure with. Without it, the times there are those of starting an op.

    Examples
    --------
    >>> model = tg.models.MLP((8, 2))
    >>> with tg.graphs.annotate():
    ...     loss = F.sum(model(np.ones((4, 3), np.float32)))
    >>> [(node.name, node.path) for node in tg.graphs.Graph(loss).ops]
    [('Linear', 'MLP/l0'), ('Sigmoid', 'MLP'), ('Linear', 'MLP/l1'), ('Sum', '')]
    """

    def __init__(self, *, synchronize: bool = False) -> None:
        self._synchronize = synchronize
        self._scope: Scope | None = None
        self._callers: list[Any] = []
        self._names: dict[tuple[int, int], tuple[str, Any, Any]] = {}  # by ids, of objects that it keeps
        self._cause: Note | None = None
        self._order = 0
        self._running: Function | None = None
        self._spans: list[tuple[Note, str, Any, Any]] = []

    def call(self, function: Function, inputs: tuple[Any, ...]) -> Any:
        if self._running is function:  # the call goes on with inputs that were brought into form
            return super().call(function, inputs)
        before, self._running = self._running, function
        start = self._now()
        try:
            ys = super().call(function, inputs)
        finally:
            self._running = before
        stop = self._now(function)
        node = (ys[0] if isinstance(ys, tuple) else ys)._node
        if isinstance(node, Function):
            node.note = note = self._note()
            self._spans.append((note, "forward", start, stop))
        return ys

    def backward(self, node: Function, plain: Any, gys: tuple[Any, ...]) -> Any:
        note: Note | None = node.note
        if note is None or note is self._cause:  # or a backward that calls that of its base
            return super().backward(node, plain, gys)
        before = self._cause, self._order
        self._cause, self._order = note, max([note.order + 1, *map(_order_of, gys)])
        start = self._now()
        try:
            gxs = super().backward(node, plain, gys)
        finally:
            self._cause, self._order = before
        self._spans.append((note, "backward", start, self._now(node)))
        return gxs

    def within(self, caller: Any, run: Callable[[], Any]) -> Any:
        self._callers.append(caller)
        try:
            with self._in(self._name(caller), type(caller).__name__):
                return super().within(caller, run)
        finally:
            self._callers.pop()

    @contextmanager
    def group(self, name: str) -> Iterator[None]:
        """Put the ops of a stretch of your program into one box, as those of a layer are.

        Parameters
        ----------
        name : str

        Examples
        --------
        >>> x = Variable(np.ones(3))
        >>> with tg.graphs.annotate() as notes, notes.group("energy"):
        ...     y = F.sum(x * x)
        >>> [node.path for node in tg.graphs.Graph(y).ops]
        ['energy', 'energy']
        """
        with self._in(name, "group"):
            yield

    @contextmanager
    def _in(self, name: str, kind: str) -> Iterator[None]:
        before, self._scope = self._scope, Scope(name, kind, self._scope)
        try:
            yield
        finally:
            self._scope = before

    def _name(self, caller: Any) -> str:
        """What the layer around it calls a layer; the name of its class where none does."""
        kind = type(caller).__name__
        if len(self._callers) < 2:
            return kind
        outer = self._callers[-2]
        known = self._names.get((id(outer), id(caller)))
        if known is None:
            known = self._names[id(outer), id(caller)] = (outer.path_of(caller) or kind, outer, caller)
        return known[0]

    def _note(self) -> Note:
        cause = self._cause
        if cause is None:
            return Note(calling_line(), self._scope, 0, None)
        return Note(calling_line(), cause.scope, self._order, cause)

    def _now(self, ran: Function | None = None) -> Any:
        if self._device is not None:
            return self._device.mark()
        if self._synchronize and ran is not None:
            ran.backend.synchronize()
        return perf_counter()

    def __enter__(self) -> Self:
        self._device = next((b for b in loaded_backends() if b.has_marks), None)
        return super().__enter__()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        if self._device is not None:
            self._device.synchronize()
        for note, which, start, stop in self._spans:
            took = stop - start if self._device is None else self._device.elapsed(start, stop)
            setattr(note, which, (getattr(note, which) or 0.0) + float(took))
        self._spans.clear()
        self._names.clear()


def _order_of(gy: Any) -> int:
    """The order of the ops that a gradient comes from, where that is recorded."""
    node = gy._node if isinstance(gy, Variable) else None
    return 0 if not isinstance(node, Function) or node.note is None else node.note.order
