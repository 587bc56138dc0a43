"""Products of matrices where the table of samples does not go: memory, types, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy


def zeros(backend: Any, *shape: int) -> Variable:
    return Variable(backend.from_numpy(np.zeros(shape)))


# -- linear ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3,), (2, 3), (4, 2, 3), (2, 0, 3), (0, 3)])
def test_linear_of_any_leading_shape(backend, shape):
    rng = np.random.default_rng(0)
    x, W, b = (rng.normal(size=s) for s in (shape, (3, 5), (5,)))
    xs = [Variable(backend.from_numpy(a)) for a in (x, W, b)]
    y = F.linear(*xs)
    assert_close(y, x @ W + b)
    y.sum().backward()
    ones = np.ones(y.shape)
    assert_close(xs[0].grad, ones @ W.T)
    assert_close(xs[1].grad, x.reshape(-1, 3).T @ ones.reshape(-1, 5))
    assert_close(xs[2].grad, ones.reshape(-1, 5).sum(axis=0))


def test_linear_computes_only_the_gradients_that_are_asked_for(backend):
    x = backend.from_numpy(np.ones((2, 3)))
    W, b = zeros(backend, 3, 4), zeros(backend, 4)
    for args in ((x, W), (x, W, b), (x, W.data, b), (Variable(x), W.data, b.data)):
        y = F.linear(*args)
        gxs = y.creator.backward(backend.from_numpy(np.ones((2, 4))))
        assert [g is not None for g in gxs] == [isinstance(a, Variable) for a in args]


def test_linear_keeps_float32(backend):
    x, W, b = (Variable(backend.from_numpy(np.ones(s, dtype=np.float32))) for s in ((2, 3), (3, 4), (4,)))
    y = F.linear(x, W, b)
    y.sum().backward()
    assert {to_numpy(v).dtype for v in (y, x.grad, W.grad, b.grad)} == {np.dtype(np.float32)}


def test_linear_promotes_as_the_two_ops_do():
    x, W, b = np.ones((2, 3), dtype=np.float32), np.ones((3, 4), dtype=np.float32), np.full(4, 1e-12)
    assert F.linear(x, W, b).dtype == F.linear_simple(x, W, b).dtype == np.float64


def test_linear_does_not_write_on_its_inputs():
    x, W, b = np.ones((2, 3)), np.eye(3), np.ones(3)
    F.linear(Variable(x), Variable(W), Variable(b))
    assert_close(x, np.ones((2, 3)))
    assert_close(b, np.ones(3))


def test_linear_of_shapes_that_do_not_go_together(backend):
    x = zeros(backend, 32, 784)
    text = (
        r"linear: expected x\.shape\[-1\] == W\.shape\[0\], with W of shape \(in, out\); "
        r"got \(32, 784\) @ \(100, 784\)\. Is W transposed\?"
    )
    with pytest.raises(ValueError, match=text):
        F.linear(x, zeros(backend, 100, 784))
    with pytest.raises(ValueError, match=r"got \(32, 784\) @ \(784,\)"):
        F.linear(x, zeros(backend, 784))
    text = r"linear: expected b of shape \(out,\) == \(100,\); got \(1, 100\)\. x @ W \+ b takes others"
    with pytest.raises(ValueError, match=text):
        F.linear(x, zeros(backend, 784, 100), zeros(backend, 1, 100))
    with pytest.raises(ValueError, match=r"== \(100,\); got \(\)"):
        F.linear(x, zeros(backend, 784, 100), 0.5)


# -- matmul ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        ((2, 3), (2, 3), r"a\.shape\[-1\] == b\.shape\[-2\]; got \(2, 3\) @ \(2, 3\)\. Is one of them"),
        ((2, 3), (2,), r"a\.shape\[-1\] == b\.shape\[0\]; got \(2, 3\) @ \(2,\)"),
        ((5, 2, 3), (4, 3, 2), r"stacks of matrices that broadcast; got \(5, 2, 3\) @ \(4, 3, 2\)"),
        ((), (2, 3), r"arrays of one or more axes; got \(\) @ \(2, 3\)\. Use \* for numbers"),
    ],
)
def test_matmul_of_shapes_that_do_not_go_together(backend, a, b, text):
    with pytest.raises(ValueError, match=rf"matmul: expected {text}"):
        F.matmul(zeros(backend, *a), zeros(backend, *b))


def test_matmul_with_a_number(backend):
    with pytest.raises(ValueError, match=r"matmul: expected arrays of one or more axes; got \(2, 3\) @ \(\)"):
        zeros(backend, 2, 3) @ 2.0


def test_the_gradient_of_one_matrix_is_one_product():
    """A matrix that meets a stack gets its gradient without the stack of gradients."""
    x, W = Variable(np.ones((50, 4, 8))), Variable(np.ones((8, 3)))
    y = F.matmul(x, W)
    gx, gW = y.creator.backward(np.ones((50, 4, 3)))
    assert gx.shape == (50, 4, 8)
    assert gW.shape == (8, 3)
    v = Variable(np.ones(8))
    assert F.matmul(x, v).creator.backward(np.ones((50, 4)))[1].shape == (8,)


def test_matmul_to_third_order(backend):
    rng = np.random.default_rng(1)
    a, b = (Variable(backend.from_numpy(rng.normal(size=s))) for s in ((2, 3), (3, 2)))
    check_gradients(lambda a, b: F.matmul(a, b) @ a, [a, b], order=3)


# -- tensordot, vecdot, outer ----------------------------------------------------------------------------


def test_tensordot_refuses(backend):
    a, b = zeros(backend, 2, 3), zeros(backend, 3, 4)
    text = (
        r"tensordot: expected axes of equal lengths; got axes \(0, 1\) of \(2, 3\) and \(0, 1\) of \(3, 4\)"
    )
    with pytest.raises(ValueError, match=text):
        F.tensordot(a, b)
    with pytest.raises(
        ValueError, match=r"tensordot: expected that both have 3 axes; got \(2, 3\) and \(3, 4\)"
    ):
        F.tensordot(a, b, axes=3)
    with pytest.raises(ValueError, match="tensordot: expected an axis from -2 to 1; got 2"):
        F.tensordot(a, b, axes=((2,), (0,)))


def test_vecdot_refuses(backend):
    a, b = zeros(backend, 2, 3), zeros(backend, 2)
    with pytest.raises(
        ValueError, match=r"vecdot: expected equal lengths along axis -1; got \(2, 3\) and \(2,\)"
    ):
        F.vecdot(a, b)
    with pytest.raises(ValueError, match=r"vecdot: expected a negative axis that both have; got -2"):
        F.vecdot(a, b, axis=-2)


def test_vecdot_conjugates_the_first(backend):
    a, b = np.asarray([1 + 2j, 3j]), np.asarray([2 - 1j, 1 + 1j])
    v, w = Variable(backend.from_numpy(a)), Variable(backend.from_numpy(b))
    y = F.vecdot(v, w)
    assert_close(y, np.vdot(a, b))
    F.real(y).backward()  # of real(conj(a) b): b in a, a in b
    assert_close(v.grad, b)
    assert_close(w.grad, a)


def test_outer_refuses(backend):
    with pytest.raises(ValueError, match=r"outer: expected two vectors; got shapes \(2, 3\) and \(2,\)"):
        F.outer(zeros(backend, 2, 3), zeros(backend, 2))
