"""A training step of small and large perceptrons, beside the same step by hand in NumPy and in torch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.functions as F

try:
    import torch
except ImportError:  # then the race is without it
    torch = None

LR = 0.1


class Case:
    """The data and the first weights that every contender starts from."""

    def __init__(self, sizes: tuple[int, ...], batch: int) -> None:
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((batch, sizes[0])).astype(np.float32)
        self.t = rng.integers(0, sizes[-1], batch)
        self.layers = [
            (
                (rng.standard_normal((m, n)) / np.sqrt(m)).astype(np.float32),
                np.zeros(n, np.float32),
            )
            for m, n in pairwise(sizes)
        ]

    def copies(self):
        return [(W.copy(), b.copy()) for W, b in self.layers]


def by_hand(case: Case):
    """SGD with ReLU and softmax cross entropy in NumPy: fused formulas, in place where a value is dead."""
    layers = case.copies()
    rows = np.arange(len(case.t))

    def step():
        h = case.x
        inputs = []
        for i, (W, b) in enumerate(layers):
            inputs.append(h)
            h = h @ W
            h += b
            if i < len(layers) - 1:
                np.maximum(h, 0, out=h)
        h -= h.max(axis=1, keepdims=True)
        logp = h[rows, case.t]
        np.exp(h, out=h)
        z = h.sum(axis=1, keepdims=True)
        loss = (np.log(z[:, 0]) - logp).mean()
        h /= z
        h[rows, case.t] -= 1
        h /= len(rows)
        g = h
        for i in reversed(range(len(layers))):
            W, b = layers[i]
            a = inputs[i]
            gW = a.T @ g
            gb = g.sum(axis=0)
            if i:
                g = g @ W.T
                g *= a > 0
            gW *= LR
            W -= gW
            b -= LR * gb
        return float(loss)

    return step


def in_tensorgrad(case: Case):
    layers = [(tg.Parameter(W), tg.Parameter(b)) for W, b in case.copies()]

    class Net(tg.Model):
        def __init__(self) -> None:
            super().__init__()
            for i, (W, b) in enumerate(layers):
                setattr(self, f"W{i}", W)
                setattr(self, f"b{i}", b)

        def forward(self, x):
            for i, (W, b) in enumerate(layers):
                x = F.linear(x, W, b)
                if i < len(layers) - 1:
                    x = F.relu(x)
            return x

    model = Net()
    optimizer = tg.optimizers.SGD(LR).setup(model)

    def step():
        loss = F.softmax_cross_entropy(model(case.x), case.t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return float(loss.data)

    return step


def in_torch(case: Case):
    layers = [tuple(torch.from_numpy(p).requires_grad_() for p in pair) for pair in case.copies()]
    params = [p for pair in layers for p in pair]
    optimizer = torch.optim.SGD(params, LR)
    x, t = torch.from_numpy(case.x), torch.from_numpy(case.t)

    def step():
        h = x
        for i, (W, b) in enumerate(layers):
            h = torch.addmm(b, h, W)
            if i < len(layers) - 1:
                h = torch.relu(h)
        loss = torch.nn.functional.cross_entropy(h, t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


@pytest.mark.parametrize(
    ("sizes", "batch", "target"),
    [
        ((784, 100, 10), 32, "(aim: 1.5 x numpy by hand)"),
        ((784, 1024, 1024, 10), 256, ""),
    ],
    ids=["784-100-10 batch 32", "784-1024-1024-10 batch 256"],
)
def test_mlp_step(race, sizes, batch, target):
    case = Case(sizes, batch)
    contenders = {"tensorgrad": in_tensorgrad, "numpy by hand": by_hand}
    if torch is not None:
        contenders["torch"] = in_torch
    losses = {}
    for name, make in contenders.items():
        step = make(case)
        losses[name] = [step() for _ in range(10)]
    for name, values in losses.items():  # equal work: the same losses, step by step
        np.testing.assert_allclose(values, losses["numpy by hand"], rtol=1e-3, err_msg=name)
    assert losses["tensorgrad"][-1] < losses["tensorgrad"][0]
    rivals = {name: make(case) for name, make in contenders.items() if name != "tensorgrad"}
    race(in_tensorgrad(case), target=target, per_round=10 if batch == 32 else 1, **rivals)
