"""Schedules of the rate against torch's, and by their formulas."""

from __future__ import annotations

import gc
import math
import re

import numpy as np
import pytest

from tensorgrad import Parameter, Variable
from tensorgrad import optimizers as O


@pytest.fixture(scope="module")
def torch():
    module = pytest.importorskip("torch", reason="compared with torch where it is installed")
    module.optim.SGD([module.zeros(1)])  # the first one imports much
    gc.freeze()
    return module


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


CASES = {
    "StepLR": (
        lambda o: O.StepLR(o, 7, 0.3),
        lambda s, o: s.StepLR(o, 7, 0.3),
    ),
    "MultiStepLR": (
        lambda o: O.MultiStepLR(o, [3, 4, 20], 0.5),
        lambda s, o: s.MultiStepLR(o, [3, 4, 20], 0.5),
    ),
    "ExponentialLR": (lambda o: O.ExponentialLR(o, 0.9), lambda s, o: s.ExponentialLR(o, 0.9)),
    "LambdaLR": (
        lambda o: O.LambdaLR(o, lambda t: 1 / (1 + t)),
        lambda s, o: s.LambdaLR(o, lambda t: 1 / (1 + t)),
    ),
    "CosineAnnealingLR": (
        lambda o: O.CosineAnnealingLR(o, 40, 0.01),
        lambda s, o: s.CosineAnnealingLR(o, 40, 0.01),
    ),
    "OneCycleLR": (
        lambda o: O.OneCycleLR(o, 0.7, 41),
        lambda s, o: s.OneCycleLR(o, 0.7, 41, cycle_momentum=False),
    ),
    "OneCycleLR settings": (
        lambda o: O.OneCycleLR(o, 0.7, 41, pct_start=0.11, div_factor=5.0, final_div_factor=10.0),
        lambda s, o: s.OneCycleLR(
            o, 0.7, 41, pct_start=0.11, div_factor=5.0, final_div_factor=10.0, cycle_momentum=False
        ),
    ),
    "WarmupLR": (
        lambda o: O.WarmupLR(o, 9, 0.25),
        lambda s, o: s.LinearLR(o, 0.25, total_iters=9),
    ),
    "WarmupLR then": (
        lambda o: O.WarmupLR(o, 9, 0.25, O.ExponentialLR(o, 0.9)),
        lambda s, o: s.SequentialLR(
            o, [s.LinearLR(o, 0.25, total_iters=9), s.ExponentialLR(o, 0.9)], milestones=[9]
        ),
    ),
}


@pytest.mark.parametrize(("mine", "theirs"), CASES.values(), ids=CASES)
@pytest.mark.filterwarnings("ignore")  # torch's own warnings about its schedules
def test_rates_are_torch_s(torch, mine, theirs):
    optimizer = O.SGD(0.4)
    schedule = mine(optimizer)
    other = torch.optim.SGD([torch.zeros(1)], 0.4)
    schedule2 = theirs(torch.optim.lr_scheduler, other)
    for _ in range(41):
        assert optimizer.lr == pytest.approx(other.param_groups[0]["lr"], rel=1e-9, abs=1e-15)
        schedule.step()
        if schedule.t < 41:
            other.step()
            schedule2.step()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"factor": 0.5, "patience": 1},
        {"factor": 0.5, "patience": 0, "cooldown": 2, "min_lr": 0.02},
        {"mode": "max", "factor": 0.3, "patience": 2, "threshold": 0.05},
    ],
)
def test_plateau_is_torch_s(torch, settings):
    optimizer = O.SGD(0.4)
    schedule = O.ReduceLROnPlateau(optimizer, **settings)
    other = torch.optim.SGD([torch.zeros(1)], 0.4)
    schedule2 = torch.optim.lr_scheduler.ReduceLROnPlateau(other, eps=0, **settings)
    rng = np.random.default_rng(3)
    for value in [*(1 / (1 + np.arange(10)) + 0.3), *rng.uniform(0.2, 0.6, 30), *([math.nan] * 3)]:
        schedule.step(float(value))
        schedule2.step(float(value))
        assert optimizer.lr == pytest.approx(other.param_groups[0]["lr"], rel=1e-12)
    assert optimizer.lr < 0.4


def test_plateau_takes_a_variable_and_nothing_less():
    schedule = O.ReduceLROnPlateau(O.SGD())
    schedule.step(Variable(np.array(0.5)))
    assert schedule.best == 0.5
    expected = "ReduceLROnPlateau.step: expected the value to look at; got none"
    with pytest.raises(TypeError, match=message(expected)):
        schedule.step()


