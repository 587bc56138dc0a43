"""The backward engine: which gradients arrive, where, and what stays behind."""

from __future__ import annotations

import re
from weakref import ref

import numpy as np
import pytest

from tensorgrad import Function, Op, Variable
from tensorgrad import functions as F
from tensorgrad.core.config import STATE
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


class TwoWays(Function):
    """``x -> 2 x, 3 x``"""

    def forward(self, x):
        return 2 * x, 3 * x

    def backward(self, g0, g1):
        return 2 * g0 + 3 * g1


class TwoWaysOp(Op):
    """The same as a built-in op, which gets None for an output without a gradient."""

    fresh = True

    def forward(self, x):
        return 2 * x, 3 * x

    def backward(self, g0, g1):
        parts = [c * g for c, g in ((2, g0), (3, g1)) if g is not None]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]


# -- the shape of the graph ----------------------------------------------------------------------


def test_a_shared_input_gets_both_gradients(var):
    x = var(3.0)
    F.add(x, x).backward()
    assert_close(x.grad, 2.0)


def test_a_shared_input_of_one_op_and_another(var):
    x = var(3.0)
    y = F.add(F.add(x, x), x)
    y.backward()
    assert_close(x.grad, 3.0)
    x.cleargrad()
    (x * x).backward()
    assert_close(x.grad, 6.0)


def test_diamond(var):
    x = var(2.0)
    a = x * x
    y = a * a + a * a
    y.backward()
    assert_close(y, 32.0)
    assert_close(x.grad, 64.0)


def test_diamonds_in_a_row(var):
    """2**40 paths: each node may be visited only once."""
    x = y = var(1.0)
    for _ in range(40):
        y = y + y
    y.backward()
    assert_close(x.grad, 2.0**40)


def test_a_short_way_waits_for_a_long_one(var):
    """The node of `a` comes off the heap only when both of its gradients are there."""
    x = var(2.0)
    a = x * x
    long = a
    for _ in range(5):
        long = long * 1.0
    (a * 3.0 + long).backward()
    assert_close(x.grad, 16.0)
    x.cleargrad()
    a = x * x
    long = a
    for _ in range(5):
        long = long * 1.0
    (long + a * 3.0).backward()
    assert_close(x.grad, 16.0)


def test_generation_is_the_longest_way_to_a_leaf():
    x = Variable(np.array(1.0))
    a = x + 1.0
    b = a + x
    c = x + b
    assert [v.generation for v in (x, a, b, c)] == [0, 1, 2, 3]


def test_several_leaves(var):
    x, y, z = var(2.0), var(3.0), var(4.0)
    (x * y + y * z).backward()
    assert_close(x.grad, 3.0)
    assert_close(y.grad, 6.0)
    assert_close(z.grad, 3.0)


