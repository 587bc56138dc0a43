"""Groups, states in dicts and files, averages, accumulation: a run resumed ends as one that was not."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Layer, Parameter, Variable
from tensorgrad import functions as F
from tensorgrad import optimizers as O
from tensorgrad.testing.arrays import to_numpy

RULES = {
    **{r.__name__: r for r in (O.SGD, O.AdaGrad, O.AdaDelta, O.Adam, O.AdamW, O.Adamax, O.NAdam, O.RAdam)},
    **{r.__name__: r for r in (O.Lion, O.LAMB)},
    "MomentumSGD": lambda: O.MomentumSGD(nesterov=True),
    "RMSprop": lambda: O.RMSprop(momentum=0.5, centered=True),
    "LBFGS": lambda: O.LBFGS(0.05, history=4),
}
all_rules = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


class Net(Layer):
    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(2)
        self.w = Parameter(rng.standard_normal((4, 3)).astype(np.float32))
        self.b = Parameter(np.zeros(3, np.float32))
        self.s = Parameter(np.asarray(0.5, np.float32))

    def forward(self, x):
        return F.tanh(F.linear(x, self.w, self.b)) * self.s


def train(model, optimizer, first, last, *others):
    for step in range(first, last):
        rng = np.random.default_rng(step)
        x = rng.standard_normal((8, 4)).astype(np.float32)
        t = rng.standard_normal((8, 3)).astype(np.float32)
        model.cleargrads()
        F.mean_squared_error(model(x), t).backward()
        optimizer.update()
        for other in others:
            (other.step if hasattr(other, "step") else other.update)()


def weights(model):
    return [np.array(to_numpy(p)) for p in model.params()]


# -- a run that is resumed -----------------------------------------------------------------------


@pytest.mark.parametrize("through_a_file", [False, True])
@all_rules
def test_a_resumed_run_ends_bit_for_bit_alike(rule, through_a_file, tmp_path):
    whole = Net()
    train(whole, rule().setup(whole), 0, 12)

    model = Net()
    optimizer = rule().setup(model)
    train(model, optimizer, 0, 7)
    model.save_weights(tmp_path / "weights.npz")
    optimizer.save(tmp_path / "optimizer.npz")
    state = optimizer.state_dict()
    train(model, optimizer, 7, 9)  # what was written stays as it was

    resumed = Net()
    resumed.load_weights(tmp_path / "weights.npz")
    again = rule().setup(resumed)
    if through_a_file:
        again.load(tmp_path / "optimizer.npz")
    else:
        again.load_state_dict(state)
    train(resumed, again, 7, 12)
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


@all_rules
def test_a_state_goes_to_another_library(backend, rule):
    model = Net()
    optimizer = rule().setup(model)
    train(model, optimizer, 0, 3)
    other = Net().to(backend.name)
    twin = rule().setup(other)
    twin.load_state_dict(optimizer.state_dict())
    want, got = optimizer.state_dict(), twin.state_dict()
    assert list(want) == list(got)
    for key, value in want.items():
        np.testing.assert_array_equal(value, got[key])


def test_a_resumed_run_with_groups_schedule_average_and_hooks():
    def made():
        model = Net()
        optimizer = O.AdamW(0.01).setup(model).add_group(model.b, weight_decay=0.0, alpha=0.1)
        optimizer.add_hook(O.ClipGrad(0.5))
        cosine = O.CosineAnnealingLR(optimizer, 8)
        return model, optimizer, O.WarmupLR(optimizer, 3, then=cosine), O.EMA(model, 0.8)

    whole, optimizer, *others = made()
    train(whole, optimizer, 0, 12, *others)
    model, half, *rest = made()
    train(model, half, 0, 5, *rest)
    resumed, again, *fresh = made()
    resumed.w.data, resumed.b.data, resumed.s.data = weights(model)
    for new, old in zip((again, *fresh), (half, *rest), strict=True):
        new.load_state_dict(old.state_dict())
    train(resumed, again, 5, 12, *fresh)
    for a, b in zip(weights(whole), weights(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    with others[1].applied(), fresh[1].applied():
        for a, b in zip(weights(whole), weights(resumed), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_state_loads_before_the_sizes_are_known():
    x = np.ones((2, 5), np.float32)

    def step(model, optimizer):
        model.cleargrads()
        F.sum(model(x)).backward()
        optimizer.update()

    model = tg.models.MLP((3, 2))
    optimizer = O.Adam().setup(model)
    step(model, optimizer)
    late = tg.models.MLP((3, 2))
    again = O.Adam().setup(late)
    again.load_state_dict(optimizer.state_dict())
    assert late.l0.W.data is None
    late(x)
    for p, q in zip(late.params(), model.params(), strict=True):
        p.data = q.data.copy()
    step(model, optimizer)
    step(late, again)
    for p, q in zip(late.params(), model.params(), strict=True):
        np.testing.assert_array_equal(p.data, q.data)


# -- a state that does not fit -------------------------------------------------------------------


def test_a_state_that_does_not_fit_says_all_that_is_wrong_and_changes_nothing():
    model = Net()
    optimizer = O.MomentumSGD(0.5).setup(model)
    train(model, optimizer, 0, 2)
    before = optimizer.state_dict()
    wrong = {key: value for key, value in before.items() if key != "setting/momentum"}
    wrong["setting/lr"] = 7.0
    wrong["setting/speed"] = 1.0
    wrong["array/w/v"] = np.zeros((3, 4), np.float32)
    wrong["array/x/v"] = np.zeros(1, np.float32)
    wrong["odd"] = 3
    expected = (
        "MomentumSGD: the state does not fit; nothing was loaded. Was it saved from another optimizer or "
        "model?\n  setting/momentum: missing\n  setting/speed: unexpected\n  odd: unexpected\n"
        "  array/w/v: expected shape (4, 3), got (3, 4)\n  array/x/v: there is no parameter x"
    )
    with pytest.raises(ValueError, match=message(expected)):
        optimizer.load_state_dict(wrong)
    after = optimizer.state_dict()
    assert list(after) == list(before)
    for key, value in before.items():
        np.testing.assert_array_equal(after[key], value)


def test_what_belongs_to_no_parameter_is_refused():
    optimizer = O.SGD(0.5).setup([Parameter(np.ones(1))])
    with pytest.raises(ValueError, match=message("SGD: unexpected in the state: step")):
        optimizer.load_state_dict({"setting/lr": 0.1, "whole/step": np.ones(1)})
    assert optimizer.lr == 0.5


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    optimizer = O.Adam().setup([Parameter(np.ones(3))])
    optimizer.save(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="is not a whole npz file of numbers"):
        optimizer.load(path)


def test_a_rule_may_keep_arrays_of_another_shape(tmp_path):
    class Rows(O.Optimizer):
        def update_one(self, param):
            state = self.state(param)
            state["rows"] = state.get("rows", 0.0) + param.grad.data.sum(axis=1)

    w = Parameter(np.ones((2, 3)))
    w.grad = Variable(np.ones((2, 3)))
    optimizer = Rows().setup([w])
    optimizer.update()
    optimizer.save(tmp_path / "rows.npz")
    again = Rows().setup([w])
    again.load(tmp_path / "rows.npz")
    again.update()
    np.testing.assert_array_equal(again.state(w)["rows"], [6.0, 6.0])


# -- groups --------------------------------------------------------------------------------------


def test_groups_have_settings_of_their_own():
    model, outside = Net(), Parameter(np.ones(2))
    optimizer = O.SGD(1.0).setup(model).add_group([model.b, model.w], lr=0.5)
    optimizer.add_group([outside, model.w], lr=0.25)  # the last one has it
    for p in (*model.params(), outside):
        p.data = np.zeros_like(p.data)
        p.grad = Variable(np.ones_like(p.data))
    optimizer.update()
    got = {path: -np.unique(p.data) for path, p in model.namedparams()}
    assert got == {"w": [0.25], "b": [0.5], "s": [1.0]}
    np.testing.assert_array_equal(outside.data, [-0.25, -0.25])
    assert optimizer.lr == 1.0


def test_groups_alone_are_enough():
    p = Parameter(np.ones(1))
    p.grad = Variable(np.ones(1))
    O.SGD(1.0).add_group(p, lr=0.5).update()
    assert p.data == 0.5


def test_an_error_in_a_group_leaves_the_settings_as_they_were():
    class Failing(O.SGD):
        def update_one(self, param):
            raise RuntimeError("no")

    p = Parameter(np.ones(1))
    p.grad = Variable(np.ones(1))
    optimizer = Failing(1.0).add_group(p, lr=0.5)
    with pytest.raises(RuntimeError, match=r"^no$"):
        optimizer.update()
    assert optimizer.lr == 1.0


def test_a_setting_that_there_is_not():
    expected = "AdamW.add_group: no setting is named lr; there are: t, alpha, beta1, beta2, eps, weight_decay"
    with pytest.raises(ValueError, match=message(expected)):
        O.AdamW().add_group(Net(), lr=0.1)
    expected = "SGD.add_group: expected a Layer or a list of Variables; got int"
    with pytest.raises(TypeError, match=message(expected)):
        O.SGD().add_group(3)


def test_frozen_parameters_in_a_group_stay():
    model = Net()
    optimizer = O.Adam().setup(model).add_group(model.b, alpha=1.0)
    optimizer.add_hook(O.FreezeParam(model.b))
    before = weights(model)
    train(model, optimizer, 0, 2)
    changed = [not np.array_equal(a, b) for a, b in zip(before, weights(model), strict=True)]
    assert changed == [True, False, True]


# -- averages ------------------------------------------------------------------------------------


def test_the_average_of_weights(backend):
    p, empty = Parameter(backend.from_numpy(np.zeros(2, np.float32))), Parameter(None)
    ema = O.EMA([p, empty], decay=0.9)
    want = None
    for i in range(5):
        value = np.array([i, -(i**2)], np.float32)
        p.data = backend.from_numpy(value)
        ema.update()
        want = value.astype(float) if want is None else 0.9 * want + 0.1 * value
    held = p.data
    with ema.applied():
        np.testing.assert_allclose(to_numpy(p), want, rtol=1e-6)
        assert p.dtype == backend.xp.float32
    assert p.data is held
    ema.copy_to_params()
    np.testing.assert_allclose(to_numpy(p), want, rtol=1e-6)
    p.data += 1
    with ema.applied():
        np.testing.assert_allclose(to_numpy(p), want, rtol=1e-6)  # it has memory of its own


def test_weights_come_back_after_an_error():
    p = Parameter(np.zeros(1))
    ema = O.EMA([p], 0.5)
    ema.update()
    p.data = np.ones(1)

    def fail():
        with ema.applied():
            assert p.data == 0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert p.data == 1


def test_averages_that_do_not_fit():
    p = Parameter(np.zeros(2))
    ema = O.EMA([p], 0.5)
    ema.update()
    expected = (
        "EMA: the state does not fit; nothing was loaded.\n  decay: missing\n"
        "  array/0: expected shape (2,), got (3,)\n  array/1: there is no such parameter"
    )
    with pytest.raises(ValueError, match=message(expected)):
        ema.load_state_dict({"array/0": np.zeros(3), "array/1": np.zeros(3)})
    with pytest.raises(ValueError, match=message("EMA: expected a decay in [0, 1); got 1.0")):
        O.EMA([p], 1.0)


def test_averages_follow_to_another_library(backend):
    p = Parameter(np.zeros(2))
    ema = O.EMA([p], 0.5)
    ema.update()
    p.data = backend.from_numpy(np.ones(2))
    ema.update()
    with ema.applied():
        np.testing.assert_array_equal(to_numpy(p), [0.5, 0.5])
        assert p.backend is backend


# -- accumulation --------------------------------------------------------------------------------


@pytest.mark.parametrize("clears", [True, False])
def test_small_batches_make_the_update_of_a_large_one(backend, clears):
    rng = np.random.default_rng(0)
    xs, ts = rng.standard_normal((12, 4)), rng.standard_normal((12, 3))
    ends = []
    for size in (12, 4):
        model = Net().to(backend.name)
        for p in model.params():
            p.data = backend.xp.astype(p.data, backend.xp.float64)
        optimizer = O.Accumulate(O.Adam(0.1).setup(model), steps=12 // size)
        for _ in range(2):
            for i in range(0, 12, size):
                if clears:
                    model.cleargrads()
                x, t = (backend.from_numpy(a[i : i + size]) for a in (xs, ts))
                F.mean_squared_error(model(x), t).backward()
                assert optimizer.update() == (i + size == 12)
        ends.append(weights(model))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_what_is_left_over_is_an_update_too():
    p = Parameter(np.zeros(1))
    optimizer = O.Accumulate(O.SGD(1.0).setup([p]), 4)
    optimizer.flush()
    for g in (1.0, 3.0):
        p.grad = Variable(np.array([g]))
        assert not optimizer.update()
    optimizer.flush()
    assert (p.data, p.grad, optimizer.waiting) == (-2.0, None, 0)
    with pytest.raises(ValueError, match=message("Accumulate: expected steps >= 1; got 0")):
        O.Accumulate(O.SGD(), 0)


def test_gradients_that_others_hold_are_not_written_to():
    p = Parameter(np.zeros(1))
    optimizer = O.Accumulate(O.SGD(1.0).setup([p]), 2)
    g = np.array([1.0])
    for _ in range(2):
        p.grad = Variable(g)
        optimizer.update()
    np.testing.assert_array_equal(g, [1.0])


# -- large arrays, which NumPy changes piece by piece --------------------------------------------


@all_rules
def test_pieces_make_the_whole(rule):
    rng = np.random.default_rng(0)
    start, g = rng.standard_normal((2, 3, 20_001)).astype(np.float32)
    whole = Parameter(start.copy())
    turned = Parameter(np.asfortranarray(start))  # too large for one piece, but not in one run
    for p in (whole, turned):
        optimizer = rule().setup([p])
        array = p.data
        for _ in range(3):
            p.grad = Variable(np.asarray(g, order="F" if p is turned else "C"))
            optimizer.update()
        assert p.data is array
        assert not np.array_equal(p.data, start)
    np.testing.assert_allclose(whole.data, turned.data, rtol=2e-5, atol=2e-6)  # sums in another order
