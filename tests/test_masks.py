"""What a mask threw away has gradient 0, however infinite the slope was there: 0 * inf is no nan here."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

POINT = np.array([0.0, 0.0, 4.0, 9.0])
KEPT = np.array([False, False, True, True])


def assigned(y, x):
    y[x.data <= 0] = 0.0
    return y


def assigned_slice(y, x):
    y[:2] = 0.0
    return y


WAYS = {
    "where": lambda y, x: F.where(x.data > 0, y, 0.0),
    "where, other side": lambda y, x: F.where(x.data <= 0, 0.0, y),
    "mask": lambda y, x: y[x.data > 0],
    "assigned by mask": assigned,
    "assigned by slice": assigned_slice,
    "through views": lambda y, x: F.where((x > 0)[::-1], F.reshape(y, (2, 2)).reshape(4)[::-1], 0.0),
    "through arithmetic": lambda y, x: F.where(x.data > 0, 2.0 * y + 1.0 - y, 0.0),
}

SLOPES = {
    "log": (F.log, lambda x: 1 / x, lambda x: -1 / x**2),
    "sqrt": (F.sqrt, lambda x: 0.5 / x**0.5, lambda x: -0.25 / x**1.5),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3),
    "power": (lambda x: x**-0.5, lambda x: -0.5 * x**-1.5, lambda x: 0.75 * x**-2.5),
    "0 / 0": (lambda x: x * x / x, lambda x: 1 + 0 * x, lambda x: 0 * x),
    "entropy": (lambda x: x * F.log(x), lambda x: np.log(x) + 1, lambda x: 1 / x),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SLOPES)
def test_gradients_to_second_order(backend, way, name):
    f, slope, curvature = SLOPES[name]
    x = Variable(backend.from_numpy(POINT))
    F.sum(WAYS[way](f(x), x)).backward(create_graph=True)
    gx = x.grad
    assert_close(gx, np.where(KEPT, slope(np.where(KEPT, POINT, 1.0)), 0.0), rtol=1e-12)
    x.cleargrad()
    F.sum(gx).backward()
    assert_close(x.grad, np.where(KEPT, curvature(np.where(KEPT, POINT, 1.0)), 0.0), rtol=1e-12)


def test_a_plain_backward_gives_the_same(backend):
    for way in WAYS.values():
        x = Variable(backend.from_numpy(POINT))
        F.sum(way(F.log(x), x)).backward()
        assert_close(x.grad, [0.0, 0.0, 1 / 4, 1 / 9], rtol=1e-12)


def test_a_gradient_that_is_not_0_meets_the_infinite_slope():
    x = Variable(POINT)
    y = F.sqrt(x)
    (F.sum(F.where(x.data > 1, y, 0.0)) + F.sum(y)).backward()
    assert np.isinf(x.grad.data[:2]).all()
    assert_close(x.grad.data[2:], [0.5, 1 / 3])


def test_the_standard_deviation_of_masked_values():
    """As scipy.stats.tstd has it: nan where a value is out of the limits, and nan is left out of the sums."""

    def masked_std(x):
        xp = x.__array_namespace__()
        x = xp.where(x > 5.0, xp.asarray(xp.nan), x)
        kept = ~xp.isnan(x)
        n = xp.sum(xp.astype(kept, x.dtype))
        mean = xp.sum(xp.where(kept, x, 0.0)) / n
        return xp.sqrt(xp.sum(xp.where(kept, (x - mean) ** 2, 0.0)) / n)

    want = tg.grad(F.std)(np.array([1.0, 2.0, 4.0]))
    assert_close(tg.grad(masked_std)(np.array([1.0, 2.0, 4.0, 9.0])), [*want, 0.0], rtol=1e-12)


def test_complex_values():
    x = Variable(np.array([0.0, 2.0 + 1.0j]))
    F.sum(F.real(F.where(x.data != 0, F.log(x), 0.0))).backward()
    assert_close(x.grad, [0.0, np.conj(1 / (2.0 + 1.0j))])


def test_a_gradient_that_happens_to_be_0_keeps_its_graph():
    """The square's gradient is 0 where x is 1, but its second derivative is not."""
    x = Variable(np.array([1.0, 4.0]))
    F.sum(F.where(x.data > 0, F.log(x) ** 2, 0.0)).backward(create_graph=True)
    gx = x.grad
    assert_close(gx, 2 * np.log(x.data) / x.data)
    x.cleargrad()
    F.sum(gx).backward()
    assert_close(x.grad, (2 - 2 * np.log(x.data)) / x.data**2)


GUARDS = {
    "relu": F.relu,
    "maximum": lambda x: F.maximum(x, 0.0),
    "the other of maximum": lambda x: F.maximum(0.0, x),
    "minimum": lambda x: -F.minimum(-x, 0.0),
    "clip": lambda x: F.clip(x, 0.0, None),
    "clip from both sides": lambda x: F.clip(x, 0.0, 10.0),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_what_a_guard_threw_away_meets_no_infinite_slope(backend, guard):
    """The square root's slope at 0 is infinite, and 0 times that would be nan."""
    x = Variable(backend.from_numpy(np.array([-1.0, 4.0, -2.0, 9.0])))
    F.sum(F.sqrt(GUARDS[guard](x))).backward()
    assert_close(x.grad, [0.0, 1 / 4, 0.0, 1 / 6], rtol=1e-12)
    x.cleargrad()
    F.sum(F.sqrt(GUARDS[guard](x))).backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    F.sum(gx).backward()
    assert_close(x.grad, [0.0, -1 / 32, 0.0, -1 / 108], rtol=1e-12)
