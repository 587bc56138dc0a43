"""Checkpoints: the same values and gradients, less memory, and no state advanced twice."""

from __future__ import annotations

import gc
from functools import partial
from weakref import ref

import numpy as np
import pytest

import tensorgrad as tg
from gaps import expect_gap
from tensorgrad import Parameter, Variable
from tensorgrad import functions as F
from tensorgrad.core.node import Leaf
from tensorgrad.testing import assert_close, check_gradients

X = np.array([0.3, -1.2, 0.8])
W = np.array([[0.5, -0.2, 0.1], [0.3, 0.9, -0.7], [0.2, 0.4, 0.6]])


def block(x, w):
    return F.tanh(F.matmul(x, w)) * F.sin(x)


def plain_and_checkpointed(function, *arrays):
    """The gradients of the sum of squares, of the function and of its checkpoint."""
    found = []
    for call in (function, tg.checkpoint(function)):
        xs = [Variable(a.copy()) for a in arrays]
        y = call(*xs)
        F.sum(y * y).backward()
        found.append((y.data, [x.grad.data for x in xs]))
    return found


def test_values_and_gradients_are_those_without(backend):
    w, x = Variable(backend.from_numpy(W)), Variable(backend.from_numpy(X))
    y = tg.checkpoint(block, x, w)
    assert type(y.creator).__name__ == "Checkpoint"
    assert y.backend is backend
    F.sum(y * y).backward()
    (_, (gx, gw)), (y1, _) = plain_and_checkpointed(block, X, W)
    assert_close(y, y1, rtol=1e-12)
    assert_close(x.grad, gx, rtol=1e-12)
    assert_close(w.grad, gw, rtol=1e-12)


def test_gradients_of_any_order():
    check_gradients(tg.checkpoint(block), [X, W], order=2)
    third = tg.grad(tg.grad(tg.grad(tg.checkpoint(lambda x: F.exp(2 * x) * x))))
    assert_close(third(np.array(0.5)), np.exp(1.0) * (8 * 0.5 + 12), rtol=1e-12)


def test_transforms_go_through():
    f = tg.checkpoint(lambda x: F.sum(F.sin(x) ** 3))

    def g(x):
        return F.sum(F.sin(x) ** 3)

    assert_close(tg.hessian(f)(X), tg.hessian(g)(X), rtol=1e-12)
    assert_close(tg.jvp(f, [X], [X])[1], tg.jvp(g, [X], [X])[1], rtol=1e-12)
    assert_close(tg.hvp(f, [X], [X])[0], tg.hvp(g, [X], [X])[0], rtol=1e-12)


def test_parameters_that_the_function_refers_to():
    w = Parameter(W.copy())
    x = Variable(X.copy())
    y = tg.checkpoint(lambda x: block(x, w), x)
    F.sum(y).backward()
    (_, (gx, gw)), _ = [(0, tg.grad(lambda x, w: F.sum(block(x, w)), (0, 1))(X, W)), 0]
    assert_close(x.grad, gx, rtol=1e-12)
    assert_close(w.grad, gw, rtol=1e-12)


def test_only_parameters_need_a_gradient():
    w = Parameter(W.copy())
    y = tg.checkpoint(lambda x: block(x, w), X)
    F.sum(y).backward()
    assert_close(w.grad, tg.grad(lambda w: F.sum(block(X, w)))(W), rtol=1e-12)


def test_layers():
    np.random.seed(0)  # noqa: NPY002
    model = tg.models.MLP((4, 3))
    x = np.ones((2, 5))
    grads = []
    for call in (model, tg.checkpoint(model)):
        model.cleargrads()
        loss = F.sum(call(x) ** 2)
        loss.backward()
        grads.append([p.grad.data.copy() for p in model.params()])
    assert len(grads[1]) == 4
    for g, h in zip(*grads, strict=True):
        assert_close(h, g, rtol=1e-12)


