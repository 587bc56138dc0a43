"""Recurrent layers: the book's draws and steps, state, truncated backpropagation, whole sequences."""

# ruff: noqa: NPY002  (weights are drawn from the state that users of the book seed)
from __future__ import annotations

import copy
import pickle
import re
from itertools import pairwise

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.backend import backend_of
from tensorgrad.testing import assert_close, check_gradients
from tensorgrad.testing.arrays import to_numpy

RNG = np.random.default_rng(0)
STEPS = RNG.normal(size=(4, 3, 2)).astype(np.float32)


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# -- the book's layers ---------------------------------------------------------------------------


def test_shapes_with_the_input_size_given():
    """h2h once had the shape of x2h when in_size was given."""
    rnn = L.RNN(4, in_size=3)
    assert {path: p.shape for path, p in rnn.namedparams()} == {
        "x2h/W": (3, 4),
        "x2h/b": (4,),
        "h2h/W": (4, 4),
    }
    for _ in range(2):
        assert rnn(np.ones((2, 3), np.float32)).shape == (2, 4)


def test_names_of_the_lstm():
    lstm = L.LSTM(4, in_size=3)
    gates = [f"x2{g}/{p}" for g in "fiou" for p in "Wb"]
    assert [path for path, _ in lstm.namedparams()] == [*gates, *(f"h2{g}/W" for g in "fiou")]
    assert (lstm.h, lstm.c) == (None, None)


class SimpleRNN(tg.Model):
    """As in step 59: the hidden weights are drawn at the second call, after those of the last layer."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.rnn = L.RNN(hidden)
        self.fc = L.Linear(1)

    def forward(self, x):
        return self.fc(self.rnn(x))


class BetterRNN(tg.Model):
    """As in step 60."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.rnn = L.LSTM(hidden)
        self.fc = L.Linear(1)

    def forward(self, x):
        return self.fc(self.rnn(x))


def test_an_rnn_draws_and_computes_as_in_the_book():
    np.random.seed(0)
    model = SimpleRNN(5)
    got = [model(x).data for x in STEPS]

    np.random.seed(0)
    Wx = np.random.randn(2, 5).astype("f") * np.sqrt(1 / 2).astype("f")
    Wy = np.random.randn(5, 1).astype("f") * np.sqrt(1 / 5).astype("f")
    Wh = np.random.randn(5, 5).astype("f") * np.sqrt(1 / 5).astype("f")
    h = np.tanh(STEPS[0] @ Wx)
    assert_close(got[0], h @ Wy, rtol=1e-5, atol=1e-6)
    for x, y in zip(STEPS[1:], got[1:], strict=True):
        h = np.tanh(x @ Wx + h @ Wh)
        assert_close(y, h @ Wy, rtol=1e-5, atol=1e-6)


def test_an_lstm_draws_and_computes_as_in_the_book():
    np.random.seed(0)
    model = BetterRNN(5)
    got = [model(x).data for x in STEPS]

    np.random.seed(0)
    Wh = [np.random.randn(5, 5).astype("f") * np.sqrt(1 / 5).astype("f") for _ in range(4)]
    Wx = [np.random.randn(2, 5).astype("f") * np.sqrt(1 / 2).astype("f") for _ in range(4)]
    Wy = np.random.randn(5, 1).astype("f") * np.sqrt(1 / 5).astype("f")
    h = c = np.zeros((3, 5), "f")
    for x, y in zip(STEPS, got, strict=True):
        f, i, o, u = (x @ a + h @ b for a, b in zip(Wx, Wh, strict=True))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(u)
        h = sigmoid(o) * np.tanh(c)
        assert_close(y, h @ Wy, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [SimpleRNN, BetterRNN], ids=["step 59", "step 60"])
