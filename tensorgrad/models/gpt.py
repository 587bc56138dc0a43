"""GPT, a transformer that continues a sequence of tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import randomness
from tensorgrad.core import Variable, as_array, no_grad, test_mode
from tensorgrad.cuda import as_numpy
from tensorgrad.layers.initializers import Normal
from tensorgrad.models.model import Model

NumpyArray = np.ndarray[Any, Any]


class GPT(Model):
    """A causal transformer over tokens: from each place in a text, the logits of the token after it.

    Parameters
    ----------
    vocabulary_size : int
        The number of tokens; they are integers below it.
    context : int, default 128
        How many tokens the model can look back upon, the latest included.
    size : int, default 64
        Of the vector of each token.
    n_layers : int, default 4
        The number of blocks.
    n_heads : int, default 4
        A divisor of `size`.
    dropout_ratio : float, default 0
        On embeddings, attention weights and what the blocks add; only in training.
    tied : bool, default True
        Whether the logits are taken with the table of embeddings; otherwise with weights of their own.
    dtype : NumPy dtype, default float32

    Attributes
    ----------
    tokens, positions : EmbedID
        Tables of shape (vocabulary_size, size) and (context, size).
    blocks : LayerList of TransformerEncoderBlock
    norm : LayerNorm
    head : Linear
        Only where the logits are not `tied`: W of shape (size, vocabulary_size).

    Notes
    -----
    ``forward(x, cache=None)`` takes integers of shape (N, L) and gives logits of shape
    (N, L, vocabulary_size). With a list of caches from `new_cache`, x follows what they have seen.

    Weights begin as those of GPT-2: normal with a standard deviation of 0.02, divided by
    ``sqrt(2 n_layers)`` in the two layers of a block whose results are added to its input.

    References
    ----------
    Radford, Wu, Child, Luan, Amodei, Sutskever 2019, "Language models are unsupervised multitask
    learners", section 2.3; Press, Wolf 2017, "Using the output embedding to improve language models",
    for `tied`.

    Examples
    --------
    >>> model = tg.models.GPT(50, context=16, size=8, n_layers=2, n_heads=2)
    >>> model(np.array([[1, 2, 3]])).shape
    (1, 3, 50)
    >>> model.generate([1, 2, 3], 4).shape
    (7,)
    """

    head: L.Linear | None

    def __init__(
        self,
        vocabulary_size: int,
        context: int = 128,
        size: int = 64,
        n_layers: int = 4,
        n_heads: int = 4,
        *,
        dropout_ratio: float = 0.0,
        tied: bool = True,
        dtype: Any = np.float32,
    ) -> None:
        super().__init__()
        if min(vocabulary_size, context, size, n_layers) < 1:
            raise ValueError(
                "GPT: expected vocabulary_size, context, size and n_layers of 1 or more; "
                f"got {vocabulary_size}, {context}, {size} and {n_layers}"
            )
        self.vocabulary_size = vocabulary_size
        self.context = context
        self.dropout_ratio = dropout_ratio
        initial_W = Normal(0.02)
        self.tokens = L.EmbedID(vocabulary_size, size, dtype=dtype, initial_W=initial_W)
        self.positions = L.EmbedID(context, size, dtype=dtype, initial_W=initial_W)
        self.blocks = L.LayerList(
            L.TransformerEncoderBlock(size, n_heads, dropout_ratio=dropout_ratio, dtype=dtype)
            for _ in range(n_layers)
        )
        for block in self.blocks:
            _initialize(block, initial_W, Normal(0.02 / math.sqrt(2 * n_layers)))
        self.norm = L.LayerNorm(dtype=dtype)
        self.head = None
        if not tied:
            self.head = L.Linear(vocabulary_size, nobias=True, dtype=dtype, initial_W=initial_W)

    def new_cache(self) -> list[L.KeyValueCache]:
        """Empty caches, one for each block: what `forward` has seen is not computed again.

        Examples
        --------
        >>> model = tg.models.GPT(50, context=16, size=8, n_layers=2, n_heads=2)
        >>> cache = model.new_cache()
        >>> first, second = model(np.array([[1, 2]]), cache), model(np.array([[3]]), cache)
        >>> whole = model(np.array([[1, 2, 3]]))
        >>> bool(abs(second - whole[:, 2:]).data.max() < 1e-5)
        True
        """
        return [L.KeyValueCache() for _ in self.blocks]

    def forward(self, x: Any, cache: list[L.KeyValueCache] | None = None) -> Variable:
        return self._logits(self._features(x, cache))

    def _features(self, x: Any, cache: list[L.KeyValueCache] | None) -> Variable:
        """A vector for each place, (N, L, size), before the logits."""
        array = as_array(x)
        if len(array.shape) != 2:
            raise ValueError(f"GPT: expected x of shape (N, L); got {tuple(array.shape)}")
        start = len(cache[0]) if cache else 0
        length = array.shape[1]
        if start + length > self.context:
            raise ValueError(
                f"GPT: expected at most context = {self.context} tokens; got {length}"
                f"{f' after {start} in the cache' if start else ''}"
            )
        h = self.tokens(x) + self.positions.W[start : start + length]
        h = F.dropout(h, self.dropout_ratio) if self.dropout_ratio else h
        caches: Sequence[L.KeyValueCache | None] = cache or [None] * len(self.blocks)
        for block, one in zip(self.blocks, caches, strict=True):
            h = block(h, causal=True, cache=one)
        y: Variable = self.norm(h)
        return y

    def _logits(self, h: Variable) -> Variable:
        y: Variable = F.linear(h, self.tokens.W.T) if self.head is None else self.head(h)
        return y

    def generate(
        self,
        start: Sequence[int] | Any,
        length: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
    ) -> NumpyArray:
        """Continue sequences, one token after the other, each drawn from the model's distribution.

        The model behaves as at test time and records nothing. Each token follows from the last `context`
        of those before it; as long as these are all there are, keys and values come from a cache.

        Parameters
        ----------
        start : list or array of int, shape (L,) or (N, L)
            What the sequences begin with: one token at least. It is read on the host.
        length : int
            How many tokens to add.
        temperature : float, default 1
            Logits are divided by it: below 1 likely tokens become likelier. With 0 the likeliest is taken.
        top_k : int, optional
            Draw from the `top_k` likeliest tokens only.

        Returns
        -------
        numpy.ndarray of int64, shape (L + length,) or (N, L + length)
            `start` and what follows, drawn on the host: see `tensorgrad.seed`.

        Raises
        ------
        ValueError
            If `start` is empty or of another shape, or a number is out of range; or if the model gives nan.
        TypeError
            If `start` does not hold integers.
        """
        tokens = np.asarray(as_numpy(start))
        if tokens.ndim not in (1, 2) or tokens.shape[-1] == 0:
            raise ValueError(
                f"generate: expected a start of shape (L,) or (N, L), with one token or more; "
                f"got {tokens.shape}"
            )
        if tokens.dtype.kind not in "iu":
            raise TypeError(f"generate: expected a start of integers; got {tokens.dtype}")
        if length < 0 or temperature < 0 or (top_k is not None and top_k < 1):
            raise ValueError(
                "generate: expected length >= 0, temperature >= 0 and top_k >= 1; "
                f"got {length}, {temperature} and {top_k}"
            )
        text = np.atleast_2d(tokens).astype(np.int64)
        cache = self.new_cache()
        with no_grad(), test_mode():
            for _ in range(length):
                if text.shape[1] > self.context:  # every token has moved to another position
                    cache = self.new_cache()
                drawn = _draw(self._last_logits(text[:, -self.context :], cache), temperature, top_k)
                text = np.concatenate([text, drawn], axis=1)
        return text.reshape(*tokens.shape[:-1], -1)

    def _last_logits(self, text: NumpyArray, cache: list[L.KeyValueCache]) -> NumpyArray:
        """The logits after the last of these tokens; the cache has seen some of the first."""
        W = self.tokens.W
        x = W.backend.from_numpy(text[:, len(cache[0]) :], W.device)
        return as_numpy(self._logits(self._features(x, cache)[:, -1])).astype(np.float64)


def _initialize(block: L.TransformerEncoderBlock, inner: Normal, added: Normal) -> None:
    """Say what the weights of a block will be: `added` in the layers whose results are added."""
    attention = block.attention
    for linear in (attention.query, attention.key, attention.value, block.l1):
        linear.initial_W = inner
    for linear in (attention.out, block.l2):
        linear.initial_W = added


def _draw(logits: NumpyArray, temperature: float, top_k: int | None) -> NumpyArray:
    """A token for each row of logits, shape (N, 1)."""
    if np.isnan(logits).any():
        raise ValueError("generate: the model gives nan. Did its training diverge?")
    order = np.argsort(-logits, axis=1, kind="stable")[:, :top_k]  # the likeliest first
    if temperature == 0:
        return order[:, :1]
    likeliest = np.take_along_axis(logits, order, axis=1)
    with np.errstate(over="ignore"):
        p = np.exp((likeliest - likeliest[:, :1]) / temperature)
    below = np.cumsum(p, axis=1)
    u = randomness.host().random_sample((len(p), 1))
    chosen = np.sum(below <= u * below[:, -1:], axis=1, keepdims=True)
    return np.take_along_axis(order, chosen, axis=1)
