"""Trainer: what it computes, what a callback sees, and that an interrupted run ends like any other."""

# ruff: noqa: NPY002  (orders are drawn from the state that users of the book seed)
from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import DataLoader, SeqDataLoader, Trainer
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers as O
from tensorgrad.testing.arrays import to_numpy
from tensorgrad.training import Callback, EarlyStopping, KeepBest, Whole, checkpoints


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def data(n=40, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 5)).astype(np.float32)
    return list(zip(x, (x[:, 0] > x[:, 1]).astype(np.int64), strict=True))


class Net(tg.Model):
    """With random numbers, running statistics, and sizes that wait for the first input."""

    def __init__(self):
        super().__init__()
        self.l1 = L.Linear(6)
        self.norm = L.BatchNorm()
        self.l2 = L.Linear(2)

    def forward(self, x):
        return self.l2(F.dropout(F.relu(self.norm(self.l1(x))), 0.3))


def made(*, rule=None, model=None, **options):
    model = model or Net()
    optimizer = (rule or (lambda: O.Adam(0.02)))().setup(model)
    options = {"progress": False, "metrics": {"accuracy": F.accuracy}, **options}
    return Trainer(model, F.softmax_cross_entropy, optimizer, **options)


def weights(trainer):
    return {path: np.array(to_numpy(p)) for path, p in trainer.model.namedparams()}


def without_time(history):
    return [{name: value for name, value in record.items() if name != "seconds"} for record in history]


def assert_same(a, b):
    """Two runs that came to the same end, bit for bit."""
    assert without_time(a.history) == without_time(b.history)
    assert a.losses == b.losses
    assert (a.epoch, a.step) == (b.epoch, b.step)
    for (path, x), y in zip(weights(a).items(), weights(b).values(), strict=True):
        np.testing.assert_array_equal(x, y, err_msg=path)


# -- what it computes ----------------------------------------------------------------------------


def test_it_is_the_loop_that_one_would_write(backend):
    tg.seed(1)
    loader = DataLoader(data(), 8).to(backend)
    trainer = made(model=Net().to(backend))
    history = trainer.fit(loader, 3, test=DataLoader(data(13, 4), 5, shuffle=False).to(backend))

    tg.seed(1)
    loader = DataLoader(data(), 8).to(backend)
    model = Net().to(backend)
    optimizer = O.Adam(0.02).setup(model)
    test_x, test_t = (backend.from_numpy(np.stack(a)) for a in zip(*data(13, 4), strict=True))
    for epoch in range(3):
        losses = []
        for x, t in loader:
            model.cleargrads()
            loss = F.softmax_cross_entropy(model(x), t)
            loss.backward()
            optimizer.update()
            losses.append(loss.item())
        with tg.no_grad(), tg.test_mode():
            y = model(test_x)
            expected = {
                "epoch": epoch + 1,
                "step": 5 * (epoch + 1),
                "lr": optimizer.alpha,
                "loss": np.mean(losses),
                "test_loss": F.softmax_cross_entropy(y, test_t).item(),
                "test_accuracy": F.accuracy(y, test_t).item(),
            }
        assert list(history[epoch]) == [*expected, "seconds"]
        assert without_time(history[epoch : epoch + 1])[0] == pytest.approx(expected, rel=1e-5)
        assert trainer.losses[5 * epoch : 5 * epoch + 5] == losses
    for (_, mine), theirs in zip(weights(trainer).items(), model.params(), strict=True):
        np.testing.assert_array_equal(mine, to_numpy(theirs))


def test_the_loss_of_an_epoch_is_the_mean_over_examples():
    trainer = made(model=tg.models.MLP((2,)), rule=lambda: O.SGD(0.0))
    loader = DataLoader(data(10), 8, shuffle=False)  # 8 and 2
    (record,) = trainer.fit(loader, 1)
    whole = trainer.evaluate(DataLoader(data(10), 10))
    assert record["loss"] == pytest.approx(whole["loss"], rel=1e-6)
    assert trainer.evaluate(loader) == pytest.approx(whole, rel=1e-6)


