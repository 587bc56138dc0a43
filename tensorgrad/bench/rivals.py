"""What several contenders need: the libraries beside ours where they are installed, and Adam by hand."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np


def optional(name: str) -> Any:
    """The module, or None: then the contest is without it."""
    try:
        return import_module(name)
    except ImportError:
        return None


torch = optional("torch")
jax = optional("jax")
autograd = optional("autograd")
mygrad = optional("mygrad")


class FlatAdam:
    """Adam on one flat array of all parameters; its temporaries are kept.

    `weights` and `grads` are views of it: who writes a gradient to its view with ``out=`` copies nothing.
    """

    def __init__(self, weights: Any, alpha: Any = 1e-3, decay: Any = 0.0) -> None:
        total = sum(w.size for w in weights)
        self.p, self.g, self.m, self.v, self.a, self.b = np.zeros((6, total), np.float32)
        self.weights, self.grads = [], []
        start = 0
        for w in weights:
            stop = start + w.size
            self.p[start:stop] = w.reshape(-1)
            self.weights.append(self.p[start:stop].reshape(w.shape))
            self.grads.append(self.g[start:stop].reshape(w.shape))
            start = stop
        self.alpha, self.decay, self.t = alpha, decay, 0

    def update(self) -> Any:
        self.t += 1
        fix1, fix2 = 1 - 0.9**self.t, 1 - 0.999**self.t
        p, g, m, v, a, b = self.p, self.g, self.m, self.v, self.a, self.b
        m *= 0.9
        np.multiply(g, 1 - 0.9, out=a)
        m += a
        np.multiply(g, g, out=a)
        a *= 1 - 0.999
        v *= 0.999
        v += a
        np.sqrt(v, out=a)
        a += 1e-8 * fix2**0.5
        np.divide(m, a, out=b)
        b *= self.alpha * fix2**0.5 / fix1
        if self.decay:
            p *= 1 - self.alpha * self.decay
        p -= b


def adam_in_jax(alpha: Any = 1e-3, decay: Any = 0.0) -> Any:
    """A pure function (weights, grads, m, v, t) -> (weights, m, v) on lists."""
    jnp = jax.numpy

    def update(weights: Any, grads: Any, m: Any, v: Any, t: Any) -> Any:
        fix1, fix2 = 1 - 0.9**t, 1 - 0.999**t
        m = [0.9 * a + 0.1 * g for a, g in zip(m, grads, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, grads, strict=True)]
        steps = [(a / fix1) / (jnp.sqrt(b / fix2) + 1e-8) for a, b in zip(m, v, strict=True)]
        kept = [w * (1 - alpha * decay) for w in weights] if decay else weights
        return [w - alpha * s for w, s in zip(kept, steps, strict=True)], m, v

    return update


def jax_step(loss: Any, weights: Any, *, adam: Any = None, lr: Any = None) -> Any:
    """A training step by jit: `loss` is a function of a list of weights."""
    value_and_grad = jax.value_and_grad(loss)
    weights = [jax.numpy.asarray(w) for w in weights]
    state = {"w": weights, "m": [0 * w for w in weights], "v": [0 * w for w in weights], "t": 0}

    def whole(weights: Any, m: Any, v: Any, t: Any) -> Any:
        value, grads = value_and_grad(weights)
        if adam is None:
            return value, [w - lr * g for w, g in zip(weights, grads, strict=True)], m, v
        return value, *adam(weights, grads, m, v, t)

    compiled = jax.jit(whole, donate_argnums=(0, 1, 2))

    def step() -> Any:
        state["t"] += 1
        value, state["w"], state["m"], state["v"] = compiled(
            state["w"], state["m"], state["v"], float(state["t"])
        )
        return float(value)

    return step
