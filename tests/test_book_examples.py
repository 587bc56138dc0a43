"""What readers of the book have seen work, with the values that it prints."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tensorgrad import Function, Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy

# -- test functions of optimisation, with their published minima ---------------------------------


def sphere(x, y):
    return x**2 + y**2


def matyas(x, y):
    return 0.26 * (x**2 + y**2) - 0.48 * x * y


def goldstein_price(x, y):
    first = 1 + (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    second = 30 + (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    return first * second


def rosenbrock(x, y):
    return 100 * (y - x**2) ** 2 + (x - 1) ** 2


GRADIENTS = [  # function, gradient at (1, 1)
    (sphere, (2.0, 2.0)),
    (matyas, (0.04, 0.04)),
    (goldstein_price, (-5376.0, 8064.0)),
    (rosenbrock, (0.0, 0.0)),
]
MINIMA = [  # function, where, value
    (sphere, (0.0, 0.0), 0.0),
    (matyas, (0.0, 0.0), 0.0),
    (goldstein_price, (0.0, -1.0), 3.0),
    (rosenbrock, (1.0, 1.0), 0.0),
]


@pytest.mark.parametrize(("f", "expected"), GRADIENTS)
def test_gradients_at_one_one(var, f, expected):
    x, y = var(1.0), var(1.0)
    f(x, y).backward()
    assert_close(x.grad, expected[0], atol=1e-14)
    assert_close(y.grad, expected[1], atol=1e-14)


@pytest.mark.parametrize(("f", "where", "value"), MINIMA)
def test_minima(var, f, where, value):
    x, y = (var(a) for a in where)
    z = f(x, y)
    z.backward()
    assert_close(z, value, atol=1e-14)
    assert_close(x.grad, 0.0, atol=1e-12)
    assert_close(y.grad, 0.0, atol=1e-12)


def test_rosenbrock_gradient_at_the_start(var):
    x, y = var(0.0), var(2.0)
    rosenbrock(x, y).backward()
    assert (x.grad.item(), y.grad.item()) == (-2.0, 400.0)


# -- finding minima ------------------------------------------------------------------------------


def descend(x: Variable, y: Variable, steps: int) -> None:
    for _ in range(steps):
        x.cleargrad()
        y.cleargrad()
        rosenbrock(x, y).backward()
        x.data -= 0.001 * x.grad.data
        y.data -= 0.001 * y.grad.data


def test_rosenbrock_by_gradient_descent():
    x, y = Variable(np.array(0.0)), Variable(np.array(2.0))
    descend(x, y, 1000)
    assert_close([x.item(), y.item()], [0.68349178, 0.46565929], rtol=1e-3)
    descend(x, y, 9000)
    assert_close([x.item(), y.item()], [1.0, 1.0], atol=0.02)


def newton_step(f, *xs: Variable) -> None:
    """One step with the exact Hessian, whose rows are gradients of the gradient."""
    for x in xs:
        x.cleargrad()
    f(*xs).backward(create_graph=True)
    grads = [x.grad for x in xs]
    rows = []
    for g in grads:
        for x in xs:
            x.cleargrad()
        g.backward(retain_graph=True)
        rows.append([x.grad.item() for x in xs])
    move = np.linalg.solve(np.array(rows), np.array([g.item() for g in grads]))
    for x, d in zip(xs, move, strict=True):
        x.data = x.data - d
        x.cleargrad()


def test_rosenbrock_by_newton():
    """From (0, 2) six steps are enough, where descent needs thousands."""
    x, y = Variable(np.array(0.0)), Variable(np.array(2.0))
    for _ in range(6):
        newton_step(rosenbrock, x, y)
    assert_close([x.item(), y.item()], [1.0, 1.0], rtol=1e-12)


def test_newton_on_a_quartic():
    """``x**4 - 2 x**2`` from 2: the book's sequence of points."""
    x = Variable(np.array(2.0))
    points = [x.item()]
    for _ in range(7):
        y = x**4 - 2 * x**2
        x.cleargrad()
        y.backward(create_graph=True)
        gx = x.grad
        x.cleargrad()
        gx.backward()
        gx2 = x.grad
        x.data -= gx.data / gx2.data
        points.append(x.item())
    x.cleargrad()
    expected = [
        *(2.0, 1.4545454545454546, 1.1510467893775467, 1.0253259289766978),
        *(1.0009084519430513, 1.0000012353089454, 1.000000000002289, 1.0),
    ]
    assert_close(points, expected, rtol=1e-15)


# -- series and derivatives ----------------------------------------------------------------------


def taylor_sin(x, threshold):
    y = 0
    for i in range(100_000):
        c = (-1) ** i / math.factorial(2 * i + 1)
        t = c * x ** (2 * i + 1)
        y = y + t
        if abs(t.item()) < threshold:
            break
    return y


def test_taylor_series_of_sin(var):
    x = var(np.pi / 4)
    y = taylor_sin(x, 1e-4)
    y.backward()
    assert_close(y, 0.7071064695751781, rtol=1e-15)
    assert_close(x.grad, 0.7071032148228457, rtol=1e-15)
    x.cleargrad()
    y = taylor_sin(x, 1e-150)
    y.backward()
    assert_close(y, math.sqrt(0.5), rtol=1e-15)
    assert_close(x.grad, math.sqrt(0.5), rtol=1e-15)


