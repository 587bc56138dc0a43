"""Training in mixed precision: master weights, scaled losses, overflows and how they are recovered from."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import DataLoader, Parameter, Trainer, Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers as O
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


# -- training ------------------------------------------------------------------------------------


def data():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((64, 6)).astype(np.float32)
    return list(zip(x, (x[:, 0] * x[:, 1] > 0).astype(np.int64), strict=True))


class Net(tg.Model):
    def __init__(self):
        super().__init__()
        self.l1 = L.Linear(32, in_size=6)
        self.norm = L.BatchNorm()
        self.l2 = L.Linear(2, in_size=32)

    def forward(self, x):
        return self.l2(F.relu(self.norm(self.l1(x))))


def trainer_on(backend, precision, **options):
    np.random.seed(1)  # noqa: NPY002  # weights and shuffles draw from it
    model = Net().to(backend)
    trainer = Trainer(
        *(model, F.softmax_cross_entropy, O.Adam(0.01).setup(model)),
        precision=precision,
        progress=False,
        **options,
    )
    return trainer, DataLoader(data(), 16).to(backend)


def test_training_ends_nearly_like_that_in_full_precision(backend, half):
    losses = []
    for precision in (None, half):
        trainer, loader = trainer_on(backend, precision)
        losses.append(trainer.fit(loader, 15)[-1]["loss"])
        assert all(p.dtype == backend.xp.float32 for p in trainer.model.params())  # the master weights
    assert losses[0] < 0.35
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    assert (trainer.scaler is None) == (half == "bfloat16")


def test_weights_move_and_a_resumed_run_ends_alike(backend, half, tmp_path):
    whole, loader = trainer_on(backend, half)
    whole.fit(loader, 4)
    first, loader = trainer_on(backend, half)
    first.fit(loader, 2)
    first.model.to("numpy").to(backend)
    first.save(tmp_path / "checkpoint.npz")
    again, loader = trainer_on(backend, half, scaler=O.GradScaler(2.0) if half == "float16" else None)
    again.fit(loader, 4, resume=tmp_path / "checkpoint.npz")
    assert again.losses == whole.losses
    for p, q in zip(again.model.params(), whole.model.params(), strict=True):
        np.testing.assert_array_equal(to_numpy(p), to_numpy(q))
    if half == "float16":
        assert again.scaler.state_dict() == whole.scaler.state_dict()


# -- scaled losses -------------------------------------------------------------------------------


def step(optimizer, scaler, p, g):
    """An update by a gradient that was computed from a scaled loss in float16."""
    owner = p.backend
    with np.errstate(over="ignore"):
        scaled = (np.asarray(g, np.float32) * np.float32(scaler.factor)).astype(np.float16).astype(np.float32)
    p.grad = Variable(owner.from_numpy(scaled), requires_grad=False)
    optimizer.update()


def test_an_overflow_is_met_and_recovered(backend):
    p, twin = (Parameter(backend.from_numpy(np.ones(2, np.float32))) for _ in range(2))
    optimizer, other = O.Adam(0.1).setup([p]), O.Adam(0.1).setup([twin])
    scaler = O.GradScaler(2.0**18, interval=2).setup(optimizer)
    factors, moved = [], []
    for _ in range(6):
        before = to_numpy(p).copy()
        step(optimizer, scaler, p, [0.5, -0.25])  # 2**17 overflows, 2**16 does too: 65504 is the largest
        factors.append(scaler.factor)
        moved.append(not np.array_equal(before, to_numpy(p)))
    assert factors == [2.0**17, 2.0**16, 2.0**16, 2.0**17, 2.0**16, 2.0**16]
    assert moved == [False, False, True, True, False, True]
    assert scaler.skipped == 3
    for _ in range(3):  # what was skipped left no trace, in Adam's means neither
        twin.grad = Variable(backend.from_numpy(np.array([0.5, -0.25], np.float32)))
        other.update()
    np.testing.assert_array_equal(to_numpy(p), to_numpy(twin))
    step(optimizer, scaler, p, [np.nan, 0.0])
    assert scaler.skipped == 4


def test_small_gradients_are_not_lost():
    p = Parameter(np.zeros(1, np.float32))
    optimizer = O.SGD(1.0).setup([p])
    scaler = O.GradScaler().setup(optimizer)
    step(optimizer, scaler, p, [1e-8])  # float16 has nothing between 0 and 6e-8
    np.testing.assert_allclose(p.data, [-1e-8], rtol=1e-3)


def test_other_hooks_see_gradients_as_they_are_and_none_after_an_overflow():
    seen = []
    p = Parameter(np.zeros(2, np.float32))
    optimizer = O.SGD(1.0).setup([p])
    optimizer.add_hook(O.ClipGrad(1.0))
    optimizer.add_hook(lambda params: seen.append(len(params)))
    scaler = O.GradScaler(8.0).setup(optimizer)
    step(optimizer, scaler, p, [3.0, 4.0])
    np.testing.assert_allclose(p.data, [-0.6, -0.8], rtol=1e-5)
    step(optimizer, scaler, p, [np.inf, 1.0])
    np.testing.assert_allclose(p.data, [-0.6, -0.8], rtol=1e-5)
    assert seen == [1, 0]
    optimizer.update()  # nothing has a gradient
    assert scaler.good == 0


def test_a_model_that_overflows_at_first_learns_all_the_same(backend, half):
    if half == "bfloat16":
        pytest.skip("bfloat16 has the range of float32")
    with np.errstate(over="ignore", invalid="ignore"):
        trainer, loader = trainer_on(backend, half, scaler=O.GradScaler(2.0**30))
        history = trainer.fit(loader, 15)
    assert trainer.scaler.skipped > 5
    assert trainer.scaler.factor < 2.0**25
    assert history[-1]["loss"] < 0.45


def test_the_state_of_a_scaler():
    scaler = O.GradScaler(8.0, growth=3.0, backoff=0.25, interval=7)
    scaler.good, scaler.skipped = 3, 2
    again = O.GradScaler()
    again.load_state_dict(scaler.state_dict())
    assert vars(again) == vars(scaler)
    expected = "GradScaler: missing or unexpected in the state: factor, scale"
    state = scaler.state_dict()
    state["scale"] = state.pop("factor")
    with pytest.raises(ValueError, match=message(expected)):
        again.load_state_dict(state)
    expected = (
        "GradScaler: expected factor > 0, growth > 1, backoff in (0, 1) and interval >= 1; "
        "got 8.0, 1.0, 0.5 and 2000"
    )
    with pytest.raises(ValueError, match=message(expected)):
        O.GradScaler(8.0, growth=1.0)