def test_a_metric_of_all_examples():
    metrics = {"mean": F.f1_score, "whole": Whole(F.f1_score), "loss2": Whole(F.softmax_cross_entropy)}
    trainer = made(model=tg.models.MLP((2,)), metrics=metrics)
    found = trainer.evaluate(DataLoader(data(11), 4, shuffle=False))
    x, t = map(np.stack, zip(*data(11), strict=True))
    assert list(found) == ["loss", *metrics]
    assert found["whole"] == pytest.approx(F.f1_score(trainer.model(x), t).item())
    assert found["mean"] != pytest.approx(found["whole"])
    assert found["loss2"] == pytest.approx(found["loss"], rel=1e-6)


def test_a_subclass_says_what_a_batch_is():
    class Autoencoder(Trainer):
        def predict(self, batch):
            return self.model(batch["x"]), batch["x"]

    model = tg.models.MLP((3, 5))
    trainer = Autoencoder(model, F.mean_squared_error, O.Adam(0.05).setup(model), progress=False)
    x = np.stack([x for x, _ in data(16)])
    history = trainer.fit([{"x": x[:8]}, {"x": x[8:]}], 20, test=[{"x": x}])
    assert history[-1]["test_loss"] < 0.7 * history[0]["test_loss"]


def test_small_batches_make_the_updates_of_large_ones():
    ends = []
    for size, accumulate in ((8, 1), (4, 2)):
        np.random.seed(2)
        model = tg.models.MLP((4, 2))
        trainer = made(model=model, rule=lambda: O.SGD(0.5), accumulate=accumulate)
        trainer.fit(DataLoader(data(20), size, shuffle=False), 2)  # 4 are left over at the end of an epoch
        assert trainer.step == 6
        ends.append(weights(trainer))
    for a, b in zip(*(end.values() for end in ends), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_gradients_are_clipped_together():
    model = tg.models.MLP((2,))
    trainer = made(model=model, rule=lambda: O.SGD(1.0), clip_norm=1e-3)
    (x, t), *_ = DataLoader(data(), 40)
    model(x)
    before = weights(trainer)
    trainer.fit([(x, t)], 1)
    moved = [a - b for a, b in zip(weights(trainer).values(), before.values(), strict=True)]
    assert np.sqrt(sum((m**2).sum() for m in moved)) == pytest.approx(1e-3, rel=0.01)


def test_a_line_search_asks_for_the_loss_again():
    model = tg.models.MLP((4, 2))
    trainer = made(model=model, rule=lambda: O.LBFGS(line_search="strong_wolfe", max_iter=4))
    history = trainer.fit(DataLoader(data(), 40, shuffle=False), 8)
    losses = [record["loss"] for record in history]
    assert losses == trainer.losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.2 * losses[0]
    assert trainer.step == 8
    with pytest.raises(ValueError, match=r"^Trainer: a line search needs the loss of one batch; it got acc"):
        made(rule=lambda: O.LBFGS(line_search="strong_wolfe"), accumulate=2)


@pytest.mark.parametrize("on", ["step", "epoch", "test_loss"])
def test_schedules(on):
    rates = []

    class Note(Callback):
        def on_step_end(self, trainer):
            rates.append(trainer.optimizer.lr)

    model = tg.models.MLP((2,))
    optimizer = O.SGD(1.0).setup(model)
    if on == "test_loss":
        schedule = O.ReduceLROnPlateau(optimizer, patience=0, threshold=1e6, factor=0.5)
    else:
        schedule = O.StepLR(optimizer, 1, 0.5)
    trainer = Trainer(
        *(model, F.softmax_cross_entropy, optimizer),
        schedule=schedule,
        schedule_on=on,
        callbacks=[Note()],
        progress=False,
    )
    loader = DataLoader(data(8), 4)
    history = trainer.fit(loader, 3, test=loader)
    expected = [0.5, 0.25, 0.125, 0.0625, 2**-5, 2**-6] if on == "step" else [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    if on == "test_loss":
        expected = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]  # the first value is the best so far
    assert rates == expected
    assert [record["lr"] for record in history] == expected[1::2]


def test_averages_are_what_is_evaluated_and_kept(tmp_path):
    model = Net()
    optimizer = O.SGD(0.5).setup(model)
    average = O.EMA(model, 0.9)
    best = KeepBest(path=tmp_path / "best.npz")
    trainer = Trainer(
        *(model, F.softmax_cross_entropy, optimizer), average=average, callbacks=[best], progress=False
    )
    loader = DataLoader(data(), 8)
    history = trainer.fit(loader, 4, test=loader)
    kept = Net()
    kept.load_weights(tmp_path / "best.npz")
    plain = Trainer(kept, F.softmax_cross_entropy, optimizer, progress=False)
    assert plain.evaluate(loader)["loss"] == pytest.approx(min(r["test_loss"] for r in history), rel=1e-5)
    now = plain.model
    now.load_state_dict(model.state_dict())
    assert plain.evaluate(loader)["loss"] != pytest.approx(history[-1]["test_loss"], rel=1e-5)


def test_recurrent_state_goes_on_within_an_epoch_and_evaluation_leaves_it():
    class Recurrent(tg.Model):
        def __init__(self):
            super().__init__()
            self.rnn = L.LSTM(4)
            self.out = L.Linear(1)

        def forward(self, x):
            return self.out(self.rnn(x))

    seen = []

    class Look(Callback):
        def on_step_end(self, trainer):
            before = trainer.model.carried_state()
            trainer.evaluate(other)
            after = trainer.model.carried_state()
            seen.append(before["rnn/c"].copy())
            assert trainer.model.rnn.c.creator is None
            for name, array in before.items():
                np.testing.assert_array_equal(after[name], array)

    wave = np.sin(np.arange(12, dtype=np.float32))[:, None]
    loader, other = (SeqDataLoader(list(pairwise(wave)), 3) for _ in range(2))
    model = Recurrent()
    trainer = Trainer(
        *(model, F.mean_squared_error, O.SGD(0.0).setup(model)), callbacks=[Look()], progress=False
    )
    trainer.fit(loader, 2)
    assert len(seen) == 8
    np.testing.assert_array_equal(seen[:4], seen[4:])  # each epoch begins anew, and nothing has moved
    assert not np.array_equal(seen[0], seen[1])


def test_a_step_waits_for_no_device():
    torch = pytest.importorskip(
        "torch", reason="its meta device has no values: who asks for one gets an error"
    )
    model = tg.models.MLP((3, 2))
    for layer, shape in ((model.l0, (5, 3)), (model.l1, (3, 2))):
        layer.W.data = torch.empty(shape, device="meta")
        layer.b.data = torch.empty(shape[1:], device="meta")
    batch = torch.empty((4, 5), device="meta"), torch.empty((4, 2), device="meta")
    optimizer = O.Adam().setup(model)
    schedule, average = O.CosineAnnealingLR(optimizer, 9), O.EMA(model)
    trainer = Trainer(
        *(model, F.mean_squared_error, optimizer),
        schedule=schedule,
        average=average,
        clip_norm=1.0,
        accumulate=2,
        progress=False,
    )
    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):  # at the end of the epoch
        trainer.fit([batch] * 6, 1)
    assert (trainer.batch, trainer.step) == (6, 3)