def test_second_order_in_parameters_without_counting_twice():
    def loss(call, x, w):
        h = 2.0 * w * x  # what the function gets was itself computed from w
        return call(lambda h: F.sum(F.sin(h) * w), h)

    def derivatives(call):
        x, w = Variable(X.copy()), Variable(X[::-1].copy())
        (g,) = tg.gradients(loss(call, x, w), [w], create_graph=True)
        return g, tg.gradients(F.sum(g * g), [x, w])

    want = derivatives(lambda f, h: f(h))
    got = derivatives(tg.checkpoint)
    assert_close(got[0], want[0], rtol=1e-12)
    for g, h in zip(got[1], want[1], strict=True):
        assert_close(g, h, rtol=1e-12)


def test_a_value_in_the_graph_that_the_function_refers_to():
    def f(call, x):
        h = F.exp(x)
        z = h * h
        y = call(lambda z: F.sin(h) * z, z)  # h is no argument, and z depends on it
        return F.sum(y * h)

    want = tg.grad(lambda x: f(lambda g, z: g(z), x))(X)
    x = Variable(X.copy())
    f(tg.checkpoint, x).backward()
    assert_close(x.grad, want, rtol=1e-12)


def test_one_output_of_a_node_is_an_argument_and_the_other_is_not():
    def f(call, x):
        a, b = F.split(F.exp(x), 2)
        return F.sum(call(lambda a: a * b, a))

    x4 = np.array([0.1, 0.2, 0.3, 0.4])
    want = tg.grad(lambda x: f(lambda g, a: g(a), x))(x4)
    x = Variable(x4)
    f(tg.checkpoint, x).backward()
    assert_close(x.grad, want, rtol=1e-12)


def test_nested():
    def f(call, x):
        inner = lambda h: F.tanh(h) * h  # noqa: E731
        return call(lambda x: call(inner, F.sin(x)) * call(inner, x), x)

    want = tg.grad(lambda x: F.sum(f(lambda g, *a: g(*a), x)))(X)
    assert_close(tg.grad(lambda x: F.sum(f(tg.checkpoint, x)))(X), want, rtol=1e-12)
    check_gradients(lambda x: f(tg.checkpoint, x), [X])


def test_containers_and_several_outputs():
    def f(tree, scale):
        a, b = tree["a"], tree["b"][0]
        return {"sum": a + scale * b, "pair": (a * b, 3.0, None)}

    a, b = Variable(X.copy()), Variable(X + 1)
    out = tg.checkpoint(f, {"a": a, "b": [b, None]}, scale=2.0)
    assert out["pair"][1:] == (3.0, None)
    F.sum(out["sum"]).backward()  # the other output gets no gradient
    assert_close(a.grad, np.ones(3))
    assert_close(b.grad, 2 * np.ones(3))


def test_an_argument_that_comes_back_and_one_given_twice():
    x = Variable(X.copy())
    y, same = tg.checkpoint(lambda a, b: (a * b, a), x, x)
    assert same is x
    F.sum(y).backward()
    assert_close(x.grad, 2 * X)


def test_what_needs_no_gradient_is_only_called():
    with tg.no_grad():
        assert tg.checkpoint(block, Variable(X), Variable(W)).creator is None
    y = tg.checkpoint(block, X, W)
    assert not y.requires_grad
    y = tg.checkpoint(lambda: Variable(X.copy()) * 2.0)()
    F.sum(y).backward()  # to a leaf that nobody holds any more


def test_a_variable_made_inside():
    x = Variable(X.copy())
    y = tg.checkpoint(lambda x: x * Variable(np.full(3, 2.0)), x)
    F.sum(y).backward()
    assert_close(x.grad, np.full(3, 2.0))


def test_parameters_that_are_not_reached_through_the_graph_of_the_arguments_are_inputs():
    w = Parameter(W.copy())
    x = Variable(X.copy())
    y = tg.checkpoint(lambda x: block(x, w), x)
    assert [v is x or v is w for v in y.creator.inputs] == [True, True]
    assert all(isinstance(node, Leaf) for node, _ in y.creator.edges)