def test_broadcasting_is_undone(var):
    x, b = var([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), var([1.0, 2.0, 3.0])
    c, d = var([[2.0], [3.0]]), var(2.0)
    (x * b * c * d).backward()
    assert_close(b.grad, [2 * (2 * 1 + 3 * 4), 2 * (2 * 2 + 3 * 5), 2 * (2 * 3 + 3 * 6.0)])
    assert_close(c.grad, [[28.0], [64.0]])
    assert_close(d.grad, 2 * 14 + 3 * 32.0)
    assert_close(x.grad, np.array([[2.0], [3.0]]) * [1.0, 2.0, 3.0] * 2)


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_gradient_has_the_dtype_of_its_input(var, create_graph):
    x, w = var([1.0, 2.0], np.float32), var([3.0, 4.0], np.float64)
    (x * w).sum().backward(create_graph=create_graph)
    assert_close(x.grad, np.array([3.0, 4.0], np.float32))
    assert_close(w.grad, np.array([1.0, 2.0], np.float64))


# -- long chains ---------------------------------------------------------------------------------


def chain(x: Variable, n: int) -> Variable:
    for _ in range(n):
        x = x + 1.0
    return x


def test_a_chain_of_100_000_ops():
    """Build, backward and destruction: none of them recurses."""
    x = Variable(np.array(1.0))
    y = chain(x, 100_000)
    assert y.generation == 100_000
    y.backward()
    assert_close(x.grad, 1.0)
    del y


def test_a_chain_of_100_000_ops_dropped_without_a_backward():
    y = chain(Variable(np.array(1.0)), 100_000)
    bottom = ref(y.creator)
    del y
    assert bottom() is None


def test_a_chain_of_100_000_functions_of_several_outputs():
    x = y = Variable(np.array(1.0))
    for _ in range(100_000):
        y, _unused = TwoWaysOp()(y)
        y = y * 0.5
    y.backward()
    assert_close(x.grad, 1.0)


def test_a_chain_of_100_000_ops_whose_every_handle_lives():
    x = Variable(np.array(1.0))
    ys = [x]
    for _ in range(100_000):
        ys.append(ys[-1] + 1.0)
    ys[-1].backward(retain_grad=True)
    assert_close(ys[1].grad, 1.0)
    assert_close(x.grad, 1.0)
    del ys


def test_a_recorded_backward_of_a_long_chain_is_freed_too():
    x = y = Variable(np.array(1.0))
    for _ in range(20_000):
        y = F.sin(y)
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    assert gx.generation > 20_000
    del gx, y


def test_unchain_backward_of_a_long_chain():
    y = chain(Variable(np.array(1.0)), 1)
    bottom = ref(y.creator)
    y = chain(y, 100_000)
    y.unchain_backward()
    assert bottom() is None


# -- functions of several outputs ----------------------------------------------------------------


@pytest.mark.parametrize("kind", [TwoWays, TwoWaysOp])
@pytest.mark.parametrize("create_graph", [False, True])
def test_outputs_that_nobody_used(var, kind, create_graph):
    x = var([1.0, 2.0])
    first, _ = kind()(x)
    first.sum().backward(create_graph=create_graph)
    assert_close(x.grad, [2.0, 2.0])
    x.cleargrad()
    _, second = kind()(x)
    second.sum().backward(create_graph=create_graph)
    assert_close(x.grad, [3.0, 3.0])
    x.cleargrad()
    first, second = kind()(x)
    (first + second * second).sum().backward(create_graph=create_graph)
    assert_close(x.grad, [2 + 18.0, 2 + 36.0])


def test_an_output_used_twice(var):
    x = var(1.0)
    first, second = TwoWaysOp()(x)
    (first + first + second).backward()
    assert_close(x.grad, 7.0)


def test_the_gradient_of_an_unused_output_is_zeros_of_its_shape_and_dtype(var):
    seen = []

    class Parts(Function):
        def forward(self, x):
            return x[:1], self.xp.astype(x[1:], self.xp.float32)

        def backward(self, g0, g1):
            seen.append((g1.shape, to_numpy(g1).dtype, to_numpy(g1).tolist()))
            return F.broadcast_to(g0, (3,))

    first, _ = Parts()(var([1.0, 2.0, 3.0]))
    first.backward()
    assert seen == [((2,), np.float32, [0.0, 0.0])]


# -- what a backward may return ------------------------------------------------------------------


class Returns(Function):
    """Adds its inputs; its backward returns what it was made with, as a function of gy."""

    def __init__(self, gradients):
        self.gradients = gradients

    def forward(self, *xs):
        return sum(xs[1:], start=xs[0])

    def backward(self, gy):
        return self.gradients(gy)


@pytest.mark.parametrize("create_graph", [False, True])
def test_none_is_no_gradient(var, create_graph):
    x, y = var(1.0), var(2.0)
    Returns(lambda gy: (None, gy))(x, y).backward(create_graph=create_graph)
    assert x.grad is None
    assert_close(y.grad, 1.0)


def test_a_raw_array_or_a_number_is_a_gradient_too(var, xp):
    x, y = var(1.0), var(2.0)
    Returns(lambda gy: (gy.data, 5.0))(x, y).backward()
    assert_close(x.grad, 1.0)
    assert_close(y.grad, 5.0)


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_wrong_number_of_gradients(create_graph):
    x, y = Variable(np.array(1.0)), Variable(np.array(2.0))
    expected = "Returns.backward: expected 2 gradients, one for each input; got 1"
    with pytest.raises(ValueError, match=message(expected)):
        Returns(lambda gy: gy)(x, y).backward(create_graph=create_graph)
    with pytest.raises(ValueError, match=message(expected.replace("got 1", "got 3"))):
        Returns(lambda gy: (gy, gy, gy))(x, y).backward(create_graph=create_graph)


def test_a_gradient_of_a_shape_that_does_not_fit():
    x = Variable(np.zeros((2, 3)))
    expected = (
        "Returns.backward: the gradient of an input of shape (2, 3) has shape (4, 3): "
        "expected a shape that broadcasts to (4, 3); got (2, 3)"
    )
    with pytest.raises(ValueError, match=message(expected)):
        Returns(lambda gy: np.zeros((4, 3)))(x).backward()
    with pytest.raises(ValueError, match=r"has shape \(3,\): expected a shape that broadcasts"):
        Returns(lambda gy: np.zeros(3))(x).backward()


def test_a_gradient_that_is_no_array():
    expected = "^Returns.backward: expected an array of a registered library .*; got builtins.str."
    with pytest.raises(TypeError, match=expected):
        Returns(lambda gy: "gradient")(Variable(np.array(1.0))).backward()


# -- errors leave everything as it was -----------------------------------------------------------


@pytest.mark.parametrize("create_graph", [False, True])
def test_an_error_in_a_backward_leaves_gradients_and_modes_alone(create_graph):
    def fail(gy):
        raise ZeroDivisionError

    x, y = Variable(np.array(1.0)), Variable(np.array(2.0))
    (x * y).backward()
    before = x.grad, y.grad
    with pytest.raises(ZeroDivisionError):
        (x * 3.0 + Returns(fail)(y)).backward(create_graph=create_graph)
    assert (x.grad, y.grad) == before or (x.grad is before[0] and y.grad is before[1])
    assert_close(x.grad, 2.0)
    assert_close(y.grad, 1.0)
    assert STATE.get().enable_backprop
