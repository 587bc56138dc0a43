"""Losses and metrics along a run as a picture: in a file, or in a notebook while it goes on."""

from __future__ import annotations

import io
import time
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


def plot_losses(axes: Any, losses: Any, epochs: float) -> None:
    """The loss of each step, faintly; `losses` are those of so many epochs."""
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
    figure = figure_of(history, losses, len(history))
    replace(Path(path), lambda unfinished: figure.savefig(unfinished, format="png"))


def figure_of(history: list[dict[str, Any]], losses: Any, epochs: float) -> Any:
    """The curves as a matplotlib figure; `losses` are those of so many epochs."""
    last = history[-1] if history else {}
    names = [name for name in last if name not in NOT_DRAWN and "loss" not in name]
    if len({record.get("lr") for record in history}) == 1:  # a rate that stays as it is tells nothing
        names = [name for name in names if name != "lr"]
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.removeprefix("test_"), []).append(name)
    figure, (first, *others) = new_figure(1 + len(groups))
    plot_losses(first, losses, epochs)
    at = np.array([record["epoch"] for record in history])
    for colour, name, label in zip(COLOURS, ("loss", "test_loss"), ("training", "test"), strict=False):
        if name in last:
            middle = 0.5 if name == "loss" else 0.0  # a mean over the epoch, and a value at its end
            plot_values(first, at - middle, _column(history, name), color=colour, label=label)
    first.set(title="Loss", ylabel="loss")
    first.legend(frameon=False)
    for axes, (title, members) in zip(others, groups.items(), strict=True):
        for colour, name in zip(COLOURS[1:], members, strict=False):
            plot_values(axes, at, _column(history, name), color=colour, label=name)
        axes.set(title=title, ylabel=title)
    return figure


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

    main_only = True

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        new_figure(1)  # an error now rather than after the first epoch
        self.path = path

    def on_epoch_end(self, trainer: Trainer) -> None:
        draw(trainer.history, trainer.losses, path_of(self, self.path, trainer, "curves.png"))


class LiveCurves(Callback):
    """The same picture in a notebook, below the cell that trains; drawn again while the run goes on.

    Parameters
    ----------
    steps : int, optional
        Draw after so many updates too, which fetches the losses and so waits for the device. By default, and
        where several ranks train together, only after epochs.
    seconds : float, default 1.0
        At least so long between two drawings. The last one is always of all epochs.

    Raises
    ------
    ImportError
        If matplotlib or IPython is not installed.
    RuntimeError
        If no notebook, nor another frontend of IPython, runs the program.

    Examples
    --------
    In a notebook::

        trainer = tg.Trainer(model, loss, optimizer, callbacks=[tg.training.LiveCurves(steps=20)])
    """

    main_only = True

    def __init__(self, steps: int | None = None, seconds: float = 1.0) -> None:
        new_figure(1)
        try:
            ipython = import_module("IPython")
        except ImportError as error:
            raise ImportError(
                "LiveCurves: IPython is not installed; python -m pip install 'tensorgrad[notebook]'"
            ) from error
        if ipython.get_ipython() is None:
            raise RuntimeError(
                "LiveCurves: expected to run in a notebook; this is none. Curves(path) writes a file anywhere"
            )
        if steps is not None and steps < 1:
            raise ValueError(f"LiveCurves: expected steps >= 1; got {steps}")
        self.steps = steps
        self.seconds = seconds
        self._shown: Any = None  # the handle of what the notebook displays
        self._time = -np.inf

    def on_fit_start(self, trainer: Trainer) -> None:
        self._shown = None
        self._time = -np.inf

    def on_step_end(self, trainer: Trainer) -> None:
        due = self.steps is not None and trainer.step % self.steps == 0 and self._is_due()
        if due and trainer._ranks.alone:  # the others would have to fetch at the same time
            trainer.fetch()
            self._show(trainer)

    def on_epoch_end(self, trainer: Trainer) -> None:
        if self._is_due():
            self._show(trainer)

    def on_fit_end(self, trainer: Trainer) -> None:
        if trainer.losses:
            self._show(trainer)

    def _is_due(self) -> bool:
        return time.monotonic() - self._time >= self.seconds

    def _show(self, trainer: Trainer) -> None:
        figure = figure_of(trainer.history, trainer.losses, _epochs_of(trainer))
        file = io.BytesIO()
        figure.savefig(file, format="png")
        display = import_module("IPython.display")
        image = display.Image(file.getvalue(), width=figure.get_figwidth() * 90)
        if self._shown is None:
            self._shown = display.display(image, display_id=True)
        else:
            self._shown.update(image)
        self._time = time.monotonic()


def _epochs_of(trainer: Trainer) -> float:
    """How many epochs the losses are of that were fetched."""
    within = len(trainer.sizes)  # batches of the present epoch
    whole = len(trainer.losses) - within
    if whole > 0 and trainer.epoch:
        return trainer.epoch * len(trainer.losses) / whole
    in_all = getattr(trainer.sources.get("train"), "max_iter", None) or within
    return len(trainer.losses) / max(in_all, 1)
