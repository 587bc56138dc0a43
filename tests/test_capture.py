"""Captured training steps: one program where a library makes one, and the same numbers as without."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers as O
from tensorgrad.backend import get_backend
from under_test import BACKENDS


class CNN(tg.Model):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.out = L.Conv2d(4, 3, pad=1), L.BatchNorm(), L.Linear(3)

    def forward(self, x):
        h = F.pooling(F.relu(self.norm(self.conv(x))), 2, 2)
        return self.out(F.flatten(h))


class Wave(tg.Model):
    """A recurrent network that keeps its state from step to step."""

    def __init__(self):
        super().__init__()
        self.cell, self.out = L.LSTM(5), L.Linear(3)

    def forward(self, x):
        return self.out(self.cell(x))


RNG = np.random.default_rng(0)
MODELS = {
    "MLP": (lambda: tg.models.MLP((8, 3)), RNG.standard_normal((6, 5))),
    "CNN": (CNN, RNG.standard_normal((6, 2, 8, 8))),
    "LSTM": (Wave, RNG.standard_normal((6, 4))),
}
LABELS = RNG.integers(0, 3, 6)


def in_float64(model, backend, x):
    """A model whose sizes are fixed by an example, with weights as precise as the data."""
    with tg.no_grad(), tg.test_mode():
        model(backend.from_numpy(x.astype(np.float32)))
    model.reset_state()
    for p in model.params():
        p.data = backend.xp.astype(p.data, backend.xp.float64)
    return model


def training(name, optimizer, backend, captured):
    """Losses of six steps, the step and what it trains."""
    make, x = MODELS[name]
    np.random.seed(0)  # noqa: NPY002  # weights are drawn as in the book
    model = in_float64(make().to(backend.name), backend, x)
    optimizer = optimizer.setup(model)
    optimizer.add_hook(O.ClipGrad(0.5))

    def step(x, t):
        model.cleargrads()
        loss = F.softmax_cross_entropy(model(x), t)
        loss.backward()
        loss.unchain_backward()  # of what the LSTM carries on
        optimizer.update()
        return loss

    run = tg.tools.capture(step, model, optimizer) if captured else step
    given = backend.from_numpy(x), backend.from_numpy(LABELS)
    return [float(backend.to_numpy(run(*given).data)) for _ in range(6)], run, model, optimizer


@pytest.mark.parametrize(("name", "kind"), [("MLP", O.Adam), ("CNN", O.Adam), ("LSTM", O.Adam)])
def test_a_captured_step_gives_the_same_numbers(backend, name, kind):
    want, _, model, kept = training(name, kind(0.01), backend, False)
    got, step, captured, state = training(name, kind(0.01), backend, True)
    np.testing.assert_allclose(got, want, rtol=1e-6)
    for a, b in zip(captured.params(), model.params(), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(backend.to_numpy(a.data), backend.to_numpy(b.data), rtol=1e-5, atol=1e-7)
    assert state.settings() == kept.settings()
    assert list(state.state_dict()) == list(kept.state_dict())
    if backend.compiles:
        assert step.why_not is None
        assert len(step._programs) == 1
    else:
        assert step.why_not == f"{backend.name} compiles no programs"


def test_every_optimizer_is_captured(backend):
    """Nine updates: RAdam's rule is another from the sixth."""
    rng = np.random.default_rng(0)
    weights, gradients = (rng.standard_normal(s).astype(np.float32) for s in ((3, 2), (9, 3, 2)))
    names = "SGD MomentumSGD AdaGrad AdaDelta RMSprop Adam AdamW Adamax NAdam RAdam Lion LAMB"
    for kind in (getattr(O, name) for name in names.split()):
        found = []
        for captured in (False, True):
            model = tg.Model()
            model.w = tg.Parameter(backend.from_numpy(weights))
            optimizer = kind().setup(model)

            def step(g, model=model, optimizer=optimizer):
                model.cleargrads()
                F.sum(model.w * g).backward()
                optimizer.update()
                return model.w.data

            run = tg.tools.capture(step, model, optimizer) if captured else step
            for g in gradients:
                run(backend.from_numpy(g))
            assert model.w.dtype == backend.xp.float32
            assert not (captured and backend.compiles and run.why_not)
            found.append(backend.to_numpy(model.w.data))
        np.testing.assert_allclose(found[1], found[0], rtol=1e-5, err_msg=kind.__name__)


def test_another_rate_and_another_shape_are_other_programs(backend):
    _, step, _, optimizer = training("MLP", O.SGD(0.1), backend, True)
    optimizer.lr = 0.2
    step(*(backend.from_numpy(a[:4]) for a in (MODELS["MLP"][1], LABELS)))
    assert len(step._programs) == (2 if backend.compiles else 0)


def test_several_results(backend):
    model = tg.models.MLP((2,)).to(backend.name)
    step = tg.tools.capture(lambda x: (model(x), x), model)
    x = backend.from_numpy(np.ones((3, 4), np.float32))
    for _ in range(3):
        y, same = step(x)
        assert (y.shape, same.shape) == ((3, 2), (3, 4))


