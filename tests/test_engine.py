"""The backward engine: which gradients arrive, where, and what stays behind."""

from __future__ import annotations

import gc
import re
from weakref import ref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Function, Op, Variable
from tensorgrad import functions as F
from tensorgrad.core import Input
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


# -- where a backward starts ---------------------------------------------------------------------


def test_backward_of_a_leaf_is_ones_and_adds(var):
    x = var([1.0, 2.0])
    x.backward()
    assert_close(x.grad, [1.0, 1.0])
    x.backward()
    assert_close(x.grad, [2.0, 2.0])


NO_GRADIENT = (
    "backward: this Variable requires no gradient: it was computed under no_grad or from "
    "constants alone, or made with requires_grad=False"
)


def test_backward_where_no_gradient_is_required():
    x = Variable(np.array(1.0))
    with tg.no_grad():
        y = x * x
    constant = Variable(np.array(1.0), requires_grad=False)
    for v in (y, constant, constant * 2.0, Variable(np.array(True))):
        with pytest.raises(RuntimeError, match=message(NO_GRADIENT)):
            v.backward()


def test_backward_of_an_array_starts_from_ones(var):
    x = var([[1.0, 2.0], [3.0, 4.0]])
    y = x * x
    y.backward()
    assert_close(x.grad, [[2.0, 4.0], [6.0, 8.0]])
    assert y.grad is None


@pytest.mark.parametrize("kind", ["variable", "array", "number", "numpy number"])
@pytest.mark.parametrize("create_graph", [False, True])
def test_backward_from_a_given_gradient(var, kind, create_graph):
    x = var([1.0, 2.0])
    v = var([5.0, 5.0])
    grad = {"variable": v, "array": v.data, "number": 5.0, "numpy number": np.float32(5)}[kind]
    (x * x).backward(grad=grad, create_graph=create_graph)
    assert_close(x.grad, [10.0, 20.0])
    assert v.grad is None


def test_a_given_gradient_that_does_not_fit():
    x = Variable(np.ones((2, 3)))
    expected = "backward: expected a grad like the output, numpy (2, 3); got numpy (3,)"
    with pytest.raises(ValueError, match=message(expected)):
        (x * x).backward(grad=np.ones(3))


def test_a_gradient_set_before_is_where_it_starts(var):
    """As in the book: ``y.grad = ...`` and then ``y.backward()``."""
    x = var([1.0, 2.0])
    y = x * x
    y.grad = var([10.0, 100.0])
    y.backward()
    assert_close(x.grad, [20.0, 400.0])
    assert y.grad is None


def test_a_differentiable_starting_gradient(var):
    x, v = var(3.0), var(2.0)
    (x * x).backward(grad=v, create_graph=True)
    gx = x.grad
    assert_close(gx, 12.0)
    gx.backward()
    assert_close(v.grad, 6.0)


# -- a second backward ---------------------------------------------------------------------------

FREED = (
    "backward through <Mul> for the second time: what it had saved was freed by the first. "
    "Pass retain_graph=True to the first backward, or compute the output again."
)


def test_a_second_backward_says_what_to_do():
    x = Variable(np.array(3.0))
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match=message(FREED)):
        y.backward()
    assert_close(x.grad, 6.0)


def test_retain_graph_allows_a_second_backward_which_adds(var):
    x = var(3.0)
    y = x * x
    y.backward(retain_graph=True)
    first = x.grad
    y.backward()
    assert_close(x.grad, 12.0)
    assert_close(first, 6.0)  # the first gradient was not changed in place
    with pytest.raises(RuntimeError, match="for the second time"):
        y.backward()


def test_create_graph_keeps_the_graph_unless_told_otherwise():
    x = Variable(np.array(3.0))
    y = x * x
    y.backward(create_graph=True)
    y.backward(create_graph=True, retain_graph=False)
    assert_close(x.grad, 12.0)
    with pytest.raises(RuntimeError, match=message(FREED)):
        y.backward()


def test_leaf_gradients_add_over_graphs(var):
    x = var([1.0, 2.0])
    for expected in ([3.0, 3.0], [6.0, 6.0], [9.0, 9.0]):
        (x * 3.0).backward()
        assert_close(x.grad, expected)
    x.cleargrad()
    assert x.grad is None


def test_create_graph_adds_to_a_gradient_with_a_graph(var):
    x = var(2.0)
    (x * x * x).backward(create_graph=True)
    (x * x).backward(create_graph=True)
    gx = x.grad
    assert_close(gx, 3 * 4 + 2 * 2.0)
    x.cleargrad()
    gx.backward()
    assert_close(x.grad, 6 * 2 + 2.0)


# -- gradients in between ------------------------------------------------------------------------


def test_gradients_in_between_are_cleared(var):
    x = var(2.0)
    t = x * x
    y = t * 3.0
    y.backward()
    assert t.grad is None
    assert y.grad is None
    assert_close(x.grad, 12.0)


