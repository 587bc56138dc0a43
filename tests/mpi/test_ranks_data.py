"""What ranks read: every example once in an epoch, in the batches that one rank would have."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import distributed as D
from tensorgrad import functions as F


def epochs(comm, n, count=2, **options):
    """For each epoch, for each batch, what each rank got."""
    loader = tg.DataLoader([(i, -i) for i in range(n)], comm=comm, **options)
    made = []
    for _ in range(count):
        mine = []
        for x, t in loader:
            np.testing.assert_array_equal(x, -t)
            mine.append(x.tolist())
        made.append(list(zip(*comm.allgather_object(mine), strict=True)))
    return made


def test_each_example_comes_once_in_an_epoch(comm):
    for n in (1, 7, 24, 25):
        first, second = epochs(comm, n, batch_size=2, seed=3)
        for epoch in (first, second):
            assert sorted(i for batch in epoch for part in batch for i in part) == list(range(n))
            sizes = [[len(part) for part in batch] for batch in epoch]
            assert all(s == [2] * comm.size for s in sizes[:-1])
            assert max(sizes[-1]) - min(sizes[-1]) <= 1
        if n == 24:
            assert first != second
            assert epochs(comm, n, batch_size=2, seed=3) == [first, second]
            assert epochs(comm, n, batch_size=2, seed=4)[0] != first


def test_the_batches_are_those_of_one_rank(comm):
    """With the batches of all ranks together."""
    alone = tg.DataLoader([(i, i) for i in range(29)], comm.size * 2, comm=D.LocalCommunicator(), seed=5)
    want = [x.tolist() for x, _ in alone]
    (got,) = epochs(comm, 29, count=1, batch_size=2, seed=5)
    assert [[i for part in batch for i in part] for batch in got] == want


def test_without_a_seed_the_ranks_agree_too(comm):
    np.random.seed(comm.rank)  # noqa: NPY002  # what seeds are drawn from
    (got,) = epochs(comm, 20, count=1, batch_size=2)
    assert sorted(i for batch in got for part in batch for i in part) == list(range(20))


def test_threads_and_drop_last(comm):
    (got,) = epochs(comm, 8 * comm.size + 1, count=1, batch_size=4, drop_last=True, workers=1, shuffle=False)
    assert [i for batch in got for part in batch for i in part] == list(range(8 * comm.size))


def test_a_rank_with_nothing_left_gets_an_empty_batch(comm):
    data = [(np.ones((2, 3), np.float32), i) for i in range(comm.size + 1)]
    *_, (x, t) = tg.DataLoader(data, 1, comm=comm)
    assert x.shape[1:] == (2, 3)
    assert x.dtype == np.float32
    assert len(x) == len(t) == (1 if comm.rank == comm.size - 1 else 0)


def test_the_stretches_of_a_sequence_are_shared_out(comm):
    data = [(i, i + 1) for i in range(26)]
    alone = [x.tolist() for x, _ in tg.SeqDataLoader(data, 2 * comm.size)]
    loader = tg.SeqDataLoader(data, 2, comm=comm)
    parts = comm.allgather_object([x.tolist() for x, _ in loader])
    assert [[i for part in batch for i in part] for batch in zip(*parts, strict=True)] == alone


def test_a_sampler_of_its_own(comm):
    sampler = D.DistributedSampler(range(10), comm, 2, seed=1)
    first = [part.tolist() for part in sampler]
    assert len(first) == len(sampler) == -(-10 // (2 * comm.size))
    assert sampler.epoch == 1
    sampler.set_epoch(0)
    assert [part.tolist() for part in sampler] == first
    with pytest.raises(ValueError, match="DistributedSampler: expected batch_size >= 1; got 0"):
        D.DistributedSampler(10, comm, 0)


def test_metrics_are_weighed(comm):
    n = comm.size
    got = D.average_metrics({"loss": float(comm.rank), "one": Variable(np.array(1.0))}, comm, comm.rank + 1)
    want = sum(r * (r + 1) for r in range(n)) / sum(r + 1 for r in range(n))
    assert got == pytest.approx({"loss": want, "one": 1.0}, rel=1e-14)
    nothing = {"loss": np.nan if comm.rank else 2.0}
    assert D.average_metrics(nothing, comm, 0 if comm.rank else 3) == {"loss": 2.0}
    assert np.isnan(D.average_metrics({"loss": 1.0}, comm, 0)["loss"])


def test_metrics_of_different_names(several):
    with pytest.raises(ValueError, match=r"got \['r0'\] on rank 0 and \['r1'\] on rank 1"):
        D.average_metrics({f"r{several.rank}": 1.0}, several)


def test_the_mean_loss_is_that_of_all_examples(comm):
    counts = [1, 0, 2, 3][: comm.size]
    w = Variable(np.array(2.0))
    mine = Variable(np.arange(counts[comm.rank]) + 1.0, requires_grad=False)
    loss = D.mean_loss(F.sum(w * mine), counts[comm.rank], comm)
    loss.backward()
    every = [i + 1.0 for c in counts for i in range(c)]
    assert comm.allreduce(loss.data, "mean") == pytest.approx(2 * np.mean(every))
    assert comm.allreduce(w.grad.data, "mean") == pytest.approx(np.mean(every))
    with pytest.raises(ValueError, match="expected an example on one rank at least; got none"):
        D.mean_loss(F.sum(w), 0, comm)