@pytest.mark.parametrize("kind", [None, dict, list])
def test_a_step_that_returns_nothing_or_something_else(backend, kind):
    model = tg.models.MLP((2,)).to(backend.name)
    results = {None: lambda y: None, dict: lambda y: {"y": y}, list: lambda y: [y]}
    step = tg.tools.capture(lambda x: results[kind](model(x)), model)
    x = backend.from_numpy(np.ones((3, 4), np.float32))
    warned = nullcontext()
    if backend.compiles and kind is not None:
        warned = pytest.warns(
            UserWarning, match=f"it returns {kind.__name__}; expected a Variable, an array or"
        )
    with warned:
        assert {type(step(x)) for _ in range(3)} == {type(results[kind](x))}


def test_an_error_leaves_the_model_as_it_was(backend):
    """JAX traces a step with arrays that have no values in the place of the weights."""
    model = tg.models.MLP((2,)).to(backend.name)
    optimizer = O.MomentumSGD(0.1).setup(model)
    calls = []

    def step(x):
        model.cleargrads()
        F.sum(model(x)).backward()
        optimizer.update()
        calls.append(1)
        if len(calls) > 2:
            raise ZeroDivisionError("as expected")

    step, x = tg.tools.capture(step, model, optimizer), backend.from_numpy(np.ones((3, 4), np.float32))
    step(x)
    step(x)
    if backend.compiles:
        before = [backend.to_numpy(p.data).copy() for p in model.params()]
        with pytest.raises(ZeroDivisionError, match="as expected"):
            step(x)
        for p, values in zip(model.params(), before, strict=True):
            np.testing.assert_array_equal(backend.to_numpy(p.data), values)
            assert p.grad is None
        assert {state["t"] for state in optimizer._states.values() if "t" in state} <= {2}


def test_a_step_that_looks_at_values_runs_as_it_is(backend):
    model = tg.models.MLP((2,)).to(backend.name)
    calls = []

    def step(x):
        calls.append(float(model(x).sum().item()) > 0)
        return model(x)

    captured = tg.tools.capture(step, model)
    x = backend.from_numpy(np.ones((3, 4), np.float32))
    captured(x)
    if backend.compiles:
        why = {"cupy": "CuPy cannot capture it: "}.get(backend.name, "it looks at values while")
        with pytest.warns(UserWarning, match=f"^capture: the step runs as it is: {why}"):
            captured(x)
        assert captured.why_not.startswith(why)
    else:
        captured(x)
    captured(x)
    assert len(calls) == 3
    assert all(p.grad is None for p in model.params())


def training_with(name, model, optimizer):
    """A step in which something keeps a state of its own; and what it is called."""
    optimizer = optimizer.setup(model)
    average, schedule = O.EMA(model, 0.5), O.StepLR(optimizer, 1)
    wrapped = O.Accumulate(optimizer, 2)

    def step(x):
        model.cleargrads()
        loss = F.sum(model.w * model.w * x)
        loss.backward()
        if name == "Accumulate.update":
            wrapped.update()
            return loss
        optimizer.update()
        if name == "EMA.update":
            average.update()
        elif name == "StepLR.step":
            schedule.step()
        return loss

    return step, wrapped if name == "Accumulate.update" else optimizer, average


@pytest.mark.parametrize("name", ["EMA.update", "StepLR.step", "Accumulate.update", "LBFGS.update"])
def test_what_a_replay_would_not_repeat_is_not_captured(backend, name):
    x = backend.from_numpy(np.array([1.0, 2.0], np.float32))
    found = []
    for captured in (False, True):
        model = tg.Model()
        model.w = tg.Parameter(backend.from_numpy(np.array([0.5, -1.0], np.float32)))
        rule = O.LBFGS() if name == "LBFGS.update" else O.SGD(0.1)
        step, optimizer, average = training_with(name, model, rule)
        run = tg.tools.capture(step, model, optimizer) if captured else step
        warned = nullcontext()
        if captured and backend.compiles:
            warned = pytest.warns(
                UserWarning, match=f"replay would leave out what {name} keeps; call it after"
            )
        with warned:
            losses = [run(x) for _ in range(5)]
        found.append([float(backend.to_numpy(loss.data)) for loss in losses])
        if name == "EMA.update":
            found[-1] += [float(backend.to_numpy(a).sum()) for a in average._averages.values()]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)


@pytest.mark.skipif("jax" not in BACKENDS, reason="JAX is not under test")
def test_a_step_of_every_model_traces_under_jit():
    """Forward, backward, clipping and update: traced alone, since to compile them takes minutes."""
    from test_cuda_steps import MODELS as EXAMPLES
    from test_cuda_steps import step as of

    jax = pytest.importorskip("jax")
    backend = get_backend("jax")
    for name, (make, x, t) in EXAMPLES.items():
        model = make()
        with tg.no_grad():
            model(x[:, :1] if name.startswith("NStep") else x)  # sizes that were left open
        model.to("jax")
        params = [p for p in model.params() if p.data is not None]

        def traced(arrays, x, t, model=model, params=params):
            optimizer = O.Adam().setup(model)
            optimizer.add_hook(O.ClipGrad(0.5))
            for p, array in zip(params, arrays, strict=True):
                p.data = array
            return of(model, optimizer, x, t).data, [p.data for p in params]

        before = [p.data for p in params]
        _, after = jax.eval_shape(traced, before, backend.from_numpy(x), backend.from_numpy(t))
        assert [(a.shape, a.dtype) for a in after] == [(a.shape, a.dtype) for a in before], name
