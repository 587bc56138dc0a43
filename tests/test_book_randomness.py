"""What the book's framework draws after ``np.random.seed(0)``, in its order: the numbers are the original's.

`tensorgrad.seed` draws from a generator of its own instead.
"""

# ruff: noqa: NPY002  (the state that users of the book seed)

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.testing.arrays import to_numpy


@pytest.fixture(autouse=True)
def _numpy_s_state_again():
    yield
    tg.seed(None)


def draws_from(a: object, *numbers: float) -> None:
    first = to_numpy(a).ravel()[: len(numbers)]
    np.testing.assert_allclose(first, numbers, rtol=3e-7)  # weights are float32


def test_layers_draw_in_the_order_in_which_they_are_made():
    np.random.seed(0)
    draws_from(L.Linear(3, in_size=2).W, 1.24737334, 0.282953888, 0.692072272)
    draws_from(L.Conv2d(2, 3, in_channels=1).W, 0.316696167, -0.0504524037, -0.0344062857)
    draws_from(L.Deconv2d(2, 3, in_channels=1).W, 0.756584883, -0.484788597, 0.0152528388)
    draws_from(L.EmbedID(3, 2).W, -1.70627019, 1.9507754, -0.509652182)
    rnn = L.RNN(3, in_size=3)
    draws_from(rnn.x2h.W, -0.931784332, -0.12282566, -0.516997874)
    draws_from(rnn.h2h.W, 0.174632236, -0.366226047, -0.209428713)
    lstm = L.LSTM(2, in_size=2)
    for name, numbers in {
        "x2f": (-1.15272427, 0.327236474),
        "x2i": (0.515544891, 0.0912046954),
        "x2o": (0.284498483, -0.484233856),
        "x2u": (-0.220300898, 0.0397148915),
        "h2f": (0.329273075, -1.08628833),
        "h2i": (0.833523035, -0.12722607),
        "h2o": (-0.285089135, 0.864399135),
        "h2u": (0.251989096, 0.499622673),
    }.items():
        draws_from(getattr(lstm, name).W, *numbers)
    assert np.random.rand() == pytest.approx(0.9560836347232239, rel=1e-15)  # no number more was drawn


def test_weights_of_unknown_size_are_drawn_at_the_first_call(backend):
    np.random.seed(0)
    model = tg.models.MLP((3, 2))
    model(backend.from_numpy(np.ones((1, 2), np.float32)))
    draws_from(model.l0.W, 1.24737334, 0.282953888, 0.692072272)
    draws_from(model.l1.W, 0.548533797, -0.0873861238, -0.0595934317)


def test_dropout():
    np.random.seed(0)
    assert F.dropout(np.ones(8)).data.tolist() == [2.0, 2.0, 2.0, 2.0, 0.0, 2.0, 0.0, 2.0]
    draws_from(F.dropout(np.ones(4), 0.25), *[4 / 3] * 4)


def test_shuffles():
    np.random.seed(0)
    loader = tg.DataLoader([(i, i) for i in range(10)], 5)
    epochs = [[x.tolist() for x, _ in loader] for _ in range(2)]
    assert epochs == [[[2, 8, 4, 9, 1], [6, 7, 3, 0, 5]], [[3, 5, 1, 2, 9], [8, 0, 6, 7, 4]]]


def test_the_spiral_brings_its_own_seed():
    x, t = tg.datasets.get_spiral()
    draws_from(x, -0.139813885, -0.00721657369, 0.370493919, 0.582094729)
    assert t[:10].tolist() == [1, 1, 2, 0, 1, 2, 0, 0, 1, 2]
    assert np.random.rand() == pytest.approx(0.8646111339647672, rel=1e-15)
    x, t = tg.datasets.get_spiral(train=False)
    draws_from(x, 0.132464528, 0.136209935, -0.314271569, 0.247453779)
    assert t[:10].tolist() == [0, 1, 0, 1, 2, 2, 1, 2, 2, 0]


def test_the_noise_of_the_sine_curve():
    np.random.seed(0)
    curve = tg.datasets.SinCurve()
    draws_from(curve.data, 0.00488135039, 0.02780837, 0.0228549554)
    draws_from(curve.label, 0.02780837, 0.0228549554, 0.0233556231)


def test_a_seed_of_tensorgrad_s_own_is_independent_of_numpy_s_state(backend):
    def everything() -> list[np.ndarray]:
        model = tg.models.MLP((3, 2))
        y = model(backend.from_numpy(np.ones((4, 2), np.float32)))
        loader = tg.DataLoader([(i, i) for i in range(10)], 10)
        arrays = [*(p.data for p in model.params()), y.data, F.dropout(np.ones(50)).data, next(loader)[0]]
        return [to_numpy(a) for a in (*arrays, tg.datasets.get_spiral()[0], tg.datasets.SinCurve().data)]

    tg.seed(0)
    before = np.random.get_state()
    first = everything()
    after = np.random.get_state()
    assert (before[2], before[1].tolist()) == (after[2], after[1].tolist())
    np.random.seed(123)
    tg.seed(0)
    for one, two in zip(first, everything(), strict=True):
        np.testing.assert_array_equal(one, two)
    tg.seed(1)
    assert (everything()[0] != first[0]).any()
    tg.seed(None)
    np.random.seed(0)
    draws_from(L.Linear(3, in_size=2).W, 1.24737334)
