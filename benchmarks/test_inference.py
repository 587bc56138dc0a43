"""Inference of the large perceptron."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
import tensorgrad.functions as F
from benchmarks.test_mlp import LARGE, Case
from tensorgrad.bench.rivals import autograd, jax, mygrad, torch

CASE = Case(LARGE, 256)


def formula(maximum, layers):
    """A function of x, with the operators and the maximum of a library."""
    *hidden, (W, b) = layers

    def forward(x):
        for V, c in hidden:
            x = maximum(x @ V + c, 0)
        return x @ W + b

    return forward


def by_hand():
    """Each layer in a buffer that is kept."""
    *hidden, (W, b) = CASE.layers
    buffers = [np.empty((len(CASE.x), n.shape[1]), np.float32) for n, _ in CASE.layers]

    def step():
        h = CASE.x
        for (V, c), y in zip(hidden, buffers, strict=False):
            h = np.matmul(h, V, out=y)
            h += c
            np.maximum(h, 0, out=h)
        h = np.matmul(h, W, out=buffers[-1])
        h += b
        return h

    return step


def ours():
    *hidden, last = [(tg.Parameter(V), tg.Parameter(c)) for V, c in CASE.layers]

    def step():
        with tg.no_grad():
            h = CASE.x
            for V, c in hidden:
                h = F.relu(F.linear(h, V, c))
            return F.linear(h, *last).data

    return step


def in_torch():
    *hidden, (W, b) = [(torch.from_numpy(V), torch.from_numpy(c)) for V, c in CASE.layers]
    x = torch.from_numpy(CASE.x)

    def step():
        with torch.no_grad():
            h = x
            for V, c in hidden:
                h = torch.relu(torch.addmm(c, h, V))
            return torch.addmm(b, h, W).numpy()

    return step


def in_jax():
    layers = [(jax.numpy.asarray(V), jax.numpy.asarray(c)) for V, c in CASE.layers]
    compiled = jax.jit(formula(jax.numpy.maximum, layers))
    x = jax.numpy.asarray(CASE.x)
    return lambda: np.asarray(compiled(x))


def in_autograd():
    from autograd import numpy as xp  # noqa: PLC0415

    forward = formula(xp.maximum, CASE.layers)
    return lambda: forward(CASE.x)


def in_mygrad():
    forward = formula(mygrad.maximum, [[mygrad.tensor(p, copy=False) for p in pair] for pair in CASE.layers])

    def step():
        with mygrad.no_autodiff:
            return forward(mygrad.tensor(CASE.x, copy=False)).data

    return step


def test_inference_of_the_large_mlp(contest):
    makers = {
        "tensorgrad": ours,
        "NumPy by hand": by_hand,
        "torch": torch and in_torch,
        "JAX jit": jax and in_jax,
        "autograd": autograd and in_autograd,
        "MyGrad": mygrad and in_mygrad,
    }
    contest("inference of the large MLP", makers, aim=1.05, steps=1, atol=1e-4)
