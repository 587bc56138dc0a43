"""A formula like gelu on a million numbers, element by element, with its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg
import tensorgrad.functions as F
from tensorgrad.bench.contests import BY_HAND, OURS
from tensorgrad.bench.rivals import autograd, jax, mygrad, torch

X = np.random.default_rng(0).standard_normal((1000, 1000)).astype(np.float32)
SCALE = 0.7978845608028654


def formula(tanh: Any, x: Any) -> Any:
    """``0.5 x (1 + tanh(c (x + a x**3)))`` by operators."""
    return 0.5 * x * (1 + tanh(SCALE * (x + 0.044715 * x * x * x)))


def by_hand() -> Any:
    """Fused by hand in five buffers: value and gradient from the same square and the same tanh."""
    y, gx, square, t, u = np.empty((5, *X.shape), np.float32)

    def step() -> Any:
        np.multiply(X, X, out=square)
        np.multiply(square, 0.044715 * SCALE, out=t)
        np.add(t, SCALE, out=t)
        np.multiply(t, X, out=t)
        np.tanh(t, out=t)
        np.add(t, 1, out=y)
        np.multiply(y, X, out=y)
        np.multiply(y, 0.5, out=y)
        # 0.5 (1 + t) + 0.5 x (1 - t^2) c (1 + 3 a x^2)
        np.multiply(square, 3 * 0.044715 * SCALE * 0.5, out=square)
        np.add(square, 0.5 * SCALE, out=square)
        np.multiply(square, X, out=square)
        np.multiply(t, t, out=u)
        np.subtract(1, u, out=u)
        np.multiply(square, u, out=square)
        np.multiply(t, 0.5, out=gx)
        np.add(gx, 0.5, out=gx)
        np.add(gx, square, out=gx)
        return summary(y, gx)

    return step


def summary(y: Any, gx: Any) -> Any:
    """A few numbers, to be compared."""
    return [*y[0, :5], *gx[0, :5]]


def ours() -> Any:
    """With tensorgrad's operators."""

    def step() -> Any:
        x = tg.Variable(X)
        y = formula(F.tanh, x)
        y.backward()
        grad: Any = x.grad
        return summary(y.data, grad.data)

    return step


def in_torch() -> Any:
    """In PyTorch."""
    start, ones = torch.from_numpy(X), torch.ones(X.shape)

    def step() -> Any:
        x = start.detach().requires_grad_()
        y = formula(torch.tanh, x)
        y.backward(ones)
        return summary(y.detach().numpy(), x.grad.numpy())

    return step


def in_jax() -> Any:
    """In JAX, compiled."""
    jnp = jax.numpy
    x = jnp.asarray(X)

    def both(x: Any) -> Any:
        y, back = jax.vjp(lambda x: formula(jnp.tanh, x), x)
        return y, back(jnp.ones_like(y))[0]

    compiled = jax.jit(both)
    return lambda: summary(*map(np.asarray, compiled(x)))


def in_autograd() -> Any:
    """In HIPS autograd."""
    from autograd import make_vjp  # noqa: PLC0415
    from autograd import numpy as xp  # noqa: PLC0415

    ones = np.ones_like(X)
    start = make_vjp(lambda x: formula(xp.tanh, x))

    def step() -> Any:
        back, y = start(X)
        return summary(y, back(ones))

    return step


def in_mygrad() -> Any:
    """In MyGrad."""

    def step() -> Any:
        x = mygrad.tensor(X, copy=False)
        y = formula(mygrad.tanh, x)
        y.backward()
        return summary(y.data, x.grad)

    return step


def contenders() -> dict[str, Any]:
    """All of them; None where a library is not installed."""
    return {
        OURS: ours,
        BY_HAND: by_hand,
        "torch": torch and in_torch,
        "JAX jit": jax and in_jax,
        "autograd": autograd and in_autograd,
        "MyGrad": mygrad and in_mygrad,
    }
