"""Elementwise functions, activations and losses where the table of samples does not reach: ties, kinks,
saturation, modes, memory and errors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad.core import Variable
from tensorgrad.functions.special import erf_by_formula
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy


@pytest.fixture
def make(backend: Any) -> Any:
    """An array of the backend under test."""
    return lambda values, dtype="float64": backend.from_numpy(np.asarray(values, dtype=dtype))


def gradient(f: Any, *xs: Any) -> list[Any]:
    """The values of ``f(*xs)`` and the gradients of their sum, on the host."""
    vs = [Variable(x) for x in xs]
    y = f(*vs)
    y.backward()
    return [to_numpy(y), *(to_numpy(v.grad) for v in vs)]


# -- ties and kinks ------------------------------------------------------------------------------


@pytest.mark.parametrize(("f", "taken"), [(F.maximum, [3.0, 2.0, 5.0]), (F.minimum, [1.0, 2.0, 4.0])])
def test_a_tie_shares_the_gradient_evenly(make, f, taken):
    y, ga, gb = gradient(f, make([1.0, 2.0, 5.0]), make([3.0, 2.0, 4.0]))
    assert_close(y, np.array(taken))
    first = np.array([0.0, 0.5, 1.0]) if f is F.maximum else np.array([1.0, 0.5, 0.0])
    assert_close(ga, first)
    assert_close(gb, 1 - first)


def test_a_tie_with_itself_or_a_number(make):
    x = make([2.0, 3.0])
    assert_close(gradient(lambda x: F.maximum(x, x), x)[1], np.ones(2))
    assert_close(gradient(lambda x: F.maximum(x, 2.0), x)[1], np.array([0.5, 1.0]))
    assert_close(gradient(lambda x: F.minimum(2.0, x), x)[1], np.array([0.5, 0.0]))


def test_the_value_not_taken_does_not_poison_the_gradient(make):
    condition = make([True, False], bool)
    a, b = make([1.0, math.inf]), make([math.nan, 2.0])
    y, ga, gb = gradient(lambda a, b: F.where(condition, a, b) * make([math.inf, math.nan]), a, b)
    assert_close(y, np.array([math.inf, math.nan]))
    assert_close(ga, np.array([math.inf, 0.0]))
    assert_close(gb, np.array([0.0, math.nan]))


def test_a_harmless_input_keeps_log_from_poisoning_the_gradient(make):
    def f(x):
        positive = x > 0
        return F.where(positive, F.log(F.where(positive, x, 1.0)), 0.0)

    y, gx = gradient(f, make([0.0, 2.0]))
    assert_close(y, np.array([0.0, math.log(2)]))
    assert_close(gx, np.array([0.0, 0.5]))


def test_clip_passes_the_gradient_at_its_bounds(make):
    x = make([-2.0, -1.0, 0.0, 1.0, 2.0])
    y, gx = gradient(lambda x: F.clip(x, -1.0, 1.0), x)
    assert_close(y, np.array([-1.0, -1.0, 0.0, 1.0, 1.0]))
    assert_close(gx, np.array([0.0, 1.0, 1.0, 1.0, 0.0]))
    v = Variable(x)
    assert F.clip(v) is v
    assert not F.clip(x).requires_grad


def test_slopes_at_zero(make):
    zero = make([0.0])
    for f, slope in [
        (F.relu, 0.0),
        (F.abs, 0.0),
        (F.sign, 0.0),
        (F.leaky_relu, 0.2),
        (lambda x: F.leaky_relu(x, -0.5), -0.5),
        (lambda x: F.leaky_relu(x, 3.0), 3.0),
    ]:
        assert_close(gradient(f, zero)[1], np.array([slope]))


def test_the_gradient_of_sign_is_zero_and_not_missing(make):
    assert_close(gradient(lambda x: F.sign(x) * 3.0, make([-2.0, 2.0]))[1], np.zeros(2))


# -- saturation; a warning would be an error -----------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_far_from_zero(make, dtype):
    x = make([-1000.0, -85.0, 0.0, 85.0, 1000.0], dtype)
    tiny = np.exp(np.float64(-85.0)).astype(dtype)
    zeros_and_ones = [0.0, tiny, 0.25, 0.0, 0.0]
    y, gx = gradient(F.sigmoid, x)
    assert_close(y, np.array([0.0, tiny, 0.5, 1.0, 1.0], dtype), rtol=1e-5, atol=1e-44)
    assert_close(gx, np.array(zeros_and_ones, dtype), rtol=1e-5, atol=1e-44)
    y, gx = gradient(F.softplus, x)
    assert_close(y, np.array([0.0, tiny, math.log(2), 85.0, 1000.0], dtype), rtol=1e-5, atol=1e-44)
    assert_close(gx, np.array([0.0, tiny, 0.5, 1.0, 1.0], dtype), rtol=1e-5, atol=1e-44)
    for f in (F.silu, F.gelu, lambda x: F.gelu(x, approximate="tanh"), F.relu):
        y, gx = gradient(f, x)
        assert_close(y, np.array([0.0, 0.0, 0.0, 85.0, 1000.0], dtype), atol=1e-30)
        assert_close(gx[[0, 1, 3, 4]], np.array([0.0, 0.0, 1.0, 1.0], dtype), atol=1e-30)


def test_sigmoid_in_half_precision():
    x = np.array([-1000.0, -5.0, 0.0, 5.0, 12.0, 1000.0], np.float16)
    y = F.sigmoid(x).data
    assert y.dtype == np.float16
    assert_close(y, (1 / (1 + np.exp(-np.maximum(x, -500.0).astype(np.float64)))).astype(np.float16))


def test_softmax_far_from_zero(make):
    x = make([[0.0, 1000.0], [-1000.0, -1000.0], [-math.inf, 0.0]])
    want = np.array([[0.0, 1.0], [0.5, 0.5], [0.0, 1.0]])
    y, gx = gradient(F.softmax, x)
    assert_close(y, want)
    assert_close(gx, np.zeros((3, 2)))
    y, gx = gradient(F.log_softmax, x)
    assert_close(y, np.array([[-1000.0, 0.0], [-math.log(2), -math.log(2)], [-math.inf, 0.0]]))
    assert_close(gx, 1 - 2 * want)


def test_cross_entropies_where_the_answer_is_certain(make):
    t = make([0, 1], "int64")
    y, gx = gradient(lambda x: F.softmax_cross_entropy(x, t), make([[1000.0, 0.0], [0.0, 1000.0]]))
    assert_close(y, np.array(0.0))
    assert_close(gx, np.zeros((2, 2)))
    y, gx = gradient(lambda x: F.softmax_cross_entropy(x, t), make([[-1000.0, 0.0], [0.0, -math.inf]]))
    assert_close(y, np.array(math.inf))
    assert_close(gx, np.array([[-0.5, 0.5], [0.5, -0.5]]))

    for x, loss, gx in [([-1000.0, 1000.0], 0.0, [0.0, 0.0]), ([1000.0, -1000.0], 1000.0, [0.5, -0.5])]:
        got = gradient(lambda x: F.sigmoid_cross_entropy(x, t), make(x))
        assert_close(got[0], np.array(loss))
        assert_close(got[1], np.array(gx))

    y, gp = gradient(lambda p: F.binary_cross_entropy(p, t), make([0.0, 1.0]))
    assert_close(y, np.array(0.0))
    assert_close(gp, np.array([0.5, -0.5]))
    y, gp = gradient(lambda p: F.binary_cross_entropy(p, t), make([1.0, 0.0]))
    assert 700 < y < 710  # the logarithm of the smallest normal number
    assert np.isfinite(gp).all()
    assert gp[0] > 1e300
    assert gp[1] < -1e300


def test_sigmoid_and_binary_cross_entropy_cancel_where_saturated(make):
    """The gradient of the composition stays that of sigmoid_cross_entropy, far out too."""
    x, t = make([-60.0, 30.0]), make([1, 1], "int64")
    composed = gradient(lambda x: F.binary_cross_entropy(F.sigmoid(x), t), x)
    fused = gradient(lambda x: F.sigmoid_cross_entropy(x, t), x)
    assert_close(composed[0], fused[0], rtol=1e-9)
    assert_close(composed[1], fused[1], rtol=1e-9, atol=1e-12)


# -- erf -----------------------------------------------------------------------------------------


def test_the_formula_of_erf(backend, make):
    x = np.concatenate([np.linspace(-7, 7, 3001), [0.46875, -0.46875, 1e-300, 30.0, math.inf, -math.inf]])
    want = np.array([math.erf(v) for v in x])
    assert_close(erf_by_formula(backend.xp, make(x)), want, rtol=1e-15, atol=0)
    got = erf_by_formula(backend.xp, make(x, "float32"))
    assert_close(got, want.astype(np.float32), rtol=1e-6, atol=1e-44)
    assert math.isnan(to_numpy(erf_by_formula(backend.xp, make([math.nan])))[0])


def test_erf_without_a_library_function(monkeypatch):
    monkeypatch.setattr("tensorgrad.functions.special.library_function", lambda backend, name: None)
    x = np.array([-0.3, 1.2])
    y, gx = gradient(F.erf, x)
    assert_close(y, np.array([math.erf(v) for v in x]), rtol=1e-15)
    assert_close(gx, 2 / math.sqrt(math.pi) * np.exp(-(x**2)))


def test_how_far_the_tanh_gelu_is_off():
    x = np.linspace(-6, 6, 1201)
    off = np.abs(F.gelu(x, approximate="tanh").data - F.gelu(x).data).max()
    assert 4e-4 < off < 5e-4


# -- dropout -------------------------------------------------------------------------------------


def test_dropout_drops_and_scales(backend, make):
    backend.seed(0)
    x = Variable(make(np.linspace(1.0, 2.0, 10_000), "float32"))
    y = F.dropout(x, 0.25)
    y.backward()
    values, factors = to_numpy(y), to_numpy(x.grad)
    assert set(np.unique(factors)) == {np.float32(0), np.float32(4 / 3)}
    assert abs((factors == 0).mean() - 0.25) < 0.02
    assert_close(values, to_numpy(x) * factors)


def test_dropout_of_nothing_and_of_everything(make):
    x = make([1.0, math.inf, 2.0])[:1]
    assert_close(gradient(lambda x: F.dropout(x, 0.0), x)[0], np.ones(1))
    y, gx = gradient(lambda x: F.dropout(x, 1.0), x)
    assert_close(y, np.zeros(1))
    assert_close(gx, np.zeros(1))


def test_dropout_in_test_mode_is_the_identity(make):
    x = Variable(make([1.0, 2.0]))
    with tg.test_mode():
        assert F.dropout(x) is x
        assert not F.dropout(x.data).requires_grad


def test_dropout_errors(make):
    with pytest.raises(ValueError, match=r"dropout: expected a dropout_ratio in \[0, 1\]; got 1.5"):
        F.dropout(make([1.0]), 1.5)
    with tg.test_mode(), pytest.raises(ValueError, match=r"got -0\.1"):
        F.dropout(make([1.0]), -0.1)
    with pytest.raises(TypeError, match=r"dropout: expected a real floating dtype; got .*int64"):
        F.dropout(make([1], "int64"))


# -- labels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_labels_of_every_integer_dtype(make, dtype, shape):
    x = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 3.0]], np.float32)
    t = np.array([0, 1, 1])
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    labels = Variable(make(t.reshape(shape), dtype))
    for f in (F.softmax_cross_entropy, F.softmax_cross_entropy_simple):
        v = Variable(make(x, "float32"))
        loss = f(v, labels)
        loss.backward()
        assert_close(loss, np.asarray(-np.log(p[range(3), t]).mean(), np.float32))
        assert_close(v.grad, ((p - np.eye(2)[t]) / 3).astype(np.float32))
        assert labels.grad is None
    assert_close(F.accuracy(make(x, "float32"), labels), np.array(0.0, np.float32))


@pytest.mark.parametrize("dtype", ["int64", "bool", "float64"])
def test_targets_of_every_dtype_do_not_widen(make, dtype):
    for f in (F.sigmoid_cross_entropy, F.binary_cross_entropy):
        x, t = Variable(make([[0.25], [0.5]], "float32")), Variable(make([0, 1], dtype))
        y = f(x, t)
        y.backward()
        assert to_numpy(y).dtype == to_numpy(x.grad).dtype == np.float32
        assert t.grad is None


@pytest.mark.parametrize("f", [F.softmax_cross_entropy, F.softmax_cross_entropy_simple, F.accuracy])
def test_errors_about_labels(make, f):
    name = f.__name__
    x = make([[1.0, 2.0], [3.0, 4.0]])
    one_hot = make([[1, 0], [0, 1]], "int64")
    with pytest.raises(ValueError, match=rf"{name}: expected scores of shape \(N, C\), .*argmax"):
        f(x, one_hot)
    with pytest.raises(ValueError, match=r"got \(2,\) and \(2,\)"):
        f(make([1.0, 2.0]), make([0, 1], "int64"))
    with pytest.raises(ValueError, match=r"N > 0.* got \(0, 2\) and \(0,\)"):
        f(make(np.zeros((0, 2))), make([], "int64"))
    with pytest.raises(TypeError, match=rf"{name}: expected labels of an integer dtype; got .*float64"):
        f(x, make([0.0, 1.0]))


@pytest.mark.parametrize("labels", [[0, 2], [-1, 0], [-3, 7]])
def test_labels_out_of_range_are_seen_on_numpy(labels):
    x = np.zeros((2, 2))
    message = rf"expected labels from 0 to 1, .* got labels from {min(labels)} to {max(labels)}"
    for f in (F.softmax_cross_entropy, F.softmax_cross_entropy_simple):
        with pytest.raises(ValueError, match=f"{f.__name__}: {message}"):
            f(x, np.array(labels))


def test_errors_about_targets(make):
    for f in (F.sigmoid_cross_entropy, F.binary_cross_entropy):
        message = rf"{f.__name__}: expected one target for each element; got \(2,\) and targets \(3,\)"
        with pytest.raises(ValueError, match=message):
            f(make([0.5, 0.5]), make([0, 1, 1], "int64"))


def test_large_scores_keep_the_digits_of_their_differences(make):
    x = make([[20000.0, 20000.25]], "float32")
    want = np.array(math.log1p(math.exp(-0.25)), np.float32)
    assert_close(F.softmax_cross_entropy(x, make([1], "int64")), want, rtol=1e-6)
    assert_close(F.log_softmax(x)[0, 1], -want, rtol=1e-6)


@pytest.mark.parametrize(
    "f",
    [
        F.exp,
        F.sigmoid,
        F.softplus,
        F.gelu,
        F.silu,
        F.leaky_relu,
        F.softmax,
        F.log_softmax,
        lambda x: F.mean_squared_error(x, 0.5),
        lambda x: F.softmax_cross_entropy(x, np.array([0, 1])),
        lambda x: F.sigmoid_cross_entropy(x, np.full((2, 2), 0.25)),
    ],
)
def test_integers_on_numpy_give_what_their_floats_give(f):
    x = np.array([[1, 2], [-3, 0]])
    for got, want in zip(gradient(f, x), gradient(f, x.astype(float)), strict=True):
        assert_close(got, want, rtol=1e-15)


# -- other errors --------------------------------------------------------------------------------


def test_unknown_choices(make):
    x = make([1.0])
    with pytest.raises(ValueError, match="one of batchmean, mean, sum, none; got 'average'"):
        F.mean_squared_error(x, x, reduction="average")
    with pytest.raises(ValueError, match="gelu: expected approximate='none' or 'tanh'; got 'fast'"):
        F.gelu(x, approximate="fast")


# -- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [F.relu, F.leaky_relu, F.sigmoid, F.softplus, F.softmax, F.log_softmax])
def test_what_needs_only_its_output_frees_its_input(f):
    y = f(Variable(np.ones((2, 3))))
    assert [a is y.data for a in y.creator.saved] == [True]
    assert y.creator.kept == ()


def test_dropout_keeps_one_byte_per_element():
    y = F.dropout(Variable(np.ones((2, 3))))
    assert y.creator.saved == ()
    assert [a.dtype for a in y.creator.kept] == [np.bool_]


def test_softmax_cross_entropy_saves_the_softmax_in_place_of_its_input():
    x = Variable(np.log([[1.0, 2.0, 1.0]] * 4))
    y = F.softmax_cross_entropy(x, np.zeros(4, int))
    (p,) = y.creator.saved
    assert_close(p, [[0.25, 0.5, 0.25]] * 4, rtol=1e-14)
    assert [a.shape for a in y.creator.kept] == [(4,), (4,)]


def test_softmax_cross_entropy_leaves_its_input_and_its_gradient_alone():
    x, t = Variable(np.ones((2, 3))), np.array([0, 2])
    y = F.softmax_cross_entropy(x, t)
    y.backward(create_graph=True)
    gx = x.grad
    before = gx.data.copy()
    x.cleargrad()
    (gx * gx).backward()
    assert_close(gx, before, rtol=0, atol=0)
    assert_close(x, np.ones((2, 3)), rtol=0, atol=0)
