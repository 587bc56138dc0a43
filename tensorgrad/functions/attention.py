"""Attention: averages of values, weighted by how well their keys fit a query."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Config, Input, Op, Output, Variable
from tensorgrad.core.sample import Bools, Real, Sample, samples
from tensorgrad.functions.indexing import is_mask
from tensorgrad.functions.manipulation import owner_of, shape_of


class Attention(Op):
    """``y = D P v``, ``P = softmax(s q k^T + bias)`` where the mask allows, D a dropout.

    ``gP = D (gy v^T)``, ``gS = P (gP - sum P gP)``, ``gq = s gS k``, ``gk = s gS^T q``, ``gbias = gS``. P is
    a hidden output: what arrives for it is added to gP. In half precision the products are, while the softmax
    and its gradient are computed in float32.
    """

    precision = "half"
    fresh = True
    hidden = 1
    saves = (Input(0, needed_by=1), Input(1, needed_by=0), Input(2), Output(1))

    def __init__(self, scale: float, causal: bool, dropout_ratio: float, mask: Array | None) -> None:
        self.scale = scale
        self.causal = causal
        self.dropout_ratio = dropout_ratio
        self.keep(mask)

    def forward(self, q: Array, k: Array, v: Array, bias: Array | None = None) -> tuple[Array, Array]:
        xp = self.xp
        if bias is None and not self.dropout_ratio and self.kept[0] is None:
            made = self.fused("attention", q, k, v, self.causal, self.scale)
            if made is not None:
                self.keep()
                return made  # type: ignore[no-any-return]
        s = self._wide(xp.matmul(xp.multiply(q, self.scale), xp.matrix_transpose(k)))
        if bias is not None:
            s = s + bias
        allowed = self._allowed(s)
        if allowed is not None:
            s = xp.where(allowed, s, xp.asarray(-math.inf, dtype=s.dtype, device=self.backend.device(s)))
        top = xp.max(s, axis=-1, keepdims=True)
        p = xp.exp(s - xp.where(xp.isfinite(top), top, xp.zeros_like(top)))
        total = xp.sum(p, axis=-1, keepdims=True)
        p /= xp.where(total == 0, xp.ones_like(total), total)  # nothing allowed: zeros
        if xp.finfo(v.dtype).bits < 32:
            p = xp.astype(p, v.dtype)
        if not self.dropout_ratio:
            return xp.matmul(p, v), p
        stays = self.backend.uniform(p.shape, p.dtype, self.backend.device(p)) >= self.dropout_ratio
        factor = 1 / (1 - self.dropout_ratio) if self.dropout_ratio < 1 else 0.0
        self.keep(xp.multiply(xp.astype(stays, p.dtype), factor))
        return xp.matmul(p * self.kept[0], v), p

    def _wide(self, x: ArrayLike) -> ArrayLike:
        """What a softmax is computed with: 32 bits at least."""
        xp = self.xp
        return xp.astype(x, xp.float32) if xp.finfo(x.dtype).bits < 32 else x

    def _allowed(self, s: Array) -> Array | None:
        """Where a query may look: the mask, and with `causal` nothing after its own place."""
        xp = self.xp
        (mask,) = self.kept
        self.keep()  # no backward needs it: P is 0 there
        if not self.causal:
            return mask
        queries, keys = s.shape[-2:]
        device = self.backend.device(s)
        rows = xp.expand_dims(xp.arange(queries, device=device) + (keys - queries), axis=1)
        earlier = xp.arange(keys, device=device) <= rows
        return earlier if mask is None else xp.logical_and(mask, earlier)

    def backward(self, gy: ArrayLike, gp: ArrayLike) -> tuple[ArrayLike, ...]:
        xp = self.xp
        q, k, v, p = self.saved
        to_q, to_k, to_v, *to_bias = (edge is not None for edge in self.edges)
        d = self.kept[0] if self.kept else None
        if gy is not None and gp is None and d is None and not to_bias:
            made = self.fused("attention_gradient", gy, q, k, v, p, self.scale, (to_q, to_k, to_v))
            if made is not None:
                return made  # type: ignore[no-any-return]
        gq = gk = gv = gs = None
        if gy is not None:
            if to_v:
                gv = xp.matmul(xp.matrix_transpose(p if d is None else p * d), gy)
            if to_q or to_k or any(to_bias):
                direct = xp.matmul(gy, xp.matrix_transpose(v))
                direct = direct if d is None else direct * d
                gp = direct if gp is None else gp + direct
        if to_q or to_k or any(to_bias):
            wide = self._wide(p)
            gs = wide * gp
            gs = gs - wide * xp.sum(gs, axis=-1, keepdims=True)
            if wide is not p:
                gs = xp.astype(gs, p.dtype)
            gq = xp.multiply(xp.matmul(gs, k), self.scale) if to_q else None
            gk = xp.multiply(xp.matmul(xp.matrix_transpose(gs), q), self.scale) if to_k else None
        return gq, gk, gv, *((gs if wanted else None) for wanted in to_bias)


_QKV = (Real((2, 3, 2)), Real((2, 4, 2)), Real((2, 4, 3)))


@samples(
    Sample(*_QKV),
    Sample(Real((3, 2)), Real((3, 2)), Real((3, 2)), causal=True),
    Sample(*_QKV, Real((3, 4))),
    Sample(*_QKV, Bools((2, 3, 4)), scale=0.5),
    Sample(Real((2, 2, 2, 2)), Real((2, 1, 3, 2)), Real((1, 2, 3, 2)), Bools((2, 1, 1, 3)), causal=True),
    Sample(*_QKV, None, causal=True, dropout_ratio=0.25, random=True),
)
def scaled_dot_product_attention(
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    dropout_ratio: float = 0.0,
) -> Variable:
    """``softmax(scale * q k^T + mask) v``, as one op: a weighted mean of values for each query.

    Parameters
    ----------
    q : Variable or array, shape (..., L, E), real floating
        Queries.
    k : Variable or array, shape (..., S, E)
        Keys.
    v : Variable or array, shape (..., S, F)
        Values. The leading axes of all three broadcast.
    mask : Variable or array, broadcasts to (..., L, S), optional
        Of truth values: where a query may look. Of floating numbers: added before the softmax, and given a
        gradient.
    causal : bool, default False
        No query looks at a key after its own place; the last query has the place of the last key.
    scale : float, optional
        ``1 / sqrt(E)`` by default.
    dropout_ratio : float, default 0
        The probability that a weight is set to 0; only in training.

    Returns
    -------
    Variable, shape (..., L, F)
        Zeros for a query that may look nowhere.

    Raises
    ------
    ValueError
        If the shapes do not go together, or `dropout_ratio` is outside [0, 1].
    TypeError
        If `q` is not real floating, or `mask` neither of truth values nor of floating numbers.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017, equation 1.

    Examples
    --------
    >>> q = Variable(np.zeros((2, 4)))
    >>> F.scaled_dot_product_attention(q, q, np.array([[1.0], [3.0]]), causal=True)
    variable([[1.]
              [2.]])
    """
    name = "scaled_dot_product_attention"
    sq, sk, sv = (shape_of(name, x) for x in (q, k, v))
    if min(len(sq), len(sk), len(sv)) < 2 or sq[-1] != sk[-1] or sk[-2] != sv[-2]:
        raise ValueError(
            f"{name}: expected q (..., L, E), k (..., S, E) and v (..., S, F); got {sq}, {sk} and {sv}"
        )
    if not 0 <= dropout_ratio <= 1:
        raise ValueError(f"{name}: expected a dropout_ratio in [0, 1]; got {dropout_ratio}")
    if not owner_of(name, q).xp.isdtype(q.dtype, "real floating"):
        raise TypeError(f"{name}: expected a real floating dtype; got {q.dtype}")
    if sk[-2] == 0:
        raise ValueError(f"{name}: expected one key or more; got k of shape {sk}")
    scale = 1 / math.sqrt(sq[-1]) if scale is None else float(scale)
    ratio = dropout_ratio if Config.train else 0.0
    truth = mask.data if isinstance(mask, Variable) else mask
    if mask is not None and (owner := owner_of(name, truth)) is not owner_of(name, q):
        raise TypeError(
            f"{name}: expected a mask of {owner_of(name, q).name}, the library of q; got {owner.name}. "
            "Nothing is moved silently: use v.to(name) on one of them."
        )
    if mask is not None:
        _check_mask(name, truth, sq[-2], sk[-2])
    if mask is None or is_mask(truth):
        return Attention(scale, causal, ratio, truth)(q, k, v)  # type: ignore[no-any-return]
    return Attention(scale, causal, ratio, None)(q, k, v, mask)  # type: ignore[no-any-return]


def _check_mask(name: str, mask: Any, n_queries: int, n_keys: int) -> None:
    if not owner_of(name, mask).xp.isdtype(mask.dtype, ("bool", "real floating")):
        raise TypeError(
            f"{name}: expected a mask of truth values, or of floating numbers to add; got {mask.dtype}. "
            "Convert one of 0 and 1 by astype(bool)."
        )
    last = (1, 1, *mask.shape)[-2:]
    if last[0] not in (1, n_queries) or last[1] not in (1, n_keys):
        raise ValueError(
            f"{name}: expected a mask that broadcasts to (..., {n_queries}, {n_keys}), queries and keys; "
            f"got {tuple(mask.shape)}"
        )
