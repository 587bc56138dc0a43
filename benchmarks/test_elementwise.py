"""A formula like gelu on a million numbers, element by element, with its gradient."""

from __future__ import annotations

import tensorgrad as tg
import tensorgrad.functions as F
from tensorgrad.bench.formula import X, by_hand, contenders, summary


def test_gelu_by_its_formula(contest):
    contest("gelu-like elementwise on 1000 x 1000, with gradient", contenders(), aim=2.0, steps=1, atol=1e-5)


def test_gelu_as_one_op(contest):
    def one_op():
        def step():
            x = tg.Variable(X)
            y = F.gelu(x, approximate="tanh")
            y.backward()
            return summary(y.data, x.grad.data)

        return step

    contest(
        "F.gelu on 1000 x 1000, with gradient",
        {"tensorgrad": one_op, "NumPy by hand": by_hand},
        steps=1,
        atol=1e-5,
    )
