"""The environment report: what is installed, what works, and what is missing and how to get it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from textwrap import fill
from typing import Any

import numpy as np

from tensorgrad.backend import BackendUnavailableError, entry_points, get_backend

_WIDTH = 100

# What changes results or speed, where it is set.
_SETTINGS = (
    "CUDA_PATH",
    "CUDA_VISIBLE_DEVICES",
    "JAX_ENABLE_X64",
    "JAX_PLATFORMS",
    "LD_LIBRARY_PATH",
    "MKL_NUM_THREADS",
    "OCL_ICD_FILENAMES",
    "OMP_NUM_THREADS",
    "ONEAPI_DEVICE_SELECTOR",
    "OPENBLAS_NUM_THREADS",
    "TENSORGRAD_MALLOC",
    "TENSORGRAD_TEST_BACKENDS",
)


def environment_report() -> str:
    """Versions, backends with their devices, and what is missing and how to get it, as text.

    Every backend's library is imported, which may take some seconds.

    Returns
    -------
    str
        Lines to be read by people, and to be pasted into a bug report.

    Examples
    --------
    >>> environment_report().splitlines()[0].startswith("tensorgrad")
    True
    """
    return "\n".join(
        [
            *_versions(),
            "",
            "Backends",
            *(_entry(name, _backend(name)) for name in _names()),
            "",
            "Optional tools",
            _entry("Graphviz", _graphviz()),
            _entry("matplotlib", _package("matplotlib", "draws the loss curve")),
            _entry("tqdm", _package("tqdm", "shows progress")),
            "",
            "Settings",
            *(_entry(name, os.environ[name]) for name in _SETTINGS if name in os.environ),
            _entry("processors", str(os.cpu_count())),
            _entry("BLAS", _blas()),
        ]
    )


def _entry(name: str, text: str) -> str:
    """A line for `name`, wrapped; a command stands on a line of its own, to be copied."""
    indent = " " * 20
    text, _, command = text.partition(" Install it: ")
    lines = fill(
        f"  {name:<17} {text}",
        width=_WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"{lines}\n{indent}Install it: {command}" if command else lines


def _versions() -> list[str]:
    return [
        f"tensorgrad {_version('tensorgrad')}",
        f"Python {platform.python_version()} ({platform.python_implementation()}, {sys.executable})",
        f"{platform.platform()}, {platform.machine()}",
        f"numpy {np.__version__}, array-api-compat {_version('array-api-compat')}",
    ]


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(not installed as a package)"


def _names() -> list[str]:
    """The backends, one name for each class."""
    by_class = {entry.value: name for name, entry in reversed(entry_points().items())}
    return [name for name, entry in entry_points().items() if by_class[entry.value] == name]


def _backend(name: str) -> str:
    try:
        backend = get_backend(name)
        return f"{backend.version} on {', '.join(backend.devices())}"
    except BackendUnavailableError as error:
        return f"missing: {str(error).removeprefix(f'backend {name!r}: ')}"
    except Exception as error:  # noqa: BLE001  # a broken backend is what a report is for
        return f"fails: {type(error).__name__}: {error}"


def _graphviz() -> str:
    program = shutil.which("dot")
    if program is None:
        return (
            "missing: without its program `dot`, graphs are written as DOT text only. Install it: "
            "apt install graphviz (or brew install graphviz, winget install graphviz)"
        )
    told = subprocess.run([program, "-V"], capture_output=True, text=True, check=False)
    return f"{(told.stderr or told.stdout).strip()}, {program}"


def _package(distribution: str, use: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return f"missing: it {use}. Install it: python -m pip install {distribution}"


def _blas() -> str:
    """What NumPy multiplies matrices with, and with how many threads where threadpoolctl knows."""
    config: Any = np.show_config(mode="dicts")
    blas = config.get("Build Dependencies", {}).get("blas", {})
    text = f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
    try:
        pools = import_module("threadpoolctl").threadpool_info()
    except ImportError:
        return text
    threads = {str(pool["num_threads"]) for pool in pools if pool["user_api"] == "blas"}
    return f"{text}, {' or '.join(sorted(threads))} threads" if threads else text
