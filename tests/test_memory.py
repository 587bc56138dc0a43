"""What is held, and for how long: counted in bytes, with the garbage collector off."""

from __future__ import annotations

import gc
import tracemalloc
from weakref import ref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Function, Variable
from tensorgrad import functions as F
from tensorgrad.testing import assert_close

N = 200_000  # large beside the objects of the graph
ARRAY = 8 * N  # bytes of one array here
LAYERS = 50


@pytest.fixture
def traced():
    """Arrays held now, and the most that were held since `restart`."""

    class Traced:
        def restart(self):
            tracemalloc.reset_peak()
            self.before = tracemalloc.get_traced_memory()[0]

        @property
        def now(self):
            return (tracemalloc.get_traced_memory()[0] - self.before) / ARRAY

        @property
        def peak(self):
            return (tracemalloc.get_traced_memory()[1] - self.before) / ARRAY

    tracemalloc.start()
    counted = Traced()
    counted.restart()
    yield counted
    tracemalloc.stop()


def layers(x: Variable) -> Variable:
    """Fifty ops, each of which saves its output."""
    for _ in range(LAYERS):
        x = F.tanh(x)
    return x


def variable() -> Variable:
    return Variable(np.linspace(-1.0, 1.0, N))


def test_a_dropped_variable_frees_its_array_at_once(traced):
    x = variable()
    traced.restart()
    y = x + 1.0
    z = y + 1.0
    assert 2 <= traced.now < 2.1
    del y  # nothing needs its array: the graph goes on without it
    assert 1 <= traced.now < 1.1
    z.backward()
    assert_close(x.grad.data[:2], [1.0, 1.0])


def test_an_array_that_a_backward_needs_is_held_without_its_variable(traced):
    x = variable()
    traced.restart()
    y = F.tanh(x)
    z = F.sum(y)
    del y
    assert 1 <= traced.now < 1.1
    z.backward()
    x.cleargrad()
    assert traced.now < 0.1


def test_a_dropped_graph_is_freed_at_once(traced):
    assert not gc.isenabled()
    x = variable()
    traced.restart()
    y = layers(x)
    assert LAYERS <= traced.now < LAYERS + 1
    del y
    assert traced.now < 0.1


def test_gradients_in_between_are_freed_while_the_backward_goes(traced):
    """Addition saves nothing: fifty layers need no more room than a few."""
    x = variable()
    y = x
    for _ in range(LAYERS):
        y = y + 1.0
        y = -y
    traced.restart()
    y.backward()
    assert traced.peak < 4.1
    assert 1 <= traced.now < 1.1  # the gradient of x


def test_saved_arrays_are_freed_while_the_backward_goes(traced):
    """What is held never rises above the forward's share by more than what one step needs."""
    x = variable()
    traced.restart()
    y = F.sum(layers(x))
    held = traced.now
    assert LAYERS <= held < LAYERS + 1
    y.backward()
    assert traced.peak < held + 4.1
    assert 1 <= traced.now < 1.1


def test_saved_arrays_are_freed_progressively():
    """When the first layer's backward runs, only its own input is left of all that was saved."""
    alive = []
    saved = []

    class First(Function):
        saves = ()

        def forward(self, x):
            return x + 1.0

        def backward(self, gy):
            alive.append(sum(a() is not None for a in saved))
            return gy

    x = variable()
    y = First()(x)
    for _ in range(LAYERS):
        y = F.tanh(y)
        saved.append(ref(y.data))
    y = F.sum(y)
    assert sum(a() is not None for a in saved) == LAYERS
    y.backward()
    assert alive == [0]


def test_retain_graph_holds_what_was_saved(traced):
    x = variable()
    traced.restart()
    y = F.sum(layers(x))
    y.backward(retain_graph=True)
    assert LAYERS <= traced.now < LAYERS + 2
    y.backward()
    x.cleargrad()
    assert traced.now < 0.1


def test_retain_grad_holds_the_gradients_of_living_handles_only(traced):
    x = variable()
    y = layers(x)
    kept = y * 2.0
    z = F.sum(kept * 3.0)
    traced.restart()
    z.backward(retain_grad=True, retain_graph=True)
    # x, y, kept and z are held here, the other fifty are not.
    assert 3 <= traced.now < 3.2


def test_the_gradients_of_a_leaf_are_summed_in_place(traced):
    """The sum, what comes to it, and the gradient from above: no fourth array for the next sum."""
    x, c = variable(), np.ones(N)
    y = x * c
    for _ in range(LAYERS):
        y = y + x * c
    traced.restart()
    y.backward(grad=np.ones(N))
    assert traced.peak < 3.1
    assert_close(x.grad.data[:2], [LAYERS + 1.0] * 2)


def test_a_recorded_backward_is_freed_with_its_gradient(traced):
    x = variable()
    traced.restart()
    y = F.sum(layers(x))
    y.backward(create_graph=True)
    assert traced.now > LAYERS
    del y
    x.cleargrad()
    assert traced.now < 0.1


def test_inference_under_no_grad_holds_two_activations(traced):
    x = variable()
    traced.restart()
    with tg.no_grad():
        y = layers(x)
    assert traced.peak < 2.1
    assert 1 <= traced.now < 1.1
    assert y.creator is None


def test_constants_need_no_saved_arrays(traced):
    """Only the gradient of `x` is asked for: the product with a constant holds the constant alone."""
    x, c = variable(), np.ones(N)
    traced.restart()
    y = x
    for _ in range(LAYERS):
        y = y * c
    assert 1 <= traced.now < 1.2
    y.backward()


def test_a_training_loop_holds_no_more_after_a_hundred_steps_than_after_one(traced):
    w = variable()

    def step():
        w.cleargrad()
        loss = F.sum((F.tanh(w) - 0.5) ** 2)
        loss.backward()
        w.data -= 0.1 * w.grad.data

    step()
    traced.restart()
    for _ in range(100):
        step()
    assert traced.now < 0.1
    assert traced.peak < 8


def test_a_second_derivative_in_a_loop_leaves_nothing(traced):
    x = variable()

    def step():
        x.cleargrad()
        y = F.sum(x**3)
        y.backward(create_graph=True)
        gx = x.grad
        x.cleargrad()
        F.sum(gx).backward()
        x.cleargrad()

    step()
    traced.restart()
    for _ in range(10):
        step()
    assert traced.now < 0.1