def test_the_sine_curve_is_learnt_by_truncated_backpropagation(kind):
    model = kind(20)
    curve = np.sin(np.linspace(0, 4 * np.pi, 241)).astype(np.float32).reshape(-1, 1, 1)
    optimizer = tg.optimizers.Adam(alpha=0.01).setup(model)
    history = []
    for _ in range(8):
        model.rnn.reset_state()
        loss, total = 0.0, 0.0
        for count, (x, t) in enumerate(pairwise(curve), 1):
            loss = loss + F.mean_squared_error(model(x), t)
            if count % 30 == 0:
                model.cleargrads()
                loss.backward()
                loss.unchain_backward()
                optimizer.update()
                total += float(loss)
                loss = 0.0
        history.append(total / 240)
    assert history[0] > 0.1
    assert history[-1] < 0.02


def test_unchain_backward_cuts_the_past_off():
    rnn = L.RNN(3, in_size=2)
    first = rnn(STEPS[0])
    first.sum().unchain_backward()
    rnn(STEPS[1]).sum().backward()
    gradient = rnn.h2h.W.grad.data.copy()

    twin = copy.deepcopy(rnn)
    twin.cleargrads()
    twin.h = Variable(first.data, requires_grad=False)
    twin(STEPS[1]).sum().backward()
    assert_close(gradient, twin.h2h.W.grad)


# -- state ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [L.RNN, L.LSTM, L.GRU])
def test_state_moves_with_the_layer(backend, kind):
    """It once stayed behind when the layer moved to another library."""
    layer, twin = kind(4, in_size=2), kind(4, in_size=2)
    twin.load_state_dict(layer.state_dict())
    layer(STEPS[0])
    twin(STEPS[0])
    model = tg.models.Sequential(layer)
    model.to(backend)
    for name in layer.carried:
        assert backend_of(getattr(layer, name).data) is backend
    y = layer(backend.from_numpy(STEPS[1]))
    assert_close(to_numpy(y), to_numpy(twin(STEPS[1])), rtol=1e-5, atol=1e-6)
    model.to_cpu()
    assert_close(to_numpy(layer(STEPS[2])), to_numpy(twin(STEPS[2])), rtol=1e-5, atol=1e-6)
    model.reset_state()
    assert [getattr(layer, name) for name in layer.carried] == [None] * len(layer.carried)


@pytest.mark.parametrize("kind", [L.RNN, L.LSTM, L.GRU])
def test_an_open_layer_goes_where_its_first_input_is(backend, kind):
    layer = kind(4)
    for x in STEPS[:2]:
        h = layer(backend.from_numpy(x))
    assert backend_of(h.data) is backend
    assert h.dtype == backend.xp.float32
    assert {backend_of(p.data) for p in layer.params()} == {backend}


@pytest.mark.parametrize("kind", [L.RNN, L.LSTM, L.GRU])
def test_the_state_is_not_saved_but_copied(kind, tmp_path):
    layer = kind(4)
    layer(STEPS[0])
    layer(STEPS[0])
    layer.save_weights(tmp_path / "w.npz")
    fresh = kind(4)
    fresh.load_weights(tmp_path / "w.npz")
    assert fresh.h is None
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert_close(twin.h, layer.h.data)
        assert_close(copy.copy(twin)(STEPS[1]).data, copy.copy(layer)(STEPS[1]).data)


def test_another_batch_size_needs_a_reset():
    layer = L.LSTM(4)
    layer(STEPS[0])
    expected = (
        "LSTM: expected a batch of 3, as in the step before; got 2. "
        "Call reset_state() before another sequence."
    )
    with pytest.raises(ValueError, match=message(expected)):
        layer(STEPS[0][:2])
    layer.reset_state()
    assert layer(STEPS[0][:2]).shape == (2, 4)
    with pytest.raises(ValueError, match=message("RNN: expected x of shape (N, in_size); got (4, 3, 2)")):
        L.RNN(4)(STEPS)


# -- whole sequences -----------------------------------------------------------------------------


def joined(layer: L.Layer, gates: str) -> list[np.ndarray]:
    """W, U and b of the whole-sequence functions, of a layer's separate ones."""
    W, U = (np.concatenate([getattr(layer, f"{s}2{g}").W.data for g in gates], axis=1) for s in "xh")
    return [W, U, np.concatenate([getattr(layer, f"x2{g}").b.data for g in gates])]


