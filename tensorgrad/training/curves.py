"""Losses and metrics along a run as a picture."""

from __future__ import annotations

from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.training.callbacks import Callback, path_of
from tensorgrad.training.logs import replace
from tensorgrad.training.progress import INSTALL

if TYPE_CHECKING:
    from tensorgrad.training.trainer import Trainer

COLOURS = ("#2a5d8f", "#c8641e", "#3b7d4f", "#8a4a8f", "#a08020", "#555555")
NOT_DRAWN = ("epoch", "step", "seconds")


def new_figure(panels: int, install: str = INSTALL) -> tuple[Any, list[Any]]:
    """A figure and its panels, side by side, without a window.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    try:
        agg, figures = import_module("matplotlib.backends.backend_agg"), import_module("matplotlib.figure")
    except ImportError as error:
        raise ImportError(f"matplotlib is not installed; {install}") from error
    figure = figures.Figure(figsize=(4.5 * panels, 3.6), dpi=150, layout="constrained")
    agg.FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    for one in axes:
        one.grid(alpha=0.3)
        one.spines[["top", "right"]].set_visible(False)
        one.set_xlabel("epoch")
        one.xaxis.get_major_locator().set_params(integer=True)
    return figure, axes


def plot_losses(axes: Any, losses: Any, epochs: int) -> None:
    """The loss of each step, faintly; `losses` are those of `epochs` whole epochs."""
    steps = np.arange(1, len(losses) + 1) * (epochs / max(len(losses), 1))
    axes.plot(steps, losses, color=COLOURS[0], alpha=0.3, linewidth=0.8, label="each step")


def plot_values(axes: Any, epochs: Any, values: Any, **style: Any) -> None:
    """A value of each epoch, as a line with points."""
    axes.plot(epochs, values, **{"linewidth": 2, "marker": "o", "markersize": 3, **style})


def draw(history: list[dict[str, Any]], losses: Any, path: str | PathLike[str]) -> None:
    """Draw the losses, and every other value of the epochs, into a PNG file.

    Parameters
    ----------
    history : list of dict
        ``trainer.history``.
    losses : sequence of float
        ``trainer.losses``.
    path : str or path

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    names = [name for name in history[-1] if name not in NOT_DRAWN and "loss" not in name]
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.removeprefix("test_"), []).append(name)
    figure, (first, *others) = new_figure(1 + len(groups))
    epochs = np.array([record["epoch"] for record in history])
    plot_losses(first, losses, len(epochs))
    for colour, name, label in zip(COLOURS, ("loss", "test_loss"), ("training", "test"), strict=False):
        if name in history[-1]:
            middle = 0.5 if name == "loss" else 0.0  # a mean over the epoch, and a value at its end
            plot_values(first, epochs - middle, _column(history, name), color=colour, label=label)
    first.set(title="Loss", ylabel="loss")
    first.legend(frameon=False)
    for axes, (title, members) in zip(others, groups.items(), strict=True):
        for colour, name in zip(COLOURS[1:], members, strict=False):
            plot_values(axes, epochs, _column(history, name), color=colour, label=name)
        axes.set(title=title, ylabel=title)
    replace(Path(path), lambda unfinished: figure.savefig(unfinished, format="png"))


def _column(history: list[dict[str, Any]], name: str) -> list[float]:
    return [record.get(name, np.nan) for record in history]


class Curves(Callback):
    """A picture of the losses and the other values, drawn again after every epoch.

    Parameters
    ----------
    path : str or path, optional
        Of a PNG file; by default ``curves.png`` in the trainer's folder.

    Raises
    ------
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> curves = tg.training.Curves("curves.png")
    """

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        new_figure(1)  # an error now rather than after the first epoch
        self.path = path

    def on_epoch_end(self, trainer: Trainer) -> None:
        draw(trainer.history, trainer.losses, path_of(self, self.path, trainer, "curves.png"))