def test_derivatives_of_sin(var):
    x = var(1.0)
    y = F.sin(x)
    y.backward(create_graph=True)
    for expected in (math.cos(1), -math.sin(1), -math.cos(1), math.sin(1)):
        gx = x.grad
        assert_close(gx, expected, rtol=1e-14)
        x.cleargrad()
        gx.backward(create_graph=True)
    x.cleargrad()


def test_derivatives_of_sin_over_an_array(var):
    points = np.linspace(-7, 7, 200)
    x = var(points)
    y = F.sin(x)
    y.backward(create_graph=True)
    for expected in (np.cos, lambda a: -np.sin(a), lambda a: -np.cos(a)):
        gx = x.grad
        assert_close(gx, expected(points), rtol=1e-12)
        x.cleargrad()
        gx.backward(create_graph=True)
    x.cleargrad()


def test_second_derivative_of_a_quartic(var):
    x = var(2.0)
    y = x**4 - 2 * x**2
    y.backward(create_graph=True)
    gx = x.grad
    assert gx.item() == 24.0
    x.cleargrad()
    gx.backward()
    assert x.grad.item() == 44.0


def test_double_backward_in_a_formula(var):
    x = var(2.0)
    y = x**2
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    (gx**3 + y).backward()
    assert x.grad.item() == 100.0


# -- the first steps -----------------------------------------------------------------------------


class Square(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        (x,) = self.inputs
        return 2 * x * gy


class Exp(Function):
    def forward(self, x):
        return self.xp.exp(x)

    def backward(self, gy):
        (x,) = self.inputs
        return F.exp(x) * gy


def test_composed_functions(var):
    x = var(0.5)
    y = Square()(Exp()(Square()(x)))
    y.backward()
    assert_close(y, 1.648721270700128, rtol=1e-15)
    assert_close(x.grad, 3.297442541400256, rtol=1e-15)


def test_the_same_variable_again(var):
    x = var(3.0)
    y = F.add(x, x)
    y.backward()
    assert x.grad.item() == 2.0
    x.cleargrad()
    y = F.add(F.add(x, x), x)
    y.backward()
    assert x.grad.item() == 3.0


def test_gradients_in_between_are_not_kept(var):
    x0, x1 = var(1.0), var(1.0)
    t = F.add(x0, x1)
    y = F.add(x0, t)
    y.backward()
    assert (y.grad, t.grad) == (None, None)
    assert (x0.grad.item(), x1.grad.item()) == (2.0, 1.0)


def test_operators_with_numbers_and_arrays(var):
    x = var(2.0)
    assert (x + np.array(3.0)).item() == 5.0
    assert (3.0 * x + 1.0).item() == 7.0
    assert (-x).item() == -2.0
    assert (2.0 - x).item() == 0.0
    assert (x - 1.0).item() == 1.0
    assert (3.0 / x).item() == 1.5
    assert (x / 2.0).item() == 1.0
    assert (x**3).item() == 8.0


def test_a_formula_of_two_variables(var):
    a, b, c = var(3.0), var(2.0), var(1.0)
    y = a * b + c
    y.backward()
    assert y.item() == 7.0
    assert (a.grad.item(), b.grad.item()) == (2.0, 3.0)


def test_broadcasting(var):
    x0, x1 = var([1, 2, 3]), var([10])
    y = x0 + x1
    assert_close(y, [11.0, 12.0, 13.0])
    y.backward()
    assert_close(x1.grad, [3.0])


def test_reshape_and_sum(var):
    x = var([[1, 2, 3], [4, 5, 6]])
    y = F.reshape(x, (6,))
    y.backward(retain_grad=True)
    assert_close(x.grad, np.ones((2, 3)))
    x.cleargrad()
    y = F.sum(x, axis=0)
    y.backward()
    assert_close(y, [5.0, 7.0, 9.0])
    assert_close(x.grad, np.ones((2, 3)))
    assert to_numpy(x.sum(axis=(0, 1), keepdims=True)).shape == (1, 1)


def test_linear_regression_by_descent(var):
    """Toy data ``y = 5 + 2 x + noise`` and 100 steps, with the gradients written by hand beside it."""
    rng = np.random.default_rng(0)
    points = rng.random((100, 1))
    values = 5 + 2 * points + rng.random((100, 1))
    x, t = var(points, requires_grad=False), var(values, requires_grad=False)
    w, b = var([[0.0]]), var([0.0])
    hand_w = hand_b = 0.0
    for _ in range(100):
        w.cleargrad()
        b.cleargrad()
        error = x * w + b - t
        loss = F.sum(error * error) / 100
        loss.backward()
        w.data = w.data - 0.1 * w.grad.data
        b.data = b.data - 0.1 * b.grad.data
        miss = points * hand_w + hand_b - values
        hand_w -= 0.1 * 2 * float((miss * points).mean())
        hand_b -= 0.1 * 2 * float(miss.mean())
    assert_close(w, [[hand_w]], rtol=1e-10)
    assert_close(b, [hand_b], rtol=1e-10)