def test_whole_sequences_are_the_steps_of_the_layers():
    zeros = np.zeros((3, 5), np.float32)
    rnn, lstm, gru = L.RNN(5, 2), L.LSTM(5, 2), L.GRU(5, 2)
    gru.h2n.b.data = np.arange(5, dtype=np.float32)
    outputs = {
        rnn: F.rnn(STEPS, zeros, *joined(rnn, "h")),
        lstm: F.lstm(STEPS, zeros, zeros, *joined(lstm, "fiou")),
        gru: F.gru(STEPS, zeros, *joined(gru, "rzn"), gru.h2n.b.data),
    }
    for layer, (y, *ends) in outputs.items():
        steps = [layer(x).data for x in STEPS]
        assert_close(y, np.stack(steps), rtol=1e-5, atol=1e-6)
        for name, end in zip(layer.carried, ends, strict=True):
            assert_close(end, getattr(layer, name).data, rtol=1e-5, atol=1e-6)


def test_what_follows_the_end_of_an_example_is_never_seen():
    zeros = np.zeros((3, 5), np.float32)
    weights = [Variable(w) for w in joined(L.LSTM(5, 2), "fiou")]
    spoilt = STEPS.copy()
    spoilt[2:, 0] = spoilt[1:, 1] = np.nan
    x = Variable(spoilt)
    y, h, c = F.lstm(x, zeros, zeros, *weights, lengths=[2, 1, 4])
    short, _, _ = F.lstm(STEPS[:2, :1], zeros[:1], zeros[:1], *weights)
    assert_close(y.data[:2, :1], short.data)
    assert (y.data[2:, 0] == 0).all()
    assert_close(h.data[0], short.data[-1, 0])
    assert np.isfinite(y.data).all()
    assert np.isfinite(c.data).all()
    (y.sum() + c.sum()).backward()
    assert all(np.isfinite(v.grad.data).all() for v in (x, *weights))
    assert (x.grad.data[2:, 0] == 0).all()


def test_third_derivatives_of_an_lstm():
    arrays = [RNG.normal(size=s) for s in ((2, 1, 1), (1, 1), (1, 1), (1, 4), (1, 4), (4,))]
    check_gradients(F.lstm, arrays, order=3, rtol=1e-4)


KINDS = {"RNN": L.NStepRNN, "LSTM": L.NStepLSTM, "GRU": L.NStepGRU}


