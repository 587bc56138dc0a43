"""A Hessian-vector product of the Rosenbrock function in a thousand dimensions, float64."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
from tensorgrad.bench.rivals import autograd, jax, torch

N = 1000
_RNG = np.random.default_rng(0)
X, V = _RNG.standard_normal(N), _RNG.standard_normal(N)


def rosenbrock(x):
    a, b = x[:-1], x[1:]
    return (100 * (b - a**2) ** 2 + (1 - a) ** 2).sum()


def by_hand():
    """The tridiagonal Hessian times v: with kept buffers, nothing computed twice."""
    y, t, u = np.empty(N), np.empty(N - 1), np.empty(N - 1)

    def step():
        a, b, va, vb = X[:-1], X[1:], V[:-1], V[1:]
        # d/da (-400 a (b - a^2) - 2 (1 - a)) = 1200 a^2 - 400 b + 2; d/db = -400 a; d2/db2 = 200
        np.multiply(a, a, out=t)
        np.multiply(t, 1200, out=t)
        np.multiply(b, 400, out=u)
        np.subtract(t, u, out=t)
        np.add(t, 2, out=t)
        np.multiply(t, va, out=y[:-1])
        y[-1] = 0
        np.multiply(a, -400, out=t)
        np.multiply(t, vb, out=u)
        np.add(y[:-1], u, out=y[:-1])
        np.multiply(t, va, out=t)
        np.multiply(vb, 200, out=u)
        np.add(t, u, out=t)
        np.add(y[1:], t, out=y[1:])
        return y

    return step


def ours():
    def step():
        x = tg.Variable(X)
        rosenbrock(x).backward(create_graph=True)
        gx = x.grad
        x.cleargrad()
        gx.backward(grad=V)
        return x.grad.data

    return step


def by_transform():
    return lambda: tg.hvp(rosenbrock, [X], [V])[0]


def in_torch():
    start, v = torch.from_numpy(X), torch.from_numpy(V)

    def step():
        x = start.detach().requires_grad_()
        (gx,) = torch.autograd.grad(rosenbrock(x), x, create_graph=True)
        return torch.autograd.grad(gx, x, v)[0].numpy()

    return step


def in_jax():
    product = jax.jit(lambda x, v: jax.jvp(jax.grad(rosenbrock), (x,), (v,))[1])
    with jax.enable_x64(True):
        x, v = jax.numpy.asarray(X), jax.numpy.asarray(V)

    def step():
        with jax.enable_x64(True):
            return np.asarray(product(x, v))

    return step


def in_autograd():
    from autograd import hessian_vector_product  # noqa: PLC0415

    product = hessian_vector_product(rosenbrock)
    return lambda: product(X, V)


def test_rosenbrock(contest):
    makers = {
        "tensorgrad": ours,
        "NumPy by hand": by_hand,
        "torch": torch and in_torch,
        "JAX jit": jax and in_jax,
        "autograd": autograd and in_autograd,
        "MyGrad": None,  # it has no second derivatives
    }
    contest("Rosenbrock-1000 Hessian-vector product, float64", makers, aim=25, steps=1, per_round=20)


def test_rosenbrock_by_hvp(contest):
    makers = {"tensorgrad": by_transform, "NumPy by hand": by_hand}
    contest("the same by tg.hvp", makers, steps=1, per_round=20)
