"""Pictures of what the profiler found. Loads matplotlib."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tensorgrad.tools.memory import Live, Moment
from tensorgrad.tools.table import in_bytes

try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
except ImportError as error:
    raise ImportError(
        "a picture needs matplotlib, which is not installed: python -m pip install 'tensorgrad[plot]'"
    ) from error


def draw_memory(curve: Sequence[Moment], alive: Sequence[Live], path: str | os.PathLike[str]) -> None:
    """Bytes over time to the left, the largest holders at the peak to the right."""
    figure = Figure(figsize=(10, 3.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    blue, orange = "#2a5d8f", "#c8641e"

    unit, scale = _unit(max((m.size for m in curve), default=0))
    milliseconds = [1e3 * m.seconds for m in curve]
    sizes = [m.size / scale for m in curve]
    left.fill_between(milliseconds, sizes, step="post", color=blue, alpha=0.25, linewidth=0)
    left.step(milliseconds, sizes, where="post", color=blue, linewidth=1.2)
    if curve:
        top = sizes.index(max(sizes))
        left.plot(milliseconds[top], sizes[top], "o", color=orange, markersize=5)
        left.set_title(f"In arrays that ops made: at most {in_bytes(curve[top].size)}")
    left.set(xlabel="ms from the start", ylabel=unit)
    left.set_ylim(bottom=0)
    left.grid(alpha=0.3)

    shown = list(alive[:8])[::-1]
    right.barh([f"{a.name} ({a.arrays})" for a in shown], [a.size / scale for a in shown], color=orange)
    right.set(title="Alive at the peak, by what made it", xlabel=unit)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(os.fspath(path))


def _unit(size: int) -> tuple[str, int]:
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= scale:
            return unit, scale
    return "bytes", 1
