"""Differences, running products, padding, interpolation and convolution: what the samples do not show."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tensorgrad.functions as F
from tensorgrad import Variable
from tensorgrad.core import namespace_of
from tensorgrad.functions import numeric
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy

RNG = np.random.default_rng(0)

# -- running products ------------------------------------------------------------------------------------


def slope_of_products(x: np.ndarray, gy: np.ndarray) -> np.ndarray:
    """By the definition: each element's factor in each product."""
    return np.asarray(
        [
            sum(gy[i] * math.prod(x[k] for k in range(i + 1) if k != j) for i in range(j, len(x)))
            for j in range(len(x))
        ]
    )


@pytest.mark.parametrize("zeros", [(), (0,), (3,), (6,), (2, 5), (0, 1, 2)])
@pytest.mark.parametrize("n", [7, 8])
def test_the_slope_of_running_products_with_zeros(var, n, zeros):
    values, weights = RNG.uniform(-2.0, 2.0, (2, n))
    values[list(zeros)] = 0.0
    x = var(values)
    F.sum(F.cumprod(x) * var(weights, requires_grad=False)).backward()
    assert_close(to_numpy(x.grad), slope_of_products(values, weights), rtol=1e-13, atol=1e-13)
    check_gradients(F.cumprod, [var(values)])


@pytest.mark.parametrize("n", [0, 1, 2])
def test_running_products_of_few(var, n):
    x = var(np.arange(2.0, 2.0 + n))
    F.sum(F.cumprod(x)).backward()
    assert_close(to_numpy(x.grad), slope_of_products(np.arange(2.0, 2.0 + n), np.ones(n)).reshape(n))


def test_running_products_of_complex_numbers(var):
    x = var([1 + 1j, 2 - 1j, 0.5j], complex)
    F.sum(F.real(F.cumprod(x))).backward()
    a, b, c = to_numpy(x)
    assert_close(to_numpy(x.grad), np.conj([1 + b + b * c, a + a * c, a * b]))


def test_running_products_in_another_dtype(backend):
    xp = namespace_of(backend)
    x = Variable(backend.from_numpy(np.asarray([1.0, 2.0, 3.0], dtype=np.float32)))
    y = xp.cumulative_prod(x, dtype=xp.float64, include_initial=True)
    assert_close(y, [1.0, 1.0, 2.0, 6.0])
    assert y.dtype == backend.xp.float64
    y.sum().backward()
    assert_close(to_numpy(x.grad), np.asarray([9.0, 4.0, 2.0], dtype=np.float32))
    with pytest.raises(ValueError, match=r"cumulative_prod: expected an axis for shape \(1, 3\)"):
        xp.cumulative_prod(F.reshape(x, (1, 3)))


# -- differences -----------------------------------------------------------------------------------------


def test_differences_with_ends(var):
    a, b, c = var(RNG.random((2, 3))), var(RNG.random((2, 1))), var(RNG.random((2, 2)))
    y = F.diff(a, n=2, prepend=b, append=c)
    assert_close(y, np.diff(to_numpy(a), n=2, prepend=to_numpy(b), append=to_numpy(c)), atol=1e-15)
    check_gradients(lambda a, b, c: F.diff(a, prepend=b, append=c), [a, b, c])
    assert F.diff(a, n=0) is a
    assert F.diff(a, n=5).shape == (2, 0)
    for call, message in (
        (lambda: F.diff(a, n=-1), "n of 0 or more; got -1"),
        (lambda: F.diff(a, axis=2), "axis"),
    ):
        with pytest.raises(ValueError, match=f"diff: expected .*{message}"):
            call()


def test_signs_of_zeros(var):
    x, s = var([0.0, -0.0, 1.0]), var([-0.0, 0.0, -0.0])
    y = F.copysign(x, s)
    assert np.signbit(to_numpy(y)).tolist() == [True, False, True]
    y.sum().backward()
    assert_close(to_numpy(x.grad), np.asarray([-1.0, -1.0, -1.0]))
    assert s.grad is None


# -- padding -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("width", [(0, 0), (1, 0), (7, 9)])
def test_padding_is_that_of_numpy(backend, mode, n, width):
    x = np.arange(1.0, n + 1.0)
    assert_close(F.pad(backend.from_numpy(x), width, mode), np.pad(x, width, mode))


def test_padding_refuses(var):
    x = var(np.zeros((0, 2)))
    for call, message in (
        (lambda: F.pad(x, 1, "median"), "mode among constant, edge, .*; got 'median'"),
        (lambda: F.pad(x, -1), "pad_width of integers, 0 or more"),
        (lambda: F.pad(x, 0.5), "pad_width of integers"),
        (lambda: F.pad(x, ((1, 1), (1, 1), (1, 1))), "or 2 pairs; got"),
        (lambda: F.pad(x, 1, "wrap"), "an axis with elements for mode 'wrap'"),
    ):
        with pytest.raises(ValueError, match=f"pad: expected .*{message}"):
            call()
    assert F.pad(x, ((1, 0), (0, 0))).shape == (1, 2)


# -- interpolation -----------------------------------------------------------------------------------------

