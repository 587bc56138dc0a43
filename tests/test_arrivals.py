"""Hooks on leaves: they run when the gradient is complete, and not before."""

from __future__ import annotations

import copy
import gc

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Function, Variable
from tensorgrad import functions as F
from tensorgrad.core.arrivals import HOOKED
from tensorgrad.testing import assert_close


class Noted(Function):
    """``y = x``; its backward notes its name."""

    def __init__(self, name, notes):
        self.name = name
        self.notes = notes

    def forward(self, x):
        return x + 0

    def backward(self, gy):
        self.notes.append(self.name)
        return gy


class Half(Function):
    """``y = a + b`` whose backward gives no gradient to b."""

    def forward(self, a, b):
        return a + b

    def backward(self, gy):
        return gy, None


def variable(xp, value):
    return Variable(xp.asarray(value, dtype=xp.float64))


def test_it_runs_while_the_backward_goes_on(xp):
    notes = []
    w1, w2, x = (variable(xp, [1.0, 2.0]) for _ in range(3))
    w1.on_grad(lambda v: notes.append("w1"))
    w2.on_grad(lambda v: notes.append("w2"))
    h = Noted("first", notes)(x * w1)
    F.sum(Noted("second", notes)(h * w2)).backward()
    assert notes == ["second", "w2", "first", "w1"]


def test_it_waits_for_the_last_of_several_uses(xp):
    w = variable(xp, [3.0])
    seen = []
    w.on_grad(lambda v: seen.append(tg.testing.arrays.to_numpy(v.grad.data).tolist()))
    y = w * 2.0
    for _ in range(3):
        y = y * w  # the gradient comes at several generations, and twice at one
    F.sum(y + w * w).backward()
    assert seen == [[4 * 2.0 * 27.0 + 6.0]]


def test_it_sees_what_was_added_to_an_older_gradient(xp):
    w = variable(xp, [1.0])
    seen = []
    w.on_grad(lambda v: seen.append(float(F.sum(v.grad).item())))
    for _ in range(2):
        F.sum(w * 3.0).backward()
    assert seen == [3.0, 6.0]


def test_no_gradient_no_call(xp):
    a, b = variable(xp, [1.0]), variable(xp, [1.0])
    seen = []
    for name, v in (("a", a), ("b", b)):
        v.on_grad(lambda _, name=name: seen.append(name))
    F.sum(Half()(a, b)).backward()
    assert seen == ["a"]
    assert b.grad is None
    # A value of which one use brings none: the other is waited for.
    F.sum(Half()(a, b) + b).backward()
    assert sorted(seen) == ["a", "a", "b"]
    assert_close(b.grad, np.ones(1))


def test_a_leaf_below_an_unchained_value_gets_everything(xp):
    w = variable(xp, [2.0])
    y = w * w
    z = y * 3.0
    y.unchain()
    seen = []
    y.on_grad(lambda v: seen.append(float(F.sum(v.grad).item())))
    F.sum(z + y).backward()
    assert seen == [4.0]


def test_gradients_with_a_graph(xp):
    w = variable(xp, [2.0])
    seen = []
    remove = w.on_grad(lambda v: seen.append(v.grad.creator is not None))
    F.sum(w * w * w).backward(create_graph=True)
    assert seen == [True]
    remove()
    gw = w.grad
    w.cleargrad()
    F.sum(gw).backward()
    assert_close(w.grad, np.array([12.0]))
    assert seen == [True]


def test_gradients_asked_for_by_name_run_no_hook(xp):
    w = variable(xp, [2.0])
    w.on_grad(lambda v: pytest.fail("no grad is written"))
    (gw,) = tg.gradients(F.sum(w * w), [w])
    assert_close(gw, np.array([4.0]))


def test_checkpoints_count_as_one_use(xp):
    w = variable(xp, [2.0])
    seen = []
    w.on_grad(lambda v: seen.append(float(F.sum(v.grad).item())))
    F.sum(tg.checkpoint(lambda x: x * w * w, variable(xp, [3.0])) + w).backward()
    assert seen == [13.0]


def test_the_leaf_itself(xp):
    w = variable(xp, 2.0)
    seen = []
    w.on_grad(lambda v: seen.append(v.grad))
    w.backward()
    assert len(seen) == 1


def test_several_hooks_in_order_and_removed(xp):
    w = variable(xp, [2.0])
    seen = []
    first = w.on_grad(lambda v: seen.append(1))
    second = w.on_grad(lambda v: seen.append(2))
    F.sum(w * w).backward()
    first()
    first()  # a second time changes nothing
    F.sum(w * w).backward()
    second()
    F.sum(w * w).backward()
    assert seen == [1, 2, 2]
    assert id(w) not in HOOKED


def test_an_error_of_a_hook_ends_the_backward(xp):
    w, u = variable(xp, [2.0]), variable(xp, [2.0])

    def fail(_):
        raise RuntimeError("stop here")

    w.on_grad(fail)
    with pytest.raises(RuntimeError, match="stop here"):
        F.sum((u * 2.0) * w).backward()
    assert u.grad is None
    assert w.grad is not None
    assert tg.Config.enable_backprop


def test_copies_have_no_hooks_and_nothing_is_left_of_the_dead(xp):
    w = variable(xp, [2.0])
    w.on_grad(lambda v: None)
    for twin in (copy.copy(w), copy.deepcopy(w)):
        assert id(twin) not in HOOKED
    key = id(w)
    del w
    gc.collect()
    assert key not in HOOKED


def test_frozen_leaves_are_left_alone(xp):
    w, u = variable(xp, [2.0]), variable(xp, [2.0])
    w.on_grad(lambda v: pytest.fail("it was frozen"))
    y = F.sum(w * u)
    w.requires_grad = False
    y.backward()
    assert w.grad is None