# -- an interrupted run --------------------------------------------------------------------------


class StopError(RuntimeError):
    pass


class StopAt(Callback):
    def __init__(self, step):
        self.at = step

    def on_step_end(self, trainer):
        if trainer.step == self.at:
            raise StopError


class Noise:
    """Batches without a state, whose examples draw random numbers."""

    def __init__(self, batches, noise):
        self.batches = batches
        self.noise = noise

    def __iter__(self):
        for x, t in self.batches:
            yield x + np.float32(0.1 * self.noise()), t


def loaders():
    batches = list(DataLoader(data(), 8, shuffle=False))
    return {
        "shuffled": lambda: DataLoader(data(), 8),
        "seeded": lambda: DataLoader(data(), 8, seed=4),
        "threads": lambda: DataLoader(data(), 8, workers=2),
        "no state, NumPy": lambda: Noise(batches, np.random.standard_normal),
        "no state, Python": lambda: Noise(batches, random.random),
    }


LOADERS = loaders()


def whole_of(name, folder, *callbacks, seed=None, **options):
    """A run with everything that has a state, and a loader: both draw when they are made."""
    if seed is not None:
        np.random.seed(seed)
        random.seed(seed)
    loader = LOADERS[name]()
    model = Net()
    optimizer = O.Adam(0.02).setup(model)
    schedule = O.WarmupLR(optimizer, 4, then=O.CosineAnnealingLR(optimizer, 20))
    trainer = Trainer(
        *(model, F.softmax_cross_entropy, optimizer),
        metrics={"accuracy": F.accuracy},
        schedule=schedule,
        average=O.EMA(model, 0.8),
        accumulate=2,
        clip_norm=0.5,
        folder=folder,
        checkpoint_steps=2,
        callbacks=[EarlyStopping(patience=9), KeepBest(), *callbacks],
        progress=False,
        **options,
    )
    return trainer, loader, DataLoader(data(13, 4), 5)


