"""Collectives in the graph: values, gradients and second gradients as if one process computed everything."""

from __future__ import annotations

import numpy as np
import pytest
from ranks_training import assert_in_step, assert_same, train

import tensorgrad as tg
from tensorgrad import Variable, optimizers
from tensorgrad import distributed as D
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.communicator import LocalCommunicator
from tensorgrad.testing.arrays import to_numpy

# name -> (what a rank computes, what becomes of the list of all x, shape of x)
CASES = {
    "allreduce": (F.allreduce, lambda xs: [sum(xs[1:], xs[0])] * len(xs), lambda n: (2, 3)),
    "allgather": (F.allgather, lambda xs: [F.concat(xs, axis=0)] * len(xs), lambda n: (2, 3)),
    "allgather, axis 1": (
        lambda x, comm: F.allgather(x, comm, axis=-1),
        lambda xs: [F.concat(xs, axis=1)] * len(xs),
        lambda n: (2, 3),
    ),
    "reduce_scatter": (
        lambda x, comm: F.reduce_scatter(x, comm, axis=1),
        lambda xs: [sum(xs[1:], xs[0])[:, 2 * r : 2 * r + 2] for r in range(len(xs))],
        lambda n: (3, 2 * n),
    ),
    "alltoall": (
        F.alltoall,
        lambda xs: [F.stack([x[r] for x in xs]) for r in range(len(xs))],
        lambda n: (n, 2),
    ),
    "bcast": (
        lambda x, comm: F.bcast(x, comm, root=comm.size - 1),
        lambda xs: [xs[-1]] * len(xs),
        lambda n: (2, 2),
    ),
    "scalars": (F.allreduce, lambda xs: [sum(xs[1:], xs[0])] * len(xs), lambda n: ()),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_of_two_orders(comm, backend, on_rank, name):
    function, reference, shape_for = CASES[name]
    n, r, shape = comm.size, comm.rank, shape_for(comm.size)

    def loss(y, rank):
        return F.sum(F.sin(y) * y) * float(rank + 1)

    xs = [Variable(on_rank(i, shape)) for i in range(n)]
    vs = [on_rank(i + 50, shape) for i in range(n)]
    ys = reference([F.exp(x) for x in xs])
    total = sum((loss(y, i) for i, y in enumerate(ys)), Variable(np.array(0.0)))
    gs = tg.gradients(total, xs, create_graph=True)
    second = sum((F.sum(g * v) for g, v in zip(gs, vs, strict=True)), Variable(np.array(0.0)))
    second.backward()

    x = Variable(backend.from_numpy(on_rank(r, shape)))
    y = function(F.exp(x), comm)
    np.testing.assert_allclose(to_numpy(y.data), ys[r].data, rtol=1e-12)
    (g,) = tg.gradients(loss(y, r), [x], create_graph=True)
    np.testing.assert_allclose(to_numpy(g.data), gs[r].data, rtol=1e-10, atol=1e-12)
    F.sum(g * backend.from_numpy(vs[r])).backward()
    want = np.zeros(shape) if xs[r].grad is None else xs[r].grad.data
    np.testing.assert_allclose(to_numpy(x.grad.data), want, rtol=1e-10, atol=1e-12)


def test_between_replicated_values_each_rank_computes_a_part(comm, on_rank):
    """The two of tensor parallelism: with a loss that all ranks compute alike, of two orders."""
    n, r = comm.size, comm.rank
    x = Variable(on_rank(99))
    y = F.allreduce(F.sin(F.replicate(x, comm) * float(r + 1)), comm, replicated=True)
    z = F.allgather(F.replicate(x, comm) * float(r), comm, replicated=True)
    (g,) = tg.gradients(F.sum(y * y) + F.sum(z * z), [x], create_graph=True)
    F.sum(g * g).backward()

    u = Variable(on_rank(99))
    y = sum((F.sin(u * float(i + 1)) for i in range(1, n)), F.sin(u))
    z = F.concat([u * float(i) for i in range(n)])
    (h,) = tg.gradients(F.sum(y * y) + F.sum(z * z), [u], create_graph=True)
    F.sum(h * h).backward()
    np.testing.assert_allclose(g.data, h.data, rtol=1e-12)
    np.testing.assert_allclose(x.grad.data, u.grad.data, rtol=1e-12)


def test_gradients_go_back_to_the_rank_that_sent(several, backend):
    """``x**6`` with the square on rank 0 and the cube on rank 1; other ranks look on."""
    value = np.array([1.0, 2.0])
    if several.rank == 0:
        x = Variable(backend.from_numpy(value))
        sent = F.send(x * x, several, dest=1)
        assert sent.shape == ()
        sent.backward(create_graph=True)
        gx = x.grad
        np.testing.assert_allclose(to_numpy(gx.data), 6 * value**5)
        x.cleargrad()
        F.sum(gx).backward()  # answers what rank 1 has sent,
        sent.backward()  # which then sends what it has made of it
        np.testing.assert_allclose(to_numpy(x.grad.data), 30 * value**4)
    elif several.rank == 1:
        before = Variable(backend.from_numpy(np.array(0.0)))
        y = F.recv(several, source=0, after=before)
        assert type(y.data) is type(before.data)
        F.sum(y * y * y).backward(create_graph=True)
        before.grad.backward()


def test_a_pipeline_of_two_stages_trains(several):
    """With tags, and with what was sent before."""
    if several.rank > 1:
        return
    w = tg.Parameter(np.array([0.5, -0.5]))
    optimizer = optimizers.SGD(0.1).setup([w])
    for _ in range(3):
        w.cleargrad()
        if several.rank == 0:
            F.send(w * 2.0, several, 1, tag=3).backward()
        else:
            y = F.recv(several, 0, tag=3)
            F.sum((y * w) ** 2).backward()
        optimizer.update()
    a, b = np.array([0.5, -0.5]), np.array([0.5, -0.5])
    for _ in range(3):
        a, b = a - 0.1 * 8 * a * b**2, b - 0.1 * 8 * a**2 * b
    np.testing.assert_allclose(w.data, a if several.rank == 0 else b)


def test_what_has_no_such_axis(comm):
    with pytest.raises(ValueError, match=r"allgather: expected an x that has axis 1; got shape \(2,\)"):
        F.allgather(np.ones(2), comm, axis=1)
    with pytest.raises(TypeError, match="allreduce: expected an array of a registered library"):
        F.allreduce([1.0], comm)
    if comm.size > 1:
        with pytest.raises(ValueError, match=f"expected a multiple of {comm.size}, the number of ranks"):
            F.reduce_scatter(np.ones(comm.size + 1), comm)


# -- tensor-parallel layers --------------------------------------------------------------------------


def perceptron(comm, gather):
    tg.seed(5)
    first = D.ColumnParallelLinear(8, comm, gather, dtype=np.float64)
    second = L.Linear(3, dtype=np.float64) if gather else D.RowParallelLinear(3, comm, dtype=np.float64)
    return tg.models.Sequential(first, F.tanh, second)


@pytest.mark.parametrize("gather", [False, True])
def test_linear_layers_that_are_spread_over_ranks(comm, gather):
    """They train as one that is whole: values, weights after three steps, gradients of the input."""
    x = np.random.RandomState(0).normal(size=(4, 5))
    results = []
    for ranks in (comm, LocalCommunicator()):
        model = perceptron(ranks, gather)
        v = Variable(x)
        model(v)
        optimizer = optimizers.MomentumSGD(0.1).setup(model)
        for _ in range(3):
            model.cleargrads()
            v.cleargrad()
            y = model(v)
            F.sum(y * y).backward()
            optimizer.update()
        results.append((model, y, v.grad))
    (spread, y, gx), (whole, y_whole, gx_whole) = results
    np.testing.assert_allclose(y.data, y_whole.data, rtol=1e-12)
    np.testing.assert_allclose(gx.data, gx_whole.data, rtol=1e-10, atol=1e-12)
    columns = np.concatenate(list(comm.allgather(spread.l0.W.data)), axis=1)
    np.testing.assert_allclose(columns, whole.l0.W.data, rtol=1e-10)
    biases = comm.allgather(spread.l0.b.data).reshape(-1)
    np.testing.assert_allclose(biases, whole.l0.b.data, rtol=1e-10, atol=1e-12)
    rows = spread.l2.W.data if gather else comm.allgather(spread.l2.W.data).reshape(8, 3)
    np.testing.assert_allclose(rows, whole.l2.W.data, rtol=1e-10)
    np.testing.assert_allclose(spread.l2.b.data, whole.l2.b.data, rtol=1e-10, atol=1e-12)


def test_sizes_that_ranks_do_not_divide(several):
    n = several.size
    with pytest.raises(ValueError, match=f"ColumnParallelLinear: expected out_size to be a multiple of {n}"):
        D.ColumnParallelLinear(n + 1, several)
    with pytest.raises(ValueError, match=f"RowParallelLinear: expected in_size to be a multiple of {n}"):
        D.RowParallelLinear(3, several, in_size=n + 1)


# -- batch normalisation -----------------------------------------------------------------------------


class Normalized(tg.Model):
    """A layer, its normalisation, a layer."""

    def __init__(self, seed, norm):
        super().__init__()
        tg.seed(seed)
        self.first = L.Linear(6, in_size=5, dtype=np.float64)
        self.norm = norm
        self.second = L.Linear(3, in_size=6, dtype=np.float64)

    def forward(self, x):
        return self.second(F.tanh(self.norm(self.first(x))))


@pytest.mark.parametrize("rule", ["SGD", "MomentumSGD", "Adam"])
def test_n_ranks_train_as_one_with_batch_normalisation(comm, rule):
    """Uneven last batches too; the running statistics end alike."""

    def make_rule():
        return getattr(optimizers, rule)(0.1)

    model, _ = train(comm, make_rule, make_model=lambda seed: Normalized(seed, D.SyncBatchNorm(comm)))
    assert_in_step(model, comm)
    reference, _ = train(
        LocalCommunicator(), make_rule, make_model=lambda seed: Normalized(seed, L.BatchNorm())
    )
    assert_same(model, reference)


def test_images_and_gradients_of_the_input(comm, backend, on_rank):
    """Of two orders, with batches of different lengths."""
    counts = [2, 1, 3, 1][: comm.size]
    whole = np.concatenate([on_rank(i, (c, 2, 2, 2)) for i, c in enumerate(counts)])
    start = sum(counts[: comm.rank])
    mine = slice(start, start + counts[comm.rank])
    weights = np.random.RandomState(2).normal(size=whole.shape)
    found = []
    for norm, x, w in (
        (D.SyncBatchNorm(comm), backend.from_numpy(whole[mine]), backend.from_numpy(weights[mine])),
        (L.BatchNorm(), whole, weights),
    ):
        v = Variable(x)
        y = norm(v)
        (g,) = tg.gradients(F.sum(y * y * w), [v], create_graph=True)
        F.sum(g * w).backward()
        found.append(
            [to_numpy(a) for a in (y.data, g.data, v.grad.data, norm.avg_mean.data, norm.avg_var.data)]
        )
    (y, g, gg, mean, var), (y_all, g_all, gg_all, mean_all, var_all) = found
    np.testing.assert_allclose(y, y_all[mine], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(g, g_all[mine], rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(gg, gg_all[mine], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mean, mean_all, rtol=1e-12)
    np.testing.assert_allclose(var, var_all, rtol=1e-12)


def test_float16_and_test_mode(comm):
    norm = D.SyncBatchNorm(comm)
    x = np.random.RandomState(comm.rank).normal(size=(8, 3)).astype(np.float16)
    assert norm(x).dtype == np.float16
    with tg.test_mode():
        if comm.is_main:  # no message is needed: other ranks need not come
            assert norm(x).shape == (8, 3)
    with pytest.raises(ValueError, match=r"SyncBatchNorm: expected x of shape \(N, C, ...\); got \(3,\)"):
        norm(np.ones(3))


def test_norms_in_a_model_are_synchronised(comm):
    norm = L.BatchNorm(decay=0.8)
    model = tg.models.Sequential(L.Linear(3), norm, L.LayerList([norm]))
    assert D.synchronize_batch_norm(model, comm) is model
    assert type(model.l1) is D.SyncBatchNorm
    assert model.l2[0] is model.l1
    assert model.l1.gamma is norm.gamma
    assert model.l1.decay == 0.8
    assert type(D.synchronize_batch_norm(norm, comm)) is D.SyncBatchNorm
