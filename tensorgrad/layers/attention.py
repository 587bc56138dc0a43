"""Attention layers: several heads, and a cache for generating one token after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad.core import Variable
from tensorgrad.core.variable import as_array
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.linear import Linear


class KeyValueCache:
    """The keys and values of what a `MultiHeadAttention` has seen so far: one for each such layer.

    Attributes
    ----------
    keys, values : Variable, shape (N, heads, S, E), or None
    """

    def __init__(self) -> None:
        self.keys: Variable | None = None
        self.values: Variable | None = None

    def __len__(self) -> int:
        """How many places are in it."""
        return 0 if self.keys is None else self.keys.shape[2]

    def extended(self, keys: Variable, values: Variable) -> tuple[Variable, Variable]:
        """Put new keys and values behind those that are there, and give all of them."""
        if self.keys is not None and self.values is not None:
            keys = F.concat([self.keys, keys], axis=2)
            values = F.concat([self.values, values], axis=2)
        self.keys, self.values = keys, values
        return keys, values


class MultiHeadAttention(Layer):
    """Attention in several heads, each with its own projections of queries, keys and values.

    Parameters
    ----------
    size : int
        Of the result; each head has ``size / n_heads``.
    n_heads : int
        A divisor of `size`.
    in_size : int, optional
        By default the last length of the first input.
    nobias : bool, default False
        Leave the biases out.
    dropout_ratio : float, default 0
        The probability that a weight is set to 0 in training.
    dtype : NumPy dtype, default float32

    Attributes
    ----------
    query, key, value, out : Linear
        Their W has the shape (in_size, size), that of `out` (size, size).

    Notes
    -----
    ``forward(x, memory=None, mask=None, causal=False, cache=None)`` takes x of shape (N, L, in_size) and
    gives (N, L, size).

    - `memory`, shape (N, S, ...), is what keys and values are made of; x by default.
    - `mask`, shape (L, S), (N, L, S) or (N, heads, L, S), or lengths of 1 for those: where x may look (truth
      values), or what is added before the softmax. ``(N, 1, S)`` hides the padding of each example.
    - With `causal` no place looks at a later one.
    - With a `KeyValueCache`, x follows what the cache has seen: keys and values are computed for x alone.
      Those of a `memory` are computed at the first call and then taken from the cache.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.2.

    Examples
    --------
    >>> attention = tg.layers.MultiHeadAttention(8, n_heads=2)
    >>> attention(np.ones((3, 5, 8), np.float32), causal=True).shape
    (3, 5, 8)
    """

    def __init__(
        self,
        size: int,
        n_heads: int,
        in_size: int | None = None,
        *,
        nobias: bool = False,
        dropout_ratio: float = 0.0,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__()
        if n_heads < 1 or size % n_heads:
            raise ValueError(f"MultiHeadAttention: expected n_heads that divide size {size}; got {n_heads}")
        self.size = size
        self.n_heads = n_heads
        self.dropout_ratio = dropout_ratio
        self.query = Linear(size, nobias, dtype, in_size)
        self.key = Linear(size, nobias, dtype, in_size)
        self.value = Linear(size, nobias, dtype, in_size)
        self.out = Linear(size, nobias, dtype, None if in_size is None else size)

    def forward(
        self,
        x: Any,
        memory: Any = None,
        mask: Any = None,
        causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Variable:
        shape = tuple(as_array(x).shape)
        if len(shape) != 3:
            raise ValueError(f"MultiHeadAttention: expected x of shape (N, L, in_size); got {shape}")
        q = self._heads(self.query(x))
        if memory is not None and cache is not None and cache.keys is not None:
            k, v = cache.keys, cache.values
        else:
            source = x if memory is None else memory
            k, v = self._heads(self.key(source)), self._heads(self.value(source))
            if cache is not None:
                k, v = cache.extended(k, v)
        if mask is not None and len(mask.shape) == 3:
            mask = F.expand_dims(mask, 1)
        y = F.scaled_dot_product_attention(q, k, v, mask, causal=causal, dropout_ratio=self.dropout_ratio)
        y = F.reshape(F.permute_dims(y, (0, 2, 1, 3)), (*shape[:2], self.size))
        out: Variable = self.out(y)
        return out

    def _heads(self, x: Variable) -> Variable:
        """(N, L, size) as (N, heads, L, size / heads)."""
        split = F.reshape(x, (*x.shape[:2], self.n_heads, self.size // self.n_heads))
        return F.permute_dims(split, (0, 2, 1, 3))
