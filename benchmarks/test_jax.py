"""A training step of tensorgrad on JAX, captured, beside the same model in plain JAX under ``jax.jit``.

Both are programs of XLA: what differs is what tensorgrad lets XLA see, and what it does around the program.
"""

from __future__ import annotations

import pytest

import tensorgrad as tg
import tensorgrad.functions as F
from tensorgrad.backend import get_backend
from tensorgrad.bench import mlp
from tensorgrad.bench.rivals import jax

AIM = 1.2

pytestmark = pytest.mark.skipif(jax is None, reason="JAX is not installed")


def captured(case, steps, adam=False):
    """The step; `steps` gets what was captured."""
    backend = get_backend("jax")
    model = mlp.Net(case).to("jax")
    optimizer = (tg.optimizers.Adam() if adam else tg.optimizers.SGD(mlp.LR)).setup(model)

    def train(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss

    train = tg.tools.capture(train, model, optimizer)
    steps.append(train)
    x, t = backend.from_numpy(case.x), backend.from_numpy(case.t)
    return lambda: float(train(x, t).data)


@pytest.mark.parametrize("adam", [False, True])
def test_a_captured_step(contest, report, adam):
    sizes, batch = (mlp.LARGE, 256) if adam else (mlp.SMALL, 32)
    case, steps = mlp.Case(sizes, batch), []
    makers = {
        "tensorgrad": lambda: captured(case, steps, adam),
        "NumPy by hand": lambda: mlp.by_hand(case, adam),
        "JAX jit": lambda: mlp.in_jax(case, adam),
    }
    workload = f"MLP {'-'.join(map(str, sizes))}, batch {batch}, {'Adam' if adam else 'SGD'}, captured on JAX"
    row = contest(workload, makers, per_round=1 if adam else 10)
    assert {step.why_not for step in steps} == {None}
    ratio = row.ratios["tensorgrad"] / row.ratios["JAX jit"]
    report(f"{workload}: {ratio:.2f} of plain JAX's time, at most {AIM} is aimed at")
