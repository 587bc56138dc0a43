"""The peak of a training step against its floor: parameters, gradients, and what backward must keep."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.functions as F

WIDTH, BATCH = 256, 256


@pytest.mark.parametrize("depth", [10, 50])
def test_memory_peak_of_a_step(benchmark, depth, report):
    """A stack of (linear, tanh): what backward must keep is one activation per layer."""
    rng = np.random.default_rng(0)
    scale = np.float32(1 / np.sqrt(WIDTH))
    weights = [
        tg.Parameter(rng.standard_normal((WIDTH, WIDTH), dtype=np.float32) * scale) for _ in range(depth)
    ]
    x = rng.standard_normal((BATCH, WIDTH), dtype=np.float32)
    array = 4 * WIDTH * WIDTH
    floor = depth * array + depth * array + depth * 4 * BATCH * WIDTH
    last: list[tg.Variable] = []  # the loss of the step before stays alive, as in a training loop

    def step():
        h = x
        for W in weights:
            h = F.tanh(F.linear(h, W))
        loss = F.sum(h * h)
        for W in weights:
            W.cleargrad()
        loss.backward()
        for W in weights:
            W.data -= 1e-4 * W.grad.data
        last[:] = [loss]

    step()
    tracemalloc.start()
    for W in weights:
        W.data = W.data.copy()  # counted from here on
        W.cleargrad()
    step()
    tracemalloc.reset_peak()
    step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    benchmark.extra_info["peak / floor"] = round(peak / floor, 3)
    report(f"memory of a step, {depth} layers: peak {peak / floor:.3f} x the floor")
    benchmark.pedantic(step, rounds=3)
