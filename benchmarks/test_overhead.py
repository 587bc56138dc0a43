"""What the graph costs: a chain of a thousand ops on ten numbers, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.functions as F

try:
    import torch
except ImportError:  # then the race is without it
    torch = None

LENGTH = 250  # of four ops each
DATA = np.linspace(0.1, 1.0, 10, dtype=np.float32)


def chain(x, tanh):
    """A thousand ops: two with a number, one function, one with a shared input."""
    y = x
    for _ in range(LENGTH):
        y = y * 1.01
        y = y + 0.1
        y = tanh(y)
        y = y * x
    return y


def by_hand():
    """The same chain and its gradient in NumPy: the values that backward needs are kept in lists."""
    x = DATA
    y = x
    kept = []
    for _ in range(LENGTH):
        y = y * 1.01
        y = y + 0.1
        t = np.tanh(y)
        kept.append(t)
        y = t * x
    gx = np.zeros_like(x)
    g = np.ones_like(x)
    for t in reversed(kept):
        gx += g * t
        g = g * x
        g = g * (1 - t * t)
        g = g * 1.01
    return gx + g


def ours():
    x = tg.Variable(DATA)
    chain(x, F.tanh).backward()
    return x.grad.data


def test_chain_forward_and_backward(race):
    rivals = {"numpy by hand": by_hand}
    expected = by_hand()
    np.testing.assert_allclose(ours(), expected, rtol=1e-5)
    if torch is not None:
        start = torch.from_numpy(DATA)
        ones = torch.ones(10)

        def in_torch():
            x = start.clone().requires_grad_()
            chain(x, torch.tanh).backward(ones)
            return x.grad.numpy()

        np.testing.assert_allclose(in_torch(), expected, rtol=1e-5)
        rivals["torch"] = in_torch
    race(ours, target="(aim: 1.0 x torch)", **rivals)


def test_chain_forward(race):
    def forward():
        return chain(tg.Variable(DATA), F.tanh).data

    def plain():
        return chain(DATA, np.tanh)

    np.testing.assert_array_equal(forward(), plain())
    race(forward, **{"numpy by hand": plain})


def test_chain_without_graph(race):
    def forward():
        with tg.no_grad():
            return chain(tg.Variable(DATA), F.tanh).data

    def plain():
        return chain(DATA, np.tanh)

    np.testing.assert_array_equal(forward(), plain())
    race(forward, **{"numpy by hand": plain})


@pytest.mark.parametrize("nodes", [1_000, 10_000, 100_000])
def test_backward_is_linear_in_nodes(benchmark, nodes):
    """Time per node should not grow with the graph; see the OPS column divided by the nodes."""

    def graph():
        y = x = tg.Variable(DATA)
        for _ in range(nodes):
            y = y + 1.0
        return (x, y), {}

    def backward(x, y):
        y.backward()
        assert x.grad is not None

    benchmark.extra_info["nodes"] = nodes
    benchmark.pedantic(backward, setup=graph, rounds=3)
