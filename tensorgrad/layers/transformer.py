"""The blocks that transformers are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad.core import Variable
from tensorgrad.layers.attention import KeyValueCache, MultiHeadAttention
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.linear import Linear
from tensorgrad.layers.normalization import LayerNorm


class _Block(Layer):
    """The base: parts that add to what they are given, with a normalisation before or after each."""

    def __init__(
        self,
        size: int,
        n_heads: int,
        hidden_size: int | None = None,
        *,
        dropout_ratio: float = 0.0,
        activation: Callable[..., Any] = F.gelu,
        norm_first: bool = True,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__()
        self.dropout_ratio = dropout_ratio
        self.activation = activation
        self.norm_first = norm_first
        self.norm1 = LayerNorm(dtype=dtype)
        self.attention = self._attention(size, n_heads, dtype)
        self._more(size, n_heads, dtype)
        self.norm2 = LayerNorm(dtype=dtype)
        self.l1 = Linear(hidden_size or 4 * size, dtype=dtype)
        self.l2 = Linear(size, dtype=dtype)

    def _attention(self, size: int, n_heads: int, dtype: Any) -> MultiHeadAttention:
        return MultiHeadAttention(size, n_heads, dropout_ratio=self.dropout_ratio, dtype=dtype)

    def _more(self, size: int, n_heads: int, dtype: Any) -> None:
        """Further parts, between the two that every block has."""

    def _added(self, x: Any, norm: LayerNorm, part: Callable[[Any], Variable]) -> Variable:
        """x and what a part makes of it, with dropout."""
        y: Variable = part(norm(x) if self.norm_first else x)
        if self.dropout_ratio:
            y = F.dropout(y, self.dropout_ratio)
        y = y + x
        return y if self.norm_first else norm(y)

    def _network(self, x: Any) -> Variable:
        y: Variable = self.l2(self.activation(self.l1(x)))
        return y


class TransformerEncoderBlock(_Block):
    """Self-attention and a network of two linear layers, each added to its input.

    With ``causal=True`` it is the block of GPT.

    Parameters
    ----------
    size : int
        The last length of inputs and of the result.
    n_heads : int
        A divisor of `size`.
    hidden_size : int, optional
        Of the network; ``4 * size`` by default.
    dropout_ratio : float, default 0
        On attention weights, and on what both parts add; only in training.
    activation : callable, default F.gelu
    norm_first : bool, default True
        Normalise what a part is given (GPT-2); otherwise the sum (the first transformer).
    dtype : NumPy dtype, default float32

    Attributes
    ----------
    norm1, attention, norm2, l1, l2 : Layer

    Notes
    -----
    ``forward(x, mask=None, causal=False, cache=None)`` takes and gives (N, L, size); see
    `MultiHeadAttention`.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.1; Xiong et al., "On layer
    normalization in the transformer architecture", ICML 2020, for the normalisation before the parts.

    Examples
    --------
    >>> block = tg.layers.TransformerEncoderBlock(8, n_heads=2)
    >>> block(np.ones((3, 5, 8), np.float32), causal=True).shape
    (3, 5, 8)
    """

    def forward(
        self, x: Any, mask: Any = None, causal: bool = False, cache: KeyValueCache | None = None
    ) -> Variable:
        x = self._added(x, self.norm1, lambda v: self.attention(v, mask=mask, causal=causal, cache=cache))
        return self._added(x, self.norm2, self._network)


class TransformerDecoderBlock(_Block):
    """Causal self-attention, attention to a memory, and a network, each added to its input.

    Parameters
    ----------
    size, n_heads, hidden_size, dropout_ratio, activation, norm_first, dtype
        As in `TransformerEncoderBlock`.

    Attributes
    ----------
    norm1, attention, norm_memory, memory_attention, norm2, l1, l2 : Layer

    Notes
    -----
    ``forward(x, memory, mask=None, memory_mask=None, cache=None)`` takes x of shape (N, L, size) and a
    memory of shape (N, S, ...), and gives (N, L, size). A cache is a pair of
    `KeyValueCache`: of x and of the memory.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.1.

    Examples
    --------
    >>> block = tg.layers.TransformerDecoderBlock(8, n_heads=2)
    >>> block(np.ones((3, 5, 8), np.float32), np.ones((3, 7, 6), np.float32)).shape
    (3, 5, 8)
    """

    def _more(self, size: int, n_heads: int, dtype: Any) -> None:
        self.norm_memory = LayerNorm(dtype=dtype)
        self.memory_attention = self._attention(size, n_heads, dtype)

    def forward(
        self,
        x: Any,
        memory: Any,
        mask: Any = None,
        memory_mask: Any = None,
        cache: tuple[KeyValueCache, KeyValueCache] | None = None,
    ) -> Variable:
        own, other = cache if cache is not None else (None, None)
        x = self._added(x, self.norm1, lambda v: self.attention(v, mask=mask, causal=True, cache=own))
        x = self._added(
            x, self.norm_memory, lambda v: self.memory_attention(v, memory, memory_mask, cache=other)
        )
        return self._added(x, self.norm2, self._network)
