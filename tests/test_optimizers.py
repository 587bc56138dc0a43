"""Optimizers against formulas written by hand and against torch, on every backend; and the hooks."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import re
import weakref

import numpy as np
import pytest

from tensorgrad import Layer, Parameter, Variable, no_grad
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers as O
from tensorgrad.backend import backend_of, get_backend
from tensorgrad.testing.arrays import to_numpy

STEPS = 50
SHAPES = [(3, 2), (2,), ()]


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch", reason="compared with torch where it is installed")
    module.optim.SGD([module.zeros(1)])  # the first one imports much
    gc.freeze()  # what was imported needs no search for cycles after every test
    return module


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


# -- the rules, written once more: one element after the other, with Python's numbers ------------


def sgd(w, g, t, s, *, lr=0.01):
    return w - lr * g


def momentum_sgd(w, g, t, s, *, lr=0.01, momentum=0.9):
    s["v"] = momentum * s.get("v", 0.0) - lr * g
    return w + s["v"]


def adagrad(w, g, t, s, *, lr=0.001, eps=1e-8):
    s["h"] = s.get("h", 0.0) + g**2
    return w - lr * g / (s["h"] ** 0.5 + eps)


def adadelta(w, g, t, s, *, rho=0.95, eps=1e-6):
    s["msg"] = rho * s.get("msg", 0.0) + (1 - rho) * g**2
    dx = ((s.get("msdx", 0.0) + eps) ** 0.5) / ((s["msg"] + eps) ** 0.5) * g
    s["msdx"] = rho * s.get("msdx", 0.0) + (1 - rho) * dx**2
    return w - dx


def adam(w, g, t, s, *, alpha=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    s["m"] = s.get("m", 0.0) + (1 - beta1) * (g - s.get("m", 0.0))
    s["v"] = s.get("v", 0.0) + (1 - beta2) * (g**2 - s.get("v", 0.0))
    m, v = s["m"] / (1 - beta1**t), s["v"] / (1 - beta2**t)
    return w - alpha * m / (v**0.5 + eps)


def adamw(w, g, t, s, *, alpha=0.001, weight_decay=0.01, **rest):
    return adam(w * (1 - alpha * weight_decay), g, t, s, alpha=alpha, **rest)


def nesterov(w, g, t, s, *, lr=0.01, momentum=0.9):
    s["v"] = momentum * s.get("v", 0.0) - lr * g
    return w + momentum * s["v"] - lr * g


def rmsprop(w, g, t, s, *, lr=0.01, rho=0.99, eps=1e-8, momentum=0.0, centered=False):
    s["h"] = rho * s.get("h", 0.0) + (1 - rho) * g**2
    s["mean"] = rho * s.get("mean", 0.0) + (1 - rho) * g
    variance = s["h"] - s["mean"] ** 2 * centered
    s["v"] = momentum * s.get("v", 0.0) + g / (variance**0.5 + eps)
    return w - lr * s["v"]


def adamax(w, g, t, s, *, alpha=0.002, beta1=0.9, beta2=0.999, eps=1e-8):
    s["m"] = beta1 * s.get("m", 0.0) + (1 - beta1) * g
    s["u"] = max(beta2 * s.get("u", 0.0), abs(g) + eps)
    return w - alpha / (1 - beta1**t) * s["m"] / s["u"]


def nadam(w, g, t, s, *, alpha=0.002, beta1=0.9, beta2=0.999, eps=1e-8, momentum_decay=0.004):
    mu, later = (beta1 * (1 - 0.5 * 0.96 ** (k * momentum_decay)) for k in (t, t + 1))
    s["product"] = s.get("product", 1.0) * mu
    s["m"] = beta1 * s.get("m", 0.0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0.0) + (1 - beta2) * g**2
    m = later * s["m"] / (1 - s["product"] * later) + (1 - mu) * g / (1 - s["product"])
    return w - alpha * m / ((s["v"] / (1 - beta2**t)) ** 0.5 + eps)


def radam(w, g, t, s, *, alpha=0.001, beta1=0.9, beta2=0.999, eps=1e-8):
    s["m"] = beta1 * s.get("m", 0.0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0.0) + (1 - beta2) * g**2
    m = s["m"] / (1 - beta1**t)
    top = 2 / (1 - beta2) - 1
    r = top - 2 * t * beta2**t / (1 - beta2**t)
    if r <= 5:
        return w - alpha * m
    factor = ((r - 4) * (r - 2) * top / ((top - 4) * (top - 2) * r)) ** 0.5
    return w - alpha * m * factor * (1 - beta2**t) ** 0.5 / (s["v"] ** 0.5 + eps)


def lion(w, g, t, s, *, lr=0.0001, beta1=0.9, beta2=0.99, weight_decay=0.0):
    c = beta1 * s.get("m", 0.0) + (1 - beta1) * g
    s["m"] = beta2 * s.get("m", 0.0) + (1 - beta2) * g
    return w - lr * (math.copysign(c != 0, c) + weight_decay * w)


CASES = {
    "SGD": (O.SGD, sgd, {}),
    "SGD lr": (O.SGD, sgd, {"lr": 0.05}),
    "MomentumSGD": (O.MomentumSGD, momentum_sgd, {}),
    "MomentumSGD settings": (O.MomentumSGD, momentum_sgd, {"lr": 0.03, "momentum": 0.5}),
    "AdaGrad": (O.AdaGrad, adagrad, {}),
    "AdaGrad settings": (O.AdaGrad, adagrad, {"lr": 0.1, "eps": 1e-3}),
    "AdaDelta": (O.AdaDelta, adadelta, {}),
    "AdaDelta settings": (O.AdaDelta, adadelta, {"rho": 0.5, "eps": 1e-2}),
    "Adam": (O.Adam, adam, {}),
    "Adam settings": (O.Adam, adam, {"alpha": 0.1, "beta1": 0.8, "beta2": 0.9, "eps": 1e-3}),
    "AdamW": (O.AdamW, adamw, {}),
    "AdamW settings": (O.AdamW, adamw, {"alpha": 0.1, "beta2": 0.9, "weight_decay": 0.3}),
    "AdaDelta lr": (O.AdaDelta, lambda *a, lr: a[0] - lr * (a[0] - adadelta(*a)), {"lr": 0.5}),
    "Nesterov": (lambda **s: O.MomentumSGD(nesterov=True, **s), nesterov, {"lr": 0.03, "momentum": 0.7}),
    "RMSprop": (O.RMSprop, rmsprop, {}),
    "RMSprop settings": (O.RMSprop, rmsprop, {"lr": 0.02, "rho": 0.8, "eps": 1e-3, "momentum": 0.5}),
    "RMSprop centered": (O.RMSprop, rmsprop, {"centered": True, "eps": 1e-2}),
    "RMSprop all": (O.RMSprop, rmsprop, {"centered": True, "eps": 1e-2, "momentum": 0.3}),
    "Adamax": (O.Adamax, adamax, {}),
    "Adamax settings": (O.Adamax, adamax, {"alpha": 0.1, "beta1": 0.8, "beta2": 0.9, "eps": 1e-3}),
    "NAdam": (O.NAdam, nadam, {}),
    "NAdam settings": (O.NAdam, nadam, {"alpha": 0.05, "beta1": 0.8, "eps": 1e-3, "momentum_decay": 0.1}),
    "RAdam": (O.RAdam, radam, {}),
    "RAdam settings": (O.RAdam, radam, {"alpha": 0.05, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3}),
    "Lion": (O.Lion, lion, {}),
    "Lion settings": (O.Lion, lion, {"lr": 0.01, "beta1": 0.8, "beta2": 0.9, "weight_decay": 0.2}),
}
all_cases = pytest.mark.parametrize(("rule", "reference", "settings"), CASES.values(), ids=CASES.keys())
RULES = [
    *(O.SGD, O.MomentumSGD, O.AdaGrad, O.AdaDelta, O.RMSprop, O.Adam, O.AdamW, O.Adamax, O.NAdam),
    *(O.RAdam, O.Lion, O.LAMB, O.LBFGS),
]
all_rules = pytest.mark.parametrize("rule", RULES)


def starts(dtype="float64"):
    rng = np.random.default_rng(5)
    return [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in SHAPES]


def gradient(w: np.ndarray, i: int) -> np.ndarray:
    """That of ``sum(cos(3 w) + w**2 / 2)``, for one parameter scaled far down."""
    return (w - 3 * np.sin(3 * w)) * (1e-3, 1.0, 2.0)[i]


def run(optimizer, params, steps=STEPS):
    for _ in range(steps):
        for i, p in enumerate(params):
            owner = backend_of(p.data)
            g = np.asarray(gradient(to_numpy(p), i)).astype(to_numpy(p).dtype)
            p.grad = Variable(owner.from_numpy(g, owner.device(p.data)), requires_grad=False)
        optimizer.update()
    return [to_numpy(p) for p in params]


def by_hand(reference, settings):
    ends = []
    for i, start in enumerate(starts()):
        end = np.empty_like(start)
        for place, first in np.ndenumerate(start):
            w = float(first)
            state: dict[str, float] = {}
            for t in range(1, STEPS + 1):
                w = reference(w, float(gradient(np.asarray(w), i)), t, state, **settings)
            end[place] = w
        ends.append(end)
    return ends


@all_cases
def test_trajectory_against_the_formula(backend, rule, reference, settings):
    params = [Parameter(backend.from_numpy(w)) for w in starts()]
    got = run(rule(**settings).setup(params), params)
    for mine, theirs in zip(got, by_hand(reference, settings), strict=True):
        assert mine.dtype == np.float64
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


TORCH = {
    "SGD": (O.SGD(0.05), lambda t, ps: t.optim.SGD(ps, 0.05)),
    "MomentumSGD": (O.MomentumSGD(0.01, 0.8), lambda t, ps: t.optim.SGD(ps, 0.01, momentum=0.8)),
    "AdaGrad": (O.AdaGrad(0.1), lambda t, ps: t.optim.Adagrad(ps, 0.1, eps=1e-8)),
    "AdaDelta": (O.AdaDelta(0.9), lambda t, ps: t.optim.Adadelta(ps, 1.0, rho=0.9, eps=1e-6)),
    "Adam": (O.Adam(0.01), lambda t, ps: t.optim.Adam(ps, 0.01)),
    "AdamW": (
        O.AdamW(0.01, weight_decay=0.2),
        lambda t, ps: t.optim.AdamW(ps, 0.01, weight_decay=0.2),
    ),
    "Nesterov": (
        O.MomentumSGD(0.01, 0.8, nesterov=True),
        lambda t, ps: t.optim.SGD(ps, 0.01, momentum=0.8, nesterov=True),
    ),
    "RMSprop": (O.RMSprop(0.01), lambda t, ps: t.optim.RMSprop(ps, 0.01)),
    "RMSprop all": (
        O.RMSprop(0.01, 0.9, momentum=0.5, centered=True),
        lambda t, ps: t.optim.RMSprop(ps, 0.01, 0.9, momentum=0.5, centered=True),
    ),
    "Adamax": (O.Adamax(0.01), lambda t, ps: t.optim.Adamax(ps, 0.01)),
    "NAdam": (O.NAdam(0.01), lambda t, ps: t.optim.NAdam(ps, 0.01)),
    "RAdam": (O.RAdam(0.01), lambda t, ps: t.optim.RAdam(ps, 0.01)),
    "RAdam beta2": (O.RAdam(0.01, beta2=0.9), lambda t, ps: t.optim.RAdam(ps, 0.01, betas=(0.9, 0.9))),
}


@pytest.mark.parametrize("name", TORCH)
def test_trajectory_against_torch(name, torch):
    mine, make = TORCH[name]
    params = [Parameter(w) for w in starts()]
    got = run(mine.setup(params), params)
    theirs = [torch.tensor(w) for w in starts()]
    optimizer = make(torch, theirs)
    for _ in range(STEPS):
        for i, p in enumerate(theirs):
            p.grad = torch.as_tensor(gradient(p.numpy(), i))
        optimizer.step()
    for a, b, start in zip(got, theirs, starts(), strict=True):
        assert np.all(a != start)
        np.testing.assert_allclose(a, b.numpy(), rtol=0, atol=1e-5)


# -- what an update leaves as it was -------------------------------------------------------------


@all_rules
def test_dtype_and_array_stay(backend, rule):
    params = [Parameter(backend.from_numpy(w)) for w in starts("float32")]
    arrays = [p.data for p in params]
    optimizer = rule().setup(params)
    for name in ("lr", "alpha"):  # as schedules give it
        if isinstance(vars(optimizer).get(name), float):
            setattr(optimizer, name, np.float64(0.01))
    run(optimizer, params, steps=3)
    for p, array in zip(params, arrays, strict=True):
        assert backend_of(p.data) is backend
        assert p.dtype == backend.xp.float32
        assert p.shape == tuple(array.shape)
        if backend.writable:
            assert p.data is array


@all_rules
def test_no_update_waits_for_the_device(rule, torch):
    # Torch's meta device has no values: whoever asks for one gets an error.
    params = [Parameter(torch.empty(shape, device="meta")) for shape in SHAPES]
    optimizer = rule().setup(params)
    optimizer.add_hook(O.WeightDecay(0.1))
    optimizer.add_hook(O.ClipGrad(1.0))
    for _ in range(2):
        for p in params:
            p.grad = Variable(torch.empty_like(p.data), requires_grad=False)
        optimizer.update()
    assert all(p.data.device.type == "meta" for p in params)


@all_rules
def test_gradients_are_not_written_to(rule):
    p = Parameter(np.ones(3))
    g = np.full(3, 0.5)
    p.grad = Variable(g)
    optimizer = rule().setup([p])
    for hook in (O.WeightDecay(0.1), O.ClipGrad(0.1), O.FreezeParam()):
        optimizer.add_hook(hook)
    optimizer.update()
    np.testing.assert_array_equal(g, np.full(3, 0.5))


@pytest.mark.parametrize("hooks", [[], [O.WeightDecay(0.1), O.ClipGrad(0.1)]])
@all_rules
def test_an_update_holds_no_graph(rule, hooks):
    p = Parameter(np.ones(3))
    optimizer = rule().setup([p])
    for hook in hooks:
        optimizer.add_hook(hook)
    F.sum(p * p * p).backward(create_graph=True)
    recorded = p.grad
    node = weakref.ref(recorded.creator)
    optimizer.update()
    assert type(p.data) is np.ndarray
    assert p.creator is None
    if hooks:
        assert p.grad.creator is None
    p.cleargrad()
    del recorded
    assert node() is None


def test_hooks_record_nothing():
    p = Parameter(np.ones(3))
    seen = []

    def hook(params):
        for q in params:
            q.grad = q.grad + 0.5 * q
            seen.append(q.grad.creator)

    optimizer = O.SGD(1.0).setup([p])
    optimizer.add_hook(hook)
    F.sum(p).backward()
    optimizer.update()
    assert seen == [None]
    np.testing.assert_array_equal(p.data, np.full(3, -0.5))


def test_updating_inside_no_grad():
    p = Parameter(np.ones(3))
    F.sum(p).backward()
    with no_grad():
        O.SGD(1.0).setup([p]).update()
    np.testing.assert_array_equal(p.data, np.zeros(3))


# -- which parameters ----------------------------------------------------------------------------


class Shared(Layer):
    """Two paths to one parameter, one that is not used, and one without data."""

    def __init__(self):
        super().__init__()
        self.w = Parameter(np.ones(2))
        self.again = self.w
        self.unused = Parameter(np.ones(2))
        self.empty = Parameter(None)

    def forward(self, x):
        return F.sum(x * self.w) + F.sum(x * self.again)


@all_rules
def test_shared_ones_are_updated_once_and_unused_ones_left_out(rule):
    model = Shared()
    alone = Parameter(np.ones(2))
    model(np.array([1.0, 2.0])).backward()
    alone.grad = Variable(np.array([2.0, 4.0]))
    optimizer = rule()
    assert optimizer.setup(model) is optimizer
    optimizer.update()
    rule().setup([alone, alone]).update()
    np.testing.assert_array_equal(model.w.data, alone.data)
    np.testing.assert_array_equal(model.unused.data, np.ones(2))
    assert model.empty.data is None


def test_what_may_be_set_up():
    p, q = Parameter(np.ones(1)), Variable(np.ones(1))
    for target in (p, [p], (p,), {"a": p}.values(), (x for x in [p])):
        p.data[:] = 1
        p.grad = Variable(np.ones(1))
        O.SGD(1.0).setup(target).update()
        assert p.data == 0
    q.grad = Variable(np.ones(1))
    O.SGD(1.0).setup(q).update()
    assert q.data == 0


@pytest.mark.parametrize(
    ("target", "kind"), [(3, "int"), ([np.ones(1)], "ndarray"), ("ab", "str"), (Layer, "type")]
)
def test_what_may_not(target, kind):
    expected = f"SGD.setup: expected a Layer or a list of Variables; got {kind}"
    with pytest.raises(TypeError, match=message(expected)):
        O.SGD().setup(target)


def test_an_update_before_setup_is_refused():
    expected = "Adam.update: nothing to update; call setup(model) first"
    with pytest.raises(RuntimeError, match=message(expected)):
        O.Adam().update()


def test_an_optimizer_without_a_rule_says_so():
    class Empty(O.Optimizer):
        pass

    p = Parameter(np.ones(1))
    p.grad = Variable(np.ones(1))
    expected = "Empty does not define update_one. An Optimizer needs update_one(self, param)."
    with pytest.raises(NotImplementedError, match=message(expected)):
        Empty().setup([p]).update()


# -- what is kept between updates ----------------------------------------------------------------


def kept(optimizer):
    return [a for state in optimizer._states.values() for a in state.values()]


@pytest.mark.parametrize("rule", [r for r in RULES if r not in (O.SGD, O.LBFGS)])
def test_state_goes_with_its_parameter(rule):
    model = Layer()
    model.w = Parameter(np.ones(2))
    model.v = Parameter(np.ones(2))
    optimizer = rule().setup(model)
    for _ in range(2):
        F.sum(model.w + model.v).backward()
        optimizer.update()
    old, n = weakref.ref(model.w), len(kept(optimizer))
    arrays = [weakref.ref(a) for a in kept(optimizer) if isinstance(a, np.ndarray)]
    model.w = Parameter(np.ones(2))
    model.cleargrads()
    F.sum(model.w + model.v).backward()
    optimizer.update()
    assert old() is None
    assert len(kept(optimizer)) == n
    assert sum(r() is None for r in arrays) == len(arrays) // 2
    fresh = Parameter(np.ones(2))
    fresh.grad = Variable(np.ones(2))
    rule().setup([fresh]).update()
    np.testing.assert_allclose(model.w.data, fresh.data)  # it starts from nothing


@all_cases
def test_state_follows_its_parameter(backend, rule, reference, settings):
    params = [Parameter(w) for w in starts()]
    optimizer = rule(**settings).setup(params)
    run(optimizer, params, steps=20)
    for p in params:
        p.data = backend.from_numpy(p.data)
    got = run(optimizer, params, steps=STEPS - 20)
    for mine, theirs in zip(got, by_hand(reference, settings), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)
    arrays = [a for a in kept(optimizer) if not isinstance(a, int | float)]
    assert {backend_of(a).name for a in arrays} <= {backend.name}


def test_state_follows_to_another_device():
    pytest.importorskip("array_api_strict", reason="it has several devices without any hardware")
    strict = get_backend("array_api_strict")
    device = strict.xp.Device("device1")
    p = Parameter(strict.from_numpy(np.ones(2)))
    optimizer = O.Adam(0.1).setup([p])
    here = Parameter(np.ones(2))
    other = O.Adam(0.1).setup([here])
    run(optimizer, [p], steps=3)
    p.data = strict.to_device(p.data, device)
    run(optimizer, [p], steps=3)
    assert p.data.device == device
    np.testing.assert_allclose(to_numpy(p), run(other, [here], steps=6)[0])


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@all_rules
def test_a_copy_goes_on_alike(rule, duplicate):
    params = [Parameter(w) for w in starts()]
    optimizer = rule().setup(params)
    run(optimizer, params, steps=3)
    twin = duplicate(optimizer)
    theirs = run(twin, list(twin.target), steps=3)
    for a, b in zip(run(optimizer, params, steps=3), theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_rate_of_adam():
    optimizer = O.Adam(alpha=0.5, beta1=0.9, beta2=0.99)
    first = 0.5 * (1 - 0.99) ** 0.5 / (1 - 0.9)
    assert optimizer.lr == pytest.approx(first)
    p = Parameter(np.ones(1))
    optimizer.setup([p])
    run(optimizer, [p], steps=1)
    assert optimizer.lr == pytest.approx(first)
    run(optimizer, [p], steps=1)
    assert optimizer.lr == pytest.approx(0.5 * (1 - 0.99**2) ** 0.5 / (1 - 0.9**2))


def test_a_first_gradient_that_comes_late_is_corrected_like_any_first():
    early, late = Parameter(np.ones(1)), Parameter(np.ones(1))
    optimizer = O.Adam(0.1).setup([early, late])
    run(optimizer, [early], steps=100)
    early.cleargrad()
    late.grad = Variable(np.array([3.0]))
    optimizer.update()
    np.testing.assert_allclose(late.data, 0.9, rtol=1e-6)


def test_a_gradient_that_is_no_variable():
    w = Parameter(np.ones(2))
    for gradient, kind in ((np.ones(2), "ndarray"), ([1.0, 2.0], "list")):
        w.grad = gradient
        for rule in (O.SGD(), O.Adam()):
            expected = f"{type(rule).__name__}.update: expected gradients that are Variables; got {kind}"
            with pytest.raises(TypeError, match=expected):
                rule.setup([w]).update()


def test_a_model_without_parameters():
    class Hidden(Layer):
        def __init__(self):
            super().__init__()
            self.layers = [L.Linear(2), L.Linear(1)]  # not found, as in a list of Python's

    optimizer = O.SGD().setup(Hidden())
    with pytest.raises(RuntimeError, match=r"SGD.update: Hidden has no parameters. .* in an L.LayerList"):
        optimizer.update()
    O.SGD().setup([]).update()
