"""Where in the user's program something happens."""

from __future__ import annotations

import linecache
import os
import sys
from pathlib import Path

_PACKAGE = str(Path(__file__).resolve().parent.parent) + os.sep


def calling_line() -> str:
    """The line of the program that is running, the innermost outside of this package: path, number, text."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    path, number = frame.f_code.co_filename, frame.f_lineno
    line = linecache.getline(path, number).strip()
    return f"{path}:{number}" + (f": {line}" if line else "")
