"""Attention: causal places, masks, caches; PyTorch's layers with the same weights."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tensorgrad as tg
from gaps import expect_gap
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 5, 8)).astype(np.float32)


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


# -- the function --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "causal", "bool", "bias"])
def test_pytorch_has_the_same_values_and_gradients(kind):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    arrays = [RNG.normal(size=s) for s in ((2, 3, 4, 6), (2, 3, 4, 6), (2, 3, 4, 5))]
    mask = {"bool": np.tri(4, dtype=bool), "bias": RNG.normal(size=(4, 4))}.get(kind)
    mine = [Variable(a) for a in arrays]
    other = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = F.scaled_dot_product_attention(*mine, mask, causal=kind == "causal")
    z = torch.nn.functional.scaled_dot_product_attention(
        *other, None if mask is None else torch.tensor(mask), is_causal=kind == "causal"
    )
    assert_close(y, z.detach().numpy(), rtol=1e-10, atol=1e-12)
    weight = RNG.normal(size=y.shape)
    (y * weight).sum().backward()
    (z * torch.tensor(weight)).sum().backward()
    for v, t in zip(mine, other, strict=True):
        assert_close(v.grad, t.grad.numpy(), rtol=1e-9, atol=1e-11)


def test_a_query_that_may_look_nowhere_gives_zeros(backend):
    q, k, v = (Variable(backend.from_numpy(RNG.normal(size=(2, 3, 2)))) for _ in range(3))
    mask = np.array([[True, False, True], [False, False, False], [True, True, True]])
    y = F.scaled_dot_product_attention(q, k, v, backend.from_numpy(mask))
    assert_close(to_numpy(y)[:, 1], np.zeros((2, 2)))
    y.sum().backward()
    for x in (q, k, v):
        assert np.isfinite(to_numpy(x.grad)).all()
    assert_close(to_numpy(q.grad)[:, 1], np.zeros((2, 2)))


def test_the_last_query_stands_at_the_last_key():
    k, v = RNG.normal(size=(2, 5, 3))
    q = RNG.normal(size=(5, 3))
    whole = F.scaled_dot_product_attention(q, k, v, causal=True)
    assert_close(F.scaled_dot_product_attention(q[3:], k, v, causal=True), whole.data[3:])


def test_large_scores_do_not_overflow():
    q = np.array([[1e4, 0.0]], np.float32)
    k = np.array([[1e4, 0.0], [0.0, 1.0]], np.float32)
    assert_close(F.scaled_dot_product_attention(q, k, np.eye(2, dtype=np.float32)), np.float32([[1, 0]]))


def test_a_softmax_over_many_keys_in_half_precision(request, backend, half):
    expect_gap(request, backend.name, f"attention in {half}")
    dtype = getattr(backend.xp, half)

    def made(values):
        x = backend.from_numpy(np.asarray(values, np.float32))
        return Variable(backend.xp.astype(x, dtype))

    keys = np.random.default_rng(0).normal(size=(3000, 2))
    q, k, v = made([[0.5, -1.0]]), made(keys), made(np.stack([np.ones(3000), keys[:, 0]], axis=1))
    y = F.scaled_dot_product_attention(q, k, v)
    F.sum(y).backward()
    exact = [Variable(np.asarray(to_numpy(F.astype(x, backend.xp.float32)), np.float64)) for x in (q, k, v)]
    y_exact = F.scaled_dot_product_attention(*exact)
    F.sum(y_exact).backward()
    ulp = {"float16": 2.0**-10, "bfloat16": 2.0**-7}[half]
    for got, want in ((y, y_exact), (q.grad, exact[0].grad), (v.grad, exact[2].grad)):
        assert got.dtype == dtype
        scale = np.abs(want.data).max()
        np.testing.assert_allclose(
            np.asarray(to_numpy(F.astype(got, backend.xp.float32)), np.float64) / scale,
            want.data / scale,
            atol=2 * ulp,
        )


def test_dropout_of_weights_only_in_training():
    q = RNG.normal(size=(6, 4))
    plain = F.scaled_dot_product_attention(q, q, q)
    assert (F.scaled_dot_product_attention(q, q, q, dropout_ratio=0.5).data != plain.data).any()
    assert_close(F.scaled_dot_product_attention(q, q, q, dropout_ratio=1.0), np.zeros((6, 4)))
    with tg.test_mode():
        assert_close(F.scaled_dot_product_attention(q, q, q, dropout_ratio=0.5), plain)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: F.scaled_dot_product_attention(np.ones((2, 3)), np.ones((2, 4)), np.ones((2, 4))),
            ValueError,
            (
                "scaled_dot_product_attention: expected q (..., L, E), k (..., S, E) and v (..., S, F); "
                "got (2, 3), (2, 4) and (2, 4)"
            ),
        ),
        (
            lambda: F.scaled_dot_product_attention(*[np.ones((2, 3), int)] * 3),
            TypeError,
            "scaled_dot_product_attention: expected a real floating dtype; got int64",
        ),
        (
            lambda: F.scaled_dot_product_attention(*[np.ones((2, 3))] * 3, dropout_ratio=2),
            ValueError,
            "scaled_dot_product_attention: expected a dropout_ratio in [0, 1]; got 2",
        ),
        (
            lambda: F.scaled_dot_product_attention(np.ones((2, 3)), np.ones((0, 3)), np.ones((0, 3))),
            ValueError,
            "scaled_dot_product_attention: expected one key or more; got k of shape (0, 3)",
        ),
        (
            lambda: F.scaled_dot_product_attention(*[np.ones((2, 3))] * 3, np.ones((2, 2), np.int64)),
            TypeError,
            (
                "scaled_dot_product_attention: expected a mask of truth values, or of floating numbers to "
                "add; got int64. Convert one of 0 and 1 by astype(bool)."
            ),
        ),
        (
            lambda: F.scaled_dot_product_attention(*[np.ones((2, 3))] * 3, np.ones((2, 4), bool)),
            ValueError,
            (
                "scaled_dot_product_attention: expected a mask that broadcasts to (..., 2, 2), "
                "queries and keys; got (2, 4)"
            ),
        ),
        (
            lambda: L.MultiHeadAttention(8, 3),
            ValueError,
            "MultiHeadAttention: expected n_heads that divide size 8; got 3",
        ),
        (
            lambda: L.MultiHeadAttention(8, 2)(np.ones((5, 8), np.float32)),
            ValueError,
            "MultiHeadAttention: expected x of shape (N, L, in_size); got (5, 8)",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=message(text)):
        call()


# -- layers --------------------------------------------------------------------------------------


def same_weights(ours: L.MultiHeadAttention, theirs) -> None:
    """Give PyTorch's layer the weights of ours."""
    import torch

    parts = [ours.query, ours.key, ours.value]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.tensor(np.concatenate([p.W.data.T for p in parts])))
        theirs.in_proj_bias.copy_(torch.tensor(np.concatenate([p.b.data for p in parts])))
        copied(ours.out, theirs.out_proj)


