"""What the examples share: their options, where they compute, how well they name images, and pictures."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad.backend import Backend, get_backend

BLUE, ORANGE, GREY = "#2a5d8f", "#c8641e", "#666666"
COLORS = (BLUE, ORANGE, "#3a7d44", "#7d3a6f")


def options(description: str | None, out: str, **defaults: Any) -> argparse.ArgumentParser:
    """A parser with the options that all examples have; `defaults` are those of ``--epochs`` and the like."""
    first_line = (description or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=first_line)
    add = parser.add_argument
    add(
        "--out",
        type=Path,
        default=Path(out),
        metavar="DIR",
        help="folder for what is written (./%(default)s)",
    )
    add(
        "--backend",
        default="numpy",
        metavar="NAME",
        help="array library: numpy, torch, cupy, ... (%(default)s)",
    )
    add("--seed", type=int, default=0, help="of all random numbers (%(default)s)")
    add("--quick", action="store_true", help="a run of seconds, which only shows that it works")
    for name, value in defaults.items():
        add(f"--{name}", type=int, default=value, metavar="N", help="(%(default)s)")
    return parser


def prepare(chosen: argparse.Namespace) -> Backend:
    """Seed everything, make the folder for what is written, and give the backend to compute on."""
    backend = get_backend(chosen.backend)
    tg.seed(chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)
    return backend


def accuracy(model: tg.Layer, loader: tg.DataLoader) -> float:
    """The part of a data set whose labels the model names."""
    right = 0.0
    with tg.no_grad(), tg.test_mode():
        for x, t in loader:
            right += float(F.accuracy(model(x), t)) * len(t)
    return right / loader.data_size


# -- pictures ------------------------------------------------------------------------------------


def figure(width: float, height: float) -> Any:
    """An empty matplotlib figure that needs no window; None, with a note, without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  (optional)
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        print("(no pictures: matplotlib is not installed; python -m pip install 'tensorgrad[plot]')")
        return None
    made = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(made)
    return made


def write(made: Any, path: Path) -> None:
    """Save a figure and say so."""
    made.savefig(path)
    print(f"written: {path}")


def tidy(axes: Any, **labels: Any) -> None:
    """The look that all curves have; `labels` are title, xlabel, ylabel."""
    axes.set(**labels)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(frameon=False)


def curves(path: Path, *panels: tuple[str, str, Mapping[str, Sequence[float]]], unit: str = "epoch") -> None:
    """Draw panels of curves side by side: (title, label of the vertical axis, the curves by name)."""
    made = figure(4.5 * len(panels), 3.4)
    if made is None:
        return
    for axes, (title, ylabel, lines) in zip(np.ravel(made.subplots(1, len(panels))), panels, strict=True):
        for color, (name, values) in zip(COLORS, lines.items(), strict=False):
            marker = "o" if len(values) <= 30 else None
            axes.plot(
                np.arange(1, len(values) + 1), values, color=color, marker=marker, markersize=3, label=name
            )
        axes.xaxis.get_major_locator().set_params(integer=True)
        tidy(axes, title=title, xlabel=unit, ylabel=ylabel)
    write(made, path)


def sheet(path: Path, images: Any, columns: int, titles: Sequence[str] = (), top: float = 1.0) -> None:
    """Draw images in rows of `columns`, each below its title.

    They are (N, H, W), white at 0 and black at `top`, or (N, H, W, 3) with colours from 0 to 1.
    """
    height, width, *rest = images[0].shape
    rows = -(-len(images) // columns)
    across = width + width // 8
    above = columns * across // 50 if titles else height // 8  # room for a title, or a gap
    cell = height + above, across
    paper = np.full((rows * cell[0], columns * cell[1], *rest), 1.0 if rest else 0.0)
    made = figure(8.0, 8.0 * paper.shape[0] / paper.shape[1])
    if made is None:
        return
    made.set_layout_engine("none")
    axes = made.add_axes((0, 0, 1, 1))
    axes.axis("off")
    for i, image in enumerate(images):
        down, right = i // columns * cell[0] + above, i % columns * cell[1] + width // 16
        paper[down : down + height, right : right + width] = image
        if titles:
            axes.text(right + width / 2, down - 1, titles[i], fontsize=7, ha="center")
    axes.imshow(paper, cmap="gray_r", vmin=0, vmax=top)
    write(made, path)
