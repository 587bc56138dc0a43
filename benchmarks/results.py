"""The table of all contests, as text for people and as `RESULTS.md`."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = {"torch": "torch", "JAX jit": "jax", "autograd": "autograd", "MyGrad": "mygrad"}
PACKAGES = ("numpy", "torch", "jax", "autograd", "mygrad", "array-api-compat")
MARK = "<!-- what follows is written by `nox -s bench` -->\n"


@dataclass
class Row:
    """What a contest found.

    Attributes
    ----------
    workload : str
    ratios : dict of str to float
        Time of each contender : time by hand.
    milliseconds : float
        Of a step of ours.
    aim : float or None
        What the ratio of ours should be at most.
    faults : dict of str to float
        Page faults of a step.
    peaks : dict of str to float
        Megabytes that a step takes beyond what is there before it, by tracemalloc.
    """

    workload: str
    ratios: dict[str, float]
    milliseconds: float
    aim: float | None
    faults: dict[str, float]
    peaks: dict[str, float]

    def line(self) -> str:
        shown = "   ".join(f"{name} {ratio:5.2f}" for name, ratio in self.ratios.items() if ratio != 1)
        aim = "" if self.aim is None else f"   (aim: {self.aim})"
        return f"{self.workload:48s}{self.milliseconds:9.3f} ms   {shown}{aim}"

    def cells(self) -> list[str]:
        ours = self.ratios["tensorgrad"]
        reached = self.aim is not None and ours <= self.aim
        return [
            self.workload,
            f"**{ours:.2f}**" if reached else f"{ours:.2f}",
            "" if self.aim is None else f"{self.aim:g}",
            *(f"{self.ratios[name]:.2f}" if name in self.ratios else "-" for name in LIBRARIES),
            f"{self.milliseconds:.3g}",
            *(f"{self.faults[name]:.0f}" for name in self.faults),
            *(f"{self.peaks[name]:.3g}" for name in self.peaks),
        ]


def write(path: str, rows: list[Row], lines: list[str], clock: str) -> None:
    """Write the table; what stands before the mark in the file is written by people and stays."""
    file = Path(path)
    text = file.read_text(encoding="utf-8") if file.exists() else "# Results of the benchmarks\n\n"
    head = [
        "workload", "tensorgrad", "aim", *LIBRARIES, "ms", "faults", "by hand", "peak MB", "by hand",
    ]  # fmt: skip
    table = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    others = [line for line in lines if line not in {row.line() for row in rows}]
    parts = [
        text.partition(MARK)[0] + MARK,
        f"Machine: {_machine()}. {_versions()}. Threads: {_threads()}. Times: {clock}.\n",
        "\n".join(f"| {' | '.join(cells)} |" for cells in table),
        "\n".join(["", *(f"- {line}" for line in others), ""]),
    ]
    file.write_text("\n".join(parts), encoding="utf-8")


def _machine() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [x.partition(":")[2].strip() for x in info.read_text().splitlines() if "model name" in x]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def _versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def _threads() -> str:
    try:
        from threadpoolctl import threadpool_info  # noqa: PLC0415  # an extra
    except ImportError:
        return os.environ.get("OMP_NUM_THREADS", "as many as the libraries take")
    return ", ".join(
        f"{pool['internal_api']} {pool['num_threads']} {pool.get('architecture', '')}".rstrip()
        for pool in threadpool_info()
    )
