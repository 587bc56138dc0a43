"""n ranks with batches of B / n end with the parameters of one rank with batches of B."""

from __future__ import annotations

import gc
import re
from weakref import ref

import numpy as np
import pytest
from ranks_training import Net, assert_in_step, assert_same, train

import tensorgrad as tg
from tensorgrad import distributed as D
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers
from tensorgrad.communicator import LocalCommunicator
from tensorgrad.testing.arrays import to_numpy

RULES = {
    "sgd": lambda: optimizers.SGD(0.5),
    "momentum": lambda: optimizers.MomentumSGD(0.2),
    "adam": lambda: optimizers.Adam(0.05),
}
ALONE = LocalCommunicator()


@pytest.mark.parametrize("rule", RULES)
def test_the_parameters_are_those_of_one_rank(comm, rule):
    """With uneven last batches, a frozen bias and an unused layer."""
    model, _ = train(comm, RULES[rule])
    assert_in_step(model, comm)
    reference, _ = train(ALONE, RULES[rule])
    assert_same(model, reference)
    start = Net(0)
    np.testing.assert_array_equal(model.second.b.data, start.second.b.data)
    np.testing.assert_array_equal(model.unused.W.data, start.unused.W.data)
    assert model.unused.W.grad is None
    assert np.abs(model.first.W.data - start.first.W.data).max() > 0.1


def test_buckets_of_any_size_give_the_same(comm):
    reference, _ = train(ALONE, RULES["adam"], steps=8)
    for size in (1, 200, 1 << 30):
        model, optimizer = train(comm, RULES["adam"], steps=8, bucket_size=size)
        assert_same(model, reference)
        if comm.size > 1:
            assert len(optimizer._buckets) == {1: 5, 200: 3, 1 << 30: 2}[size]


def test_buckets_start_while_the_backward_goes_on(several):
    """Before the gradient of the first layer is computed, that of the last is on its way."""
    started = []
    model = Net(several.rank)
    optimizer = D.DistributedOptimizer(optimizers.SGD(0.1), several, bucket_size=1)
    optimizer.setup(model)
    start = optimizer._start

    def noted(bucket):
        started.append([slot.param is model.first.W for slot in bucket.slots])
        start(bucket)

    optimizer._start = noted
    seen = []
    model.first.b.on_grad(lambda _: seen.append(len(started)))
    x = np.ones((2, 5))
    F.sum(model(x)).backward()
    assert seen == [1]  # second.W: that of the unused layer is waited for
    optimizer.update()
    assert len(started) == 5
    started.clear()
    model.cleargrads()
    F.sum(model(x)).backward()  # what was not used in the first step comes last from now on
    assert len(started) == 3
    optimizer.update()
    assert len(started) == 5


def test_averages_are_clipped_by_the_norm_of_the_whole_gradient(comm):
    def clip(optimizer):
        optimizer.add_hook(optimizers.ClipGrad(0.05))

    model, _ = train(comm, RULES["sgd"], prepare=clip)
    reference, _ = train(ALONE, RULES["sgd"], prepare=clip)
    assert_same(model, reference)
    other, _ = train(ALONE, RULES["sgd"])
    assert np.abs(other.first.W.data - model.first.W.data).max() > 1e-2


def test_groups_have_settings_of_their_own(comm):
    def group(optimizer):
        optimizer.add_group(optimizer.optimizer.target.first, lr=0.01)

    model, _ = train(comm, RULES["sgd"], prepare=group)
    reference, _ = train(ALONE, RULES["sgd"], prepare=group)
    assert_same(model, reference)