POINTS = np.asarray([0.0, 1.0, 1.5, 3.0])
VALUES = np.asarray([1.0, -1.0, 2.0, 0.5])


def test_interpolation_is_that_of_numpy(backend):
    x = np.concatenate([np.linspace(-1.0, 4.0, 101), POINTS, [math.inf, -math.inf]])
    on = backend.from_numpy
    for ends in ({}, {"left": -7.0, "right": 8.0}):
        y = F.interp(on(x), on(POINTS), on(VALUES), **ends)
        assert_close(y, np.interp(x, POINTS, VALUES, **ends), rtol=1e-14, atol=1e-14)
    assert math.isnan(F.interp(on(np.asarray(math.nan)), on(POINTS), on(VALUES)).item())


def test_slopes_of_interpolation(var):
    inputs = [var([[-0.5, 0.25], [1.25, 2.5]]), var(POINTS), var(VALUES)]
    check_gradients(F.interp, inputs)
    left, right = var(2.0), var(-3.0)
    outside = var([-1.0, 4.0])
    check_gradients(lambda *ends: F.interp(outside, POINTS.tolist(), VALUES.tolist(), *ends), [left, right])


def test_points_that_coincide_and_single_points_give_no_nan(var):
    x, points, values = var([0.5, 1.0, 1.5]), var([0.0, 1.0, 1.0, 2.0]), var([0.0, 1.0, 3.0, 4.0])
    y = F.interp(x, points, values)
    assert_close(y, [0.5, 3.0, 3.5])
    y.sum().backward()
    for v in (x, points, values):
        assert np.isfinite(to_numpy(v.grad)).all()
    one = var([2.0])
    y = F.interp(var([0.0, 5.0]), var([1.0]), one)
    assert_close(y, [2.0, 2.0])
    y.sum().backward()
    assert_close(to_numpy(one.grad), np.asarray([2.0]))


def test_interpolation_refuses(var):
    x = var([0.5])
    for points, values in (([0.0, 1.0], [1.0]), ([], []), ([[0.0]], [[1.0]])):
        with pytest.raises(ValueError, match="interp: expected vectors xp and fp of one length, 1 or more"):
            F.interp(x, points, values)


# -- convolution -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 2), (2, 5), (4, 4), (30, 7)])
def test_convolution_by_parts(var, monkeypatch, mode, n, m):
    """The same, however many elements of windows are gathered at a time."""
    a, v = var(RNG.random(n)), var(RNG.random(m))
    want = np.convolve(to_numpy(a), to_numpy(v), mode)
    for block in (1, 20, 1 << 20):
        monkeypatch.setattr(numeric, "_BLOCK", block)
        assert_close(F.convolve(a, v, mode), want, rtol=1e-13)
    check_gradients(lambda a, v: F.convolve(a, v, mode), [a, v], order=1)


def test_convolution_of_complex_numbers(var):
    a, v = var([1 + 1j, 2.0], complex), var([1j, 3.0], complex)
    F.sum(F.real(F.convolve(a, v, "full") * var([1.0, 1j, 2.0], complex, requires_grad=False))).backward()
    w = np.asarray([1.0, 1j, 2.0])
    want = [np.conj(w[0] * 1j + w[1] * 3.0), np.conj(w[1] * 1j + w[2] * 3.0)]
    assert_close(to_numpy(a.grad), np.asarray(want))


def test_convolution_refuses(var):
    for a, v, mode, message in (
        (var([[1.0]]), var([1.0]), "full", r"two vectors with elements; got shapes \(1, 1\) and \(1,\)"),
        (var([]), var([1.0]), "full", r"got shapes \(0,\)"),
        (var([1.0]), var([1.0]), "both", "mode 'full', 'same' or 'valid'; got 'both'"),
    ):
        with pytest.raises(ValueError, match=f"convolve: expected .*{message}"):
            F.convolve(a, v, mode)


# -- sorting, integrals ------------------------------------------------------------------------------------


def test_sorting_with_equal_elements(backend, var):
    """Each gradient goes where its element came from: no element gets two, none goes without."""
    xp = namespace_of(backend)
    x = var([[2.0, 1.0, 2.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    weights = var([[1.0, 10.0, 100.0, 1000.0]] * 2, requires_grad=False)
    for descending in (False, True):
        x.cleargrad()
        y = xp.sort(x, axis=1, descending=descending)
        assert_close(y, np.sort(to_numpy(x), axis=1)[:, :: -1 if descending else 1])
        F.sum(y * weights).backward()
        order = to_numpy(xp.argsort(x, axis=1, descending=descending))
        want = np.zeros((2, 4))
        np.put_along_axis(want, order, to_numpy(weights), axis=1)
        assert_close(to_numpy(x.grad), want)
        assert sorted(to_numpy(x.grad)[1]) == [1.0, 10.0, 100.0, 1000.0]


def test_integrals_over_uneven_grids(var):
    y, x = var(RNG.random((2, 4, 3))), var(np.cumsum(RNG.random(4)))
    want = np.trapezoid(to_numpy(y), to_numpy(x), axis=1)
    assert_close(F.trapezoid(y, x, axis=1), want, rtol=1e-14)
    check_gradients(lambda y, x: F.trapezoid(y, x, axis=1), [y, x])
