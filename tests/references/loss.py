"""Losses: a loop over the examples, with SciPy's special functions."""

import math

import numpy as np
from scipy import special


def mean_squared_error(x0, x1, reduction="batchmean"):
    x0, x1 = np.broadcast_arrays(x0, x1)
    squares = np.array([(a - b) ** 2 for a, b in zip(x0.flat, x1.flat, strict=True)])
    if reduction == "none":
        return squares.reshape(x0.shape)
    divisor = {"batchmean": len(x0) if x0.ndim else 1, "mean": x0.size, "sum": 1}[reduction]
    return np.asarray(math.fsum(squares) / divisor)


def softmax_cross_entropy(x, t):
    return np.asarray(np.mean([special.logsumexp(row) - row[k] for row, k in zip(x, t.flat, strict=True)]))


def sigmoid_cross_entropy(x, t):
    chosen = [special.log_expit(a if b else -a) for a, b in zip(x.flat, t.flat, strict=True)]
    return np.asarray(-math.fsum(chosen) / len(x))


def binary_cross_entropy(p, t):
    chosen = [math.log(a) if b else math.log1p(-a) for a, b in zip(p.flat, t.flat, strict=True)]
    return np.asarray(-math.fsum(chosen) / len(p))


def accuracy(y, t):
    return np.asarray(np.mean([list(row).index(max(row)) == k for row, k in zip(y, t.flat, strict=True)]))


REFERENCES = {
    "mean_squared_error": mean_squared_error,
    "mean_squared_error_simple": mean_squared_error,
    "softmax_cross_entropy": softmax_cross_entropy,
    "softmax_cross_entropy_simple": softmax_cross_entropy,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "accuracy": accuracy,
}
