"""Trainer on several ranks: what one rank computes, told by rank 0, and runs that go on with any number."""

from __future__ import annotations

import json
import os
import signal
from itertools import pairwise

import numpy as np
import pytest
from ranks_training import BATCH, assert_in_step, assert_same, data

import tensorgrad as tg
from tensorgrad import distributed as D
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers, randomness, training
from tensorgrad.communicator import LocalCommunicator

ALONE = LocalCommunicator()
TEST = 11


class Net(tg.Model):
    """With statistics of the batch, and random numbers where they are wanted."""

    def __init__(self, comm, drop=0.0):
        super().__init__()
        tg.seed(comm.rank)  # other values on each rank: those of rank 0 count
        self.drop = drop
        self.first = L.Linear(6, nobias=True, in_size=5, dtype=np.float64)
        self.norm = D.SyncBatchNorm(comm)
        self.second = L.Linear(3, in_size=6, dtype=np.float64)

    def forward(self, x):
        h = F.tanh(self.norm(self.first(x)))
        return self.second(F.dropout(h, self.drop) if self.drop else h)


def made(comm, *, kind="DistributedOptimizer", drop=0.0, model=None, **options):
    """A trainer of all ranks, and of one rank the one that it is measured by."""
    model = model or Net(comm, drop)
    rule = optimizers.Adam(0.05)
    if comm is ALONE:
        optimizer = rule.setup(model)
    else:
        optimizer = getattr(D, kind)(rule, comm).setup(model, data()[0][0][None])
    options = {"progress": False, "metrics": {"accuracy": F.accuracy}, **options}
    return tg.Trainer(model, F.softmax_cross_entropy, optimizer, **options)


