"""A training step of a small perceptron with SGD, and of a large one with Adam."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

import tensorgrad as tg
import tensorgrad.functions as F
from tensorgrad.bench.contests import BY_HAND, OURS
from tensorgrad.bench.rivals import FlatAdam, adam_in_jax, autograd, jax, jax_step, mygrad, torch

LR = 0.1
SMALL, LARGE = (784, 100, 10), (784, 1024, 1024, 10)


class Case:
    """The data and the first weights that every contender starts from."""

    def __init__(self, sizes: Any, batch: Any) -> None:
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((batch, sizes[0])).astype(np.float32)
        self.t = rng.integers(0, sizes[-1], batch)
        self.layers = [
            ((rng.standard_normal((m, n)) / np.sqrt(m)).astype(np.float32), np.zeros(n, np.float32))
            for m, n in pairwise(sizes)
        ]

    def copies(self) -> Any:
        """The first weights, each contender's own."""
        return [p.copy() for pair in self.layers for p in pair]


def pairs(params: Any) -> Any:
    """Weights and biases, layer by layer."""
    return list(zip(params[::2], params[1::2], strict=True))


def by_hand(case: Any, adam: Any = False) -> Any:
    """ReLU and softmax cross entropy in NumPy: fused formulas, kept buffers, in place where possible."""
    optimizer = FlatAdam(case.copies()) if adam else None
    params = case.copies() if optimizer is None else optimizer.weights
    grads = [np.empty_like(p) for p in params] if optimizer is None else optimizer.grads
    layers, into = pairs(params), pairs(grads)
    n = len(case.t)
    rows = np.arange(n)
    outs = [np.empty((n, W.shape[1]), np.float32) for W, _ in layers]
    backs = [np.empty((n, W.shape[0]), np.float32) for W, _ in layers]

    def step() -> Any:
        h = case.x
        inputs = []
        for i, (W, b) in enumerate(layers):
            inputs.append(h)
            h = np.matmul(h, W, out=outs[i])
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
        h /= n
        g = h
        for i in reversed(range(len(layers))):
            W, _ = layers[i]
            a = inputs[i]
            gW, gb = into[i]
            np.matmul(a.T, g, out=gW)
            np.add.reduce(g, axis=0, out=gb)
            if i:
                g = np.matmul(g, W.T, out=backs[i])
                g *= a > 0
        if optimizer is not None:
            optimizer.update()
        else:
            for p, gp in zip(params, grads, strict=True):
                gp *= LR
                p -= gp
        return float(loss)

    return step


class Net(tg.Model):
    """The layers of a case, on their own copies of its weights."""

    def __init__(self, case: Any) -> None:
        super().__init__()
        self.layers = [(tg.Parameter(W), tg.Parameter(b)) for W, b in pairs(case.copies())]
        for i, (W, b) in enumerate(self.layers):
            setattr(self, f"W{i}", W)
            setattr(self, f"b{i}", b)

    def forward(self, x: Any) -> Any:
        *hidden, (W, b) = self.layers
        for V, c in hidden:
            x = F.relu(F.linear(x, V, c))
        return F.linear(x, W, b)


def ours(case: Any, adam: Any = False) -> Any:
    """With tensorgrad's layers of functions."""
    model = Net(case)
    optimizer = (tg.optimizers.Adam() if adam else tg.optimizers.SGD(LR)).setup(model)

    def step() -> Any:
        loss = F.softmax_cross_entropy(model(case.x), case.t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return float(loss.data)

    return step


def in_torch(case: Any, adam: Any = False) -> Any:
    """In PyTorch."""
    params = [torch.from_numpy(p).requires_grad_() for p in case.copies()]
    optimizer = torch.optim.Adam(params) if adam else torch.optim.SGD(params, LR)
    x, t = torch.from_numpy(case.x), torch.from_numpy(case.t)
    *hidden, (W, b) = pairs(params)

    def step() -> Any:
        h = x
        for V, c in hidden:
            h = torch.relu(torch.addmm(c, h, V))
        loss = torch.nn.functional.cross_entropy(torch.addmm(b, h, W), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def loss_of(xp: Any, case: Any, x: Any) -> Any:
    """The loss as a function of the parameters, in a namespace like NumPy's."""
    rows = np.arange(len(case.t))

    def loss(params: Any) -> Any:
        *hidden, (W, b) = pairs(params)
        h = x
        for V, c in hidden:
            h = xp.maximum(h @ V + c, 0)
        h = h @ W + b
        h = h - xp.max(h, axis=1, keepdims=True)
        return xp.mean(xp.log(xp.sum(xp.exp(h), axis=1)) - h[rows, case.t])

    return loss


def in_jax(case: Any, adam: Any = False) -> Any:
    """In JAX, compiled."""
    loss = loss_of(jax.numpy, case, jax.numpy.asarray(case.x))
    return jax_step(loss, case.copies(), adam=adam_in_jax() if adam else None, lr=LR)


def updater(case: Any, adam: Any) -> Any:
    """The parameters, and a function that changes them by their gradients."""
    if adam:
        optimizer = FlatAdam(case.copies())

        def update(grads: Any) -> Any:
            for into, g in zip(optimizer.grads, grads, strict=True):
                into[...] = g
            optimizer.update()

        return optimizer.weights, update
    params = case.copies()

    def descend(grads: Any) -> Any:
        for p, g in zip(params, grads, strict=True):
            p -= LR * g

    return params, descend


def in_autograd(case: Any, adam: Any = False) -> Any:
    """In HIPS autograd."""
    from autograd import numpy as xp  # noqa: PLC0415
    from autograd import value_and_grad  # noqa: PLC0415

    both = value_and_grad(loss_of(xp, case, case.x))
    params, update = updater(case, adam)

    def step() -> Any:
        value, grads = both(params)
        update(grads)
        return float(value)

    return step


def in_mygrad(case: Any, adam: Any = False) -> Any:
    """In MyGrad."""
    from mygrad.nnet import softmax_crossentropy  # noqa: PLC0415

    params, update = updater(case, adam)

    def step() -> Any:
        tensors = [mygrad.tensor(p, copy=False) for p in params]
        *hidden, (W, b) = pairs(tensors)
        h = case.x
        for V, c in hidden:
            h = mygrad.maximum(mygrad.matmul(h, V) + c, 0)
        loss = softmax_crossentropy(mygrad.matmul(h, W) + b, case.t)
        loss.backward()
        update([t.grad for t in tensors])
        return float(loss.data)

    return step


def training(case: Any, **how: Any) -> Any:
    """The contenders for a training step; None where a library is not installed."""
    return {
        OURS: lambda: ours(case, **how),
        BY_HAND: lambda: by_hand(case, **how),
        "torch": torch and (lambda: in_torch(case, **how)),
        "JAX jit": jax and (lambda: in_jax(case, **how)),
        "autograd": autograd and (lambda: in_autograd(case, **how)),
        "MyGrad": mygrad and (lambda: in_mygrad(case, **how)),
    }