def test_plateau_goes_on_where_it_was():
    values = [3.0, 2.0, 2.0, 2.5, 2.0, 1.9, 1.9, 1.9, 1.9]
    optimizer, twin = O.SGD(1.0), O.SGD(1.0)
    schedule = O.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=1)
    for value in values[:4]:
        schedule.step(value)
    again = O.ReduceLROnPlateau(twin, factor=0.5, patience=1, cooldown=1)
    again.load_state_dict(schedule.state_dict())
    for value in values[4:]:
        schedule.step(value)
        again.step(value)
        assert optimizer.lr == twin.lr
    with pytest.raises(ValueError, match=r"missing or unexpected in the state: base/0, t$"):
        again.load_state_dict({"best": 0.0, "bad": 0, "resting": 0, "drops": 9})
    assert again.drops == schedule.drops


def test_the_rate_after_the_end_stays():
    optimizer = O.SGD(0.4)
    cosine = O.CosineAnnealingLR(optimizer, 4, 0.1)
    for _ in range(9):
        cosine.step()
    assert optimizer.lr == pytest.approx(0.1)
    cycle = O.OneCycleLR(optimizer, 1.0, 5)
    for _ in range(9):
        cycle.step()
    assert optimizer.lr == pytest.approx(1 / 25 / 1e4)


def test_groups_that_have_a_rate_are_scheduled_from_it():
    a, b, c = (Parameter(np.ones(1)) for _ in range(3))
    optimizer = O.AdamW(0.4).setup([a]).add_group(b, alpha=0.1).add_group(c, weight_decay=0.0)
    schedule = O.StepLR(optimizer, 1, 0.5)
    schedule.step()
    assert optimizer.alpha == 0.2
    assert [group.settings for group in optimizer.groups] == [{"alpha": 0.05}, {"weight_decay": 0.0}]


@pytest.mark.parametrize(
    "rule", [O.SGD, O.MomentumSGD, O.AdaDelta, O.Adam, O.Adamax, O.RAdam, O.Lion, O.LAMB, O.LBFGS]
)
def test_every_rule_has_a_rate_that_matters(rule):
    moves = []
    for factor in (1.0, 0.0):
        p = Parameter(np.ones(2))
        optimizer = rule().setup([p])
        O.LambdaLR(optimizer, lambda t, factor=factor: factor)
        p.grad = Variable(np.array([1.0, 2.0]))
        optimizer.update()
        moves.append(np.abs(p.data - 1).max())
    assert moves[0] > 0
    assert moves[1] == 0


def test_errors():
    expected = "StepLR: expected an Optimizer with a rate; got int"
    with pytest.raises(TypeError, match=message(expected)):
        O.StepLR(3, 1)

    class Rateless(O.Optimizer):
        pass

    with pytest.raises(TypeError, match=message("StepLR: expected an Optimizer with a rate; got Rateless")):
        O.StepLR(Rateless(), 1)
    with pytest.raises(ValueError, match=message("StepLR: expected step_size >= 1; got 0")):
        O.StepLR(O.SGD(), 0)
    with pytest.raises(ValueError, match=message("CosineAnnealingLR: expected steps >= 1; got 0")):
        O.CosineAnnealingLR(O.SGD(), 0)
    expected = "OneCycleLR: expected total_steps >= 2 and pct_start in [0, 1]; got 1 and 0.3"
    with pytest.raises(ValueError, match=message(expected)):
        O.OneCycleLR(O.SGD(), 1.0, 1)
    expected = "WarmupLR: expected `then` to be a schedule of the same optimizer"
    with pytest.raises(ValueError, match=message(expected)):
        O.WarmupLR(O.SGD(), 2, then=O.StepLR(O.SGD(), 1))
    with pytest.raises(ValueError, match=r"^ReduceLROnPlateau: expected mode 'min' or 'max'; got 'low'$"):
        O.ReduceLROnPlateau(O.SGD(), "low")
    with pytest.raises(ValueError, match=message("ReduceLROnPlateau: expected a factor in (0, 1); got 1.5")):
        O.ReduceLROnPlateau(O.SGD(), factor=1.5)
    with pytest.raises(ValueError, match=message("StepLR: missing or unexpected in the state: base/0")):
        O.StepLR(O.SGD(), 1).load_state_dict({"t": 3})
