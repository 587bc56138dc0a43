"""The small GPT: its formula, that no place looks ahead, its cache, and what it generates."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import models as M
from tensorgrad import optimizers as O
from tensorgrad.models.gpt import _draw
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy

X = np.random.default_rng(0).integers(0, 11, (3, 5))


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def made(**settings) -> M.GPT:
    settings = {"context": 6, "size": 8, "n_layers": 2, "n_heads": 2, **settings}
    return M.GPT(11, **settings)


def by_numpy(model: M.GPT, x: np.ndarray) -> np.ndarray:
    """The logits, by the formulas of the paper."""

    def norm(h, layer):
        deviation = np.sqrt(h.var(-1, keepdims=True) + layer.eps)
        return (h - h.mean(-1, keepdims=True)) / deviation * to_numpy(layer.gamma) + to_numpy(layer.beta)

    def linear(h, layer):
        return h @ to_numpy(layer.W) + to_numpy(layer.b)

    def attend(h, layer):
        heads = [
            np.stack(np.split(linear(h, part), layer.n_heads, axis=-1), axis=1)
            for part in (layer.query, layer.key, layer.value)
        ]
        q, k, v = heads
        scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
        scores += np.triu(np.full(scores.shape[-2:], -np.inf), 1)
        p = np.exp(scores - scores.max(-1, keepdims=True))
        y = p / p.sum(-1, keepdims=True) @ v
        return linear(np.concatenate(list(y.swapaxes(0, 1)), axis=-1), layer.out)

    gelu = np.vectorize(lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2)
    h = to_numpy(model.tokens.W)[x] + to_numpy(model.positions.W)[: x.shape[1]]
    for block in model.blocks:
        h = h + attend(norm(h, block.norm1), block.attention)
        h = h + linear(gelu(linear(norm(h, block.norm2), block.l1)), block.l2)
    W = to_numpy(model.tokens.W).T if model.head is None else to_numpy(model.head.W)
    return norm(h, model.norm) @ W


@pytest.mark.parametrize("tied", [True, False])
def test_it_computes_its_formula(backend, tied):
    model = made(tied=tied).to(backend)
    y = model(backend.from_numpy(X))
    assert y.dtype == backend.xp.float32
    np.testing.assert_allclose(to_numpy(y), by_numpy(model, X), rtol=1e-4, atol=1e-6)


def test_its_parameters():
    model = made()
    model(X)
    # tables, blocks (attention, network, two norms), the last norm
    block = 4 * (8 * 8 + 8) + (8 * 32 + 32) + (32 * 8 + 8) + 2 * (8 + 8)
    assert sum(p.size for p in model.params()) == 11 * 8 + 6 * 8 + 2 * block + 2 * 8
    names = [path for path, _ in model.namedparams()]
    assert names[:3] == ["tokens/W", "positions/W", "blocks/0/norm1/gamma"]
    assert names[-1] == "norm/beta"
    untied = made(tied=False)
    untied(X)
    assert untied.head.W.shape == (8, 11)


def test_weights_begin_small_and_smaller_where_they_are_added():
    model = made(size=64, n_layers=8)
    model(X)
    for block in model.blocks:
        for linear, scale in [(block.attention.key, 0.02), (block.l1, 0.02), (block.attention.out, 0.005)]:
            assert abs(linear.W.data.std() / scale - 1) < 0.1
    assert abs(model(X).data).max() < 1  # close to the same chance for every token


def test_no_place_looks_ahead_and_every_parameter_gets_a_gradient():
    model = made()
    later = X.copy()
    later[:, 3:] = (later[:, 3:] + 1) % 11
    here, there = model(X), model(later)
    np.testing.assert_array_equal(here.data[:, :3], there.data[:, :3])
    assert (here.data[:, 3:] != there.data[:, 3:]).all()
    F.softmax_cross_entropy(F.reshape(here, (-1, 11)), np.roll(X, -1, 1).reshape(-1)).backward()
    for path, p in model.namedparams():  # one bias shifts all scores of a query, which changes nothing
        assert path.endswith("key/b") or np.abs(p.grad.data).max() > 0, path


def test_dropout_is_in_training_only():
    model = made(dropout_ratio=0.5)
    with tg.test_mode():
        assert_close(model(X), by_numpy(model, X), rtol=1e-4, atol=1e-6)
    assert (model(X).data != model(X).data).any()


def test_a_cache_gives_what_the_whole_text_gives(backend):
    model = made().to(backend)
    whole = to_numpy(model(backend.from_numpy(X)))
    cache = model.new_cache()
    parts = [to_numpy(model(backend.from_numpy(X[:, i:j]), cache)) for i, j in [(0, 3), (3, 4), (4, 5)]]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-5, atol=1e-6)
    assert len(cache) == 2
    assert len(cache[0]) == 5


# -- generation ----------------------------------------------------------------------------------


def test_the_likeliest_continuation_beyond_the_context(backend):
    """With the cache, and after it is full, as when everything is computed anew."""
    model = made(dropout_ratio=0.5).to(backend)
    text = X[:, :3]
    with tg.test_mode():
        for _ in range(7):
            logits = to_numpy(model(backend.from_numpy(text[:, -6:])))[:, -1]
            text = np.concatenate([text, logits.argmax(1)[:, None]], axis=1)
    found = model.generate(X[:, :3], 7, temperature=0)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, text)
    one = model.generate(X[0, :3].tolist(), 7, temperature=0)
    np.testing.assert_array_equal(one, text[0])
    np.testing.assert_array_equal(model.generate(backend.from_numpy(X), 0), X)


def test_the_same_seed_draws_the_same_on_every_backend(backend):
    tg.seed(3)
    model = made()
    expected = model.generate(X, 6, temperature=2.0)
    model.to(backend)
    texts = []
    for _ in range(2):
        tg.seed(4)
        texts.append(model.generate(X, 6, temperature=2.0))
    tg.seed(None)
    np.testing.assert_array_equal(*texts)
    assert expected.shape == texts[0].shape == (3, 11)
    assert (expected != texts[0]).any()


def test_tokens_are_drawn_as_often_as_they_are_likely():
    logits = np.log(np.array([[0.1, 0.2, 0.4, 0.3]]))
    for temperature, top_k in [(1.0, None), (1.0, 2), (0.5, None), (2.0, 3)]:
        p = np.exp(logits[0] / temperature)
        if top_k is not None:
            p[np.argsort(p)[:-top_k]] = 0
        drawn = _draw(np.repeat(logits, 20_000, axis=0), temperature, top_k)
        counts = np.bincount(drawn[:, 0], minlength=4)
        np.testing.assert_allclose(counts / 20_000, p / p.sum(), atol=0.02)
        assert (counts[p == 0] == 0).all()


def test_extreme_logits_and_temperatures():
    logits = np.array([[-np.inf, 0.0, -np.inf], [1e30, -1e30, 0.0]])
    for temperature in (0, 1e-300, 1.0):
        np.testing.assert_array_equal(_draw(logits, temperature, None), [[1], [0]])


def test_generating_records_nothing():
    model = made()
    model.generate(X, 2)
    cache = model.new_cache()
    with tg.no_grad():
        model(X, cache)
    assert cache[0].keys.creator is None
    assert all(p.grad is None for p in model.params())


def test_it_learns_a_cycle(backend):
    """0 1 2 0 1 2 ...: after some steps the continuation is right."""
    text = np.tile([0, 1, 2], 4)
    windows = np.stack([text[i : i + 7] for i in range(3)])
    x, t = backend.from_numpy(windows[:, :-1]), backend.from_numpy(windows[:, 1:].reshape(-1))
    model = M.GPT(3, context=6, size=8, n_layers=1, n_heads=2).to(backend)
    optimizer = O.Adam(0.02).setup(model)
    for _ in range(40):
        loss = F.softmax_cross_entropy(F.reshape(model(x), (18, 3)), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
    assert float(loss) < 0.1
    np.testing.assert_array_equal(model.generate([0], 11, temperature=0), text)


def test_weights_go_through_a_file(tmp_path):
    model, twin = made(), made()
    y = model(X)
    model.save_weights(tmp_path / "gpt.npz")
    twin.load_weights(tmp_path / "gpt.npz")
    np.testing.assert_array_equal(twin(X).data, y.data)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: M.GPT(0),
            ValueError,
            "GPT: expected vocabulary_size, context, size and n_layers of 1 or more; got 0, 128, 64 and 4",
        ),
        (
            lambda: M.GPT(5, size=10),
            ValueError,
            "MultiHeadAttention: expected n_heads that divide size 10; got 4",
        ),
        (lambda: made()(X[0]), ValueError, "GPT: expected x of shape (N, L); got (5,)"),
        (
            lambda: made(context=4)(X),
            ValueError,
            "GPT: expected at most context = 4 tokens; got 5",
        ),
        (
            lambda: made().generate(X[:, :0], 1),
            ValueError,
            "generate: expected a start of shape (L,) or (N, L), with one token or more; got (3, 0)",
        ),
        (
            lambda: made().generate([0.5], 1),
            TypeError,
            "generate: expected a start of integers; got float64",
        ),
        (
            lambda: made().generate([1], 1, temperature=-1),
            ValueError,
            "generate: expected length >= 0, temperature >= 0 and top_k >= 1; got 1, -1 and None",
        ),
        (
            lambda: _draw(np.array([[np.nan, 0.0]]), 1.0, None),
            ValueError,
            "generate: the model gives nan. Did its training diverge?",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=message(text)):
        call()


def test_a_full_cache_is_an_error():
    model, x = made(), X
    cache = model.new_cache()
    model(x, cache)
    expected = "GPT: expected at most context = 6 tokens; got 5 after 5 in the cache"
    with pytest.raises(ValueError, match=message(expected)):
        model(x, cache)
