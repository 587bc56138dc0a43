"""The host's allocator: it keeps what arrays free, so that the next ones need no new pages.

glibc asks the system for every large block anew, and gives it back when it is freed. Each page of such a
block costs a fault when it is first written: with temporaries of 4 MB that is more time than the arithmetic
takes. Told to keep freed blocks, it hands them out again. The address space of a process then shrinks less
readily: a block that was freed below one in use stays with the process, for its next arrays.

The NumPy backend does this when it is loaded. It is left alone with the environment variable
``TENSORGRAD_MALLOC=system``, where one of glibc's own settings (``MALLOC_TRIM_THRESHOLD_``,
``MALLOC_MMAP_THRESHOLD_``, ``GLIBC_TUNABLES``) says otherwise, and on systems without glibc.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

VARIABLE = "TENSORGRAD_MALLOC"

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the parameters' numbers in malloc.h
_KEEP = {_MMAP_THRESHOLD: 1 << 30, _TRIM_THRESHOLD: 2**31 - 1}
_DEFAULTS = {_MMAP_THRESHOLD: 128 << 10, _TRIM_THRESHOLD: 128 << 10}


def keep_freed_memory(keep: bool = True) -> bool:
    """Let the allocator keep large blocks that were freed, or give them back to the system again.

    It is for the whole process, and for what is freed from now on.

    Parameters
    ----------
    keep : bool
        False sets glibc's defaults, and gives back what can be.

    Returns
    -------
    bool
        Whether the allocator took it: False where it is not glibc's.

    References
    ----------
    mallopt(3), malloc_trim(3).
    """
    libc = _glibc()
    if libc is None:
        return False
    settings = _KEEP if keep else _DEFAULTS
    taken = [libc.mallopt(parameter, value) for parameter, value in settings.items()]
    if not keep:
        libc.malloc_trim(0)
    return all(taken)


def start() -> bool:
    """`keep_freed_memory`, unless the environment says otherwise. Gives whether memory is kept."""
    wish = os.environ.get(VARIABLE, "keep")
    if wish not in ("keep", "system"):
        raise ValueError(f"environment variable {VARIABLE}: expected 'keep' or 'system'; got {wish!r}")
    own = "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"
    chosen = any(name in os.environ for name in own) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    return wish == "keep" and not chosen and keep_freed_memory()


def _glibc() -> Any:
    """The C library of this process if it is glibc, else None."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") and hasattr(libc, "mallopt") else None
