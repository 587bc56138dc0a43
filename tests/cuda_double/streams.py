"""Streams and events of the double: all that they are given is done at once, in the order of the program."""

from __future__ import annotations

from typing import Any, ClassVar

from cuda_double.arrays import wait
from cuda_double.graphs import CAPTURING, Capture, Graph

TOLD: list[tuple[Any, ...]] = []
"""What streams were told about events, and what was copied from the host on which: in order."""


class Event:
    done = True

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.recorded = False

    def record(self, stream=None):
        self.recorded = True
        TOLD.append(("record", stream or current_stream(), self))

    def synchronize(self):
        wait("Event.synchronize")


class Stream:
    current: ClassVar[list[Any]] = []
    null: ClassVar[Any]
    ptr = 77

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.null, self.non_blocking = null, non_blocking

    def __enter__(self):
        Stream.current.append(self)
        return self

    def __exit__(self, *exception):
        Stream.current.pop()

    def synchronize(self):
        wait("Stream.synchronize")

    def record(self, event=None):
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event):
        assert event.recorded, "a stream waits for an event that was not recorded"
        TOLD.append(("wait", self, event))

    def begin_capture(self, mode=None):
        if self.null:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        assert Stream.current[-1] is self, "another stream is current: nothing would be captured"
        assert not CAPTURING, "a stream captures already"
        CAPTURING.append(Capture())

    def end_capture(self):
        capture = CAPTURING.pop()
        capture.undo()
        return Graph(capture)

    def is_capturing(self):
        return bool(CAPTURING) and Stream.current[-1] is self


Stream.null = Stream(null=True)


def current_stream() -> Any:
    return Stream.current[-1] if Stream.current else Stream.null