# -- memory --------------------------------------------------------------------------------------


def test_activations_are_freed_and_come_back_for_the_backward_alone():
    living: list = []

    def watched(x):
        h = F.exp(x)
        living.append(ref(h.creator))
        return F.tanh(h)

    x = Variable(X.copy())
    gc.disable()
    try:
        y = tg.checkpoint(watched, x)
        assert [r() for r in living] == [None]  # the node that saved exp(x) is gone
        F.sum(y).backward()
        assert [r() for r in living] == [None, None]
    finally:
        gc.enable()


def test_memory_of_a_deep_network():
    import tracemalloc

    size, depth = 50_000, 8

    def deep(x):
        for _ in range(10):
            x = F.tanh(x)
        return x

    def held(call):
        x = Variable(np.linspace(-1, 1, size))
        tracemalloc.start()
        y = x
        for _ in range(depth):
            y = call(deep, y)
        used = tracemalloc.get_traced_memory()[0] / (8 * size)
        tracemalloc.reset_peak()
        F.sum(y).backward()
        peak = tracemalloc.get_traced_memory()[1] / (8 * size)
        tracemalloc.stop()
        return used, peak, x.grad.data

    used, _, want = held(lambda f, y: f(y))
    assert 80 <= used < 81
    used, peak, grad = held(tg.checkpoint)
    assert 8 <= used < 9
    assert peak < 8 + 10 + 6  # inputs of the blocks, one block, and some gradients
    assert_close(grad, want, rtol=1e-12)


def test_the_graph_is_freed_by_a_backward():
    x = Variable(X.copy())
    y = tg.checkpoint(F.tanh, x)
    z = F.sum(y)
    z.backward()
    with pytest.raises(RuntimeError, match="for the second time"):
        z.backward()
    y = tg.checkpoint(F.tanh, x)
    z = F.sum(y)
    x.cleargrad()
    z.backward(retain_graph=True)
    z.backward()
    assert_close(x.grad, 2 * (1 - np.tanh(X) ** 2), rtol=1e-12)


# -- what must not happen twice ------------------------------------------------------------------


def test_random_numbers_are_drawn_again_and_not_twice(request, backend):
    x = backend.from_numpy(np.ones((20, 20)))

    def run(call):
        backend.seed(7)
        v = Variable(x)
        y = call(lambda v: F.dropout(v, 0.5) * F.dropout(v, 0.3), v)
        F.sum(y).backward()
        after = backend.uniform((4,), backend.xp.float64)
        return y, v.grad, after

    *want, after = run(lambda f, v: f(v))
    *got, after_it = run(tg.checkpoint)
    for g, w in zip(got, want, strict=True):
        assert_close(g, w, rtol=1e-12)
    expect_gap(request, backend.name, "numbers after a checkpoint")
    assert_close(after_it, after, rtol=1e-12)


def test_random_states_go_back(backend):
    before = backend.random_state()
    first = backend.uniform((5,), backend.xp.float64), backend.normal((5,), backend.xp.float64)
    backend.set_random_state(before)
    again = backend.uniform((5,), backend.xp.float64), backend.normal((5,), backend.xp.float64)
    for x, y in zip(first, again, strict=True):
        assert_close(x, y)


def test_nested_random_numbers():
    def run(call):
        np.random.seed(3)  # noqa: NPY002
        x = Variable(np.ones(100))
        inner = lambda h: F.dropout(h, 0.5)  # noqa: E731
        y = call(lambda x: call(inner, F.dropout(x, 0.2)) * F.dropout(x, 0.4), x)
        F.sum(y).backward()
        return y, x.grad, np.random.rand()  # noqa: NPY002

    for g, w in zip(run(tg.checkpoint), run(lambda f, *a: f(*a)), strict=True):
        assert_close(g, w, rtol=1e-12)


