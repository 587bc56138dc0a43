"""The profiler: time and memory of every op, forward and backward."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from time import perf_counter
from typing import Any, NamedTuple, Self

from tensorgrad.backend import Backend, loaded_backends
from tensorgrad.core.function import Function
from tensorgrad.core.watch import Watcher
from tensorgrad.tools.memory import Live, Moment, Track, in_turn
from tensorgrad.tools.table import aligned, as_html, in_bytes, in_seconds

_HEAD = ("op", "calls", "forward", "calls", "backward", "own", "share", "made")
FORWARD, BACKWARD, REGION = "forward", "backward", "region"


class Event(NamedTuple):
    """A stretch of time: of an op's forward or backward, or of a region that the user named.

    `start` and `stop` are seconds from the start of the profile.
    """

    name: str
    phase: str
    start: float
    stop: float


class Row(NamedTuple):
    """What one kind of op took in all. Seconds, and without the ops within it (`own`) or with them."""

    name: str
    forward_calls: int
    forward: float
    backward_calls: int
    backward: float
    own: float
    made: int
    """Bytes of the arrays that it made, 0 if memory was not watched."""


class profile(Watcher):  # noqa: N801  # read like a function: with tg.profile()
    """Measure the ops of a ``with`` block: time forward and backward, memory, transfers from and to the host.

    While no profile is on, nothing of it costs anything. One that is on adds about 1 us to each call and
    each backward of an op, 2.5 to 3.5 us if memory is watched (1,000 ops in a chain on NumPy, one core). Only
    ops are measured: what the array library does outside of them (an optimizer's update, your own NumPy
    code) is seen by `region` alone.

    On a GPU times are those between events of the device, and every op and region is a range of NVTX, which
    Nsight Systems shows (``nsys profile python ...``).

    Parameters
    ----------
    memory : bool, default True
        Whether to follow the arrays that ops make, until they are freed. Views count nothing.
    synchronize : bool, default False
        Whether to wait for the device after each op, where a library works in the background (CuPy, dpnp,
        JAX) and the backend has no events of the device to measure with. It makes a program slower.

    Attributes
    ----------
    events : list of Event
        In the order in which they ended. Within the block it is empty.
    seconds : float
        From the start to the end of the block.
    peak : int
        The most bytes that were held at once in arrays that ops made within the block; 0 while it runs.
    transfers : dict of str to (int, int)
        ``"to host"`` and ``"from host"``: how many arrays, and bytes.

    Examples
    --------
    >>> x = Variable(np.ones((100, 100)))
    >>> with tg.profile() as p:
    ...     F.sum(F.tanh(x)).backward()
    >>> sorted((row.name, row.forward_calls, row.backward_calls) for row in p.rows())
    [('Sum', 1, 1), ('Tanh', 1, 1)]
    >>> p.peak
    160008
    """

    def __init__(self, *, memory: bool = True, synchronize: bool = False) -> None:
        self.events: list[Event] = []
        self.seconds = 0.0
        self.transfers: dict[str, tuple[int, int]] = {"to host": (0, 0), "from host": (0, 0)}
        self._records: list[Any] = []  # of each event: name, phase, start, stop
        self._track = Track() if memory else None
        self._synchronize = synchronize
        self._node: Function | None = None

    # -- while it is on --------------------------------------------------------------------------

    def call(self, function: Function, inputs: tuple[Any, ...]) -> Any:
        if self._node is function:  # the call goes on with inputs that were brought into form
            return super().call(function, inputs)
        before, self._node = self._node, function
        device = self._device
        start = perf_counter() if device is None else self._begin(type(function).__name__)
        try:
            y = super().call(function, inputs)
        finally:
            self._node = before
            if device is not None:
                device.end_range()
        if self._synchronize:
            function.backend.synchronize()
        stop = perf_counter() if device is None else device.mark()
        self._records += (type(function).__name__, FORWARD, start, stop)
        if self._track is not None:
            self._track.outputs(function, inputs, y)
        return y

    def backward(self, node: Function, plain: Any, gys: tuple[Any, ...]) -> Any:
        if self._node is node:  # a backward that calls that of its base
            return super().backward(node, plain, gys)
        before, self._node = self._node, node
        device = self._device
        start = perf_counter() if device is None else self._begin(f"{type(node).__name__} backward")
        try:
            gxs = super().backward(node, plain, gys)
        finally:
            self._node = before
            if device is not None:
                device.end_range()
        if self._synchronize:
            node.backend.synchronize()
        stop = perf_counter() if device is None else device.mark()
        self._records += (type(node).__name__, BACKWARD, start, stop)
        if self._track is not None:
            self._track.gradients(node, gys, gxs)
        return gxs

    @contextmanager
    def region(self, name: str) -> Iterator[None]:
        """Measure a stretch of your program under a name of your own.

        Parameters
        ----------
        name : str

        Examples
        --------
        >>> with tg.profile() as p, p.region("data"):
        ...     batch = np.ones(10)
        >>> [event.name for event in p.events]
        ['data']
        """
        device = self._device
        start = perf_counter() if device is None else self._begin(name)
        try:
            yield
        finally:
            if device is not None:
                device.end_range()
            stop = perf_counter() if device is None else device.mark()
            self._records += (name, REGION, start, stop)

    def __enter__(self) -> Self:
        self._device = next((b for b in loaded_backends() if b.has_marks), None)
        self._counted = [_Counted(b, self.transfers) for b in loaded_backends()]
        super().__enter__()
        self._start = perf_counter()
        self._zero = self._start if self._device is None else self._device.mark()
        return self

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        if self._device is not None:
            self._device.synchronize()
        self.seconds = perf_counter() - self._start
        for counted in self._counted:
            counted.restore()
        zero, elapsed, records = self._zero, self._elapsed, in_turn(self._records, 4)
        self.events = [Event(n, p, elapsed(zero, a), elapsed(zero, b)) for n, p, a, b in records]
        self._records.clear()
        if self._track is not None:
            self._track.stop(self._start)

    def _begin(self, name: str) -> Any:
        """Begin a range for the device's own tools, and give a mark of the device."""
        assert self._device is not None, "asked for where there is one"
        self._device.begin_range(name)
        return self._device.mark()

    def _elapsed(self, start: Any, stop: Any) -> float:
        return float(stop - start) if self._device is None else self._device.elapsed(start, stop)

    # -- what was found --------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """One row for each kind of op, that which took the most time of its own first."""
        own = _own_seconds(self.events)
        made = {} if self._track is None else self._track.made
        found: dict[str, Row] = {}
        for event, seconds in zip(self.events, own, strict=True):
            if event.phase == REGION:
                continue
            row = found.get(event.name) or Row(event.name, 0, 0.0, 0, 0.0, 0.0, made.get(event.name, 0))
            took, own_ = event.stop - event.start, row.own + seconds
            if event.phase == FORWARD:
                row = row._replace(forward_calls=row.forward_calls + 1, forward=row.forward + took, own=own_)
            else:
                row = row._replace(
                    backward_calls=row.backward_calls + 1, backward=row.backward + took, own=own_
                )
            found[event.name] = row
        return sorted(found.values(), key=lambda row: -row.own)

    @property
    def peak(self) -> int:
        return 0 if self._track is None else self._track.peak

    def at_peak(self) -> list[Live]:
        """What was alive when most was: the arrays, grouped by the op that made them, the largest first."""
        return [] if self._track is None else self._track.at_peak()

    def memory_curve(self) -> list[Moment]:
        """When how many bytes were held: one entry for each array that came or went."""
        return [] if self._track is None else self._track.curve()

    def table(self) -> str:
        """What was found, as text for a terminal: `rows`, the peak and what was alive then, the transfers."""
        lines = [self._in_short(), *aligned(_HEAD, self._cells())]
        regions: dict[str, list[float]] = {}
        for e in self.events:
            if e.phase == REGION:
                regions.setdefault(e.name, []).append(e.stop - e.start)
        if regions:
            shown = [[name, str(len(times)), in_seconds(sum(times))] for name, times in regions.items()]
            lines += ["", *aligned(["region", "times", "in all"], shown)]
        if self._track is not None:
            lines += ["", f"at most {in_bytes(self.peak)} in arrays that ops made; alive then:"]
            alive = [[a.name, str(a.arrays), in_bytes(a.size)] for a in self.at_peak()]
            lines += aligned(["made by", "arrays", "bytes"], alive)
        moved = [f"{n} arrays {way} ({in_bytes(size)})" for way, (n, size) in self.transfers.items() if n]
        return "\n".join([*lines, *(["", "moved: " + ", ".join(moved)] if moved else [])])

    __str__ = table

    def _repr_html_(self) -> str:
        peak = [] if self._track is None else [f"at most {in_bytes(self.peak)} in arrays that ops made"]
        return as_html(_HEAD, self._cells(), [self._in_short(), *peak])

    def _in_short(self) -> str:
        total = sum(row.own for row in self.rows())
        ops = sum(e.phase != REGION for e in self.events)
        return f"{in_seconds(self.seconds)} in all, {in_seconds(total)} of it in {ops:,} calls of ops"

    def _cells(self) -> list[list[str]]:
        total = sum(row.own for row in self.rows()) or 1.0
        return [
            [
                row.name,
                str(row.forward_calls),
                in_seconds(row.forward),
                str(row.backward_calls),
                in_seconds(row.backward),
                in_seconds(row.own),
                f"{row.own / total:.1%}",
                in_bytes(row.made),
            ]
            for row in self.rows()
        ]

    def show(self) -> None:
        """Print `table`; in colours where rich is installed."""
        try:
            from rich.console import Console  # noqa: PLC0415  # an extra
        except ImportError:
            print(self.table())  # noqa: T201  # what it is for
        else:
            Console().print(self.table(), highlight=True, soft_wrap=True)

    def save_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the events for a viewer of traces: Perfetto (ui.perfetto.dev) or ``chrome://tracing``.

        Parameters
        ----------
        path : str or path
            A JSON file in the Trace Event Format.
        """
        common = {"pid": os.getpid(), "tid": get_ident()}
        events: list[dict[str, Any]] = [
            {"name": e.name, "cat": e.phase, "ph": "X", "ts": 1e6 * e.start, "dur": 1e6 * (e.stop - e.start)}
            for e in self.events
        ]
        events += [
            {"name": "arrays", "ph": "C", "ts": 1e6 * m.seconds, "args": {"bytes": m.size}}
            for m in self.memory_curve()
        ]
        trace = {"traceEvents": [e | common for e in events], "displayTimeUnit": "ms"}
        Path(path).write_text(json.dumps(trace), encoding="utf-8")

    def plot_memory(self, path: str | os.PathLike[str]) -> None:
        """Draw the bytes that were held over time, with the largest holders at the peak.

        Parameters
        ----------
        path : str or path
            Its ending says the format: png, svg, pdf.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If memory was not watched.
        """
        if self._track is None:
            raise ValueError("plot_memory: this profile was made with memory=False; nothing is known of it")
        from tensorgrad.tools.pictures import draw_memory  # noqa: PLC0415  # loads matplotlib

        draw_memory(self.memory_curve(), self.at_peak(), path)


def _own_seconds(events: list[Event]) -> list[float]:
    """For each event its time without that of the ops within it."""
    own = [e.stop - e.start for e in events]
    order = sorted(range(len(events)), key=lambda i: (events[i].start, -events[i].stop))
    around: list[int] = []
    for i in order:
        if events[i].phase == REGION:
            continue
        while around and events[around[-1]].stop <= events[i].start:
            around.pop()
        if around:
            own[around[-1]] -= events[i].stop - events[i].start
        around.append(i)
    return own


class _Counted:
    """A backend whose transfers from and to the host are counted, until `restore`."""

    def __init__(self, backend: Backend, counts: dict[str, tuple[int, int]]) -> None:
        self._backend = backend
        if backend.name == "numpy":  # nothing moves there
            return
        for method, way in (("to_numpy", "to host"), ("from_numpy", "from host")):
            setattr(backend, method, self._counting(getattr(backend, method), way, counts))

    @staticmethod
    def _counting(plain: Any, way: str, counts: dict[str, tuple[int, int]]) -> Any:
        def counting(array: Any, *args: Any, **kwargs: Any) -> Any:
            y = plain(array, *args, **kwargs)
            on_host = y if way == "to host" else array
            count, size = counts[way]
            counts[way] = count + 1, size + int(getattr(on_host, "nbytes", 0))
            return y

        return counting

    def restore(self) -> None:
        for method in ("to_numpy", "from_numpy"):
            vars(self._backend).pop(method, None)
