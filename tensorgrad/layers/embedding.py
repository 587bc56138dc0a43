"""Embeddings: a trained vector for each integer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad.core import Parameter, Variable
from tensorgrad.layers.initializers import Normal
from tensorgrad.layers.layer import Layer


class EmbedID(Layer):
    """A vector for each integer: ``y = W[x]``.

    Parameters
    ----------
    in_size : int
        The number of integers: x is less than that.
    out_size : int
        The length of a vector.
    padding_idx : int, optional
        Where x is this, y is zeros, and no gradient comes from there. May be -1.
    dtype : NumPy dtype, default float32
    initial_W : callable, optional
        Called with a shape and a dtype, gives a NumPy array: one of `tensorgrad.layers.initializers`.

    Attributes
    ----------
    W : Parameter, shape (in_size, out_size)
        Drawn from the standard normal by default.

    Notes
    -----
    `forward` takes integers of any shape and gives one more axis, of length `out_size`.

    Examples
    --------
    >>> tg.layers.EmbedID(10, 4)(np.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(
        self,
        in_size: int,
        out_size: int,
        *,
        padding_idx: int | None = None,
        dtype: Any = np.float32,
        initial_W: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__()
        W = (initial_W or Normal(1.0))((in_size, out_size), dtype)
        self.W = Parameter(W, name="W")
        self.padding_idx = padding_idx

    def forward(self, x: Any) -> Variable:
        y: Variable = F.embed_id(x, self.W, self.padding_idx)
        return y


Embedding = EmbedID
