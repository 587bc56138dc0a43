"""A training step of a small perceptron with SGD, and of a large one with Adam."""

from __future__ import annotations

from tensorgrad.bench.mlp import LARGE, SMALL, Case, training


def test_small_mlp_with_sgd(contest):
    makers = training(Case(SMALL, 32))
    contest("MLP 784-100-10, batch 32, SGD, one step", makers, aim=1.5, per_round=10)


def test_large_mlp_with_adam(contest):
    makers = training(Case(LARGE, 256), adam=True)
    contest("MLP 784-1024-1024-10, batch 256, Adam", makers, aim=1.05)
