"""vmap: the results of a loop, differentiable, and nested with the other transforms."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Parameter, Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close, check_gradients

RNG = np.random.default_rng(0)
A = RNG.uniform(-1, 1, (4, 3))
B = RNG.uniform(-1, 1, (4, 3))
M = RNG.uniform(-1, 1, (3, 3))


def quadratic(x, m):
    return F.sum(x * F.matmul(m, x))


def test_arrays_in_arrays_out():
    y = tg.vmap(quadratic, (0, None))(A, M)
    assert type(y) is np.ndarray
    assert_close(y, np.einsum("ni,ij,nj->n", A, M, A), rtol=1e-12)


def test_on_every_backend(backend):
    x, m = (backend.from_numpy(z) for z in (A, M))
    y = tg.vmap(quadratic, (0, None))(x, m)
    assert isinstance(y, backend.array_types)
    assert_close(y, np.einsum("ni,ij,nj->n", A, M, A), rtol=1e-12)
    v = tg.vmap(quadratic, (0, None))(Variable(x), m)
    F.sum(v).backward()
    assert v.backend is backend


@pytest.mark.parametrize(
    ("in_axes", "args"), [(0, (A, B)), (1, (A.T, B.T)), (-1, (A.T, B.T)), ((0, 1), (A, B.T))]
)
def test_in_axes(in_axes, args):
    assert_close(tg.vmap(lambda x, y: F.sum(x * y), in_axes)(*args), (A * B).sum(1), rtol=1e-12)


@pytest.mark.parametrize("out_axes", [0, 1, -1])
def test_out_axes(out_axes):
    y = tg.vmap(lambda x: x * 2, out_axes=out_axes)(A)
    assert_close(y, np.moveaxis(2 * A, 0, out_axes))


def test_containers():
    def f(tree, scale, *, shift):
        return {"sum": tree["a"] + scale * tree["b"][0], "rest": (shift * 2, scale)}

    in_axes = ({"a": 0, "b": (1, None)}, None)
    out_axes = {"sum": 1, "rest": (0, None)}
    tree = {"a": A, "b": (B.T, M)}
    out = tg.vmap(f, in_axes, out_axes)(tree, 3.0, shift=np.arange(4.0))
    assert_close(out["sum"], (A + 3 * B).T, rtol=1e-12)
    assert_close(out["rest"][0], 2 * np.arange(4.0))
    assert out["rest"][1] == 3.0


def test_a_container_under_one_axis():
    out = tg.vmap(lambda pair: pair[0] * pair[1])([A, B])
    assert_close(out, A * B)


def test_branches_on_values():
    f = tg.vmap(lambda x: x * 2 if x > 0 else F.exp(x))
    x = np.array([-1.0, 2.0, -0.5])
    assert_close(f(x), np.where(x > 0, 2 * x, np.exp(x)), rtol=1e-12)
    assert_close(tg.grad(lambda x: F.sum(f(x)))(x), np.where(x > 0, 2.0, np.exp(x)), rtol=1e-12)


def test_gradients_of_any_order():
    check_gradients(tg.vmap(quadratic, (0, None)), [A, M], order=2)
    check_gradients(tg.vmap(lambda x, y: F.tanh(x) * y, (1, 0), 1), [A.T, B], order=2)


def test_gradients_for_each_example():
    g = tg.vmap(tg.grad(quadratic, 1), (0, None))(A, M)
    assert_close(g, A[:, :, None] * A[:, None, :], rtol=1e-12)
    h = tg.vmap(tg.hessian(lambda x: F.sum(x**3)))(A)
    assert_close(h, 6 * A[:, :, None] * np.eye(3), rtol=1e-12)


def test_derivatives_of_a_vmap():
    f = tg.vmap(lambda x: F.sum(x**2))
    jacobian = tg.jacobian(f)(A)
    want = np.zeros((4, 4, 3))
    want[np.arange(4), np.arange(4)] = 2 * A
    assert_close(jacobian, want, rtol=1e-12)
    assert_close(tg.jvp(f, [A], [B])[1], (2 * A * B).sum(1), rtol=1e-12)


def test_nested():
    pairs = tg.vmap(tg.vmap(lambda x, y: F.sum(x * y), (None, 0)), (0, None))
    assert_close(pairs(A, B), A @ B.T, rtol=1e-12)
    inner = tg.grad(lambda x: F.sum(tg.vmap(lambda r: F.sum(F.sin(r)))(x)))
    assert_close(tg.vmap(inner)(np.stack([A, B])), np.cos(np.stack([A, B])), rtol=1e-12)


def test_variables_come_out_where_a_gradient_would_be_lost():
    w = Parameter(np.array([1.0, 2.0, 3.0]))
    y = tg.vmap(lambda x: F.sum(x * w))(A)
    assert isinstance(y, Variable)
    F.sum(y).backward()
    assert_close(w.grad, A.sum(0), rtol=1e-12)
    with tg.no_grad():
        assert type(tg.vmap(lambda x: F.sum(x * w))(A)) is np.ndarray


def test_the_name_vectorize():
    assert tg.vectorize is tg.vmap


def test_the_function_runs_once_for_each_element():
    calls = []

    def f(x):
        calls.append(x.shape)
        return x

    tg.vmap(f)(A)
    assert calls == [(3,)] * 4


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: tg.vmap(F.add)(A, B[:3]), ValueError, r"one length of the batch; got 4 .* and 3 "),
        (lambda: tg.vmap(F.add, None)(A, B), ValueError, r"got in_axes of None alone"),
        (lambda: tg.vmap(F.add, (0,))(A, B), ValueError, r"in_axes for each of 2 arguments; got 1"),
        (lambda: tg.vmap(F.add)(A, 2.0), TypeError, r"to map over; got float. Give it in_axes=None"),
        (lambda: tg.vmap(F.exp, 2)(A), ValueError, r"an array with axis 2; got shape \(4, 3\)"),
        (lambda: tg.vmap(F.exp)(A[:0]), ValueError, r"got an empty batch"),
        (lambda: tg.vmap(F.exp, ((0, 0),))(A), ValueError, r"expected in_axes with int or None"),
        (lambda: tg.vmap(F.exp, 0, (0, 0))(A), ValueError, r"expected out_axes with int or None"),
        (lambda: tg.vmap(lambda x: "text")(A), TypeError, r"a result that is an array; got str"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
