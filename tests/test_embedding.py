"""Embeddings and the dropout layer."""

# ruff: noqa: NPY002  (weights are drawn from the state that users of the book seed)
from __future__ import annotations

import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.testing import assert_close
from tensorgrad.testing.arrays import to_numpy


def message(text: str) -> str:
    return f"^{re.escape(text)}$"


def test_the_book_s_weights():
    np.random.seed(3)
    draws = np.random.randn(4, 3)
    np.random.seed(3)
    layer = L.EmbedID(4, 3)
    assert_close(layer.W, draws.astype(np.float32))
    assert layer.W.name == "W"
    assert L.Embedding is L.EmbedID


def test_rows_are_picked_and_gradients_added(backend):
    layer = L.EmbedID(4, 2).to(backend)
    x = np.array([[0, 2, 2], [3, 2, 0]])
    for index in (backend.from_numpy(x), Variable(backend.from_numpy(x)), x.tolist()):
        y = layer(index)
        assert_close(to_numpy(y), to_numpy(layer.W)[x])
    weights = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    (y * backend.from_numpy(weights)).sum().backward()
    want = np.zeros((4, 2), np.float32)
    np.add.at(want, x, weights)
    assert_close(to_numpy(layer.W.grad), want)


def test_padding_gives_zeros_and_gets_no_gradient(backend):
    for padding in (-1, 2):
        layer = L.EmbedID(3, 2, padding_idx=padding).to(backend)
        x = np.array([0, padding, 1, padding])
        y = layer(backend.from_numpy(x))
        W = to_numpy(layer.W)
        assert_close(to_numpy(y), np.where((x == padding)[:, None], 0, W[x]).astype(np.float32))
        y.sum().backward()
        assert_close(to_numpy(layer.W.grad), np.float32([[1, 1], [1, 1], [0, 0]]))


def test_an_embedding_is_trained():
    layer = L.EmbedID(3, 2)
    before = layer.W.data.copy()
    optimizer = tg.optimizers.SGD(1.0).setup(layer)
    layer(np.array([1, 1])).sum().backward()
    optimizer.update()
    assert_close(layer.W, before - np.float32([[0, 0], [2, 2], [0, 0]]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: F.embed_id(np.array([1]), np.ones(3)),
            ValueError,
            "embed_id: expected W of shape (V, D); got (3,)",
        ),
        (
            lambda: F.embed_id(np.array([True]), np.ones((3, 2))),
            IndexError,
            "embed_id: expected integers; got bools",
        ),
        (
            lambda: F.embed_id(np.array([1.0]), np.ones((3, 2))),
            IndexError,
            "embed_id: expected integers or bools as an index; got float64",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=message(text)):
        call()


def test_an_index_out_of_bounds_is_an_error():
    with pytest.raises(IndexError):
        F.embed_id(np.array([3]), np.ones((3, 2)))


def test_the_dropout_layer():
    x = np.ones((50, 50), np.float32)
    layer = L.Dropout(0.25)
    y = layer(x)
    assert set(np.unique(y.data)) == {np.float32(0), np.float32(4 / 3)}
    assert abs((y.data == 0).mean() - 0.25) < 0.05
    with tg.test_mode():
        assert_close(layer(x), x)
    assert list(layer.params()) == []