@pytest.mark.parametrize("name", LOADERS)
def test_a_resumed_run_ends_bit_for_bit_alike(name, tmp_path):
    whole, loader, test = whole_of(name, tmp_path / "whole", seed=5)
    whole.fit(loader, 4, test)
    for at in (5, 9, 10):  # the checkpoint before is in the middle of an epoch, near its end, and there
        folder = tmp_path / f"{at}"
        broken, loader, test = whole_of(name, folder, StopAt(at), seed=5)
        with pytest.raises(StopError):
            broken.fit(loader, 4, test)
        resumed, loader, test = whole_of(name, folder, seed=at)
        resumed.fit(loader, 4, test, resume=True)
        assert_same(whole, resumed)
        for file in ("best.npz", "log.csv", "log.jsonl"):
            a, b = ((f / file).read_bytes() for f in (tmp_path / "whole", folder))
            assert a == b or file.startswith("log")
        assert (folder / "log.csv").read_text().count("\n") == 5


SCRIPT = """
import os, signal, sys
sys.path[:0] = {paths!r}
from test_trainer import Callback, whole_of
from pathlib import Path

class Die(Callback):
    def on_step_end(self, trainer):
        if trainer.step == {at}:
            os.kill(os.getpid(), signal.{signal})

trainer, loader, test = whole_of("shuffled", Path({folder!r}), Die(), seed={seed})
trainer.fit(loader, 4, test, resume=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_that_is_killed_leaves_a_run_that_goes_on(tmp_path):
    folder = tmp_path / "killed"
    whole, loader, test = whole_of("shuffled", tmp_path / "whole", seed=5)
    whole.fit(loader, 4, test)
    code = SCRIPT.format(
        at=7, folder=str(folder), seed=5, signal="SIGKILL", paths=[str(Path(__file__).parent)]
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed, loader, test = whole_of("shuffled", folder, seed=11)
    resumed.fit(loader, 4, test, resume=True)
    assert_same(whole, resumed)


def test_after_an_error_the_next_fit_begins_its_epoch_anew():
    class Fails(Trainer):
        calls = 0

        def predict(self, batch):
            self.calls += 1
            if self.calls == 4:
                raise StopError
            return super().predict(batch)

    def run(kind):
        np.random.seed(6)
        model = tg.models.MLP((2,))
        optimizer = O.SGD(0.1).setup(model)
        trainer = kind(model, F.softmax_cross_entropy, optimizer, accumulate=2, progress=False)
        return trainer, DataLoader(data(40), 8, shuffle=False)

    trainer, loader = run(Fails)
    with pytest.raises(StopError):
        trainer.fit(loader, 2)  # after one update, with the gradients of a batch that waited for another
    history = trainer.fit(loader, 2)
    assert (trainer.epoch, trainer.batch, trainer.step) == (2, 0, 1 + 6)

    plain, loader = run(Trainer)
    plain.fit(list(loader)[:2], 1)
    plain.epoch = 0
    expected = plain.fit(loader, 2)
    assert [record["loss"] for record in history] == [record["loss"] for record in expected[1:]]
    for a, b in zip(weights(trainer).values(), weights(plain).values(), strict=True):
        np.testing.assert_array_equal(a, b)


class Interrupt(Callback):
    def __init__(self, step, times=1):
        self.at = step
        self.times = times
        self.ended = False

    def on_step_end(self, trainer):
        if trainer.step == self.at:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)

    def on_fit_end(self, trainer):
        self.ended = True


@pytest.fixture
def _interruptible():
    """A program in the background of a shell ignores SIGINT; here it is handled as in the foreground."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("at", [2, 5, 6])
