"""Initialisers: scales, bounds, orthogonality; the seed of everything."""

# ruff: noqa: NPY002  (weights are drawn from the state that users of the book seed)
from __future__ import annotations

import re
from collections.abc import Iterator
from math import sqrt

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import randomness
from tensorgrad.layers import initializers as I
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


@pytest.fixture(autouse=True)
def _numpys_state_again() -> Iterator[None]:
    yield
    tg.seed(None)


# -- what they draw ------------------------------------------------------------------------------

SCALES = [  # initialiser, standard deviation for fans of 300 and 200
    (I.Normal(0.1), 0.1),
    (I.Uniform(0.3), 0.3 / sqrt(3)),
    (I.TruncatedNormal(0.1), 0.1 * 0.8796),
    (I.TruncatedNormal(0.1, bound=1.0), 0.1 * 0.5396),
    (I.LeCunNormal(), sqrt(1 / 300)),
    (I.LeCunUniform(), sqrt(1 / 300)),
    (I.GlorotNormal(), sqrt(2 / 500)),
    (I.GlorotUniform(gain=2.0), 2 * sqrt(2 / 500)),
    (I.HeNormal(), sqrt(2 / 300)),
    (I.HeUniform(), sqrt(2 / 300)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("initializer", "deviation"), SCALES, ids=lambda x: type(x).__name__)
def test_mean_and_deviation(initializer, deviation, dtype):
    W = initializer((300, 200), dtype)
    assert (W.shape, W.dtype) == ((300, 200), dtype)
    assert abs(W.mean()) < 5 * deviation / sqrt(W.size)
    assert W.std() == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize("name", ["Uniform", "LeCunUniform", "GlorotUniform", "HeUniform"])
def test_uniform_weights_have_bounds(name):
    W = getattr(I, name)()((50, 50), np.float64)
    bound = W.std() * sqrt(3)
    assert np.abs(W).max() < 1.1 * bound  # 4.5 deviations of a normal would be far outside


def test_truncated_normal_has_no_tails():
    W = I.TruncatedNormal(0.5, bound=1.5)((200, 200), np.float64)
    assert 0.74 < np.abs(W).max() <= 0.75


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (3, 2, 2, 2)])
def test_orthogonal(shape):
    W = I.Orthogonal(gain=2.0)(shape, np.float64).reshape(shape[0], -1) / 2
    short = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
    assert_close(short, np.eye(len(short)), atol=1e-12)


def test_orthogonal_has_no_preferred_sign():
    signs = [np.sign(np.linalg.det(I.Orthogonal()((3, 3), np.float64))) for _ in range(60)]
    assert 10 < signs.count(1.0) < 50


def test_constants():
    assert_close(I.Zeros()((2, 3)), np.zeros((2, 3), np.float32))
    assert_close(I.Ones()((2,), np.float64), np.ones(2))
    assert_close(I.Constant(-0.5)((2,)), np.full(2, -0.5, np.float32))


def test_fans():
    assert I.fans((3, 5)) == (3, 5)
    assert I.fans((8, 4, 3, 2)) == (4 * 6, 8 * 6)
    assert (I.fans((7,)), I.fans(())) == ((7, 7), (1, 1))
    np.random.seed(0)
    W = I.HeNormal()((40, 50), np.float64, fan_in=8)
    assert W.std() == pytest.approx(0.5, rel=0.05)


def test_layers_take_initialisers():
    layer = L.Linear(5, in_size=4, initial_W=I.Orthogonal(), initial_b=I.Constant(0.1))
    assert_close(layer.W.data @ layer.W.data.T, np.eye(4, dtype=np.float32), atol=1e-6)
    assert_close(layer.b, np.full(5, 0.1, np.float32))
    assert_close(L.EmbedID(3, 2, initial_W=I.Ones()).W, np.ones((3, 2), np.float32))