def copied(ours: L.Linear, theirs) -> None:
    theirs.weight.data.copy_(type(theirs.weight.data)(ours.W.data.T.copy()))
    theirs.bias.data.copy_(type(theirs.bias.data)(ours.b.data))


def test_multi_head_attention_is_pytorch_s():
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    ours = L.MultiHeadAttention(8, 2, in_size=8)
    for part in (ours.query, ours.key, ours.value, ours.out):
        part.b.data = RNG.normal(size=8).astype(np.float32)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    same_weights(ours, theirs)
    hidden = np.array([[False] * 5, [False, False, True, True, True]])  # padding of the second example
    want, _ = theirs(*[torch.tensor(X)] * 3, key_padding_mask=torch.tensor(hidden))
    assert_close(ours(X, mask=~hidden[:, None, :]), want.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_encoder_block_is_pytorch_s(norm_first):
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    ours = L.TransformerEncoderBlock(8, 2, 16, activation=F.relu, norm_first=norm_first)
    ours(X)
    theirs = torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, norm_first=norm_first)
    same_weights(ours.attention, theirs.self_attn)
    copied(ours.l1, theirs.linear1)
    copied(ours.l2, theirs.linear2)
    want = theirs(torch.tensor(X)).detach().numpy()
    assert_close(ours(X), want, rtol=1e-4, atol=1e-5)


def test_no_place_sees_a_later_one(backend):
    block = L.TransformerEncoderBlock(8, 2)
    changed = X.copy()
    changed[:, 3:] += 1.0
    one, two = (to_numpy(block(backend.from_numpy(x), causal=True)) for x in (X, changed))
    assert_close(one[:, :3], two[:, :3])
    assert (np.abs(one[:, 3:] - two[:, 3:]).max(axis=(0, 2)) > 1e-3).all()


def test_a_cache_gives_what_the_whole_sequence_gives(backend):
    block = L.TransformerEncoderBlock(8, 2)
    x = backend.from_numpy(X)
    whole = to_numpy(block(x, causal=True))
    cache = L.KeyValueCache()
    assert len(cache) == 0
    with tg.no_grad():
        steps = [block(x[:, t : t + n, :], causal=True, cache=cache) for t, n in ((0, 2), (2, 1), (3, 2))]
    assert len(cache) == 5
    assert_close(np.concatenate([to_numpy(s) for s in steps], axis=1), whole, rtol=1e-4, atol=1e-5)


def test_a_decoder_with_caches_gives_what_the_whole_sequence_gives():
    block = L.TransformerDecoderBlock(8, 2)
    memory = RNG.normal(size=(2, 3, 6)).astype(np.float32)
    hidden = np.array([[[True, True, True]], [[True, False, False]]])
    whole = block(X, memory, memory_mask=hidden)
    caches = L.KeyValueCache(), L.KeyValueCache()
    steps = [block(X[:, t : t + 1], memory, memory_mask=hidden, cache=caches).data for t in range(5)]
    assert_close(np.concatenate(steps, axis=1), whole.data, rtol=1e-4, atol=1e-5)
    assert [len(c) for c in caches] == [5, 3]
    changed = memory.copy()
    changed[1, 1:] += 1.0  # hidden by the mask
    assert_close(block(X, changed, memory_mask=hidden), whole)


@pytest.mark.parametrize("block", [L.TransformerEncoderBlock, L.TransformerDecoderBlock])
def test_every_parameter_gets_a_gradient(block):
    layer = block(8, 2, dropout_ratio=0.1)
    y = layer(X) if block is L.TransformerEncoderBlock else layer(X, X)
    (y * y).sum().backward()
    for path, p in layer.namedparams():
        assert p.grad is not None, path
        if not path.endswith("key/b"):  # a shift of all scores of a query changes nothing
            assert (p.grad.data != 0).any(), path
