"""What the graph costs: a chain of a thousand ops on ten numbers, forward and backward."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
import tensorgrad.functions as F
from tensorgrad.bench.rivals import autograd, jax, mygrad, torch

LENGTH = 250  # of four ops each
DATA = np.linspace(0.1, 1.0, 10, dtype=np.float32)


def chain(x, tanh):
    """A thousand ops: two with a number, one function, one with a shared input."""
    y = x
    for _ in range(LENGTH):
        y = y * 1.01
        y = y + 0.1
        y = tanh(y)
        y = y * x
    return y


def by_hand():
    """The same chain and its gradient in NumPy: the values that backward needs are kept in lists."""
    x = DATA
    y = x
    kept = []
    for _ in range(LENGTH):
        y = y * 1.01
        y = y + 0.1
        t = np.tanh(y)
        kept.append(t)
        y = t * x
    gx = np.zeros_like(x)
    g = np.ones_like(x)
    for t in reversed(kept):
        gx += g * t
        g = g * x
        g = g * (1 - t * t)
        g = g * 1.01
    return gx + g


def ours():
    x = tg.Variable(DATA)
    chain(x, F.tanh).backward()
    return x.grad.data


def in_torch():
    start, ones = torch.from_numpy(DATA), torch.ones(10)

    def step():
        x = start.clone().requires_grad_()
        chain(x, torch.tanh).backward(ones)
        return x.grad.numpy()

    return step


def in_jax():
    jnp = jax.numpy
    x = jnp.asarray(DATA)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(chain(x, jnp.tanh))))
    return lambda: np.asarray(gradient(x))


def in_autograd():
    from autograd import make_vjp  # noqa: PLC0415
    from autograd import numpy as xp  # noqa: PLC0415

    start, ones = make_vjp(lambda x: chain(x, xp.tanh)), np.ones_like(DATA)
    return lambda: start(DATA)[0](ones)


def in_mygrad():
    def step():
        x = mygrad.tensor(DATA)
        chain(x, mygrad.tanh).backward()
        return x.grad

    return step


def test_chain_forward_and_backward(contest):
    makers = {
        "tensorgrad": lambda: ours,
        "NumPy by hand": lambda: by_hand,
        "torch": torch and in_torch,
        "JAX jit": jax and in_jax,
        "autograd": autograd and in_autograd,
        "MyGrad": mygrad and in_mygrad,
    }
    contest("1000-op chain on 10 floats, forward + backward", makers, aim=5.5)


def test_chain_forward(contest):
    makers = {
        "tensorgrad": lambda: lambda: chain(tg.Variable(DATA), F.tanh).data,
        "NumPy by hand": lambda: lambda: chain(DATA, np.tanh),
    }
    contest("its forward, recorded", makers)


def test_chain_without_graph(contest):
    def forward():
        with tg.no_grad():
            return chain(tg.Variable(DATA), F.tanh).data

    makers = {"tensorgrad": lambda: forward, "NumPy by hand": lambda: lambda: chain(DATA, np.tanh)}
    contest("its forward under no_grad", makers)
