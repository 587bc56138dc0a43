"""What a step costs in counts, which no machine and no load changes: the guard against slow regressions.

The models are those of `benchmarks/`, small. Counted are Functions called, calls of NumPy's ufuncs
(operators, reductions and products included), and arrays that were made with memory of their own. A change
that raises a count has a reason, or is a mistake; one that lowers it is welcome. Either way the new number
belongs in COUNTS.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.functions as F
import tensorgrad.layers as L
from tensorgrad.core.function import Function

# Functions, ufunc calls, allocations
COUNTS = {
    "chain": (100, 275, 250),
    "mlp": (6, 44, 32),
    "mlp inference": (5, 8, 5),
    "adam": (6, 104, 50),
    "cnn": (9, 59, 38),
    "lstm": (10, 294, 32),
    "gpt": (46, 701, 265),
    "gelu": (9, 25, 22),
    "hessian-vector product": (22, 39, 35),
}

counted: Counter[str] = Counter()


class Counted(np.ndarray):
    """An array whose computations are counted, and whose results are such arrays again."""

    def __array_finalize__(self, source):
        counted["allocations"] += bool(self.flags.owndata)

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **kwargs):
        counted["ufuncs"] += 1
        plain = [x.view(np.ndarray) if isinstance(x, Counted) else x for x in inputs]
        if out:
            kwargs["out"] = tuple(x.view(np.ndarray) if isinstance(x, Counted) else x for x in out)
        got = getattr(ufunc, method)(*plain, **kwargs)
        if out:
            return out[0]
        counted["allocations"] += isinstance(got, np.ndarray)
        return got.view(Counted) if isinstance(got, np.ndarray) else got


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32).view(Counted)


def training(model, loss_of, optimizer):
    """A step; `loss_of` was called once, so that layers have their weights."""
    loss_of()
    for p in model.params():
        p.data = p.data.view(Counted)
    optimizer.setup(model)

    def step():
        loss = loss_of()
        model.cleargrads()
        loss.backward()
        optimizer.update()

    step()  # the optimizer makes its state
    return step


def chain():
    start = numbers(10)

    def step():
        y = x = tg.Variable(start)
        for _ in range(25):
            y = F.tanh(y * 1.01 + 0.1) * x
        y.backward()

    return step


def mlp(optimizer=None):
    model = tg.models.MLP((16, 16, 4), activation=F.relu)
    x, t = numbers(8, 12), np.arange(8) % 4
    return training(model, lambda: F.softmax_cross_entropy(model(x), t), optimizer or tg.optimizers.SGD(0.1))


def adam():
    return mlp(tg.optimizers.Adam())


def mlp_inference():
    model, x = tg.models.MLP((16, 16, 4), activation=F.relu), numbers(8, 12)
    model(x)
    for p in model.params():
        p.data = p.data.view(Counted)

    def step():
        with tg.no_grad():
            model(x)

    return step


def cnn():
    class Net(tg.Model):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = L.Conv2d(4, 3, pad=1), L.Conv2d(8, 3, pad=1)
            self.fc = L.Linear(4)

        def forward(self, x):
            x = F.pooling(F.relu(self.conv1(x)), 2, 2)
            x = F.pooling(F.relu(self.conv2(x)), 2, 2)
            return self.fc(F.flatten(x))

    model, x, t = Net(), numbers(4, 1, 8, 8), np.arange(4)
    return training(model, lambda: F.softmax_cross_entropy(model(x), t), tg.optimizers.SGD(0.1))


def lstm():
    class Net(tg.Model):
        def __init__(self):
            super().__init__()
            self.lstm, self.out = L.NStepLSTM(8), L.Linear(2)

        def forward(self, x):
            return self.out(self.lstm(x)[0])

    model, x = Net(), numbers(10, 4, 6)
    return training(model, lambda: F.sum(model(x) ** 2), tg.optimizers.Adam())


def gpt():
    class Net(tg.Model):
        def __init__(self):
            super().__init__()
            self.characters, self.places = L.EmbedID(7, 16), tg.Parameter(numbers(5, 16))
            self.block1, self.block2 = L.TransformerEncoderBlock(16, 2), L.TransformerEncoderBlock(16, 2)
            self.norm, self.head = L.LayerNorm(), L.Linear(7)

        def forward(self, ids):
            x = self.characters(ids) + self.places
            x = self.block2(self.block1(x, causal=True), causal=True)
            return F.reshape(self.head(self.norm(x)), (-1, 7))

    model, ids = Net(), np.arange(15).reshape(3, 5) % 7
    t = ids.reshape(-1)
    return training(model, lambda: F.softmax_cross_entropy(model(ids), t), tg.optimizers.AdamW())


def gelu():
    start = numbers(4, 5)

    def step():
        x = tg.Variable(start)
        y = 0.5 * x * (1 + F.tanh(0.8 * (x + 0.044715 * x * x * x)))
        y.backward()

    return step


def hessian_vector_product():
    start, v = numbers(10), numbers(10)

    def step():
        x = tg.Variable(start)
        (100 * (x * 0.5 - x**2) ** 2 + (1 - x) ** 2).sum().backward(create_graph=True)
        gx = x.grad
        x.cleargrad()
        gx.backward(grad=v)

    return step


STEPS = {
    "chain": chain,
    "mlp": mlp,
    "mlp inference": mlp_inference,
    "adam": adam,
    "cnn": cnn,
    "lstm": lstm,
    "gpt": gpt,
    "gelu": gelu,
    "hessian-vector product": hessian_vector_product,
}


@pytest.mark.parametrize("name", STEPS)
def test_the_counts_of_a_step(name, monkeypatch):
    step = STEPS[name]()
    call = Function.__call__

    def counting(self, *inputs):
        counted["functions"] += 1
        return call(self, *inputs)

    monkeypatch.setattr(Function, "__call__", counting)
    counted.clear()
    step()
    found = (counted["functions"], counted["ufuncs"], counted["allocations"])
    assert found == COUNTS[name], (
        f"a step of {name!r} took (Functions, ufunc calls, allocations) = {found}; {COUNTS[name]} are known. "
        "If that is meant, and benchmarks/ shows no loss, put the new numbers into COUNTS."
    )