def test_errors():
    with pytest.raises(ValueError, match=message("TruncatedNormal: expected a bound above 0; got 0")):
        I.TruncatedNormal(bound=0)
    expected = "Orthogonal: expected a shape of two or more axes; got (3,)"
    with pytest.raises(ValueError, match=message(expected)):
        I.Orthogonal()((3,))
    with pytest.raises(NotImplementedError, match=r"^Initializer does not define draw\."):
        I.Initializer()((3,))
    with pytest.raises(ValueError, match=message("seed: expected a number in [0, 2**32), or None; got -1")):
        tg.seed(-1)
    with pytest.raises(ValueError, match=message("Dropout: expected a dropout_ratio in [0, 1]; got 1.5")):
        L.Dropout(1.5)


# -- the seed ------------------------------------------------------------------------------------


def model() -> list[np.ndarray]:
    net = tg.models.Sequential(L.EmbedID(5, 4), L.Linear(3), L.LSTM(2, in_size=3))
    net.l1(np.ones((1, 4), np.float32))
    return [p.data for p in net.params()]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all((x == y).all() for x, y in zip(a, b, strict=True))


def test_numpys_state_is_drawn_from_until_a_seed_is_set():
    np.random.seed(3)
    first = model()
    np.random.seed(3)
    assert same(model(), first)
    tg.seed(3)
    np.random.seed(3)
    state = np.random.get_state()[1].copy()
    ours = model()
    assert (np.random.get_state()[1] == state).all()  # NumPy's was left alone
    np.random.random(10)  # and what others draw changes nothing
    tg.seed(3)
    assert same(model(), ours)
    assert not same(model(), ours)
    tg.seed(None)
    np.random.seed(3)
    assert same(model(), first)


def test_one_seed_makes_the_same_model_on_every_backend(backend):
    x = np.ones((2, 3), np.float32)
    tg.seed(5)
    here = tg.models.MLP((4, 2))
    here(x)
    tg.seed(5)
    there = tg.models.MLP((4, 2))
    there(backend.from_numpy(x))
    for a, b in zip(here.params(), there.params(), strict=True):
        assert_close(to_numpy(b), a.data, rtol=0, atol=0)


def test_dropout_and_shuffles_follow_the_seed(backend):
    x = backend.from_numpy(np.ones((10, 10), np.float32))

    def drawn():
        tg.seed(1)
        order = [t.tolist() for _, t in tg.DataLoader([(i, i) for i in range(20)], 5)]
        return to_numpy(F.dropout(x)), order

    (a, first), (b, second) = drawn(), drawn()
    assert_close(a, b, rtol=0, atol=0)
    assert first == second
    np.random.seed(0)
    tg.seed(2)
    assert (to_numpy(F.dropout(x)) != a).any()


def test_a_backend_that_is_loaded_later_is_seeded_without_drawing():
    class Late:
        seeds: list[int] = []  # noqa: RUF012  # what seed_late gives

        def seed(self, number):
            self.seeds.append(number)
            randomness.host().seed(number)

    late = Late()
    randomness.seed_late(late)
    assert late.seeds == []
    tg.seed(4)
    first = randomness.host().random_sample(3)
    randomness.seed_late(late)
    second = randomness.host().random_sample(3)
    assert late.seeds == [4]
    assert not (first == second).any()


def test_the_seed_of_a_backend_seeds_what_it_draws_from(backend):
    tg.seed(1)
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    backend.seed(9)
    one = backend.to_numpy(backend.uniform((3,), backend.xp.float64))
    backend.seed(9)
    assert_close(backend.to_numpy(backend.uniform((3,), backend.xp.float64)), one, rtol=0, atol=0)
    assert (np.random.get_state()[1] == state).all()


def test_large_weights_are_drawn_in_parts_with_the_numbers_of_one_call(monkeypatch):
    shape = (7, 13)
    np.random.seed(2)
    want = np.random.randn(*shape)
    monkeypatch.setattr(I, "_PART", 10)
    for kind, dtype in [(I.Normal(1.0), np.float64), (I.LeCunNormal(), np.float32)]:
        np.random.seed(2)
        scale = 1.0 if dtype == np.float64 else np.sqrt(1 / 7)
        np.testing.assert_array_equal(kind(shape, dtype), want.astype(dtype) * dtype(scale))