@pytest.mark.parametrize("create_graph", [False, True])
def test_retain_grad(var, create_graph):
    x = var(2.0)
    t = x * x
    y = t * 3.0
    y.backward(retain_grad=True, create_graph=create_graph)
    assert_close(y.grad, 1.0)
    assert_close(t.grad, 3.0)
    assert_close(x.grad, 12.0)


@pytest.mark.parametrize("create_graph", [False, True])
def test_retain_grad_twice_adds_only_to_leaves(var, create_graph):
    """If the gradient of `t` were added to as well, this would give 36."""
    x = var(2.0)
    t = x * x
    y = t * 3.0
    for _ in range(2):
        y.backward(retain_grad=True, retain_graph=True, create_graph=create_graph)
    assert_close(x.grad, 24.0)
    assert_close(t.grad, 3.0)
    assert_close(y.grad, 1.0)


def test_retained_gradients_own_their_memory():
    x = Variable(np.array([1.0, 2.0]))
    t = x + 0.0
    y = t + 0.0
    y.backward(retain_grad=True)
    grads = [v.grad.data for v in (x, t, y)]
    for i, g in enumerate(grads):
        assert not any(np.shares_memory(g, h) for h in grads[:i])


def test_a_retained_gradient_with_its_graph_is_no_cycle():
    """The gradient of `t` is computed from `t`; the node of `t` must not hold it."""
    x = Variable(np.array(2.0))
    t = x * x
    y = t * t
    y.backward(retain_grad=True, create_graph=True)
    assert_close(t.grad, 8.0)
    node = ref(t.creator)
    del t, y
    x.cleargrad()
    assert node() is None


def test_a_gradient_set_after_retain_grad_is_where_the_next_starts(var):
    x = var(2.0)
    y = x * x
    y.backward(retain_grad=True, retain_graph=True)
    x.cleargrad()
    y.grad = var(10.0)
    y.backward()
    assert_close(x.grad, 40.0)


# -- higher orders -------------------------------------------------------------------------------


def test_second_and_third_derivative(var):
    x = var(2.0)
    y = x**4 - 2 * x**2
    y.backward(create_graph=True)
    derivatives = []
    for _ in range(3):
        gx = x.grad
        derivatives.append(gx.item())
        x.cleargrad()
        gx.backward(create_graph=True)
    assert derivatives == [24.0, 44.0, 48.0]
    assert_close(x.grad, 24.0)


def test_a_gradient_in_a_loss(var):
    """Differentiate through a gradient penalty: ``z = (dy/dx)**3 + y``."""
    x = var(2.0)
    y = x**2
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    z = gx**3 + y
    z.backward()
    assert_close(x.grad, 100.0)


def tanh_derivatives(n: int, t: float) -> list[float]:
    """Derivatives of tanh where its value is t: polynomials in t, for ``t' = 1 - t**2``."""
    p = [0, 1]  # integer coefficients of t, lowest first
    values = []
    for _ in range(n):
        slope = [i * c for i, c in enumerate(p)][1:]
        p = [*slope, 0, 0]
        for i, c in enumerate(slope):
            p[i + 2] -= c
        values.append(float(sum(c * t**i for i, c in enumerate(p))))
    return values


def test_tanh_to_the_8th_derivative(var):
    x = var(1.0)
    y = F.tanh(x)
    expected = tanh_derivatives(8, float(np.tanh(1.0)))
    assert_close(expected[:4], [0.41997434, -0.63970000, 0.62162668, 0.66509104], atol=1e-7)
    for n, value in enumerate(expected, start=1):
        y.backward(create_graph=True)
        y = x.grad
        x.cleargrad()
        assert_close(y, value, rtol=1e-11, what=f"derivative {n}")


def test_a_recorded_gradient_is_a_variable_of_the_graph_and_a_plain_one_is_not(var):
    x = var(2.0)
    (x**3).backward(create_graph=True)
    assert x.grad.creator is not None
    x.cleargrad()
    (x**3).backward()
    assert x.grad.creator is None
    assert not x.grad.requires_grad


# -- leaf gradients own their memory -------------------------------------------------------------


def own_memory(*gradients: Variable) -> None:
    arrays = [g.data for g in gradients]
    for i, a in enumerate(arrays):
        assert 0 not in a.strides or a.size <= 1
        assert a.flags.writeable
        assert not any(np.shares_memory(a, b) for b in arrays[:i])


@pytest.mark.parametrize("create_graph", [False, True])
def test_leaf_gradients_own_their_memory(create_graph):
    x, y = Variable(np.ones((2, 3))), Variable(np.ones((2, 3)))
    F.add(x, y).backward(create_graph=create_graph)
    own_memory(x.grad, y.grad)
    x.grad = y.grad = None
    F.sum(F.add(x, y)).backward(create_graph=create_graph)  # a broadcast view
    own_memory(x.grad, y.grad)
    x.grad = y.grad = None
    seed = np.ones(6)
    F.reshape(F.add(x, y), (6,)).backward(grad=seed, create_graph=create_graph)  # views of the seed
    own_memory(x.grad, y.grad, Variable(seed))
    x.grad = y.grad = None
    seed = np.ones((2, 3))
    x.backward(grad=seed, create_graph=create_graph)
    own_memory(x.grad, Variable(seed))


