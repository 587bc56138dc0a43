"""Dropout, as a layer."""

from __future__ import annotations

from typing import Any

from tensorgrad import functions as F
from tensorgrad.core import Variable
from tensorgrad.layers.layer import Layer


class Dropout(Layer):
    """Set elements to 0 at random in training: `tensorgrad.functions.dropout` as a layer.

    Parameters
    ----------
    dropout_ratio : float, default 0.5
        The probability of 0, in [0, 1].

    Examples
    --------
    >>> with tg.test_mode():
    ...     tg.layers.Dropout()(np.ones(2))
    variable([1. 1.])
    """

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        super().__init__()
        if not 0 <= dropout_ratio <= 1:
            raise ValueError(f"Dropout: expected a dropout_ratio in [0, 1]; got {dropout_ratio}")
        self.dropout_ratio = dropout_ratio

    def forward(self, x: Any) -> Variable:
        y: Variable = F.dropout(x, self.dropout_ratio)
        return y