def test_ctrl_c_leaves_a_checkpoint(at, tmp_path):
    whole, loader, test = whole_of("shuffled", tmp_path / "whole", seed=5)
    whole.checkpoint_steps = None
    whole.fit(loader, 4, test)
    interrupt = Interrupt(at)
    broken, loader, test = whole_of("shuffled", tmp_path, interrupt, seed=5)
    broken.checkpoint_steps = None
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(loader, 4, test)
    assert signal.getsignal(signal.SIGINT) is handler
    assert interrupt.ended
    assert broken.step == at
    resumed, loader, test = whole_of("shuffled", tmp_path, seed=2)
    resumed.fit(loader, 4, test, resume=tmp_path / "checkpoint.npz")
    assert_same(whole, resumed)


@pytest.mark.usefixtures("_interruptible")
def test_a_second_ctrl_c_does_not_wait(tmp_path):
    broken, loader, test = whole_of("shuffled", tmp_path, Interrupt(1, times=2))
    with pytest.raises(KeyboardInterrupt):
        broken.fit(loader, 4, test)
    assert not (tmp_path / "checkpoint.npz").exists()


def test_ctrl_c_is_left_alone_in_other_threads_and_where_a_program_handles_it():
    noted = []
    before = signal.signal(signal.SIGINT, lambda *_: noted.append(1))
    try:
        made(callbacks=[Interrupt(1)]).fit(DataLoader(data(), 8), 1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert noted == [1]
    trainer = made()
    thread = threading.Thread(target=trainer.fit, args=(DataLoader(data(), 8), 1))
    thread.start()
    thread.join()
    assert trainer.epoch == 1


def test_a_run_goes_on_on_every_library(backend, tmp_path):
    def run(folder, *callbacks):
        loader = DataLoader(data(), 8).to(backend)
        trainer = made(model=Net().to(backend), folder=folder, callbacks=callbacks, checkpoint_steps=2)
        return trainer, loader

    np.random.seed(5)
    backend.seed(5)
    whole, loader = run(tmp_path / "whole")
    whole.fit(loader, 2)
    np.random.seed(5)
    backend.seed(5)
    broken, loader = run(tmp_path / "broken", StopAt(8))
    with pytest.raises(StopError):
        broken.fit(loader, 2)
    resumed, loader = run(tmp_path / "broken")
    resumed.fit(loader, 2, resume=True)
    assert_same(whole, resumed)
    assert all(p.backend is backend for p in resumed.model.params())


def test_the_library_s_own_generator_goes_on_too(tmp_path):
    def run(seed, *callbacks):
        tg.seed(seed)
        return made(folder=tmp_path / f"{seed}", callbacks=callbacks), DataLoader(data(), 8)

    try:
        whole, loader = run(7)
        whole.fit(loader, 3)
        broken, loader = run(7, StopAt(8))
        with pytest.raises(StopError):
            broken.fit(loader, 3)
        resumed, loader = run(8)
        resumed.fit(loader, 3, resume=tmp_path / "7" / "checkpoint.npz")
        assert_same(whole, resumed)
    finally:
        tg.seed(None)


def test_a_run_that_is_done_stays_so_and_can_be_prolonged(tmp_path):
    trainer = made(folder=tmp_path)
    trainer.fit(DataLoader(data(), 8), 2, resume=True)  # there is nothing to resume yet
    again = made(folder=tmp_path)
    assert without_time(again.fit(DataLoader(data(), 8), 2, resume=True)) == without_time(trainer.history)
    assert again.step == 10
    again.fit(DataLoader(data(), 8), 3)
    assert (again.epoch, again.step) == (3, 15)


def test_one_that_was_stopped_early_stays_stopped(tmp_path):
    def run():
        stopping = EarlyStopping("loss", patience=1, min_delta=100.0)
        return made(folder=tmp_path, callbacks=[stopping])

    first = run()
    first.fit(DataLoader(data(), 8), 9)
    assert first.epoch == 2  # the first value is better than none
    again = run()
    again.fit(DataLoader(data(), 8), 9, resume=True)
    assert again.epoch == 2


# -- files that do not fit -----------------------------------------------------------------------


def test_a_checkpoint_that_does_not_fit_changes_nothing(tmp_path):
    path = tmp_path / "checkpoint.npz"
    small = made(model=tg.models.MLP((4, 2)))
    small.fit(DataLoader(data(), 8), 1)
    small.save(path)

    def refused(trainer, expected):
        trainer.fit(DataLoader(data(), 8), 2)
        before, state = weights(trainer), trainer.optimizer.state_dict()
        with pytest.raises(ValueError, match=expected):
            trainer.load(path)
        for a, b in zip(before.values(), weights(trainer).values(), strict=True):
            np.testing.assert_array_equal(a, b)
        after = trainer.optimizer.state_dict()
        assert all(np.array_equal(value, after[key]) for key, value in state.items())
        assert trainer.epoch == 2

    refused(made(model=tg.models.MLP((5, 2))), r"l0/W: expected shape \(5, 5\), got \(5, 4\)")
    refused(made(model=tg.models.MLP((4, 2)), rule=O.MomentumSGD), "MomentumSGD: the state does not")
    model = tg.models.MLP((4, 2))
    trainer = made(model=model, average=O.EMA(model))
    refused(trainer, message("checkpoint: it has no state for the average of this Trainer"))
    small.model.save_weights(path)
    refused(
        made(model=tg.models.MLP((4, 2))),
        message(f"{path} is no checkpoint: it has no entry tree.json. Did save_weights write it?"),
    )
    path.write_bytes(path.read_bytes()[:-20])
    refused(made(model=tg.models.MLP((4, 2))), "is not a whole npz file of numbers")
    checkpoints.write(path, {"format": 2})
    refused(made(model=tg.models.MLP((4, 2))), message("checkpoint: expected format 1; got 2"))


def test_a_state_comes_back_from_a_file_as_it_was(tmp_path, backend):
    state = {
        "a/b": backend.from_numpy(np.arange(3.0)),
        "a": {"b": np.zeros((), np.int8), "text": "array:x", "none": None, "list": [1, (2.5, True, "text:")]},
        "numbers": {
            "nan": float("nan"),
            "inf": float("-inf"),
            "tenth": 0.1,
            "big": 2**70,
            "np": np.float64(0.3),
        },
        "tree.json": np.ones(2),
        "empty": {},
    }
    checkpoints.write(tmp_path / "state.npz", state)
    found = checkpoints.read(tmp_path / "state.npz")
    assert list(found) == list(state)
    np.testing.assert_array_equal(found["a/b"], np.arange(3.0))
    assert (found["a"]["b"].shape, found["a"]["b"].dtype) == ((), np.int8)
    del found["a"]["b"]
    assert found["a"] == {"text": "array:x", "none": None, "list": [1, [2.5, True, "text:"]]}
    assert found["numbers"]["nan"] != found["numbers"].pop("nan")
    assert found["numbers"] == {"inf": float("-inf"), "tenth": 0.1, "big": 2**70, "np": 0.3}
    assert found["empty"] == {}
    expected = (
        "checkpoint: expected numbers, texts, None and arrays, in dicts and lists; "
        "got set at callback/0/seen/1"
    )
    with pytest.raises(TypeError, match=message(expected)):
        checkpoints.write(tmp_path / "state.npz", {"callback": [{"seen": [1, {2}]}]})
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]