def test_gradients_are_accumulated(comm):
    """Two batches of 8 examples make the update of one of 16."""
    reference, inner = Net(0), optimizers.Adam(0.05)
    inner.setup(reference)
    accumulated = optimizers.Accumulate(inner, 2)
    batches = [np.random.RandomState(i).normal(size=(8, 5)) for i in range(6)]
    for x in batches:
        F.mean(reference(x) ** 2).backward()
        accumulated.update()
    model = Net(comm.rank)
    optimizer = D.DistributedOptimizer(optimizers.Adam(0.05), comm, accumulate=2, bucket_size=1)
    optimizer.setup(model)
    part = 8 // comm.size
    updated = []
    for x in batches:
        F.mean(model(x[comm.rank * part : (comm.rank + 1) * part]) ** 2).backward()
        updated.append(optimizer.update())
    assert updated == [False, True] * 3
    assert_same(model, reference, 1e-12)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_compressed_gradients_are_close_and_the_ranks_stay_in_step(comm, kind):
    model, _ = train(comm, RULES["momentum"], compression=kind)
    assert_in_step(model, comm)
    reference, _ = train(ALONE, RULES["momentum"])
    assert_same(model, reference, {"float16": 5e-3, "bfloat16": 5e-2}[kind])
    if comm.size > 1:
        assert np.abs(model.first.W.data - reference.first.W.data).max() > 1e-8


def test_a_gradient_that_some_ranks_have(comm):
    """It counts as 0 on the others."""
    w, u = tg.Parameter(np.array([1.0, 2.0])), tg.Parameter(np.array([1.0]))
    optimizer = D.DistributedOptimizer(optimizers.SGD(1.0), comm).setup([w, u])
    if comm.rank == 0:
        F.sum(w * 4.0).backward()
    F.sum(u * 1.0).backward()
    optimizer.update()
    np.testing.assert_allclose(w.data, np.array([1.0, 2.0]) - 4 / comm.size)
    np.testing.assert_allclose(u.data, [0.0])


def test_parameters_that_are_frozen_and_thawed_on_the_way(comm):
    def step(i, model):
        model.second.b.requires_grad = 3 <= i < 9
        model.first.b.requires_grad = i >= 6

    model, _ = train(comm, RULES["momentum"], step=step)
    reference, _ = train(ALONE, RULES["momentum"], step=step)
    assert_same(model, reference)


def test_parameters_of_every_library(comm, backend):
    w = tg.Parameter(backend.from_numpy(np.array([[1.0, 2.0]]) + comm.rank))
    v = tg.Parameter(backend.from_numpy(np.array([3.0], np.float32)))
    optimizer = D.DistributedOptimizer(optimizers.SGD(0.5), comm).setup([w, v])
    (F.sum(w * w) * float(comm.rank + 1)).backward()
    F.sum(v * 2.0).backward()
    optimizer.update()
    factor = 1 - (comm.size + 1) / 2
    np.testing.assert_allclose(to_numpy(w.data), np.array([[1.0, 2.0]]) * factor)
    np.testing.assert_allclose(to_numpy(v.data), [2.0])
    assert v.data.dtype == backend.from_numpy(np.ones(1, np.float32)).dtype


def test_a_second_backward_before_the_update(several):
    w = tg.Parameter(np.ones(2))
    optimizer = D.DistributedOptimizer(optimizers.SGD(0.5), several).setup([w])
    F.sum(w).backward()
    with pytest.raises(RuntimeError, match="a gradient of 0 came after those of its bucket were sent"):
        F.sum(w).backward()
    optimizer.update()


def test_models_that_differ_are_named(several):
    last = several.size - 1
    for make, text in (
        (
            lambda: L.Linear(3 + (several.rank == last), in_size=2),
            f"first in parameter 0: rank 0 has W (2, 3) float32; rank {last} has W (2, 4) float32. Build",
        ),
        (
            lambda: L.Linear(3, nobias=several.rank == last, in_size=2),
            f"first in parameter 1: rank 0 has b (3,) float32; rank {last} has none. Build",
        ),
        (
            lambda: L.Linear(3, in_size=2, dtype=np.float64 if several.rank == last else np.float32),
            f"first in parameter 0: rank 0 has W (2, 3) float32; rank {last} has W (2, 3) float64. Build",
        ),
    ):
        optimizer = D.DistributedOptimizer(optimizers.SGD(), several)
        with pytest.raises(ValueError, match=re.escape(text)):
            optimizer.setup(make())


