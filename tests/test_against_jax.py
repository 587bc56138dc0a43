"""JAX as the reference: the same functions, written for the standard, differentiated by both in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad.testing import assert_close

jax = pytest.importorskip("jax", reason="JAX, the reference of these tests, is not installed")
if not jax.config.jax_enable_x64:
    pytest.skip("JAX was imported without float64", allow_module_level=True)

import jax.scipy.special  # noqa: E402  # where JAX is installed

X = np.array([0.4, -0.7, 1.3, 0.9, -1.6, 0.2])
V = np.array([1.0, -2.0, 0.5, 0.3, 1.5, -0.8])
M = np.random.default_rng(0).normal(size=(6, 6))


# -- functions of six numbers, for any namespace -----------------------------------------------------------


def products(xp: Any, special: Any, x: Any) -> Any:
    return xp.sum(xp.tanh(x) * xp.exp(-x * x)) + xp.prod(x)


def rosenbrock(xp: Any, special: Any, x: Any) -> Any:
    return xp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def network(xp: Any, special: Any, x: Any) -> Any:
    w = xp.asarray(M)
    scores = w.T @ xp.tanh(w @ x)
    return special.logsumexp(scores) - scores[2]


def likelihood(xp: Any, special: Any, x: Any) -> Any:
    """Of a normal distribution whose covariance depends on x."""
    covariance = xp.asarray(M @ M.T) + xp.exp(x)[:, None] * xp.asarray(np.eye(6))
    lower = xp.linalg.cholesky(covariance)
    white = xp.linalg.solve(covariance, x)
    return xp.sum(x * white) + 2.0 * xp.sum(xp.log(xp.linalg.diagonal(lower)))


def spectrum(xp: Any, special: Any, x: Any) -> Any:
    """Complex in between."""
    y = xp.fft.fft(x * x) * xp.asarray(np.exp(1j * V))
    return xp.sum(xp.abs(y) ** 1.5) + xp.sum(xp.real(y * y))


def matrices(xp: Any, special: Any, x: Any) -> Any:
    a = xp.reshape(x, (2, 3))
    square = xp.matrix_transpose(a) @ a + xp.asarray(np.diag([1.0, 2.0, 4.0]))
    values = xp.linalg.eigvalsh(square)
    return xp.sum(values**1.5) + xp.linalg.slogdet(square)[1] + xp.sum(xp.sqrt(xp.linalg.svdvals(a)))


def distributions(xp: Any, special: Any, x: Any) -> Any:
    positive = 0.5 + x * x
    y = special.gammaln(positive) + special.erf(x) + special.xlogy(positive, positive + 1.0)
    return xp.sum(y * special.digamma(positive) + special.log_ndtr(x) + special.i0e(x) + special.expit(x))


def order(xp: Any, special: Any, x: Any) -> Any:
    """Sorting, running sums, branches and indices."""
    ranked = xp.cumulative_sum(xp.sort(x) ** 3)
    chosen = xp.where(x > 0.3, xp.log(xp.abs(x)), x**3)
    return xp.sum(ranked * chosen) + xp.sum(xp.take(x, xp.asarray([0, 0, 5]), axis=0) ** 2) * xp.max(x)


FUNCTIONS = (products, rosenbrock, network, likelihood, spectrum, matrices, distributions, order)
every_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)


def pair(function: Any) -> tuple[Any, Any]:
    """The function for tensorgrad and for JAX."""
    xp = Variable(X).__array_namespace__()
    return (
        lambda x: function(xp, xp.special, x),
        lambda x: function(jax.numpy, jax.scipy.special, x),
    )


def in_one(function: Any, *xs: Any) -> Any:
    """What JAX gives, as one program: it would compile each of a hundred ops for itself."""
    return jax.jit(function)(*xs)


def close(ours: Any, theirs: Any) -> None:
    assert_close(ours, np.asarray(theirs), rtol=1e-6, atol=1e-9)


# -- transforms ------------------------------------------------------------------------------------------


@every_function
def test_value_and_grad(function):
    ours, theirs = pair(function)
    value, gradient = tg.value_and_grad(ours)(X)
    expected = in_one(jax.value_and_grad(theirs), X)
    close(value, expected[0])
    close(gradient, expected[1])


@every_function
def test_jvp(function):
    ours, theirs = pair(function)
    close(tg.jvp(ours, [X], [V])[1], in_one(lambda x, v: jax.jvp(theirs, (x,), (v,))[1], X, V))


@every_function
def test_hessian_and_its_products(function):
    ours, theirs = pair(function)
    expected = in_one(jax.hessian(theirs), X)
    close(tg.hessian(ours)(X), expected)
    close(tg.hvp(ours, [X], [V])[0], expected @ V)


def test_jacobian_and_vjp():
    xp = Variable(X).__array_namespace__()
    ours, theirs = (lambda x, xp=xp: xp.tanh(M @ x) * x[0] for xp in (xp, jax.numpy))
    close(tg.jacobian(ours)(X), in_one(jax.jacrev(theirs), X))
    close(tg.jacobian(ours, mode="forward")(X), in_one(jax.jacfwd(theirs), X))
    close(tg.vjp(ours, X)[1](V)[0], in_one(lambda x, v: jax.vjp(theirs, x)[1](v)[0], X, V))


def test_third_derivatives():
    ours, theirs = pair(products)
    close(tg.jacobian(tg.hessian(ours))(X), in_one(jax.jacrev(jax.hessian(theirs)), X))


def test_vmap():
    ours, theirs = pair(products)
    rows = np.stack([X, V, X * V], axis=1)
    close(tg.vmap(tg.grad(ours), 1, 1)(rows), in_one(jax.vmap(jax.grad(theirs), 1, 1), rows))


def test_checkpoint():
    ours, theirs = pair(network)
    close(tg.hessian(tg.checkpoint(ours))(X), in_one(jax.hessian(jax.checkpoint(theirs)), X))
