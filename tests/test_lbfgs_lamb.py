"""The optimizers that look at more than one element at a time: LBFGS and LAMB."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from tensorgrad import Parameter, Variable
from tensorgrad import functions as F
from tensorgrad import optimizers as O
from tensorgrad.backend import get_backend
from tensorgrad.testing.arrays import to_numpy

STEPS = 50
SHAPES = [(3, 2), (2,), ()]
STIFFNESS = (0.3, 1.0, 4.0)


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch", reason="compared with torch where it is installed")
    module.optim.SGD([module.zeros(1)])  # the first one imports much
    gc.freeze()
    return module


def starts():
    rng = np.random.default_rng(5)
    return [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]


def gradients(ws):
    """Those of ``sum(k (w**2 / 2 + w**4 / 4)) + (sum w)**2 / 2``: all parameters hang together."""
    total = sum(w.sum() for w in ws)
    return [k * (w + w**3) + total for k, w in zip(STIFFNESS, ws, strict=True)]


def set_gradients(params):
    for p, g in zip(params, gradients([to_numpy(p) for p in params]), strict=True):
        p.grad = Variable(p.backend.from_numpy(np.asarray(g), p.device), requires_grad=False)


def run(optimizer, params, steps=STEPS):
    for _ in range(steps):
        set_gradients(params)
        optimizer.update()
    return [to_numpy(p) for p in params]


# -- LBFGS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lr", "history"), [(1.0, 100), (0.3, 100), (0.3, 3), (0.05, 5)])
def test_lbfgs_against_torch(torch, backend, lr, history):
    params = [Parameter(backend.from_numpy(w)) for w in starts()]
    optimizer = O.LBFGS(lr, history).setup(params)
    theirs = [torch.tensor(w) for w in starts()]
    other = torch.optim.LBFGS(
        theirs, lr, max_iter=1, history_size=history, tolerance_grad=0, tolerance_change=1e-9
    )

    def closure():
        for t, g in zip(theirs, gradients([t.numpy() for t in theirs]), strict=True):
            t.grad = torch.as_tensor(g)
        return torch.zeros(())

    for _ in range(STEPS):
        got = run(optimizer, params, steps=1)
        other.step(closure)
        for a, b in zip(got, theirs, strict=True):
            np.testing.assert_allclose(a, b.numpy(), rtol=0, atol=1e-5)


def test_lbfgs_reaches_the_minimum_of_a_stiff_quadratic():
    scale = np.geomspace(1, 1000, 8)
    w = Parameter(np.ones(8))
    optimizer = O.LBFGS(lr=1.0, history=10).setup([w])
    for _ in range(60):
        w.cleargrad()
        F.sum(w * w * scale).backward()
        optimizer.update()
    assert np.abs(w.data).max() < 1e-5  # gradient descent of the same cost is at 0.9 still


def test_lbfgs_at_a_minimum_stays_there():
    w = Parameter(np.zeros(3))
    optimizer = O.LBFGS().setup([w])
    for _ in range(3):
        w.grad = Variable(np.zeros(3))
        optimizer.update()
    np.testing.assert_array_equal(w.data, np.zeros(3))


def test_lbfgs_goes_on_when_the_parameters_change():
    v, w = Parameter(np.ones(2)), Parameter(np.ones(3))
    optimizer = O.LBFGS(0.1).setup([v, w])
    for p in (v, w):
        p.grad = Variable(np.ones(p.shape))
    optimizer.update()
    v.cleargrad()
    optimizer.update()
    assert [len(optimizer._pairs), optimizer._last["gradient"].shape] == [0, (3,)]


def test_lbfgs_has_no_groups():
    with pytest.raises(TypeError, match=r"^LBFGS\.add_group: all parameters have the same settings"):
        O.LBFGS().add_group([Parameter(np.ones(1))], lr=0.1)
    with pytest.raises(ValueError, match=r"^LBFGS: expected history >= 1; got 0$"):
        O.LBFGS(history=0)


def test_lbfgs_follows_to_another_library(torch):
    here = [Parameter(w) for w in starts()]
    want = run(O.LBFGS(0.3).setup(here), here, steps=20)
    params = [Parameter(w) for w in starts()]
    optimizer = O.LBFGS(0.3).setup(params)
    run(optimizer, params, steps=8)
    for p in params:
        p.data = get_backend("torch").from_numpy(p.data)
    for a, b in zip(run(optimizer, params, steps=12), want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-10)


def test_lbfgs_refuses_half_a_state():
    params = [Parameter(w) for w in starts()]
    optimizer = O.LBFGS(0.3).setup(params)
    run(optimizer, params, steps=3)
    state = optimizer.state_dict()
    del state["whole/change1"]
    with pytest.raises(ValueError, match=r"^LBFGS: missing or unexpected in the state: change1$"):
        O.LBFGS().setup(params).load_state_dict(state)


# -- LAMB ----------------------------------------------------------------------------------------


def lamb(w, gs, *, alpha=0.001, beta1=0.9, beta2=0.999, eps=1e-6, weight_decay=0.01):
    """Algorithm 2 of the paper for one parameter, from the gradient as a function of it."""
    m = v = np.zeros_like(w)
    for t in range(1, STEPS + 1):
        g = gs(w)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        step = m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps) + weight_decay * w
        of_w, of_step = np.linalg.norm(w.ravel()), np.linalg.norm(step.ravel())
        w = w - alpha * (of_w / of_step if of_w and of_step else 1.0) * step
    return w


@pytest.mark.parametrize("settings", [{}, {"alpha": 0.05, "beta2": 0.9, "eps": 1e-3, "weight_decay": 0.2}])
@pytest.mark.parametrize("start", [*starts(), np.zeros((2, 2))])
def test_lamb_against_the_paper(backend, start, settings):
    def slope(w):
        return w - 3 * np.sin(3 * w) - 0.25

    p = Parameter(backend.from_numpy(start))
    optimizer = O.LAMB(**settings).setup([p])
    for _ in range(STEPS):
        p.grad = Variable(backend.from_numpy(np.asarray(slope(to_numpy(p)))))
        optimizer.update()
    np.testing.assert_allclose(to_numpy(p), lamb(start, slope, **settings), rtol=1e-10, atol=1e-12)
