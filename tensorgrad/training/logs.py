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

from tensorgrad.training.callbacks import Callback, path_of

if TYPE_CHECKING:
    from tensorgrad.training.trainer import Trainer


class _Log(Callback):
    """A text file of all epochs so far: written anew after each, so a resumed run repeats none."""

    name = ""

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

    Raises
    ------
    ImportError
        If tensorboardX, which writes such files, is not installed.

    Examples
    --------
    >>> log = tg.training.TensorBoardLog("runs/first")  # then: tensorboard --logdir runs
    """

    def __init__(self, folder: str | PathLike[str] | None = None) -> None:
        try:
            self._make = import_module("tensorboardX").SummaryWriter
        except ImportError as error:
            raise ImportError(
                "TensorBoardLog: tensorboardX is not installed; python -m pip install 'tensorgrad[training]'"
            ) from error
        self.folder = folder
        self._writer: Any = None
        self._written = 0  # losses

    def on_fit_start(self, trainer: Trainer) -> None:
        folder = path_of(self, self.folder, trainer, "tensorboard")
        # What an interrupted run wrote after its checkpoint is hidden.
        self._written = done = len(trainer.losses) - len(trainer.sizes)  # those of whole epochs
        begun = {"purge_step": done + 1, "filename_suffix": f".{done}"} if done else {}
        self._writer = self._make(str(folder), **begun)

    def on_epoch_end(self, trainer: Trainer) -> None:
        for i in range(self._written, len(trainer.losses)):
            self._writer.add_scalar("batch/loss", trainer.losses[i], i + 1)
        self._written = len(trainer.losses)
        for name, value in trainer.history[-1].items():
            if name not in ("epoch", "step"):
                self._writer.add_scalar(f"epoch/{name}", value, self._written)
        self._writer.flush()

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


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