# -- errors --------------------------------------------------------------------------------------


def test_errors():
    expected = "Trainer: expected a loss without axes; got shape (8, 2). Take its mean"
    model = tg.models.MLP((2,))
    trainer = Trainer(model, lambda y, t: y, O.SGD().setup(model), progress=False)
    with pytest.raises(ValueError, match=message(expected)):
        trainer.fit(DataLoader(data(), 8), 1)
    used_up = iter(list(DataLoader(data(), 8)))
    expected = (
        "Trainer.fit: expected batches in every epoch; got none. "
        "Is it a generator? That is used up after the first"
    )
    trainer = made()
    with pytest.raises(ValueError, match=message(expected)):
        trainer.fit(used_up, 2)
    assert trainer.epoch == 1
    with pytest.raises(ValueError, match=message("Trainer.evaluate: expected batches; got none")):
        trainer.evaluate([])
    with pytest.raises(TypeError, match=message("Trainer: expected callbacks to be Callbacks; got function")):
        made(callbacks=[message])
    with pytest.raises(ValueError, match=message("Trainer: expected checkpoint_steps >= 1; got 0")):
        made(checkpoint_steps=0)
    with pytest.raises(ValueError, match=message("Accumulate: expected steps >= 1; got 0")):
        made(accumulate=0)
    expected = "Trainer.fit: expected a path to resume from, as this Trainer has no folder"
    with pytest.raises(ValueError, match=message(expected)):
        made().fit([], 1, resume=True)
    optimizer = O.SGD().setup(model)
    trainer = Trainer(
        *(model, F.softmax_cross_entropy, optimizer),
        schedule=O.StepLR(optimizer, 1),
        schedule_on="test_lost",
        progress=False,
    )
    expected = (
        "Trainer: schedule_on is 'step', 'epoch' or the name of a value; got 'test_lost', there are: "
        "epoch, step, lr, loss, seconds"
    )
    with pytest.raises(LookupError, match=message(expected)):
        trainer.fit(DataLoader(data(), 8), 1)