def loaders(comm):
    return (
        tg.DataLoader(data(), BATCH // comm.size, comm=comm, seed=1),
        tg.DataLoader(data()[:TEST], 5, shuffle=False, comm=comm),
    )


def fit(trainer, comm, epochs, **options):
    train, test = loaders(comm)
    trainer.fit(train, epochs, test, **options)


def plain(history):
    return [{name: value for name, value in record.items() if name != "seconds"} for record in history]


def assert_alike(histories):
    for got, want in zip(*map(plain, histories), strict=True):
        assert got == pytest.approx(want, rel=1e-9)


CASES = {
    "whole": {},
    "accumulated": {"accumulate": 3, "clip_norm": 0.1},
    "sharded": {"kind": "ShardedOptimizer", "accumulate": 3, "clip_norm": 0.1},
}


@pytest.mark.parametrize("case", CASES)
def test_the_run_of_n_ranks_is_that_of_one(comm, case):
    """Weights, losses and metrics, with batches and test data that n does not divide, and a schedule."""
    options = dict(CASES[case])
    metrics = {"accuracy": F.accuracy, "f1": training.Whole(F.f1_score)}
    trainers = []
    for ranks in (comm, ALONE):
        trainer = made(ranks, metrics=metrics, average=None, **options)
        trainer.schedule = optimizers.ExponentialLR(trainer.optimizer, 0.95)
        fit(trainer, ranks, 2)
        trainers.append(trainer)
    mine, reference = trainers
    assert_in_step(mine.model, comm)
    assert_same(mine.model, reference.model, 1e-9)
    assert_alike([mine.history, reference.history])
    assert mine.losses == pytest.approx(reference.losses, rel=1e-9)
    assert len({json.dumps(h) for h in comm.allgather_object(mine.history)}) == 1
    assert mine.step == reference.step == {1: 8, 3: 4}[options.get("accumulate", 1)]


def test_a_loss_that_is_scaled(comm):
    """An overflow on one rank leaves out the update of all, also where each has a part of it."""

    class Spoilt(tg.Trainer):
        def predict(self, batch):
            x, t = batch
            y = self.model(x)
            return (y * np.inf if self.batch == 1 and comm.rank == comm.size - 1 else y), t

    for kind in ("DistributedOptimizer", "ShardedOptimizer"):
        model = tg.models.MLP((4, 3))
        optimizer = getattr(D, kind)(optimizers.SGD(0.1), comm).setup(model, np.ones((1, 5)))
        scaler = optimizers.GradScaler(2.0**6)
        trainer = Spoilt(model, F.softmax_cross_entropy, optimizer, scaler=scaler, progress=False)
        with np.errstate(all="ignore"):
            trainer.fit(loaders(comm)[0], 1)
        assert (scaler.skipped, scaler.factor, scaler.good) == (1, 2.0**5, 2)
        assert_in_step(model, comm)


def test_rank_0_alone_shows_and_writes(comm, tmp_path, capsys):
    """Every rank has a folder of its own here: those of the others stay away."""
    folder = tmp_path / "run"
    callbacks = [training.KeepBest(), training.EarlyStopping()]
    wanted = {"best.npz", "checkpoint.npz", "log.csv", "log.jsonl"}
    trainer = made(comm, folder=folder, callbacks=callbacks, progress=True, show_steps=2)
    capsys.readouterr()
    fit(trainer, comm, 2)
    shown = "".join(capsys.readouterr())
    files = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if comm.is_main:
        assert files == wanted
        assert "test_loss" in shown
        assert "epoch 2/2: loss" in shown or "52.0/52.0" in shown  # without and with tqdm: those of all ranks
    else:
        assert (files, shown) == (set(), "")
    assert training.Curves.main_only
    assert training.TensorBoardLog.main_only


def test_hooks_run_on_every_rank_but_those_of_rank_0(comm):
    ran = []

    class Everywhere(training.Callback):
        def on_step_end(self, trainer):
            ran.append(comm.allreduce(np.array(1)))

    class OnMain(training.Callback):
        main_only = True

        def on_epoch_end(self, trainer):
            ran.append("main")

    made(comm, callbacks=[Everywhere(), OnMain()]).fit(loaders(comm)[0], 1)
    assert ran == [comm.size] * 4 + ["main"] * comm.is_main


class Stop(training.Callback):
    """Ctrl-C on one rank in the middle of an epoch."""

    def __init__(self, rank):
        self.rank = rank

    def on_step_end(self, trainer):
        if trainer.step == 6 and trainer.optimizer.comm.rank == self.rank:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def interruptible():
    """SIGINT as in the foreground: what a shell runs in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_ends_bit_for_bit_alike(comm, tmp_path):
    """With random numbers of each rank's own; Ctrl-C on one of them has all write the checkpoint."""
    kind = "ShardedOptimizer"
    folder = comm.bcast_object(tmp_path)
    whole = made(comm, kind=kind, drop=0.3)
    fit(whole, comm, 3)
    drawn = comm.allgather_object(randomness.host().uniform())  # what the dropout drew from
    assert comm.size == 1 or len(set(drawn)) > 1

    first = made(comm, kind=kind, drop=0.3, folder=folder, callbacks=[Stop(comm.size - 1)])
    with pytest.raises(KeyboardInterrupt):
        fit(first, comm, 3)
    steps = first.step
    assert comm.allgather_object(steps) == [steps] * comm.size
    assert steps in {6, 7}  # the others hear of it with the next batch
    second = made(comm, kind=kind, drop=0.3, folder=folder)
    tg.seed(99)  # where random numbers come from is in the file
    fit(second, comm, 3, resume=True)
    assert plain(second.history) == plain(whole.history)
    assert second.losses == whole.losses
    for (path, p), q in zip(second.model.namedparams(), whole.model.params(), strict=True):
        np.testing.assert_array_equal(p.data, q.data, err_msg=path)


@pytest.mark.usefixtures("interruptible")
def test_a_run_goes_on_with_another_number_of_ranks(comm, tmp_path):
    folder = comm.bcast_object(tmp_path)
    whole = made(ALONE)  # it begins with the values of rank 0
    fit(whole, ALONE, 3)
    first = made(comm, folder=folder, callbacks=[Stop(0)])
    with pytest.raises(KeyboardInterrupt):
        fit(first, comm, 3)
    comm.barrier()
    part = comm.split(comm.rank)  # each alone
    second = made(part)
    fit(second, part, 3, resume=folder / "checkpoint.npz")
    assert_same(second.model, whole.model, 1e-9)
    assert_alike([second.history, whole.history])


def test_ranks_with_different_numbers_of_batches(several):
    """They end together, and it is said why."""
    batches = [(np.ones((2, 5)), np.zeros(2, np.int64))] * (2 + (several.rank == 0))
    with pytest.raises(RuntimeError, match=f"got no more on {several.size - 1} of {several.size} ranks"):
        made(several).fit(batches, 1)


def test_statistics_that_are_not_synchronised_are_those_of_rank_0(comm):
    model = tg.models.Sequential(L.Linear(3, in_size=5), L.BatchNorm(), L.Linear(3))
    trainer = made(comm, model=model)
    trainer.fit(tg.DataLoader(data(), 4, comm=comm, seed=1, drop_last=True), 1)
    own = model.l1.avg_mean.data[0]
    assert len(set(comm.allgather_object(float(own)))) == comm.size
    trainer.evaluate(loaders(comm)[1])
    assert_in_step(model, comm)
    np.testing.assert_array_equal(model.l1.avg_mean.data[0], comm.broadcast(np.array(own)))


class Recurrent(tg.Model):
    def __init__(self):
        super().__init__()
        self.rnn = L.LSTM(4, in_size=1)
        self.out = L.Linear(1, in_size=4)

    def forward(self, x):
        return self.out(self.rnn(x))


@pytest.mark.usefixtures("interruptible")
def test_sequences_that_ranks_share(comm, tmp_path):
    """Each has its rows and their state; a checkpoint in their middle has those of all."""
    folder = comm.bcast_object(tmp_path)
    wave = np.sin(np.arange(48, dtype=np.float32))[:, None]
    examples = list(pairwise(wave))
    ends = []
    for stop in (False, True):
        for resume in (False, True)[: 1 + stop]:
            tg.seed(0)
            model = Recurrent()
            optimizer = D.DistributedOptimizer(optimizers.Adam(0.01), comm).setup(model, wave[:1])
            model.reset_state()
            callbacks = [Stop(0)] if stop and not resume else []
            options = {"folder": folder if stop else None, "callbacks": callbacks, "progress": False}
            trainer = tg.Trainer(model, F.mean_squared_error, optimizer, **options)
            loader = tg.SeqDataLoader(examples, 4 // comm.size, comm=comm)
            if stop and not resume:
                with pytest.raises(KeyboardInterrupt):
                    trainer.fit(loader, 2)
            else:
                trainer.fit(loader, 2, resume=resume)
        ends.append(np.array(model.out.W.data))
    np.testing.assert_array_equal(*ends)
    part, model = comm.split(comm.rank), Recurrent()
    optimizer = D.DistributedOptimizer(optimizers.Adam(0.01), part).setup(model, wave[:1])
    trainer = tg.Trainer(model, F.mean_squared_error, optimizer, progress=False)
    trainer.load(
        folder / "checkpoint.npz"
    )  # of the end of an epoch, which any number of ranks can go on from
    assert trainer.epoch == 2
