"""NumPy's fused kernels beside the formulas that they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad.backend import get_backend

ROWS, COLUMNS = 40, 1000  # more than one block, and not a multiple of it
ACTIVATIONS = {
    "gelu": F.gelu,
    "tanh_gelu": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
}


def numbers(dtype: str, *shape: int, scale: float = 3.0) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal(shape) * scale).astype(dtype)


def value_and_gradients(function, *arrays):
    xs = [Variable(a) for a in arrays]
    y = function(*xs)
    y.backward(grad=np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype))
    return [y.data, *(x.grad.data for x in xs)]


@pytest.fixture
def compare(monkeypatch):
    """Check value and gradients against the formula, which serves where no kernel is offered."""

    def check(function, *arrays):
        got = value_and_gradients(function, *arrays)
        with monkeypatch.context() as without:
            without.setattr(type(get_backend("numpy")), "kernel", lambda self, name: None)
            want = value_and_gradients(function, *arrays)
        exact = 2e-6 if arrays[0].dtype == np.float32 else 1e-13
        for g, w in zip(got, want, strict=True):
            assert (g.dtype, g.shape) == (w.dtype, w.shape)
            np.testing.assert_allclose(g, w, rtol=10 * exact, atol=exact * np.abs(w).max())

    return check


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, dtype, compare):
    kernel = get_backend("numpy").kernel(name)
    assert kernel(numbers(dtype, 3, 4)) is not None  # it serves, so the comparison is one
    compare(ACTIVATIONS[name], numbers(dtype, ROWS, COLUMNS))
    compare(ACTIVATIONS[name], numbers(dtype))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_far_from_zero(name):
    """No overflow is reported, and the limits are 0 and x."""
    x = np.array([-1e4, -200.0, -90.0, 90.0, 200.0, 1e4], np.float32)
    y, gx = value_and_gradients(lambda x: ACTIVATIONS[name](x) * 1.0, x)
    np.testing.assert_allclose(y, np.maximum(x, 0), atol=1e-30)
    v = Variable(x)
    ACTIVATIONS[name](v).backward()
    np.testing.assert_allclose(v.grad.data, x > 0, atol=1e-30)
    assert np.isfinite(gx).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_near_zero(name, dtype, compare):
    """Where ``y / x`` has lost its digits, or is 0 / 0, the slope is 1/2."""
    small = np.array([0.0, -0.0, 1.0, 3.0, 1e5, 1e9], dtype) * np.finfo(dtype).smallest_subnormal
    compare(ACTIVATIONS[name], np.concatenate([small, -small, numbers(dtype, 30)]))
    v = Variable(small)
    ACTIVATIONS[name](v).backward()
    np.testing.assert_array_equal(v.grad.data, 0.5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_formula_serves_other_arrays(name):
    backend = get_backend("numpy")
    x = numbers("float32", 6, 4)
    assert backend.kernel(name)(x.T) is None
    assert backend.kernel(name)(x.astype("float16")) is None
    assert backend.kernel(f"{name}_gradient")(np.broadcast_to(x[:1], x.shape), x, x) is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("causal", [False, True])
def test_attention(dtype, causal, compare):
    q, k, v = numbers(dtype, 3, 2, 5, 7, 4, scale=1.0)
    backend = get_backend("numpy")
    assert backend.kernel("attention")(q, k, v, causal, 0.5) is not None
    compare(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, causal=causal), q, k, v)
    compare(lambda q, v: F.scaled_dot_product_attention(q, k[:1], v, causal=causal), q[:, :, -3:], v)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lstm(dtype, compare):
    T, N, D, H = 6, 3, 4, 5
    arrays = [
        numbers(dtype, *s, scale=0.5) for s in ((T, N, D), (N, H), (N, H), (D, 4 * H), (H, 4 * H), (4 * H,))
    ]
    a = numbers(dtype, T, N, 4 * H)
    assert get_backend("numpy").kernel("lstm")(a, arrays[1], arrays[2], arrays[4]) is not None
    compare(lambda *xs: F.lstm(*xs)[0], *arrays)
    compare(lambda *xs: F.lstm(*xs)[2], *arrays)
    compare(lambda *xs: F.lstm(arrays[0], *xs)[0], *arrays[1:])  # the input gets no gradient


def test_attention_of_keys_that_a_query_may_not_see():
    """What stands in the future does not count, whatever it is."""
    q, k, v = numbers("float64", 3, 4, 2, scale=1.0)
    k[-1] = np.inf
    y = F.scaled_dot_product_attention(Variable(q[:3]), k[:3], v[:3], causal=True)
    k[-1] = -1e300
    with np.errstate(all="ignore"):
        late = F.scaled_dot_product_attention(Variable(q), k, v, causal=True)
    np.testing.assert_allclose(late.data[:3], y.data, rtol=1e-12)


def test_attention_leaves_queries_that_see_nothing_to_the_formula():
    q, k = numbers("float32", 2, 4, 3)
    assert get_backend("numpy").kernel("attention")(q, k[:2], k[:2], True, 1.0) is None
    y = F.scaled_dot_product_attention(Variable(q), k[:2], k[:2], causal=True)
    np.testing.assert_array_equal(y.data[:2], 0)


def layer_norm(x, gamma, beta):
    return F.layer_norm(x, gamma, beta)


def rms_norm(x, gamma, beta):
    return F.rms_norm(x, gamma) + beta


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function", [layer_norm, rms_norm])
def test_normalization_of_rows(function, dtype, compare):
    x = numbers(dtype, 3, 40, 100) + 1
    gamma, beta = numbers(dtype, 100), numbers(dtype, 2, 100)[1]
    compare(function, x, gamma, beta)
    compare(lambda x: function(x, gamma, beta), x)
    compare(lambda gamma, beta: function(x, gamma, beta), gamma, beta)
    compare(F.layer_norm, x)


def test_the_formula_serves_other_normalizations():
    standardize = get_backend("numpy").kernel("standardize")
    x, ones = numbers("float32", 4, 6), np.ones(6, np.float32)
    rows = ((4, 6), (1,), (1, 6), 1e-5, True)
    assert standardize(x, ones, ones, *rows) is not None
    assert standardize(x.T.copy().T, ones, ones, *rows) is None
    assert standardize(x, ones.astype("float64"), ones, *rows) is None
    assert standardize(x, ones[:4], ones[:4], (4, 6), (1,), (4, 1), 1e-5, True) is None
    assert standardize(x, ones, ones, (4, 6), (0,), (1, 6), 1e-5, True) is None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_keep(dtype):
    """All bits of what the mask keeps, in any layout; what it does not serve is left to the formula."""
    keep = get_backend("numpy").kernel("keep")
    x = numbers(dtype, 6, 8)
    x[0, :4] = [np.nan, np.inf, -np.inf, -0.0]
    mask = numbers("float64", 6, 8) > 0
    mask[0, :4] = True, False, True, True
    for m, a in ((mask, x), (mask.T, x.T), (mask[::2, ::-1], x[::2, ::-1]), (mask[:0], x[:0])):
        got = keep(m, a)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, np.where(m, a, 0.0))
    assert np.signbit(keep(mask, x)[0, 3])
    assert keep(mask[:1], x) is None
    assert keep(mask, x.astype(complex)) is None
    assert keep(np.array(True), x[0, 0].reshape(())) is None