def test_errors_of_kinds():
    loader = DataLoader(data(), 8)
    for metrics in ([F.accuracy], F.accuracy):
        with pytest.raises(
            TypeError, match="Trainer: expected metrics as a dict of names and functions; got"
        ):
            made(metrics=metrics)
    for batches, test in ((tg.datasets.Digits(), None), (loader, tg.datasets.Digits())):
        with pytest.raises(
            TypeError, match=r"Trainer.fit: expected batches; got the data set Digits. tg.Data"
        ):
            made().fit(batches, 1, test)
    with pytest.raises(TypeError, match=r"Trainer: expected batches as pairs .* got ndarray"):
        made().fit(np.zeros((4, 3)), 1)
    for loss in (0.5, None):
        trainer = made()
        trainer.loss = lambda y, t, loss=loss: loss
        with pytest.raises(TypeError, match="Trainer: expected a loss that is a Variable; got"):
            trainer.fit(loader, 1)


def test_an_optimizer_of_another_model():
    model = tg.models.MLP((2,))
    trainer = Trainer(model, F.softmax_cross_entropy, O.SGD().setup(tg.models.MLP((2,))), progress=False)
    with pytest.raises(ValueError, match="Trainer: the optimizer was set up with another model"):
        trainer.fit(DataLoader(data(), 8), 1)
    part = Trainer(model, F.softmax_cross_entropy, O.SGD().setup(model.l0), progress=False)
    part.fit(DataLoader(data(), 8), 1)
