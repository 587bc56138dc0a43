"""Functions of CuPy arrays as CUDA graphs: captured at the first call, launched at the others.

CuPy captures neither what cuBLAS computes nor copies from the host. A recording ends its graph there, lets
them run, and begins the next: a program is a row of graphs, with products between them that are computed anew
each time into the same memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Protocol

import cupy
import numpy as np

from tensorgrad.backend import Array, CannotCompileError

_RECORDING: ContextVar[Recording | None] = ContextVar("tensorgrad.recording", default=None)


class Draws(Protocol):
    """The generator of random numbers whose state is a key and a counter."""

    state: tuple[int, int]


class Recording:
    """A function while it runs for the first time.

    Each graph is launched as soon as it is whole, so what runs after it finds values.

    Attributes
    ----------
    parts : list of callable
        What a replay calls, in order.
    kept : list of array
        What graphs read by its address, and nobody else might keep.
    begin : array of uint64, shape (2,)
        The key and the counter from which a run of the program draws random numbers.
    first : int
        The counter when the recording began.
    """

    def __init__(self, stream: Any, draws: Draws) -> None:
        self.stream = stream
        self.parts: list[Callable[[], object]] = []
        self.kept: list[Array] = []
        self.begin = cupy.empty(2, np.uint64)
        self.first = draws.state[1]
        self._captures = False

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Capture what is given to the stream within the ``with``, but for what is left out."""
        token = _RECORDING.set(self)
        self._begin()
        try:
            yield
            self._launch()
        finally:
            _RECORDING.reset(token)
            if self._captures:  # an error came, and it is that which counts
                with suppress(RuntimeError):
                    self.stream.end_capture()

    def product(self, function: Callable[..., Array], *xs: Array) -> Array:
        """What a function with an argument ``out`` gives, here and at each replay."""
        y: Array = self.constant(lambda: function(*xs))
        self.parts.append(lambda: function(*xs, out=y))
        return y

    def result(self, function: Callable[[], Array]) -> Array:
        """The same for one without."""
        y: Array = self.constant(function)
        self.parts.append(lambda: cupy.copyto(y, function()))
        return y

    def constant(self, function: Callable[[], Array]) -> Array:
        """What a function gives here; replays find the same."""
        self._launch()
        y = function()
        self._begin()
        self.kept.append(y)
        return y

    def _begin(self) -> None:
        self.stream.begin_capture()
        self._captures = True

    def _launch(self) -> None:
        self._captures = False
        graph = self.stream.end_capture()
        graph.launch()
        self.parts.append(graph.launch)


def recording() -> Recording | None:
    """The recording that is going on, if there is one."""
    return _RECORDING.get()


class Program:
    """A function ``(state, number, *inputs) -> (state, outputs)`` that is recorded once and replayed.

    The arrays of the state that it is first called with become its own, and what it makes lies in a pool of
    its own, whose memory nobody else gets. Inputs are copied in, outputs are copied out.
    """

    def __init__(self, function: Callable[..., tuple[list[Array], list[Array]]], draws: Draws) -> None:
        self._function = function
        self._draws = draws
        self._recording: Recording | None = None

    def __call__(self, state: list[Array], number: float, *inputs: Array) -> tuple[list[Array], list[Array]]:
        if self._recording is None or not self._fits(state):
            self._record(state, number, inputs)
        else:
            self._replay(self._recording, state, number, inputs)
        return list(self._state), [cupy.array(y) for y in self._outputs]

    def _fits(self, state: list[Array]) -> bool:
        """Whether the state is that which was recorded, but for the values."""
        return [(a.shape, a.dtype) for a in state] == [(a.shape, a.dtype) for a in self._state]

    def _record(self, state: list[Array], number: float, inputs: tuple[Array, ...]) -> None:
        self._recording = None
        before, drawn = [cupy.array(a) for a in state], self._draws.state
        try:
            recorded = self._recorded(state, number, inputs)
        except Exception as error:
            for a, values in zip(state, before, strict=True):
                cupy.copyto(a, values)
            self._draws.state = drawn
            if _is_of_capture(error):
                raise CannotCompileError(f"CuPy cannot capture it: {error}") from error
            raise
        self._recording, self._taken = recorded, (self._draws.state[1] - drawn[1]) % (1 << 64)

    def _recorded(self, state: list[Array], number: float, inputs: tuple[Array, ...]) -> Recording:
        outer, stream = cupy.cuda.get_current_stream(), cupy.cuda.Stream(non_blocking=True)
        self._pool = cupy.cuda.MemoryPool()
        stream.wait_event(outer.record())
        try:
            with cupy.cuda.using_allocator(self._pool.malloc), stream:
                recorded = Recording(stream, self._draws)
                self._state, self._inputs = list(state), [cupy.array(x) for x in inputs]
                self._number = cupy.full((), number, np.float64)
                self._set_draws(recorded)
                with recorded.capturing():
                    after, self._outputs = self._function(list(state), self._number, *self._inputs)
                    for own, a in zip(self._state, after, strict=True):
                        if a is not own:
                            cupy.copyto(own, a)
        finally:
            outer.wait_event(stream.record())
        return recorded

    def _replay(
        self, recorded: Recording, state: list[Array], number: float, inputs: tuple[Array, ...]
    ) -> None:
        for own, given in zip((*self._state, *self._inputs), (*state, *inputs), strict=True):
            if given is not own:
                cupy.copyto(own, given)
        self._number.fill(number)
        self._set_draws(recorded)
        for part in recorded.parts:
            part()
        key, counter = self._draws.state
        self._draws.state = key, (counter + self._taken) % (1 << 64)

    def _set_draws(self, recorded: Recording) -> None:
        for i, value in enumerate(self._draws.state):
            recorded.begin[i : i + 1].fill(np.uint64(value))


def captured(name: str, function: Callable[..., Array], *, out: bool) -> Callable[..., Array]:
    """A function that CuPy does not capture, as one that a recording leaves out and a replay repeats.

    Parameters
    ----------
    name : str
    function : callable
    out : bool
        Whether it has an argument ``out``.
    """

    def call(*args: Any, **kwargs: Any) -> Array:
        recorder = _RECORDING.get()
        if recorder is None:
            return function(*args, **kwargs)
        if out and not kwargs:
            return recorder.product(function, *args)
        return recorder.result(lambda: function(*args, **kwargs))

    call.__name__ = call.__qualname__ = name
    return call


def _is_of_capture(error: Exception) -> bool:
    """Whether CuPy, or CUDA, raised it because a stream captures."""
    return isinstance(error, RuntimeError) and "captur" in str(error).lower()
