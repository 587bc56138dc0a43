"""``backward`` as users call it: where it starts, what it leaves behind, and how often it runs."""

from __future__ import annotations

import re
from weakref import ref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


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


def test_a_loss_that_is_summed_up_and_cut_off_again_and_again():
    """Steps 59 and 60 of the book: the sum itself is never unchained."""
    w = Variable(np.array(2.0))
    loss = 0
    for n in range(1, 4):
        loss += w * w
        w.cleargrad()
        loss.backward()
        loss.unchain_backward()
        assert_close(w.grad, 4.0)
        assert_close(loss, 4.0 * n)


def test_what_needs_nothing_can_be_gone_through_again():
    x = Variable(np.array(3.0))
    y = -(x + 1.0)
    y.backward()
    y.backward()
    assert_close(x.grad, -2.0)
    z = -(x * x)
    z.backward()
    with pytest.raises(RuntimeError, match="second time"):
        z.backward()