def test_changing_a_gradient_in_place_changes_nothing_else():
    x, y = Variable(np.ones(3)), Variable(np.ones(3))
    seed = np.ones(3)
    (x + y).backward(grad=seed)
    x.grad.data *= 100.0
    assert_close(y.grad, [1.0, 1.0, 1.0])
    assert_close(seed, np.ones(3))


def test_a_leaf_used_twice_in_one_sum():
    x = Variable(np.ones(3))
    seed = np.ones(3)
    (x + x).backward(grad=seed)
    assert_close(x.grad, [2.0, 2.0, 2.0])
    assert_close(seed, np.ones(3))


# -- nothing that nobody asked for ---------------------------------------------------------------


def test_constants_get_no_gradient(var):
    x, frozen = var(2.0), var(3.0, requires_grad=False)
    (x * frozen * var(4.0).data).backward()
    assert_close(x.grad, 12.0)
    assert frozen.grad is None


def test_a_leaf_frozen_after_the_forward_gets_no_gradient(var):
    x, y = var(2.0), var(3.0)
    z = x * y
    y.requires_grad = False
    z.backward()
    assert_close(x.grad, 3.0)
    assert y.grad is None


def test_the_graph_above_what_needs_no_gradient_is_not_recorded():
    x = Variable(np.array(2.0), requires_grad=False)
    assert (x * x + 1.0).creator is None


def test_a_leaf_that_died_gets_nothing_and_disturbs_nothing():
    x = Variable(np.array(2.0))
    y = Variable(np.array(3.0)) * x
    y.backward()
    assert_close(x.grad, 3.0)


def test_what_backward_saves_is_only_what_it_will_need():
    class Picky(Op):
        saves = (Input(1, needed_by=0), Input(0, needed_by=1))

        def forward(self, a, b):
            return a * b

        def backward(self, gy):
            b, a = self.saved
            return (None if b is None else gy * b), (None if a is None else gy * a)

    x, c = Variable(np.array(2.0)), np.array(5.0)
    y = Picky()(x, c)
    assert y.creator.saved[1] is None
    y.backward()
    assert_close(x.grad, 5.0)


# -- unchain -------------------------------------------------------------------------------------


def test_unchain_makes_a_leaf(var):
    x = var(2.0)
    y = x * x
    z = y * 3.0
    y.unchain()
    assert y.creator is None
    z.backward()  # computed before: its gradient ends at y
    assert_close(y.grad, 3.0)
    assert x.grad is None
    y.cleargrad()
    (y * 5.0).backward()
    assert_close(y.grad, 5.0)
    assert x.grad is None


def test_unchain_of_a_leaf_does_nothing(var):
    x = var(2.0)
    x.unchain()
    (x * x).backward()
    assert_close(x.grad, 4.0)


def test_unchain_of_one_of_two_outputs(var):
    x = var(1.0)
    first, second = TwoWaysOp()(x)
    first.unchain()
    (first * 10.0 + second).backward()
    assert_close(first.grad, 10.0)
    assert_close(x.grad, 3.0)


def test_unchain_backward_truncates_backpropagation_through_time(var):
    """As an RNN is trained: every `steps` the state is kept and its history is cut."""
    w, h = var(0.5), var(1.0)
    for _ in range(3):
        loss = 0.0
        start = h.item()
        for _ in range(2):
            h = h * w
            loss = loss + h
        w.cleargrad()
        loss.backward()
        loss.unchain_backward()
        assert_close(w.grad, start + 2 * start * 0.5)
    assert h.creator is None


def test_unchain_backward_frees_the_history():
    w = h = Variable(np.ones(1000))
    states = []
    for _ in range(10):
        h = h * w
        states.append(ref(h.data))
    del h
    loss = F.sum(Variable(np.zeros(1000)) * w)
    assert all(s() is None for s in states)
    h = w
    saved = []
    for _ in range(10):
        h = h * w
        saved.append(ref(h.data))
    loss = F.sum(h * h)
    assert all(s() is not None for s in saved)
    loss.unchain_backward()
    assert [s() is None for s in saved] == [True] * 9 + [False]  # h itself is held by the test
    assert gc.isenabled() is False  # by reference counting alone


def test_unchain_backward_keeps_the_output_itself():
    x = Variable(np.array(2.0))
    y = x * x
    loss = y * 3.0
    loss.unchain_backward()
    assert loss.creator is not None
    assert y.creator is None
    assert_close(loss, 12.0)


def test_unchain_backward_through_a_diamond():
    x = Variable(np.array(2.0))
    a = x * x
    b, c = a * 2.0, a * 3.0
    loss = b * c
    loss.unchain_backward()
    assert [v.creator for v in (a, b, c)] == [None] * 3
