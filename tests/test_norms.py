"""Norms at their kinks, and diagonals at their edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy


def numbers(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def on(backend: Any, array: Any) -> Variable:
    return Variable(backend.from_numpy(np.asarray(array)))


# -- norms at their kinks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ord", [1, 2, 3, 0.5, math.inf])
def test_norms_of_zeros_have_a_gradient_of_zero(backend, ord):
    x = on(backend, np.zeros((2, 3)))
    F.sum(F.vector_norm(x, axis=1, ord=ord)).backward(create_graph=True)
    g = x.grad
    assert_close(g, np.zeros((2, 3)))
    x.cleargrad()
    F.sum(g * g + x).backward()
    assert_close(x.grad, np.ones((2, 3)))


@pytest.mark.parametrize("ord", [1, 2, 3, 0.5, 1.5])
def test_zeros_among_other_elements_have_a_gradient_of_zero(backend, ord):
    x = on(backend, [3.0, 0.0, 4.0])
    F.vector_norm(x, ord=ord).backward(create_graph=True)
    g = x.grad
    assert to_numpy(g)[1] == 0
    x.cleargrad()
    F.sum(g * g).backward()
    assert np.isfinite(to_numpy(x.grad)).all()


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf])
def test_matrix_norms_of_zeros_have_no_nan(backend, ord):
    x = on(backend, np.zeros((2, 3)))
    y = F.matrix_norm(x, ord=ord)
    assert float(y) == 0
    y.backward()
    assert np.isfinite(to_numpy(x.grad)).all()


def test_counting_what_is_not_zero_has_no_gradient(backend):
    y = F.vector_norm(on(backend, [3.0, 0.0, 4.0]), ord=0)
    assert not y.requires_grad
    assert_close(y, np.asarray(2.0))


def test_equal_extremes_share_the_gradient_of_a_norm(backend):
    x = on(backend, [3.0, -3.0, 1.0])
    F.vector_norm(x, ord=math.inf).backward()
    assert_close(x.grad, [0.5, -0.5, 0.0])


# -- diagonals ---------------------------------------------------------------------------------------------


def test_diagonals_beside_the_matrix_are_empty(backend):
    x = on(backend, numbers(2, 3))
    for offset in (3, -2):
        y = F.diagonal(x, offset=offset)
        assert y.shape == (0,)
        x.cleargrad()
        y.sum().backward()
        assert_close(x.grad, np.zeros((2, 3)))


def test_an_infinite_gradient_stays_on_the_diagonal(backend):
    x = on(backend, np.ones((2, 2)))
    F.sum(F.diagonal(x) * math.inf).backward()
    assert_close(x.grad, [[math.inf, 0.0], [0.0, math.inf]])


def test_a_diagonal_shares_its_elements_with_the_matrix(backend):
    x = on(backend, np.ones((2, 2))) * 1.0
    y = F.diagonal(x)
    x += 1.0
    assert_close(y, [2.0, 2.0])
    y *= 3.0
    assert_close(x, [[6.0, 2.0], [2.0, 6.0]])


def test_the_trace_in_another_dtype(backend):
    x = on(backend, np.eye(2, dtype=np.float32))
    y = F.trace(x, dtype=backend.xp.float64)
    assert y.dtype == backend.xp.float64
    y.backward()
    assert_close(x.grad, np.eye(2, dtype=np.float32))