def test_sizes_that_are_open(comm):
    model = tg.models.MLP((4, 2))
    optimizer = D.DistributedOptimizer(optimizers.SGD(), comm)
    with pytest.raises(ValueError, match=r"l0/W, l1/W without data yet: .* or give one to setup\(model, x\)"):
        optimizer.setup(model)
    optimizer.setup(model, np.ones((1, 3), np.float32))
    assert_in_step(model, comm)


def test_running_statistics_begin_alike(comm):
    norm = L.BatchNorm()
    norm(np.full((2, 3), comm.rank + 1.0))
    D.DistributedOptimizer(optimizers.SGD(), comm).setup(norm)
    np.testing.assert_allclose(norm.avg_mean.data, np.full(3, 0.1))


@pytest.mark.parametrize("kind", ["DistributedOptimizer", "ShardedOptimizer"])
def test_schedules_and_scalers_take_it(comm, kind):
    """The rate is that of the rule inside; an overflow on one rank leaves the update out on all."""
    w = tg.Parameter(np.ones(3))
    optimizer = getattr(D, kind)(optimizers.SGD(0.5), comm).setup([w])
    schedule = optimizers.ExponentialLR(optimizer, 0.5)
    scaler = optimizers.GradScaler(4.0).setup(optimizer)
    optimizer.add_hook(optimizers.ClipGrad(0.1))
    for i in range(4):
        spoilt = np.inf if i == 1 and comm.rank == comm.size - 1 else 1.0
        w.cleargrad()
        scaler.scale(F.sum(w[:2]) * spoilt + F.sum(w[2:])).backward()
        optimizer.update()
        schedule.step()
        assert len(set(comm.allgather_object((scaler.factor, scaler.skipped)))) == 1
    assert optimizer.optimizer.lr == 0.5**5
    assert (scaler.factor, scaler.skipped, scaler.good) == (2.0, 1, 2)
    np.testing.assert_allclose(w.data, 1 - (0.5 + 0.125 + 0.0625) * 0.1 / np.sqrt(3), rtol=1e-6)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_compressed_complex_gradients_keep_their_imaginary_parts(comm, kind):
    w = tg.Parameter(np.array([1 + 2j, 3 - 1j, 0.5j]))
    optimizer = D.DistributedOptimizer(optimizers.SGD(1.0), comm, compression=kind).setup([w])
    F.sum(F.real(w * F.conj(w))).backward()
    want = w.data - w.grad.data
    optimizer.update()
    np.testing.assert_allclose(w.data, want, atol=1e-2)


def test_states_fit_one_rank(comm):
    _, optimizer = train(comm, RULES["adam"], steps=3)
    state = optimizer.state_dict()
    model = Net()
    alone = optimizers.Adam(0.05).setup(model)
    alone.load_state_dict(state)
    again = D.DistributedOptimizer(optimizers.Adam(0.05), comm).setup(Net())
    again.load_state_dict(state)
    assert again.optimizer.t == alone.t == 3


def test_nothing_keeps_a_dropped_optimizer(comm):
    w = tg.Parameter(np.ones(2))
    optimizer = D.DistributedOptimizer(optimizers.SGD(), comm).setup([w])
    gone, w_gone = ref(optimizer), ref(w)
    del optimizer
    gc.collect()
    assert gone() is None
    F.sum(w).backward()
    del w
    gc.collect()
    assert w_gone() is None


def test_what_cannot_be(comm):
    rule = optimizers.SGD()
    with pytest.raises(ValueError, match="expected compression float16 or bfloat16; got 'int8'"):
        D.DistributedOptimizer(rule, comm, compression="int8")
    with pytest.raises(ValueError, match="expected bucket_size >= 1 and accumulate >= 1; got 0 and 1"):
        D.DistributedOptimizer(rule, comm, bucket_size=0)
    with pytest.raises(TypeError, match=r"line search .* Give LBFGS without line_search"):
        D.DistributedOptimizer(optimizers.LBFGS(line_search="strong_wolfe"), comm)
    with pytest.raises(RuntimeError, match=r"nothing to update; call setup\(model\) first"):
        D.DistributedOptimizer(rule, comm).update()