@pytest.mark.parametrize("lengths", [None, [4, 1, 3]], ids=["full", "packed"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("kind", KINDS)
def test_pytorch_has_the_same_values_and_gradients(kind, bidirectional, lengths):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    ours = KINDS[kind](5, 2, bidirectional=bidirectional, dtype=np.float64)
    xs = STEPS.astype(np.float64)
    ours(xs)
    theirs = getattr(torch.nn, kind)(2, 5, 2, bidirectional=bidirectional, dtype=torch.float64)
    order = {"RNN": [0], "LSTM": [1, 0, 3, 2], "GRU": [0, 1, 2]}[kind]  # theirs: i f g o, of f i o u
    pairs = []
    with torch.no_grad():
        for i in range(2):
            for way in ("", "_back") if bidirectional else ("",):
                cell = getattr(ours, f"l{i}{way}")
                cell.b.data = RNG.normal(size=cell.b.shape)
                end = f"_l{i}" + way.replace("back", "reverse")
                for name, p in (("weight_ih", cell.W), ("weight_hh", cell.U), ("bias_ih", cell.b)):
                    parts = np.split(p.data.T, len(order))
                    target = getattr(theirs, name + end)
                    target.copy_(torch.tensor(np.concatenate([parts[k] for k in order])))
                    pairs.append((p, target))
                getattr(theirs, "bias_hh" + end).zero_()
                if kind == "GRU":
                    cell.q.data = RNG.normal(size=5)
                    getattr(theirs, "bias_hh" + end)[10:] = torch.tensor(cell.q.data)
    x, t = Variable(xs), torch.tensor(xs, requires_grad=True)
    y, *ends = ours(x, lengths=lengths)
    rnn = torch.nn.utils.rnn
    packed = t if lengths is None else rnn.pack_padded_sequence(t, lengths, enforce_sorted=False)
    z, states = theirs(packed)
    z = z if lengths is None else rnn.pad_packed_sequence(z)[0]
    states = states if isinstance(states, tuple) else (states,)
    assert_close(y, z.detach().numpy(), rtol=1e-9, atol=1e-11)
    weight = RNG.normal(size=ends[0].shape)
    total, other = (y * y).sum(), (z * z).sum()
    for end, state in zip(ends, states, strict=True):
        assert_close(end, state.detach().numpy(), rtol=1e-9, atol=1e-11)
        total, other = total + (end * weight).sum(), other + (state * torch.tensor(weight)).sum()
    total.backward()
    other.backward()
    assert_close(x.grad, t.grad.numpy(), rtol=1e-8, atol=1e-10)
    for p, target in pairs:
        parts = np.split(target.grad.numpy(), len(order))
        want = np.concatenate([parts[order.index(k)] for k in range(len(order))]).T
        assert_close(p.grad, want, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_sequences_on_every_backend(backend, kind):
    here, there = (KINDS[kind](4, 2, bidirectional=True) for _ in range(2))
    want = here(STEPS, lengths=[4, 2, 1])
    there(backend.from_numpy(STEPS))
    there.load_state_dict(here.state_dict())
    got = there(backend.from_numpy(STEPS), lengths=[4, 2, 1])
    for a, b in zip(got, want, strict=True):
        assert backend_of(a.data) is backend
        assert_close(to_numpy(a), b.data, rtol=1e-4, atol=1e-5)


def test_a_sequence_goes_on_where_another_ended():
    lstm = L.NStepLSTM(4, 2, in_size=2)
    whole, *_ = lstm(STEPS)
    first, *state = lstm(STEPS[:3])
    rest, *_ = lstm(STEPS[3:], *state)
    assert_close(np.concatenate([first.data, rest.data]), whole.data, rtol=1e-5, atol=1e-6)


def test_dropout_between_layers_only_in_training():
    lstm = L.NStepLSTM(4, 2, dropout_ratio=0.5)
    with tg.test_mode():
        still, *_ = lstm(STEPS)
        assert_close(lstm(STEPS)[0], still)
    assert (lstm(STEPS)[0].data != still.data).any()


ZEROS = np.zeros((3, 5))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: F.rnn(np.ones((3, 2)), ZEROS, ZEROS, ZEROS, ZEROS),
            "rnn: expected x of shape (T, N, D) with one step or more; got (3, 2)",
        ),
        (
            lambda: F.lstm(np.ones((4, 3, 2)), ZEROS, ZEROS, np.ones((2, 5)), ZEROS, ZEROS),
            "lstm: expected W of shape (2, 20) for x (4, 3, 2) and h of 5 units; got (2, 5)",
        ),
        (
            lambda: F.gru(
                np.ones((4, 3, 2)), ZEROS, np.ones((2, 15)), np.ones((5, 15)), np.ones(15), np.ones(4)
            ),
            "gru: expected q of shape (5,); got (4,)",
        ),
        (
            lambda: F.rnn(
                np.ones((4, 3, 2)), ZEROS, np.ones((2, 5)), np.ones((5, 5)), np.ones(5), lengths=[4, 0, 5]
            ),
            "rnn: expected 3 lengths from 1 to 4; got [4, 0, 5]",
        ),
        (
            lambda: L.NStepRNN(5)(np.ones((3, 2))),
            "NStepRNN: expected x of shape (T, N, D), T > 0; got (3, 2)",
        ),
        (
            lambda: L.NStepLSTM(5)(STEPS, np.ones((1, 3, 5), np.float32)),
            "NStepLSTM: expected 2 states, or none; got 1",
        ),
        (
            lambda: L.NStepRNN(5)(STEPS, np.ones((3, 5), np.float32)),
            "NStepRNN: expected a state of shape (1, 3, 5); got (3, 5)",
        ),
        (lambda: L.NStepRNN(5, 0), "NStepRNN: expected one layer or more; got 0"),
    ],
)
def test_errors(call, text):
    with pytest.raises(ValueError, match=message(text)):
        call()
