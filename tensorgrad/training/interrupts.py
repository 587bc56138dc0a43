"""Ctrl-C between two steps instead of in the middle of one."""

from __future__ import annotations

import signal
import threading
from typing import Any, Self


class Interrupts:
    """In this ``with`` block the first Ctrl-C is only noted; the second interrupts at once.

    Outside the main thread, which alone gets signals, and where the program handles SIGINT in a way of its
    own, nothing changes.

    Attributes
    ----------
    pending : bool
        Whether there was one.
    """

    def __init__(self) -> None:
        self.pending = False
        self._before: Any = None

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: object) -> None:
        self.pending = True
        self.__exit__()

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
