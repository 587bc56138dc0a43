"""Training steps as CUDA graphs: what a replay computes, takes in and gives out, and who owns the memory.

They need CuPy's arrays: those of a device, or the double's, where a captured graph computes nothing until it
is launched. `test_capture` compares the numbers of whole steps.
"""

from __future__ import annotations

import os
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import optimizers as O
from tensorgrad.backend import get_backend

ON_DOUBLE = bool(os.environ.get("TENSORGRAD_CUPY_DOUBLE"))

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        not ON_DOUBLE and not tg.cuda.is_available(),
        reason="neither a CUDA device nor the double of CuPy is here",
    ),
]

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 5)).astype(np.float32)
T = RNG.integers(0, 3, 6)


def gpu(array):
    return get_backend("cupy").from_numpy(array)


class Dropping(tg.Model):
    def __init__(self):
        super().__init__()
        self.first, self.out = tg.layers.Linear(8), tg.layers.Linear(3)

    def forward(self, x):
        return self.out(F.dropout(F.relu(self.first(x)), 0.5))


def trained(optimizer, *, captured=True, make=None, also=lambda loss: None):
    """A step, its model and optimizer; captured, it was run until it is a program."""
    np.random.seed(0)  # noqa: NPY002  # weights are drawn as in the book
    model = (make or (lambda: tg.models.MLP((8, 3))))().to("cupy")
    optimizer = optimizer.setup(model)

    def step(x, t):
        model.cleargrads()
        loss = F.softmax_cross_entropy(model(x), t)
        loss.backward()
        optimizer.update()
        also(loss)
        return loss

    return (tg.tools.capture(step, model, optimizer) if captured else step), model, optimizer


def losses(step, times, x=X):
    return [float(tg.cuda.as_numpy(step(gpu(x), gpu(T)))) for _ in range(times)]


def test_a_replay_launches_the_kernels_of_a_step():
    if not ON_DOUBLE:
        pytest.skip("a device does not tell what it was given")
    from cuda_double import modules

    launched = []
    for captured in (False, True):
        step, *_ = trained(O.AdamW(0.01), captured=captured)
        losses(step, 4)
        modules.LAUNCHED.clear()
        losses(step, 1)
        launched.append(list(modules.LAUNCHED))
    assert launched[1] == launched[0]
    assert launched[0].count("adam") == 1  # all parameters in one launch, with the count on the device


def test_a_replay_waits_for_nothing():
    from test_cuda_steps import nothing_waits

    step, *_ = trained(O.Adam(0.01))
    given = gpu(X), gpu(T)
    for _ in range(3):
        step(*given)
    with nothing_waits():
        step(*given)


def test_dropout_draws_what_it_would_without():
    """The key and the counter of the generator are read by the kernel when it runs."""
    found = []
    for captured in (False, True):
        step, *_ = trained(O.SGD(0.1), captured=captured, make=Dropping)
        get_backend("cupy").seed(3)
        found.append(losses(step, 6))
        get_backend("cupy").seed(4)  # a new seed counts for the programs that there are
        found[-1] += losses(step, 2)
        found[-1].append(get_backend("cupy")._counter.state)
    np.testing.assert_allclose(found[1][:-1], found[0][:-1], rtol=1e-5)
    assert found[1][-1] == found[0][-1]


class Attending(tg.Model):
    """A step whose products are of 16 bits, of matrices and of stacks."""

    def __init__(self):
        super().__init__()
        self.first, self.attention = tg.layers.Linear(8), tg.layers.MultiHeadAttention(8, 2)
        self.out = tg.layers.Linear(3)

    def forward(self, x):
        with tg.autocast("float16"):
            y = self.attention(F.reshape(self.first(x), (2, 3, 8)), causal=True)
            return self.out(F.reshape(y, (6, 8)))


def test_products_of_16_bits_stand_between_the_graphs():
    found = [losses(trained(O.SGD(0.1), captured=c, make=Attending)[0], 6) for c in (False, True)]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3)
    assert found[0][-1] < found[0][0]


def test_inputs_are_copied_in_and_outputs_out():
    step, *_ = trained(O.SGD(0.1))
    losses(step, 3)
    x, t = gpu(X), gpu(T)
    first = step(x, t)
    want = float(tg.cuda.as_numpy(first))
    x *= 0
    second = step(x, t)
    assert float(tg.cuda.as_numpy(first)) == want
    assert float(tg.cuda.as_numpy(second)) != want


def test_weights_that_were_loaded_are_those_of_the_next_step():
    found = []
    for captured in (False, True):
        step, model, _ = trained(O.MomentumSGD(0.1), captured=captured)
        losses(step, 4)
        for p in model.params():
            p.data = gpu(np.full(p.shape, 0.1, np.float32))
        found.append(losses(step, 3))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)


def test_weights_of_another_dtype_are_recorded_anew():
    step, model, _ = trained(O.SGD(0.1))
    losses(step, 4)
    for p in model.params():
        p.data = p.data.astype(np.float64)
    found = losses(step, 2, X.astype(np.float64))
    assert found[1] < found[0]
    assert {p.dtype for p in model.params()} == {np.dtype(np.float64)}


def test_a_step_that_cannot_be_captured_leaves_no_trace():
    """The update had been launched when the step looked at a value: it is taken back, and runs as it is."""
    found = []
    for captured in (False, True):
        step, model, optimizer = trained(
            O.MomentumSGD(0.1), captured=captured, make=Dropping, also=lambda loss: loss.item()
        )
        get_backend("cupy").seed(3)
        values = losses(step, 2)
        if captured:
            with pytest.warns(UserWarning, match=r"^capture: the step runs as it is: CuPy cannot capture it"):
                values += losses(step, 1)
        else:
            values += losses(step, 1)
        values += [tg.cuda.as_numpy(p).sum() for p in model.params()]
        values += [tg.cuda.as_numpy(s["v"]).sum() for s in optimizer._states.values()]
        found.append(values)
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-6)


def test_an_error_of_the_step_itself_comes_out():
    calls = []
    step, model, _ = trained(O.SGD(0.1), also=lambda _: calls.append(1) or 1 / (len(calls) != 2))
    losses(step, 1)
    before = [tg.cuda.as_numpy(p).copy() for p in model.params()]
    with pytest.raises(ZeroDivisionError):
        losses(step, 1)
    for p, values in zip(model.params(), before, strict=True):
        np.testing.assert_array_equal(tg.cuda.as_numpy(p), values)
    assert losses(step, 1)[0] > 0  # no stream captures any more


def test_a_program_goes_with_its_step():
    step, *_ = trained(O.SGD(0.1))
    losses(step, 3)
    (program,) = step._programs.values()
    gone = weakref.ref(program)
    del program, step
    assert gone() is None


@pytest.mark.gpu
def test_a_captured_step_on_the_gpu():
    step, *_ = trained(O.Adam(0.01))
    plain, *_ = trained(O.Adam(0.01), captured=False)
    np.testing.assert_allclose(losses(step, 8), losses(plain, 8), rtol=1e-4)
    assert step.why_not is None
