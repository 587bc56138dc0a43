"""How costs grow: a backward with nodes, width, depth and batch; the memory of an RNN with its truncation."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from time import process_time

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.functions as F

DATA = np.linspace(0.1, 1.0, 10, dtype=np.float32)


def chain(nodes: int) -> tuple[tg.Variable, tg.Variable]:
    """One after the other."""
    y = x = tg.Variable(DATA)
    for _ in range(nodes):
        y = y + 1.0
    return x, y


def fan(nodes: int) -> tuple[tg.Variable, tg.Variable]:
    """Side by side: all from one input, added up in pairs."""
    x = tg.Variable(DATA)
    row = [x * 0.5 for _ in range(nodes // 2)]
    while len(row) > 1:
        row = [a + b for a, b in zip(row[::2], row[1::2], strict=False)] + row[len(row) & ~1 :]
    return x, row[0]


def ladder(nodes: int) -> tuple[tg.Variable, tg.Variable]:
    """Each from the two before it: the number of paths grows like that of Fibonacci."""
    x = a = b = tg.Variable(DATA)
    for _ in range(nodes // 2):
        a, b = b, a * 0.5 + b * 0.1
    return x, b


@pytest.mark.parametrize("shape", [chain, fan, ladder])
def test_backward_is_linear_in_nodes(benchmark, report, short, shape: Callable[[int], tuple]):
    costs = []
    for nodes in (100, 1_000, 10_000) if short else (100, 1_000, 10_000, 100_000, 1_000_000):
        times = []
        for _ in range(max(1, min(5, 20_000 // nodes))):
            x, y = shape(nodes)
            start = process_time()
            y.backward()
            times.append(process_time() - start)
            assert x.grad is not None
            del x, y
        costs.append((nodes, 1e6 * min(times) / nodes))
    report(f"backward of a {shape.__name__}, us per node: " + ", ".join(f"{n:,}: {c:.2f}" for n, c in costs))
    benchmark.pedantic(lambda x, y: y.backward(), setup=lambda: (shape(1000), {}), rounds=3)


def test_batch(benchmark, report, short):
    """A step of an MLP 256-256-256-10: what the graph costs is paid once for a batch."""
    sizes = (256, 256, 256, 10)
    model = tg.models.MLP(sizes[1:], activation=F.relu)
    optimizer = tg.optimizers.SGD(0.1).setup(model)
    rng = np.random.default_rng(0)
    costs = []

    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()

    for n in (1, 16, 256) if short else (1, 4, 16, 64, 256, 1024, 4096):
        x, t = rng.standard_normal((n, sizes[0])).astype(np.float32), rng.integers(0, 10, n)
        step(x, t)
        times = []
        for _ in range(3 if short else 15):
            start = process_time()
            step(x, t)
            times.append(process_time() - start)
        costs.append((n, 1e6 * min(times) / n))
    report("a step of an MLP, us per example: " + ", ".join(f"batch {n}: {c:.1f}" for n, c in costs))
    benchmark.pedantic(step, args=(x, t), rounds=3)


def test_memory_of_an_rnn_with_its_truncation(benchmark, report, short):
    """The peak of 400 steps, cut off from their past every so many steps: that many states are kept."""
    N, H = 64, 128
    rng = np.random.default_rng(0)
    xs = rng.standard_normal((50 if short else 400, N, H)).astype(np.float32)
    rnn, out = tg.layers.RNN(H), tg.layers.Linear(1)

    def run(truncation):
        rnn.reset_state()
        loss = 0.0
        for i, x in enumerate(xs, 1):
            loss = loss + F.mean(out(rnn(x)) ** 2)
            if i % truncation == 0:
                rnn.cleargrads()
                loss.backward()
                loss.unchain_backward()

    run(10)
    state = 4 * N * H
    found = []
    for truncation in (5, 25) if short else (10, 50, 100, 200, 400):
        tracemalloc.start()
        run(truncation)
        found.append((truncation, tracemalloc.get_traced_memory()[1] / state))
        tracemalloc.stop()
    shown = ", ".join(f"{n}: {peak:.0f}" for n, peak in found)
    report(f"peak of an RNN by its truncation, in arrays of one state: {shown}")
    benchmark.pedantic(run, args=(10,), rounds=1)
