"""ZeRO-1: the run of one rank, with a part of the state on each; checkpoints for any number of ranks."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ranks_training import Net, assert_in_step, assert_same, data, train

import tensorgrad as tg
from tensorgrad import distributed as D
from tensorgrad import functions as F
from tensorgrad import optimizers
from tensorgrad.communicator import LocalCommunicator
from tensorgrad.testing.arrays import to_numpy

ALONE = LocalCommunicator()
RULES = {
    "sgd": lambda: optimizers.SGD(0.5),
    "momentum": lambda: optimizers.MomentumSGD(0.2),
    "adam": lambda: optimizers.Adam(0.05),
}


def adam():
    return optimizers.Adam(0.05)


@pytest.mark.parametrize("rule", RULES)
def test_the_parameters_are_those_of_one_rank(comm, rule):
    for size in (1, 300, 1 << 20):
        model, optimizer = train(comm, RULES[rule], kind=D.ShardedOptimizer, bucket_size=size)
        assert_in_step(model, comm)
        reference, _ = train(ALONE, RULES[rule])
        assert_same(model, reference)
        held = sum(s.end - s.start for s in optimizer._shards)
        every = comm.allgather_object(held)
        assert sum(every) == sum(p.size for p in model.params() if p.requires_grad)
        if size > 300:
            assert max(every) - min(every) <= comm.size  # of what fills up the last part


def test_hooks_groups_and_accumulation(comm):
    def prepare(optimizer):
        optimizer.add_hook(optimizers.ClipGrad(0.05))
        optimizer.add_hook(optimizers.WeightDecay(0.01))
        whole = getattr(optimizer, "_whole", optimizer)
        optimizer.add_group(whole.target.first, lr=0.05)

    model, _ = train(comm, RULES["sgd"], kind=D.ShardedOptimizer, prepare=prepare, accumulate=2)
    reference, _ = train(ALONE, RULES["sgd"], prepare=prepare, accumulate=2)
    assert_same(model, reference)


def test_parameters_that_are_frozen_and_thawed_on_the_way(comm):
    def step(i, model):
        model.second.b.requires_grad = 3 <= i < 9 or i > 14
        model.first.b.requires_grad = i >= 6

    model, optimizer = train(comm, RULES["momentum"], kind=D.ShardedOptimizer, step=step)
    reference, one = train(ALONE, RULES["momentum"], step=step)
    assert_same(model, reference)
    assert optimizer.state_dict().keys() == one.state_dict().keys()


def test_states_are_those_of_the_whole(comm):
    """They go from one kind of optimizer to the other."""
    _, sharded = train(comm, adam, steps=3, kind=D.ShardedOptimizer)
    _, whole = train(ALONE, adam, steps=3)
    state, want = sharded.state_dict(), whole.state_dict()
    assert state.keys() == want.keys()
    for key, value in want.items():
        np.testing.assert_allclose(state[key], value, rtol=1e-9, atol=1e-14, err_msg=key)
    again = D.ShardedOptimizer(adam(), comm).setup(Net())
    again.load_state_dict(want)
    for key, value in again.state_dict().items():
        np.testing.assert_array_equal(value, want[key], err_msg=key)


def test_parameters_of_every_library(comm, backend):
    w = tg.Parameter(backend.from_numpy(np.array([[1.0, 2.0], [3.0, 4.0]]) + comm.rank))
    optimizer = D.ShardedOptimizer(optimizers.MomentumSGD(0.5), comm).setup([w])
    for _ in range(2):
        F.sum(w * float(comm.rank + 1)).backward()
        optimizer.update()
    want = np.array([[1.0, 2.0], [3.0, 4.0]]) - 0.5 * (comm.size + 1) / 2 * 2.9
    np.testing.assert_allclose(to_numpy(w.data), want)


def test_ranks_without_a_part(comm):
    """A model of two numbers, one of them frozen for a while."""
    found = []
    for ranks in (comm, ALONE):
        w, u = tg.Parameter(np.array([1.0])), tg.Parameter(np.array([2.0]))
        optimizer = D.ShardedOptimizer(optimizers.MomentumSGD(0.1), ranks).setup([w, u])
        for i in range(6):
            w.requires_grad = not 2 <= i < 4
            F.sum(w * w * u).backward()
            optimizer.update()
        found.append((w.data, u.data, optimizer.state_dict()))
    (w, u, state), (w_alone, u_alone, state_alone) = found
    np.testing.assert_allclose([w, u], [w_alone, u_alone])
    assert state.keys() == state_alone.keys()


def test_what_cannot_be_cut(comm):
    with pytest.raises(TypeError, match="ShardedOptimizer: LAMB looks at whole parameters"):
        D.ShardedOptimizer(optimizers.LAMB(), comm)
    with pytest.raises(TypeError, match="ShardedOptimizer: LBFGS looks at whole parameters"):
        D.ShardedOptimizer(optimizers.LBFGS(), comm)
    w = tg.Parameter(np.ones(2))
    with pytest.raises(ValueError, match="expected an optimizer that was not set up"):
        D.ShardedOptimizer(adam().setup([w]), comm)
    with pytest.raises(
        TypeError, match=re.escape("FreezeParam sees no parameters here; set p.requires_grad")
    ):
        D.ShardedOptimizer(adam(), comm).setup([w]).add_hook(optimizers.FreezeParam(w))


# -- checkpoints -------------------------------------------------------------------------------------


class Run:
    """A run that can stop and go on: on these ranks, or on others."""

    def __init__(self, comm, kind):
        self.comm = comm
        self.model = Net(comm.rank + 3)
        self.optimizer = kind(adam(), comm).setup(self.model)
        self.loader = tg.DataLoader(data(), 8 // comm.size, comm=comm, seed=1)
        self.state = {"model": self.model, "optimizer": self.optimizer, "loader": self.loader}

    def go_on(self, steps):
        batches = iter(self.loader)
        for _ in range(steps):
            try:
                x, t = next(batches)
            except StopIteration:
                batches = iter(self.loader)
                x, t = next(batches)
            loss = D.mean_loss(F.cross_entropy(self.model(x), t, reduction="sum"), len(x), self.comm)
            self.model.cleargrads()
            loss.backward()
            self.optimizer.update()


@pytest.mark.parametrize("kind", ["DistributedOptimizer", "ShardedOptimizer"])
@pytest.mark.parametrize("sharded", [False, True])
def test_a_run_goes_on_with_another_number_of_ranks(comm, tmp_path, kind, sharded):
    """It ends where an undisturbed run ends; it stopped in the middle of an epoch."""
    kind = getattr(D, kind)
    path = comm.bcast_object(tmp_path / "run.npz")
    undisturbed = Run(ALONE, D.DistributedOptimizer)
    undisturbed.model.load_state_dict(Net(3).state_dict())
    undisturbed.go_on(12)

    first = Run(comm, kind)
    first.go_on(6)
    D.save_checkpoint(path, comm, {**first.state, "step": 6, "note": "half-way"}, sharded=sharded)
    for part in (comm.split(0), comm.split(comm.rank)):  # all ranks; each alone
        second = Run(part, kind)
        rest = D.load_checkpoint(path, part, second.state)
        assert rest == {"step": 6, "note": "half-way"}
        second.go_on(6)
        assert_same(second.model, undisturbed.model, 1e-9)


def test_a_checkpoint_replaces_the_one_before_it_and_its_parts(comm, tmp_path):
    path = comm.bcast_object(tmp_path / "run.npz")
    run = Run(comm, D.ShardedOptimizer)
    run.go_on(1)
    for i in range(2):
        D.save_checkpoint(path, comm, {**run.state, "i": i}, sharded=True)
    comm.barrier()
    assert len(list(path.parent.iterdir())) == 1 + comm.size
    assert D.load_checkpoint(path, comm, run.state) == {"i": 1}
    comm.barrier()
    D.save_checkpoint(path, comm, run.state)
    comm.barrier()
    assert [p.name for p in path.parent.iterdir()] == ["run.npz"]


def test_a_failure_of_rank_0_is_one_of_all(comm, tmp_path):
    nowhere = comm.bcast_object(tmp_path / "there" / "is" / "nothing.npz")
    model = Net()
    with pytest.raises(OSError, match=r"nothing\.npz|no folder"):
        D.save_checkpoint(nowhere, comm, {"model": model})
    with pytest.raises(OSError, match=r"nothing\.npz|No such file"):
        D.load_checkpoint(nowhere, comm, {"model": model})
    path = comm.bcast_object(tmp_path / "run.npz")
    D.save_checkpoint(path, comm, {"model": model})
    with pytest.raises(ValueError, match="it has nothing under the name optimizer; it has model"):
        D.load_checkpoint(path, comm, {"model": model, "optimizer": adam()})


def test_examples_that_make_no_whole_batch_of_these_ranks(comm):
    sampler = D.DistributedSampler(100, comm, 3, seed=0)
    read = 3 * comm.size + 1
    with pytest.raises(ValueError, match=f"{read} examples were read in this epoch, no multiple of"):
        sampler.go_on({"seed": 0, "epoch": 1, "read": read})
    assert sampler.go_on({"seed": 4, "epoch": 2, "read": 6 * comm.size}) == 2
    assert (sampler.seed, sampler.epoch) == (4, 2)
