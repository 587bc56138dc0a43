"""What hooks do to gradients before an update."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Layer, Parameter, Variable
from tensorgrad import functions as F
from tensorgrad import optimizers as O
from tensorgrad.backend import get_backend
from tensorgrad.testing.arrays import to_numpy

all_rules = pytest.mark.parametrize(
    "rule",
    [
        *(O.SGD, O.MomentumSGD, O.AdaGrad, O.AdaDelta, O.RMSprop, O.Adam, O.AdamW, O.Adamax, O.NAdam),
        *(O.RAdam, O.Lion, O.LAMB, O.LBFGS),
    ],
)


def with_gradients(backend, gradients, dtype="float64"):
    params = []
    for g in gradients:
        p = Parameter(backend.from_numpy(np.full(np.shape(g), 2.0, dtype)))
        p.grad = Variable(backend.from_numpy(np.asarray(g, dtype)), requires_grad=False)
        params.append(p)
    return params


def after(hook, params):
    hook(params)
    return [to_numpy(p.grad) for p in params]


def test_weight_decay(backend):
    params = with_gradients(backend, [[1.0, 2.0], 3.0], "float32")
    got = after(O.WeightDecay(0.25), params)
    for mine, theirs in zip(got, [[1.5, 2.5], 3.5], strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_array_equal(mine, theirs)


def test_clip_grad_scales_all_together(backend):
    params = with_gradients(backend, [[[3.0, 0.0]], [0.0, 4.0], 12.0], "float32")  # norm 13
    got = after(O.ClipGrad(6.5), params)
    for mine, theirs in zip(got, [[[1.5, 0.0]], [0.0, 2.0], 6.0], strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_clip_grad_leaves_small_gradients_as_they_are(backend):
    gradients = [[0.3, 0.1], 0.7]
    got = after(O.ClipGrad(1.0), with_gradients(backend, gradients))
    for mine, theirs in zip(got, gradients, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    (zero,) = after(O.ClipGrad(1.0), with_gradients(backend, [[0.0, 0.0]]))
    np.testing.assert_array_equal(zero, [0.0, 0.0])


def test_clip_grad_of_several_dtypes(backend):
    params = with_gradients(backend, [[3.0]], "float32") + with_gradients(backend, [[4.0]])
    a, b = after(O.ClipGrad(1.0), params)
    assert (a.dtype, b.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose([a[0], b[0]], [0.6, 0.8], rtol=1e-6)


def test_clip_grad_of_nothing():
    O.ClipGrad(1.0)([])


def test_clip_grad_value(backend):
    params = with_gradients(backend, [[-3.0, 0.5, 2.0], 0.75], "float32")
    before = [p.grad.data for p in params]
    got = after(O.ClipGradValue(0.75), params)
    for mine, theirs in zip(got, [[-0.75, 0.5, 0.75], 0.75], strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(to_numpy(Variable(before[0])), [-3.0, 0.5, 2.0])


def test_clip_grad_value_keeps_nan():
    (got,) = after(O.ClipGradValue(1.0), with_gradients(get_backend("numpy"), [[np.nan, np.inf]]))
    np.testing.assert_array_equal(got, [np.nan, 1.0])


@pytest.mark.parametrize("hook", [O.WeightDecay(0.5), O.ClipGrad(1e-3), O.ClipGradValue(1e-3)])
def test_gradients_of_broadcast_inputs_can_be_changed(hook):
    """A gradient that is a view with stride 0 once made these hooks fail, or write all over it."""
    w, v = Parameter(np.ones((2, 3))), Parameter(np.ones((2, 3)))
    F.sum(w + v).backward()
    untouched = v.grad.data.copy()
    hook([w])
    assert not np.array_equal(w.grad.data, untouched)
    np.testing.assert_array_equal(v.grad.data, untouched)


@all_rules
def test_frozen_parameters_stay(rule):
    model = tg.models.MLP((3, 2))
    optimizer = rule().setup(model)
    optimizer.add_hook(O.FreezeParam(model.l0, model.l1.b))
    optimizer.add_hook(O.WeightDecay(0.1))
    optimizer.add_hook(O.ClipGrad(1.0))
    x = np.ones((4, 5), np.float32)
    model(x)
    before = [p.data.copy() for p in model.params()]
    for _ in range(2):
        F.sum(model(x)).backward()
        optimizer.update()
        model.cleargrads()
    changed = [not np.array_equal(p.data, a) for p, a in zip(model.params(), before, strict=True)]
    assert changed == [False, False, True, False]


def test_a_layer_may_be_frozen_before_it_has_its_parameters():
    model = Layer()
    hook = O.FreezeParam(model)
    model.w = Parameter(np.ones(1))
    model.w.grad = Variable(np.ones(1))
    optimizer = O.SGD().setup(model)
    optimizer.add_hook(hook)
    optimizer.update()
    assert model.w.data == 1


def test_hooks_run_in_order_on_those_that_have_a_gradient():
    p, q, r = Parameter(np.ones(1)), Parameter(np.ones(1)), Parameter(np.ones(1))
    p.grad, q.grad = Variable(np.ones(1)), Variable(np.ones(1))
    seen = []
    optimizer = O.SGD().setup([p, q, r])
    optimizer.add_hook(lambda params: seen.append(list(params)))
    optimizer.add_hook(O.FreezeParam(q))
    optimizer.add_hook(lambda params: seen.append(list(params)))
    optimizer.update()
    assert [[id(x) for x in params] for params in seen] == [[id(p), id(q)], [id(p)]]


def test_clip_grad_against_torch():
    torch = pytest.importorskip("torch", reason="compared with torch where it is installed")
    gradients = [[[1e-3, -2.0], [0.5, 3.0]], [40.0], -0.25]
    got = after(O.ClipGrad(0.7), with_gradients(get_backend("numpy"), gradients))
    theirs = [torch.zeros(np.shape(g), dtype=torch.float64) for g in gradients]
    for t, g in zip(theirs, gradients, strict=True):
        t.grad = torch.tensor(g, dtype=torch.float64)
    torch.nn.utils.clip_grad_norm_(theirs, 0.7)
    for mine, t in zip(got, theirs, strict=True):
        np.testing.assert_allclose(mine, t.grad.numpy(), rtol=1e-12)


def test_limits_are_greater_than_zero():
    for hook, name in ((O.ClipGrad, "max_norm"), (O.ClipGradValue, "max_value")):
        for limit in (0.0, -1.0, np.nan):
            with pytest.raises(ValueError, match=rf"{hook.__name__}: expected {name} > 0"):
                hook(limit)
