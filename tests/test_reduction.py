"""Reductions and running sums where the table of samples does not go: ties, zeros, infinities, errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy


def variable(backend: Any, values: Any) -> Variable:
    return Variable(backend.from_numpy(np.asarray(values)))


# -- max and min ---------------------------------------------------------------------------------------


def test_ties_share_the_gradient(backend):
    x = variable(backend, [[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]])
    F.max(x, axis=1).backward(grad=backend.from_numpy(np.asarray([1.0, 6.0])))
    assert_close(x.grad, [[0.5, 0.0, 0.5], [2.0, 2.0, 2.0]])
    x.cleargrad()
    F.min(x).backward()
    assert_close(x.grad, [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])


def test_infinities_are_ordinary_extremes(backend):
    x = variable(backend, [-math.inf, 1.0, math.inf])
    for f, want in ((F.max, [0.0, 0.0, 1.0]), (F.min, [1.0, 0.0, 0.0])):
        x.cleargrad()
        f(x).backward()
        assert_close(x.grad, want)


def test_a_nan_takes_the_gradient_that_it_caused(backend):
    x = variable(backend, [[1.0, math.nan], [1.0, 2.0]])
    y = F.max(x, axis=1)
    assert math.isnan(to_numpy(y)[0])
    y.sum().backward()
    assert_close(x.grad, [[0.0, 1.0], [0.0, 1.0]])


def test_second_derivative_through_max(backend):
    x = variable(backend, [1.0, 3.0, 2.0])
    (F.max(x) ** 3).backward(create_graph=True)
    g = x.grad
    x.cleargrad()
    g.sum().backward()
    assert_close(x.grad, [0.0, 18.0, 0.0])


@pytest.mark.parametrize("name", ["max", "min", "logsumexp"])
def test_nothing_to_choose_from(backend, name):
    x = variable(backend, np.zeros((2, 0)))
    text = rf"{name}: expected at least one element along axis 1; got shape \(2, 0\)"
    with pytest.raises(ValueError, match=text):
        getattr(F, name)(x, axis=1)
    assert getattr(F, name)(x, axis=0).shape == (0,)


# -- prod ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7])
def test_prod_with_zeros(n, zeros):
    values = np.linspace(0.5, 1.5, n)
    values[: min(zeros, n)] = 0.0
    x = Variable(values)
    F.prod(x).backward()
    assert_close(x.grad, [math.prod(np.delete(values, i)) for i in range(n)], rtol=1e-12)


def test_prod_with_zeros_to_third_order(backend):
    x = variable(backend, [[0.0, 2.0, 0.5], [0.0, 0.0, 3.0]])
    check_gradients(lambda x: F.prod(x, axis=1), [x], order=3)
    check_gradients(lambda x: F.prod(x, axis=(0, -1), keepdims=True), [x])


# -- softmax ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("softmax", [F.softmax, F.log_softmax])
def test_softmax_of_nothing_is_nothing(backend, softmax):
    for shape in ((2, 0), (0, 2)):
        x = variable(backend, np.zeros(shape))
        y = softmax(x)
        assert y.shape == shape
        y.sum().backward()
        assert x.grad.shape == shape


@pytest.mark.parametrize("softmax", [F.softmax, F.log_softmax])
def test_softmax_along_an_axis_that_is_not_there(backend, softmax):
    with pytest.raises(ValueError, match=r"softmax: expected an axis .* axis 1 for shape \(3,\)"):
        softmax(variable(backend, np.zeros(3)))


# -- logsumexp -------------------------------------------------------------------------------------------


def test_logsumexp_where_every_element_is_minus_infinity(backend):
    x = variable(backend, [[-math.inf, -math.inf], [-math.inf, 1.0]])
    y = F.logsumexp(x, axis=1)
    assert_close(y, [-math.inf, 1.0])
    y.backward(grad=backend.from_numpy(np.ones(2)), create_graph=True)
    assert_close(x.grad, [[0.0, 0.0], [0.0, 1.0]])
    g = x.grad
    x.cleargrad()
    (g * g).sum().backward()
    assert_close(x.grad, np.zeros((2, 2)))


def test_logsumexp_does_not_overflow(backend):
    x = variable(backend, np.asarray([1000.0, 1000.0], dtype=np.float32))
    y = F.logsumexp(x)
    assert_close(y, np.asarray(1000.0 + math.log(2.0), dtype=np.float32))
    y.backward()
    assert_close(x.grad, np.asarray([0.5, 0.5], dtype=np.float32))
    assert_close(F.logsumexp(variable(backend, [math.inf, 0.0])), np.asarray(math.inf))


def test_logsumexp_of_integers(backend):
    with pytest.raises(TypeError, match=r"logsumexp: expected floating elements; got .*int64"):
        F.logsumexp(variable(backend, [1, 2]))


# -- var and std -----------------------------------------------------------------------------------------


def test_std_of_equal_elements_has_a_gradient_of_zero(backend):
    x = variable(backend, [[2.0, 2.0], [1.0, 3.0]])
    y = F.std(x, axis=1)
    y.sum().backward(create_graph=True)
    assert_close(x.grad, [[0.0, 0.0], [-0.5, 0.5]])
    g = x.grad
    x.cleargrad()
    g[1, 1].backward()
    assert_close(x.grad, np.zeros((2, 2)), atol=1e-12)


@pytest.mark.parametrize("correction", [0, 1, 0.5])
def test_correction(backend, correction):
    x = variable(backend, [[2.0, 5.0, 3.0], [1.0, 3.0, -2.0]])
    want = np.var(to_numpy(x), axis=1, ddof=correction)
    assert_close(F.var(x, 1, correction=correction), want)
    check_gradients(lambda x: F.std(x, 1, correction=correction), [x])


# -- sum, mean, cumsum -----------------------------------------------------------------------------------


def test_dtype_of_a_sum(backend):
    x = variable(backend, np.ones(3, dtype=np.float32))
    for f in (F.sum, F.prod, F.cumsum):
        y = f(x, dtype=backend.xp.float64)
        assert to_numpy(y).dtype == np.float64
        x.cleargrad()
        y.sum().backward()
        assert to_numpy(x.grad).dtype == np.float32


def test_sums_stay_in_float32(backend):
    x = variable(backend, np.ones((2, 3), dtype=np.float32))
    for f in (F.sum, F.mean, F.var, F.std, F.prod, F.max, F.min, F.cumsum, F.logsumexp):
        y = f(x * 1.5)
        assert to_numpy(y).dtype == np.float32, f.__name__
        x.cleargrad()
        y.sum().backward()
        assert to_numpy(x.grad).dtype == np.float32, f.__name__


def test_the_gradient_of_a_sum_is_no_view(backend):
    x = variable(backend, np.ones((2, 3)))
    x.sum().backward()
    if backend.name == "numpy":
        assert x.grad.data.strides == (24, 8)
        assert x.grad.data.flags.writeable
    assert_close(x.grad, np.ones((2, 3)))


def test_no_elements(backend):
    x = variable(backend, np.zeros((0, 3)))
    assert_close(F.sum(x), np.asarray(0.0))
    F.sum(x).backward()
    assert x.grad.shape == (0, 3)
    assert_close(F.prod(x, axis=0), np.ones(3))
    assert F.cumsum(x, axis=1).shape == (0, 3)


@pytest.mark.parametrize("name", ["sum", "mean", "var", "std", "prod", "max", "min", "logsumexp"])
def test_an_axis_that_does_not_exist(backend, name):
    x = variable(backend, np.zeros((2, 3)))
    text = rf"{name}: expected an axis that x has; got axis {{}} for shape \(2, 3\)"
    for axis, wrong in ((2, 2), (-3, -3), ((0, 5), 5)):
        with pytest.raises(ValueError, match=text.format(wrong)):
            getattr(F, name)(x, axis=axis)
    with pytest.raises(ValueError, match=r"got axis 0 for shape \(\)"):
        getattr(F, name)(variable(backend, 1.0), axis=0)


def test_cumsum(backend):
    x = variable(backend, np.arange(6.0).reshape(2, 3))
    assert_close(F.cumsum(x), np.cumsum(np.arange(6.0)))
    assert_close(F.cumsum(variable(backend, 2.0)), [2.0])
    with pytest.raises(ValueError, match="cumsum: expected an axis from -2 to 1; got 2"):
        F.cumsum(x, axis=2)
    xp = x.__array_namespace__()
    with pytest.raises(ValueError, match=r"cumulative_sum: expected an axis for shape \(2, 3\); got None"):
        xp.cumulative_sum(x)