class Norm(tg.Layer):
    """A layer with running statistics, in each way that they may be kept."""

    def __init__(self):
        super().__init__()
        self.gain = Parameter(np.array(2.0), name="gain")
        self.mean = np.zeros(3)
        self.assigned = np.zeros(3)
        self.kept = Variable(np.zeros(3), requires_grad=False)
        self.calls = 0

    def forward(self, x):
        mean = F.mean(x, 0)
        self.calls += 1
        self.mean += 0.1 * mean.data
        self.assigned = self.assigned + 0.1 * mean.data
        self.kept.data = self.kept.data + 0.1 * mean.data
        return (x - mean) * self.gain + self.assigned


def test_running_statistics_are_not_advanced_twice():
    x0 = np.arange(6.0).reshape(2, 3)
    seen = []
    for call in (lambda f, x: f(x), tg.checkpoint):
        norm, x = Norm(), Variable(x0.copy())
        mean = norm.mean
        y = call(norm, x)
        F.sum(call(norm, y) ** 2).backward()
        assert norm.mean is mean
        seen.append((norm.mean, norm.assigned, norm.kept, norm.calls, x.grad, norm.gain.grad))
    for g, w in zip(*seen[::-1], strict=True):
        assert_close(g, w, rtol=1e-12)


def test_running_statistics_behind_functions_and_in_lists():
    class Both(tg.Layer):
        def __init__(self):
            super().__init__()
            self.norms = [Norm(), Norm()]

        def forward(self, x):
            for norm in self.norms:
                x = norm(x)
            return x

    both = Both()
    x = Variable(np.arange(6.0).reshape(2, 3))
    for function in (lambda x: 1.0 * both(x), both.forward):
        before = [n.calls for n in both.norms]
        F.sum(tg.checkpoint(function, x)).backward()
        assert [n.calls for n in both.norms] == [n + 1 for n in before]


NORM = Norm()


def helper(x):
    return NORM(x)


def test_running_statistics_behind_globals_and_partial_functions():
    norm, x = Norm(), Variable(np.arange(6.0).reshape(2, 3))

    def scaled(layer, x, factor=1.0):
        return layer(x) * factor

    for function, counted in (
        (lambda x: NORM(x) * 1.0, NORM),
        (lambda x: helper(x) * 1.0, NORM),
        (partial(scaled, norm), norm),
        (lambda x, f=norm: f(x) * 1.0, norm),
    ):
        before = counted.calls
        F.sum(tg.checkpoint(function, x)).backward()
        assert counted.calls == before + 1


def test_the_mode_of_the_call_is_that_of_the_repetition():
    x = Variable(np.ones(50))
    with tg.test_mode():
        y = tg.checkpoint(lambda x: F.dropout(x) * 2, x)
    F.sum(y).backward()
    assert_close(x.grad, np.full(50, 2.0))


def test_a_parameter_that_was_replaced_since():
    w = Parameter(np.array(3.0))
    x = Variable(np.array(2.0))
    y = tg.checkpoint(lambda x: x * w, x)
    new = w.data = np.array(100.0)
    y.backward()
    assert_close(x.grad, np.array(3.0))
    assert w.data is new


def test_an_error_in_the_repetition_restores_what_was():
    calls = []
    norm = Norm()

    def fails_later(x):
        calls.append(1)
        y = norm(x)
        if len(calls) > 1:
            raise ZeroDivisionError("the second time")
        return y

    y = tg.checkpoint(fails_later, Variable(np.arange(6.0).reshape(2, 3)))
    mean, state = norm.mean, np.random.get_state()[1].tolist()  # noqa: NPY002
    with pytest.raises(ZeroDivisionError):
        F.sum(y).backward()
    assert norm.calls == 1
    assert norm.mean is mean
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


def test_a_function_that_computes_something_else_the_second_time():
    calls = []

    def fickle(x):
        calls.append(1)
        return x * 2.0 if len(calls) == 1 else F.concat([x, x])

    y = tg.checkpoint(fickle, Variable(X.copy()))
    with pytest.raises(RuntimeError, match=r"checkpoint: fickle computed something else .*\(6,\)"):
        F.sum(y).backward()
