"""Where gradients end: leaves, which own their gradients, and values that were made leaves."""

from __future__ import annotations

import gc
import re
from weakref import ref

import numpy as np
import pytest

from tensorgrad import Op, Variable
from tensorgrad import functions as F
from tensorgrad.core import Input
from tensorgrad.testing import assert_close


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


class TwoWaysOp(Op):
    """``x -> 2 x, 3 x``"""

    fresh = True

    def forward(self, x):
        return 2 * x, 3 * x

    def backward(self, g0, g1):
        parts = [c * g for c, g in ((2, g0), (3, g1)) if g is not None]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]


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
