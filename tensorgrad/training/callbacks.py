"""Callbacks: what happens beside the training itself, at its start, after steps and epochs, at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorgrad.training.trainer import Trainer


class Callback:
    """The base: every hook does nothing. Define those that you need.

    Hooks of several callbacks run in the order in which the trainer got them. The checkpoint of an epoch is
    written after all of them. An error in a hook ends the run, and notes which it was.

    Attributes
    ----------
    main_only : bool, default False
        Where several ranks train together, whether the hooks run on rank 0 alone: for what writes or draws.
        In other hooks all ranks must do the same, as they exchange messages.

    Examples
    --------
    >>> class Shout(tg.training.Callback):
    ...     def on_epoch_end(self, trainer):
    ...         print("epoch", trainer.epoch, "is done after", trainer.step, "steps")
    >>> model = tg.models.MLP((2,))
    >>> trainer = tg.Trainer(
    ...     model, F.mean_squared_error, tg.optimizers.SGD().setup(model), callbacks=[Shout()], progress=False
    ... )
    >>> _ = trainer.fit([(np.ones((4, 3)), np.ones((4, 2)))], epochs=1)
    epoch 1 is done after 1 steps
    """

    main_only = False

    def on_fit_start(self, trainer: Trainer) -> None:
        """Before the first step, after a checkpoint was loaded."""

    def on_epoch_start(self, trainer: Trainer) -> None:
        """Before the first batch of an epoch; not where an epoch goes on that was interrupted."""

    def on_step_end(self, trainer: Trainer) -> None:
        """After each update. ``trainer.loss_of_step`` is the loss, still on its device."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """After an epoch and its evaluation; ``trainer.history[-1]`` has the results."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """When `fit` ends, after an error or Ctrl-C too: what was opened is to be closed here."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs: numbers, texts and arrays, in dicts and lists."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""


class Monitor(Callback):
    """The base of callbacks that watch one value of each epoch for a new best.

    Parameters
    ----------
    name : str, default 'test_loss'
        A name in the records of ``trainer.history``.
    mode : {'min', 'max'}
        Whether a smaller value is better, as a loss, or a greater one, as an accuracy.
    min_delta : float, default 0.0
        How much better than the best it must be to count as better.
    """

    def __init__(self, name: str = "test_loss", mode: str = "min", *, min_delta: float = 0.0) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"{type(self).__name__}: expected mode 'min' or 'max'; got {mode!r}")
        self.name = name
        self.mode = mode
        self.min_delta = min_delta
        self.best = math.inf if mode == "min" else -math.inf

    def improved(self, trainer: Trainer) -> bool:
        """Whether the value of the latest epoch is a new best; nan is none.

        Raises
        ------
        LookupError
            If no value has that name.
        """
        record = trainer.history[-1]
        if self.name not in record:
            raise LookupError(f"no value is named {self.name!r}; there are: {', '.join(record)}")
        value = record[self.name]
        gain = self.best - value if self.mode == "min" else value - self.best
        if not gain > self.min_delta:
            return False
        self.best = value
        return True

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.best = float(state["best"])


class EarlyStopping(Monitor):
    """End the run when a value has not improved for `patience` epochs.

    Parameters
    ----------
    name : str, default 'test_loss'
    mode : {'min', 'max'}
    patience : int, default 5
        How many epochs in a row may bring nothing better.
    min_delta : float, default 0.0

    Attributes
    ----------
    waited : int
        How many epochs in a row have brought nothing better.

    Examples
    --------
    >>> stopping = tg.training.EarlyStopping("test_accuracy", mode="max", patience=3)
    """

    def __init__(
        self, name: str = "test_loss", mode: str = "min", *, patience: int = 5, min_delta: float = 0.0
    ) -> None:
        super().__init__(name, mode, min_delta=min_delta)
        if patience < 1:
            raise ValueError(f"EarlyStopping: expected patience >= 1; got {patience}")
        self.patience = patience
        self.waited = 0

    def on_epoch_end(self, trainer: Trainer) -> None:
        self.waited = 0 if self.improved(trainer) else self.waited + 1
        if self.waited >= self.patience:
            trainer.stop()

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.waited = int(state["waited"])


class KeepBest(Monitor):
    """Write the weights to a file whenever a value is the best so far.

    They are those that were evaluated: the averages, where the trainer has some.

    Parameters
    ----------
    name : str, default 'test_loss'
    mode : {'min', 'max'}
    min_delta : float, default 0.0
    path : str or path, optional
        By default ``best.npz`` in the trainer's folder. ``model.load_weights(path)`` reads it.

    Examples
    --------
    >>> best = tg.training.KeepBest("test_accuracy", mode="max", path="best.npz")
    """

    main_only = True

    def __init__(
        self,
        name: str = "test_loss",
        mode: str = "min",
        *,
        min_delta: float = 0.0,
        path: str | PathLike[str] | None = None,
    ) -> None:
        super().__init__(name, mode, min_delta=min_delta)
        self.path = path

    def on_fit_start(self, trainer: Trainer) -> None:
        self.path = path_of(self, self.path, trainer, "best.npz")

    def on_epoch_end(self, trainer: Trainer) -> None:
        if self.improved(trainer):
            assert self.path is not None, "on_fit_start has set it"
            with trainer.weights_to_evaluate():
                trainer.model.save_weights(self.path)


def path_of(callback: Callback, path: str | PathLike[str] | None, trainer: Trainer, name: str) -> Path:
    """Where a callback writes: what it was given, or a name in the trainer's folder."""
    if path is not None:
        return Path(path)
    if trainer.folder is None:
        raise ValueError(
            f"{type(callback).__name__}: expected a path, or a Trainer with a folder to write {name} to"
        )
    return trainer.folder / name
