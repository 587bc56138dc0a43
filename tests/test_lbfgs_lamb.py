"""The optimizers that look at more than one element at a time: LBFGS and LAMB."""

from __future__ import annotations

import gc
from itertools import pairwise

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
    with pytest.raises(ValueError, match=r"^LBFGS: expected history >= 1 and max_iter >= 1; got 0 and 1$"):
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


# -- LBFGS with a line search --------------------------------------------------------------------


def rosenbrock(w):
    """In four dimensions: a narrow, bent valley to the minimum at ones."""
    return F.sum(100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2)


def counted(w, seen):
    def closure():
        w.cleargrad()
        loss = rosenbrock(w)
        loss.backward()
        seen.append((to_numpy(w).copy(), loss.item(), to_numpy(w.grad).copy()))
        return loss

    return closure


START = [-1.2, 1.0, -0.5, 2.0]


def test_strong_wolfe_on_rosenbrock(backend):
    w = Parameter(backend.from_numpy(np.array(START)))
    array, seen = w.data, []
    optimizer = O.LBFGS(line_search="strong_wolfe").setup([w])
    closure = counted(w, seen)
    ends = []
    for _ in range(70):
        end = optimizer.update(closure)
        ends.append(end)
        np.testing.assert_array_equal(to_numpy(w), seen[-1][0])  # the gradient there is in place
        assert end == seen[-1][1]
    np.testing.assert_allclose(to_numpy(w), np.ones(4), atol=1e-6)
    assert all(b <= a for a, b in pairwise(ends))
    assert w.data is array or not backend.writable


def test_each_step_satisfies_both_conditions():
    w, seen = Parameter(np.array(START)), []
    optimizer = O.LBFGS(line_search="strong_wolfe").setup([w])
    closure = counted(w, seen)
    for _ in range(40):
        first = len(seen)
        optimizer.update(closure)
        (x, f, g), (y, end, slope) = seen[first], seen[-1]
        step = y - x
        if not step.any():
            break
        assert end <= f + 1e-4 * step @ g
        assert abs(step @ slope) <= 0.9 * abs(step @ g)


def test_it_needs_no_more_evaluations_than_torch(torch):
    w, seen = Parameter(np.array(START)), []
    optimizer = O.LBFGS(line_search="strong_wolfe", max_iter=200).setup([w])
    optimizer.update(counted(w, seen))
    np.testing.assert_allclose(w.data, np.ones(4), atol=1e-6)
    mine = next(i for i, (_, f, _) in enumerate(seen) if f < 1e-12)

    theirs, values = torch.tensor(START, dtype=torch.float64, requires_grad=True), []
    other = torch.optim.LBFGS(
        [theirs],
        max_iter=200,
        max_eval=1000,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure():
        other.zero_grad()
        loss = (100 * (theirs[1:] - theirs[:-1] ** 2) ** 2 + (1 - theirs[:-1]) ** 2).sum()
        loss.backward()
        values.append(loss.item())
        return loss

    other.step(closure)
    assert mine <= 1.2 * next(i for i, f in enumerate(values) if f < 1e-12), (mine, values)


def test_a_search_comes_back_from_where_the_loss_is_no_number():
    w = Parameter(np.array([2.0]))

    def closure():
        w.cleargrad()
        with np.errstate(all="ignore"):
            loss = F.sum(w - F.log(w))  # defined where w > 0
            loss.backward()
        return loss

    optimizer = O.LBFGS(lr=50.0, line_search="strong_wolfe", max_iter=20).setup([w])
    assert optimizer.update(closure) == pytest.approx(1.0)
    np.testing.assert_allclose(w.data, [1.0], atol=1e-4)


def test_a_resumed_search_goes_on_alike():
    def run(w, optimizer, steps):
        for _ in range(steps):
            optimizer.update(counted(w, []))
        return w.data.copy()

    w = Parameter(np.array(START))
    whole = run(w, O.LBFGS(line_search="strong_wolfe").setup([w]), 12)
    v = Parameter(np.array(START))
    first = O.LBFGS(line_search="strong_wolfe").setup([v])
    run(v, first, 5)
    again = O.LBFGS(line_search="strong_wolfe").setup([v])
    again.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(run(v, again, 7), whole)


def test_a_minimum_is_left_alone():
    w = Parameter(np.ones(4))
    assert O.LBFGS(line_search="strong_wolfe", max_iter=3).setup([w]).update(counted(w, [])) == 0
    np.testing.assert_array_equal(w.data, np.ones(4))


def test_what_a_line_search_needs():
    w = Parameter(np.ones(4))
    optimizer = O.LBFGS(line_search="strong_wolfe").setup([w])
    with pytest.raises(TypeError, match=r"^LBFGS\.update: expected a closure that clears the gradients"):
        optimizer.update()
    optimizer.add_hook(O.WeightDecay(0.1))
    with pytest.raises(ValueError, match=r"^LBFGS: expected no hooks with a line search: gradients are"):
        optimizer.update(counted(w, []))
    with pytest.raises(
        ValueError, match=r"^LBFGS: expected line_search 'strong_wolfe' or None; got 'wolfe'$"
    ):
        O.LBFGS(line_search="wolfe")


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
