"""The records of a run in files: CSV, JSON lines, TensorBoard."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.backend import Array
from tensorgrad.core import Variable
from tensorgrad.cuda import as_numpy
from tensorgrad.training.callbacks import Callback, path_of
from tensorgrad.training.tensorboard_graphs import graph_of

if TYPE_CHECKING:
    from tensorgrad.training.trainer import Trainer


class _Log(Callback):
    """A text file of all epochs so far: written anew after each, so a resumed run repeats none."""

    name = ""
    main_only = True

    def __init__(self, path: str | PathLike[str] | None = None) -> None:
        self.path = path

    def text(self, history: list[dict[str, Any]]) -> str:
        """What stands in the file."""
        raise NotImplementedError(f"{type(self).__name__} does not define text(self, history)")

    def on_epoch_end(self, trainer: Trainer) -> None:
        path = path_of(self, self.path, trainer, self.name)
        text = self.text(trainer.history)
        replace(path, lambda unfinished: unfinished.write_text(text, encoding="utf-8", newline=""))


class CSVLog(_Log):
    """A table of the epochs: a row for each, a column for each value.

    Parameters
    ----------
    path : str or path, optional
        By default ``log.csv`` in the trainer's folder.

    Examples
    --------
    >>> print(tg.training.CSVLog().text([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]), end="")
    epoch,loss
    1,0.5
    2,0.25
    """

    name = "log.csv"

    def text(self, history: list[dict[str, Any]]) -> str:
        names = list(dict.fromkeys(name for record in history for name in record))
        file = io.StringIO()
        table = csv.DictWriter(file, names, lineterminator="\n")
        table.writeheader()
        table.writerows(history)
        return file.getvalue()


class JSONLinesLog(_Log):
    """An object of JSON for each epoch, on a line of its own.

    Parameters
    ----------
    path : str or path, optional
        By default ``log.jsonl`` in the trainer's folder.

    Notes
    -----
    A value that is no finite number, which JSON lacks, is null.

    Examples
    --------
    >>> print(tg.training.JSONLinesLog().text([{"epoch": 1, "loss": 0.5}]), end="")
    {"epoch": 1, "loss": 0.5}
    """

    name = "log.jsonl"

    def text(self, history: list[dict[str, Any]]) -> str:
        return "".join(json.dumps({k: _finite(v) for k, v in record.items()}) + "\n" for record in history)


def _finite(value: Any) -> Any:
    return value if value - value == 0 else None  # nan for nan and the infinities


class TensorBoardLog(Callback):
    """The values of each epoch, and the losses of its batches, as TensorBoard reads them.

    Both stand at the number of batches so far.

    Parameters
    ----------
    folder : str or path, optional
        By default ``tensorboard`` in the trainer's folder.
    histograms : int, optional
        After every so many epochs, how the numbers in each parameter are spread (``weights/l0/W``), and those
        in its gradient of the latest update (``gradients/l0/W``), if it had one; so those gradients are kept
        until the next. All are fetched from the device. Numbers that are not finite are left out.
    example : array or tuple of arrays, optional
        What the model is called with, once, at test time: the graph of that call is shown, ops in the boxes
        of their layers.

    Raises
    ------
    ImportError
        If tensorboardX, which writes such files, is not installed.
    ValueError
        If `histograms` is not positive.

    Examples
    --------
    >>> log = tg.training.TensorBoardLog("runs/first")  # then: tensorboard --logdir runs
    """

    main_only = True

    def __init__(
        self,
        folder: str | PathLike[str] | None = None,
        *,
        histograms: int | None = None,
        example: Any = None,
    ) -> None:
        if histograms is not None and histograms < 1:
            raise ValueError(f"TensorBoardLog: expected histograms >= 1; got {histograms}")
        try:
            self._make = import_module("tensorboardX").SummaryWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoardLog: tensorboardX is not installed; python -m pip install 'tensorgrad[training]'"
            ) from error
        self.folder = folder
        self.histograms = histograms
        self.example = example
        self._writer: Any = None
        self._written = 0  # losses
        self._gradients: dict[int, Any] = {}  # of the latest update, by the ids of the parameters

    def on_fit_start(self, trainer: Trainer) -> None:
        folder = path_of(self, self.folder, trainer, "tensorboard")
        # What an interrupted run wrote after its checkpoint is hidden.
        self._written = done = len(trainer.losses) - len(trainer.sizes)  # those of whole epochs
        begun = {"purge_step": done + 1, "filename_suffix": f".{done}"} if done else {}
        self._writer = self._make(str(folder), **begun)
        if self.histograms is not None:
            trainer.optimizer.add_hook(self._note)
        if self.example is not None:
            graph = graph_of(trainer.model, self.example).SerializeToString()
            self._writer.file_writer.add_event(_event(graph_def=graph))

    def on_epoch_end(self, trainer: Trainer) -> None:
        for i in range(self._written, len(trainer.losses)):
            self._writer.add_scalar("batch/loss", trainer.losses[i], i + 1)
        self._written = len(trainer.losses)
        for name, value in trainer.history[-1].items():
            if name not in ("epoch", "step"):
                self._writer.add_scalar(f"epoch/{name}", value, self._written)
        if self.histograms is not None and trainer.epoch % self.histograms == 0:
            for path, p in trainer.model.namedparams():
                self._add_histogram(f"weights/{path}", p.data)
                self._add_histogram(f"gradients/{path}", self._gradients.get(id(p)))
        self._writer.flush()

    def _note(self, params: list[Variable]) -> None:
        self._gradients = {id(p): p.grad.data for p in params if p.grad is not None}

    def _add_histogram(self, tag: str, array: Array | None) -> None:
        if array is None:
            return
        numbers = as_numpy(array)
        finite = numbers[np.isfinite(numbers)]
        if finite.size:
            self._writer.add_histogram(tag, finite.astype(np.float64), self._written)

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._note in trainer.optimizer.hooks:
            trainer.optimizer.hooks.remove(self._note)
        self._gradients = {}
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _event(**content: Any) -> Any:
    return import_module("tensorboardX.proto.event_pb2").Event(**content)


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written beside `path`, and put it there when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{os.urandom(8).hex()}.{path.name}")
    try:
        write(unfinished)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
