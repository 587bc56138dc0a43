"""What `import tensorgrad` costs on top of `import numpy`, each in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median
from time import perf_counter

# What users have: bytecode is kept, beside the modules or where PYTHONPYCACHEPREFIX says.
_ENV = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _import(module: str) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=_ENV)
    return 1e3 * (perf_counter() - start)


def test_import_time(benchmark, request, report):
    """The median over pairs of the difference, in milliseconds; the aim is at most 40."""
    short = float(request.config.getoption("--benchmark-max-time")) < 0.5
    for module in ("numpy", "tensorgrad"):
        _import(module)  # the files are in the system's cache from here on
    extra = median(_import("tensorgrad") - _import("numpy") for _ in range(3 if short else 21))
    benchmark.extra_info["ms more than numpy (aim: 40)"] = round(extra, 1)
    report(f"import tensorgrad: {extra:.1f} ms more than import numpy (aim: at most 40)")
    benchmark.pedantic(_import, args=("tensorgrad",), rounds=2 if short else 5)
