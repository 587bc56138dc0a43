"""Trainer, a training loop with all that goes with one: evaluation, checkpoints, logs, progress."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.core import Variable, autocast, no_grad, test_mode
from tensorgrad.dataloaders import DataLoader
from tensorgrad.datasets import Dataset
from tensorgrad.layers import Layer
from tensorgrad.optimizers import EMA, Accumulate, ClipGrad, GradScaler, Schedule
from tensorgrad.optimizers.optimizer import rule_of
from tensorgrad.training import checkpoints, saving
from tensorgrad.training.callbacks import Callback
from tensorgrad.training.evaluation import Metric, evaluate
from tensorgrad.training.interrupts import Interrupts
from tensorgrad.training.logs import CSVLog, JSONLinesLog
from tensorgrad.training.progress import Silence, best
from tensorgrad.training.ranks import Ranks, loss_of_nothing

CHECKPOINT = "checkpoint.npz"


class Trainer:
    """Train a model, epoch after epoch.

    Whoever prefers to write the loop writes it: nothing else here needs a Trainer. A subclass defines
    `predict` where a batch is not a pair of inputs and targets.

    Parameters
    ----------
    model : Layer
    loss : callable
        From what the model gives and the targets to a Variable without axes.
    optimizer : Optimizer
        Set up with the model. With a `tensorgrad.distributed.DistributedOptimizer` or `ShardedOptimizer` the
        ranks of its communicator train together; see the notes.
    metrics : dict of str to callable, optional
        Like `loss`; evaluated on test data only. Each is the mean of its values for the batches, weighted by
        their sizes; wrapped in `Whole` it gets all examples at once.
    schedule : Schedule, optional
    schedule_on : str, default 'step'
        When the schedule goes on: ``"step"``, after each update; ``"epoch"``; or the name of a value of each
        epoch that `ReduceLROnPlateau` looks at, as ``"test_loss"``.
    accumulate : int, default 1
        How many batches make an update.
    clip_norm : float, optional
        The greatest common norm of all gradients: adds the hook `ClipGrad` to the optimizer.
    average : EMA, optional
        Of the model's weights: kept up after each update, and evaluated in their place.
    precision : {'float16', 'bfloat16'}, optional
        Of products and convolutions, see `tensorgrad.autocast`. With float16 the loss is scaled.
    scaler : GradScaler, optional
        By default one with its own defaults, where `precision` is float16.
    folder : str or path, optional
        Where ``checkpoint.npz``, ``log.csv`` and ``log.jsonl`` go; it is made. None: nothing is written.
    checkpoint_steps : int, optional
        Write the checkpoint after so many updates too, not only after each epoch.
    callbacks : iterable of Callback, default ()
    progress : bool, default True
        Show a bar where tqdm is installed, and lines otherwise.
    show_steps : int, optional
        Show the loss after every so many batches, which waits for the device; by default after each epoch.

    Attributes
    ----------
    epoch, step, batch : int
        How many epochs are done, how many updates in all, and how many batches of the present epoch.
    history : list of dict of str to number
        For each epoch ``epoch``, ``step``, ``lr``, ``loss`` (the mean over its examples), ``test_loss``,
        ``test_`` and the name of each metric, and ``seconds``.
    losses : list of float
        Of every batch, as far as they were fetched: up to the latest epoch or checkpoint.
    loss_of_step : array
        The loss of the latest batch, of this rank's part of it, on its device.

    Raises
    ------
    TypeError
        If `metrics` is no dict, a callback is no `Callback`, or, in `fit`, the batches or the loss are of
        another kind.
    ValueError
        If a number is not positive, or, in `fit`, the optimizer updates no parameter of the model.

    Notes
    -----
    Nothing waits for the device in a step, but a `GradScaler` once: losses are fetched when an epoch ends,
    when a checkpoint is written, and when `show_steps` asks for one. Recurrent state begins anew with each
    epoch, and leaves the graph after each batch. On Dask, which computes late, the graph of the weights grows
    with every update, as in a loop of your own.

    Where several ranks train together, each gets its part of the batches: give the loaders ``comm=comm``. All
    call `fit`, `evaluate`, `save` and `load`, which exchange messages: `fit` one in each step beside those of
    the optimizer. Losses are weighed by the examples of each rank, so that updates are those of one rank with
    all of them. (Where a rank has none, the model is called and the loss is not. A BatchNorm that is not
    synchronised needs some: give the loader ``drop_last=True``.) Losses and metrics are of all examples.
    Rank 0 alone shows progress and writes files. Running statistics that are not synchronised are those of
    rank 0 in evaluations and checkpoints. A run goes on with any number of ranks, with as many as before bit
    for bit; in the middle of a recurrent model's sequence it takes as many. A SIGINT that one rank gets ends
    all, after a checkpoint: on Ctrl-C MPICH's ``mpiexec`` sends it to the ranks, Open MPI's kills them.

    Examples
    --------
    >>> model = tg.models.MLP((32, 10), activation=F.relu)
    >>> optimizer = tg.optimizers.Adam(0.01).setup(model)
    >>> trainer = tg.Trainer(
    ...     model, F.softmax_cross_entropy, optimizer, metrics={"accuracy": F.accuracy}, progress=False
    ... )
    >>> data = tg.DataLoader(tg.datasets.Digits(), 64), tg.DataLoader(tg.datasets.Digits(train=False), 359)
    >>> history = trainer.fit(data[0], epochs=8, test=data[1])
    >>> history[-1]["test_accuracy"] > 0.9
    True
    """

    def __init__(
        self,
        model: Layer,
        loss: Metric,
        optimizer: Any,
        *,
        metrics: Mapping[str, Metric] | None = None,
        schedule: Schedule | None = None,
        schedule_on: str = "step",
        accumulate: int = 1,
        clip_norm: float | None = None,
        average: EMA | None = None,
        precision: str | None = None,
        scaler: GradScaler | None = None,
        folder: str | PathLike[str] | None = None,
        checkpoint_steps: int | None = None,
        callbacks: Iterable[Callback] = (),
        progress: bool = True,
        show_steps: int | None = None,
    ) -> None:
        for name, number in (("checkpoint_steps", checkpoint_steps), ("show_steps", show_steps)):
            if number is not None and number < 1:
                raise ValueError(f"Trainer: expected {name} >= 1; got {number}")
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        if not isinstance(metrics, Mapping | None):
            raise TypeError(
                f"Trainer: expected metrics as a dict of names and functions; got {type(metrics).__name__}"
            )
        self.metrics = dict(metrics or {})
        self.schedule = schedule
        self.schedule_on = schedule_on
        self.average = average
        self.precision = precision
        autocast(precision)  # an error now if it is none
        if scaler is None and precision == "float16":
            scaler = GradScaler()
        self.scaler = scaler
        self.folder = None if folder is None else Path(folder)
        self.checkpoint_steps = checkpoint_steps
        logs = [] if folder is None else [CSVLog(), JSONLinesLog()]
        self.callbacks = [*callbacks, *logs]
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(f"Trainer: expected callbacks to be Callbacks; got {type(callback).__name__}")
        self.progress = progress
        self.show_steps = show_steps
        self.epoch = self.step = self.batch = 0
        self.history: list[dict[str, Any]] = []
        self.losses: list[float] = []
        self.loss_of_step: Any = None
        self.stopped = False
        self.sources: dict[str, Any] = {}  # the loaders of `fit`
        self.sizes: list[int] = []  # of the batches of this epoch
        self.random_of_epoch: Any = None  # where its random numbers begin, for loaders that cannot say
        if accumulate > 1 and getattr(optimizer, "line_search", None) is not None:
            raise ValueError("Trainer: a line search needs the loss of one batch; it got accumulate > 1")
        self.accumulate = accumulate
        self._ranks = Ranks(optimizer)
        self._accumulated = _accumulation(optimizer, accumulate)
        if clip_norm is not None:
            optimizer.add_hook(ClipGrad(clip_norm))
        if scaler is not None:
            scaler.setup(optimizer)
        self._waiting: list[Any] = []  # losses that were not fetched yet,
        self._weights: list[int] = []  # and of how many examples of this rank they are
        self._loaded: dict[str, Any] = {}  # a checkpoint whose loaders and random numbers are not set yet

    # -- what a subclass may change --------------------------------------------------------------

    def predict(self, batch: Any) -> tuple[Any, Any]:
        """What the model gives for a batch, and what it should: what `loss` and metrics are called with."""
        try:
            x, t = batch
        except (TypeError, ValueError):
            raise TypeError(
                f"Trainer: expected batches as pairs of inputs and targets; got {type(batch).__name__}. "
                "For others define predict in a subclass."
            ) from None
        return self.model(x), t

    # -- the loop --------------------------------------------------------------------------------

    def fit(
        self,
        batches: Iterable[Any],
        epochs: int,
        test: Iterable[Any] | None = None,
        *,
        resume: bool | str | PathLike[str] = False,
    ) -> list[dict[str, Any]]:
        """Train until `epochs` epochs are done, those before a resumption included.

        Parameters
        ----------
        batches : iterable
            A `DataLoader`, or another that gives its batches anew in each epoch.
        epochs : int
        test : iterable, optional
            Evaluated after each epoch.
        resume : bool or path, default False
            Go on from this checkpoint; True: from that in `folder`, if there is one. The run ends bit for bit
            like one that was not interrupted. (CuPy's generators cannot say where they are; they are seeded
            anew at each checkpoint, so checkpoints must be at the same steps for that.)

        Returns
        -------
        list of dict
            `history`.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C: the step is finished and a checkpoint written first, if there is a folder. A second
            one interrupts at once.
        ValueError
            If an epoch has no batches, or a loss has axes.
        """
        for given in (batches, test):
            if isinstance(given, Dataset):
                raise TypeError(
                    f"Trainer.fit: expected batches; got the data set {type(given).__name__}. "
                    "tg.DataLoader(dataset, batch_size) makes batches of it."
                )
        self._check_parameters()
        self.stopped = False
        self.sources = {"train": batches, "test": test}
        self._resume(resume)
        if self.folder is not None and self._ranks.comm.is_main:
            self.folder.mkdir(parents=True, exist_ok=True)
        loaded, self._loaded = self._loaded, {}
        if loaded:
            saving.take_up(self, loaded)
        else:  # an epoch that was left half-way begins anew
            self.batch, self.sizes = 0, []
        self._accumulated = _accumulation(self.optimizer, self.accumulate)
        self._carries = bool(self.model.carried_state())
        with ExitStack() as stack:
            shown = stack.enter_context(self._progress(batches, epochs))
            interrupts = stack.enter_context(Interrupts())
            for callback in self.callbacks:
                self._run(callback, "on_fit_start")
                stack.callback(self._run, callback, "on_fit_end")
            while self.epoch < epochs and not self.stopped:
                self._run_epoch(batches, shown, interrupts)
                shown.epoch(self._finish_epoch(test))
                self._write_checkpoint()
                if self._ranks.any(interrupts.pending):
                    raise KeyboardInterrupt
        return self.history

    def _check_parameters(self) -> None:
        """Whether the optimizer can do anything for the model."""
        updated = getattr(self.optimizer, "params", rule_of(self.optimizer).params)()
        if updated and not set(updated) & set(self.model.params()):
            raise ValueError(
                "Trainer: the optimizer was set up with another model: it updates no parameter of this one. "
                "Call optimizer.setup(model)."
            )

    def stop(self) -> None:
        """End `fit` after this epoch; for callbacks."""
        self.stopped = True

    def _run_epoch(self, batches: Iterable[Any], shown: Silence, interrupts: Interrupts) -> None:
        self._start = time.perf_counter()
        if self.batch == 0:
            self.model.reset_state()
            if not hasattr(batches, "load_state_dict"):
                self.random_of_epoch = checkpoints.random_state()
            self._call("on_epoch_start")
        updated = True
        for batch in self._ranks.in_step(self._unseen(batches), interrupts):
            updated = self._train(batch)
            shown.step(self.sizes[-1])
            if self.show_steps is not None and self.batch % self.show_steps == 0:
                (loss,) = self._ranks.means([float(self.loss_of_step)], [self._ranks.examples])
                shown.show(f"loss {loss:.4g}")
            if updated:
                self._after_update()
                self._look_up(interrupts)
        if self.batch == 0:
            raise ValueError(
                "Trainer.fit: expected batches in every epoch; got none. "
                "Is it a generator? That is used up after the first"
            )
        if not updated:
            self._accumulated.flush()
            self._after_update()

    def _train(self, batch: Any) -> bool:
        """Go through a batch; whether that made an update."""
        if getattr(self.optimizer, "line_search", None) is None:
            loss = self._backward(batch).data
            updated = bool(self._accumulated.update())
        else:
            loss = self._update_by_search(batch)
            updated = True
        self.loss_of_step = loss
        self._waiting.append(loss)
        self._weights.append(self._ranks.examples)
        self.sizes.append(self._ranks.examples_of_all)
        self.batch += 1
        return updated

    def _backward(self, batch: Any) -> Any:
        """The loss of a batch; its gradients are there."""
        self.model.cleargrads()
        with autocast(self.precision):
            y, t = self.predict(batch)
            nothing = self._ranks.examples == 0 and not self._ranks.alone
            loss = loss_of_nothing(y) if nothing else self.loss(y, t)
        if not isinstance(loss, Variable):
            raise TypeError(f"Trainer: expected a loss that is a Variable; got {type(loss).__name__}")
        if loss.shape != ():
            raise ValueError(f"Trainer: expected a loss without axes; got shape {loss.shape}. Take its mean")
        share = self._ranks.share(loss)
        (share if self.scaler is None else self.scaler.scale(share)).backward()
        if self._carries:
            self.model.set_carried_state(self.model.carried_state())
        return loss

    def _update_by_search(self, batch: Any) -> Any:
        """An update that asks for the loss several times; the loss at its beginning."""
        losses = []
        carried = self.model.carried_state() if self._carries else {}

        def closure() -> Any:
            if self._carries:
                self.model.set_carried_state(carried)
            loss = self._backward(batch)
            losses.append(loss.data)
            return loss

        optimizer: Any = self.optimizer
        optimizer.update(closure)
        return losses[0]

    def _after_update(self) -> None:
        self.step += 1
        if self.schedule is not None and self.schedule_on == "step":
            self.schedule.step()
        if self.average is not None:
            self.average.update()
        self._call("on_step_end")

    def _look_up(self, interrupts: Interrupts) -> None:
        """Write a checkpoint if it is time, or if this is the end."""
        due = self.checkpoint_steps is not None and self.step % self.checkpoint_steps == 0
        interrupted = self._ranks.interrupted(interrupts)
        if due or interrupted:
            self._write_checkpoint()
        if interrupted:
            raise KeyboardInterrupt

    def _finish_epoch(self, test: Iterable[Any] | None) -> str:
        """Evaluate, note the results, and say them in short."""
        self.fetch()
        sizes, self.sizes = self.sizes, []
        self.epoch += 1
        self.batch = 0
        record = {"epoch": self.epoch, "step": self.step, "lr": self._rate()}
        record["loss"] = float(np.average(self.losses[-len(sizes) :], weights=sizes))
        if test is not None:
            record |= {f"test_{name}": value for name, value in self.evaluate(test).items()}
        record["seconds"] = self._ranks.greatest(time.perf_counter() - self._start)
        self.history.append(record)
        if self.schedule is not None and self.schedule_on != "step":
            self.schedule.step(*self._value_for_schedule(record))
        self._call("on_epoch_end")
        hidden = ("epoch", "step", "lr", "seconds")
        return ", ".join(f"{name} {value:.4g}" for name, value in record.items() if name not in hidden)

    def _rate(self) -> float:
        rule = rule_of(self.optimizer)
        return float(getattr(rule, rule.rate_name, np.nan))

    def _value_for_schedule(self, record: dict[str, Any]) -> tuple[Any, ...]:
        if self.schedule_on == "epoch":
            return ()
        if self.schedule_on not in record:
            raise LookupError(
                f"Trainer: schedule_on is 'step', 'epoch' or the name of a value; "
                f"got {self.schedule_on!r}, there are: {', '.join(record)}"
            )
        return (record[self.schedule_on],)

    def fetch(self) -> None:
        """Have the losses so far as numbers in `losses`: this waits for the device; a collective."""
        self.losses.extend(self._ranks.means(list(map(float, self._waiting)), self._weights))
        self._waiting.clear()
        self._weights.clear()

    def _unseen(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The batches of this epoch that were not gone through before an interruption."""
        if self.batch == 0 or hasattr(batches, "load_state_dict"):
            return iter(batches)
        now = checkpoints.random_state()
        checkpoints.set_random_state(self.random_of_epoch)
        iterator = iter(batches)
        for _ in range(self.batch):
            next(iterator)
        checkpoints.set_random_state(now)
        return iterator

    def _progress(self, batches: Iterable[Any], epochs: int) -> Silence:
        size = getattr(batches, "data_size", None)
        if isinstance(batches, DataLoader):
            size = batches.epoch_size
        kind = best() if self.progress and self._ranks.comm.is_main else Silence
        return kind(epochs, None if size is None else epochs * size, begun=self.epoch)

    # -- evaluation ------------------------------------------------------------------------------

    def evaluate(self, batches: Iterable[Any]) -> dict[str, float]:
        """The loss and the metrics of these data, as at test time.

        Parameters
        ----------
        batches : iterable

        Returns
        -------
        dict of str to float
            ``loss``, and each metric by its name.
        """
        carried = self.model.carried_state()
        self.model.reset_state()
        try:
            with no_grad(), test_mode(), autocast(self.precision), self.weights_to_evaluate():
                self._ranks.share_statistics(self.model)
                metrics = {"loss": self.loss, **self.metrics}
                return evaluate(map(self.predict, batches), metrics, self._ranks)
        finally:
            self.model.set_carried_state(carried)

    def weights_to_evaluate(self) -> AbstractContextManager[None]:
        """A ``with`` block in which the model has the averages of its weights, where there are some."""
        return nullcontext() if self.average is None else self.average.applied()

    # -- callbacks -------------------------------------------------------------------------------

    def _call(self, hook: str) -> None:
        for callback in self.callbacks:
            self._run(callback, hook)

    def _run(self, callback: Callback, hook: str) -> None:
        if callback.main_only and not self._ranks.comm.is_main:
            return
        try:
            getattr(callback, hook)(self)
        except Exception as error:
            error.add_note(f"in {type(callback).__name__}.{hook}, at epoch {self.epoch}, step {self.step}")
            raise

    # -- checkpoints -----------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Write all that the run depends on to a file, whole or not at all.

        Weights, recurrent state, the states of the optimizer, the schedule, the average, the callbacks and
        the loaders, where random numbers come from, how far the run is, and its results.

        Parameters
        ----------
        path : str or path
            Used as it is; no ending is added. It is an npz file.
        """
        self.fetch()
        self._ranks.share_statistics(self.model)
        state = saving.collect(self, self._ranks)
        self._ranks.of_main(lambda: checkpoints.write(path, state))

    def load(self, path: str | PathLike[str]) -> None:
        """Take over what `save` wrote; `fit` then goes on from there. After an error nothing has changed.

        Loaders and random numbers are set when `fit` begins. A callback that the file does not know starts
        from nothing.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        ValueError
            If the file is damaged, is no checkpoint or does not fit.
        """
        state = saving.restore(self, self._ranks.of_main(lambda: checkpoints.read(path)), self._ranks)
        self._waiting, self._weights = [], []
        self._loaded = state

    def _write_checkpoint(self) -> None:
        if self.folder is not None:
            self.save(self.folder / CHECKPOINT)

    def _resume(self, resume: bool | str | PathLike[str]) -> None:
        if not isinstance(resume, bool):
            self.load(resume)
        elif resume and self.folder is None:
            raise ValueError("Trainer.fit: expected a path to resume from, as this Trainer has no folder")
        elif resume and self.folder is not None:
            path = self.folder / CHECKPOINT
            if self._ranks.of_main(path.exists):
                self.load(path)


def _accumulation(optimizer: Any, steps: int) -> Any:
    """What gathers the gradients of several batches: an optimizer of several ranks does it itself."""
    if not hasattr(optimizer, "accumulate"):
        return Accumulate(optimizer, steps)
    if steps > 1:
        optimizer.accumulate = steps
    optimizer.forget()
    return optimizer
