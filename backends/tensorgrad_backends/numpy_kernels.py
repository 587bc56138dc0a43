"""NumPy's fused kernels: formulas with temporaries, computed in place and in blocks that stay in the cache.

Each serves contiguous float32 and float64, and gives None for what it does not serve. The formulas are those
of the ops in `tensorgrad.functions`, which also say what they mean.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from tensorgrad.backend import Array

_BLOCK = 1 << 15  # elements: a few such arrays fit the L2 cache, and a call costs less than its work
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

_SMALL = {dtype: np.finfo(dtype).tiny / np.finfo(dtype).eps for dtype in _FLOATS}
"""What is larger has a half with all its digits."""

KERNELS: dict[str, Callable[..., Any]] = {}


def kernel(made: Callable[..., Any]) -> Callable[..., Any]:
    """Offer a function by its name."""
    KERNELS[made.__name__] = made
    return made


def _served(*arrays: Array) -> bool:
    """Whether these are of one floating dtype and shape, and contiguous."""
    first = arrays[0]
    return first.dtype in _FLOATS and all(
        a.dtype == first.dtype and a.shape == first.shape and a.flags.c_contiguous for a in arrays
    )


def _blocks(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """The same pieces of each array."""
    flat = [a.reshape(-1) for a in arrays]
    for start in range(0, flat[0].size, _BLOCK):
        yield tuple([a[start : start + _BLOCK] for a in flat])


def _scratch(like: Array, count: int) -> Array:
    """Arrays as long as a block of `like`."""
    return np.empty((count, min(like.size, _BLOCK)), like.dtype)


# -- choices -------------------------------------------------------------------------------------

_BITS = {np.dtype(f"f{n}"): np.dtype(f"i{n}") for n in (2, 4, 8)}


@kernel
def keep(mask: Array, x: Array) -> Array | None:
    """``x`` where the mask holds, else 0: all of its bits, or none. `where` takes up to ten times as long."""
    whole = _BITS.get(x.dtype)
    if whole is None or x.ndim == 0 or mask.shape != x.shape or mask.dtype != bool:
        return None
    bits = np.negative(mask.view(np.int8)).astype(whole)
    bits &= x.view(whole)
    return bits.view(x.dtype)


# -- activations ---------------------------------------------------------------------------------

_SQRT_HALF = math.sqrt(0.5)
_DENSITY = 1 / math.sqrt(2 * math.pi)


@lru_cache
def _erf() -> Any:
    """SciPy's, or None."""
    try:
        return importlib.import_module("scipy.special").erf
    except ImportError:
        return None


@kernel
def gelu(x: Array) -> Array | None:
    """``y = x (1 + erf(x / sqrt 2)) / 2``."""
    erf = _erf()
    if erf is None or not _served(x):
        return None
    y = np.empty_like(x)
    for a, b in _blocks(x, y):
        np.multiply(a, _SQRT_HALF, out=b)
        erf(b, out=b)
        b += 1
        b *= a
        b *= 0.5
    return y


@kernel
def gelu_gradient(gy: Array, x: Array, y: Array) -> Array | None:
    """``gx = gy (y / x + x exp(-x^2 / 2) / sqrt(2 pi))``."""
    if not _served(x, gy, y):
        return None
    gx = np.empty_like(x)
    (scratch,) = _scratch(x, 1)
    with np.errstate(invalid="ignore"):
        for g, a, v, b in _blocks(gy, x, y, gx):
            s = scratch[: a.size]
            _factor(v, a, b, s)
            np.multiply(a, a, out=s)
            s *= -0.5
            np.exp(s, out=s)
            s *= a
            s *= _DENSITY
            b += s
            b *= g
    return gx


def _factor(y: Array, x: Array, out: Array, scratch: Array) -> None:
    """The s of ``y = x s``, which is 1/2 where x is too small for a quotient."""
    np.divide(y, x, out=out)
    np.abs(x, out=scratch)
    small = scratch < _SMALL[x.dtype]
    if small.any():
        out[small] = 0.5


# tanh_gelu(x) is x sigmoid(2 u) with u = c (x + d x^3): exp takes half the time of tanh.
_SCALE = 2 * math.sqrt(2 / math.pi)
_CUBIC = 0.044715 * _SCALE


def _one_and_exp(x: Array, out: Array) -> None:
    """``1 + exp(-2 u)``; infinite, and its reciprocal 0, where that overflows."""
    np.multiply(x, x, out=out)
    out *= -_CUBIC
    out -= _SCALE
    out *= x
    np.exp(out, out=out)
    out += 1


@kernel
def tanh_gelu(x: Array) -> Array | None:
    """``y = x / (1 + exp(-2 u))``."""
    if not _served(x):
        return None
    y = np.empty_like(x)
    with np.errstate(over="ignore"):
        for a, b in _blocks(x, y):
            _one_and_exp(a, b)
            np.divide(a, b, out=b)
    return y


@kernel
def tanh_gelu_gradient(gy: Array, x: Array, y: Array) -> Array | None:
    """``gx = gy s (1 + x (1 - s) 2 u')`` with ``s = y / x``."""
    if not _served(x, gy, y):
        return None
    gx = np.empty_like(x)
    (scratch,) = _scratch(x, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        for g, a, v, b in _blocks(gy, x, y, gx):
            slope = scratch[: a.size]
            _factor(v, a, b, slope)
            np.multiply(a, a, out=slope)
            slope *= 3 * _CUBIC
            slope += _SCALE
            slope *= a
            _times_slope(slope, b, g)
    return gx


def _times_slope(slope: Array, s: Array, g: Array) -> None:
    """``s = g s (1 + slope (1 - s))``; overwrites `slope`."""
    slope -= slope * s
    slope += 1
    s *= slope
    s *= g


@kernel
def silu(x: Array) -> Array | None:
    """``y = x / (1 + exp(-x))``."""
    if not _served(x):
        return None
    y = np.empty_like(x)
    with np.errstate(over="ignore"):
        for a, b in _blocks(x, y):
            np.negative(a, out=b)
            np.exp(b, out=b)
            b += 1
            np.divide(a, b, out=b)
    return y


@kernel
def silu_gradient(gy: Array, x: Array, y: Array) -> Array | None:
    """``gx = gy s (1 + x (1 - s))`` with ``s = y / x``."""
    if not _served(x, gy, y):
        return None
    gx = np.empty_like(x)
    (scratch,) = _scratch(x, 1)
    with np.errstate(invalid="ignore"):
        for g, a, v, b in _blocks(gy, x, y, gx):
            slope = scratch[: a.size]
            _factor(v, a, b, slope)
            np.copyto(slope, a)
            _times_slope(slope, b, g)
    return gx


# -- normalisation of rows -----------------------------------------------------------------------


def _rows(x: Array, parameters: list[Any], view: Any, axes: Any, spread: Any) -> tuple[int, int] | None:
    """How many rows and how long, where statistics and parameters are those of rows; None otherwise."""
    first = len(view) - len(axes)
    if axes != tuple(range(first, len(view))) or spread != (*(1,) * first, *view[first:]):
        return None
    if x.size == 0 or not _served(x) or any(p.dtype != x.dtype for p in parameters if _is_array(p)):
        return None
    return math.prod(view[:first]), math.prod(view[first:])


def _is_array(parameter: Any) -> bool:
    """It is a number where there is none, and None where no gradient needs it."""
    return parameter is not None and not isinstance(parameter, float)


@kernel
def standardize(  # noqa: PLR0917  # what the op has
    x: Array, gamma: Any, beta: Any, view: Any, axes: Any, spread: Any, eps: float, centred: bool
) -> tuple[Array, ...] | None:
    """``y = (x - m) r gamma + beta``, and m, the variance and r; m is 0 where x is not centred."""
    rows = _rows(x, [gamma, beta], view, axes, spread)
    if rows is None:
        return None
    v = x.reshape(rows)
    mean = np.add.reduce(v, axis=1, keepdims=True) if centred else np.zeros((rows[0], 1), x.dtype)
    mean /= rows[1]
    y = v - mean if centred else v.copy()
    var = np.einsum("ij,ij->i", y, y)[:, None]
    var /= rows[1]
    r = var + eps
    np.sqrt(r, out=r)
    np.divide(1, r, out=r)
    y *= r
    if _is_array(gamma):
        y *= gamma.reshape(-1)
    if _is_array(beta):
        y += beta.reshape(-1)
    kept = tuple([1 if i in axes else n for i, n in enumerate(view)])
    return y.reshape(x.shape), mean.reshape(kept), var.reshape(kept), r.reshape(kept)


@kernel
def standardize_gradient(  # noqa: PLR0917  # what the op has
    gy: Array,
    x: Array,
    gamma: Any,
    mean: Array,
    r: Array,
    view: Any,
    axes: Any,
    spread: Any,
    centred: bool,
    needs: tuple[bool, ...],
) -> tuple[Array | None, ...] | None:
    """The gradients of x, gamma and beta, of those that are needed: see `Standardize`."""
    rows = _rows(x, [gamma], view, axes, spread)
    if rows is None or not _served(gy, x):
        return None
    g, r = gy.reshape(rows), r.reshape(-1, 1)
    xhat = x.reshape(rows) - mean.reshape(-1, 1)
    xhat *= r
    ggamma = np.einsum("ij,ij->j", g, xhat) if needs[1] else None
    gbeta = np.add.reduce(g, axis=0) if needs[2] else None
    if not needs[0]:
        return None, ggamma, gbeta
    gx = g * gamma.reshape(-1) if _is_array(gamma) else g.copy()
    dots = np.einsum("ij,ij->i", gx, xhat)[:, None]
    dots /= rows[1]
    if centred:
        means = np.add.reduce(gx, axis=1, keepdims=True)
        means /= rows[1]
        gx -= means
    xhat *= dots
    gx -= xhat
    gx *= r
    return gx.reshape(x.shape), ggamma, gbeta


# -- attention -----------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def _future(queries: int, keys: int) -> Array:
    """Where a key stands after a query; the last of both have the same place."""
    return np.arange(keys) > np.arange(keys - queries, keys)[:, None]


@kernel
def attention(q: Array, k: Array, v: Array, causal: bool, scale: float) -> tuple[Array, Array] | None:
    """``p = softmax(scale q k^T)`` and ``p v``, in the memory of the scores."""
    if q.dtype not in _FLOATS or not q.dtype == k.dtype == v.dtype:
        return None
    p = q @ k.swapaxes(-1, -2)
    p *= scale
    if causal:
        np.copyto(p, -math.inf, where=_future(*p.shape[-2:]))
    top = np.maximum.reduce(p, axis=-1, keepdims=True)
    if not np.isfinite(top).all():  # a query that may look nowhere, or an overflow
        return None
    p -= top
    np.exp(p, out=p)
    p /= np.add.reduce(p, axis=-1, keepdims=True)
    return _product(p, v, v), p


@kernel
def attention_gradient(  # noqa: PLR0917  # what the op has saved, and its settings
    gy: Array, q: Array, k: Array, v: Array, p: Array, scale: float, needs: tuple[bool, ...]
) -> tuple[Array | None, ...] | None:
    """The gradients of q, k and v; q or k may be None where the other one gets no gradient."""
    if p.dtype not in _FLOATS or gy.dtype != p.dtype or v.dtype != p.dtype:
        return None
    to_q, to_k, to_v = needs
    gv = _product(p.swapaxes(-1, -2), gy, v) if to_v else None
    if not (to_q or to_k):
        return None, None, gv
    gs = gy @ v.swapaxes(-1, -2)
    gs -= np.einsum("...ij,...ij->...i", p, gs)[..., None]
    gs *= p
    gs *= scale
    gq = _product(gs, k, q) if to_q else None
    return gq, _product(gs.swapaxes(-1, -2), q, k) if to_k else None, gv


def _product(a: Array, b: Array, like: Array | None) -> Array:
    """``a @ b`` with its axes in memory as those of `like`, if that is there and has that shape.

    Heads are an axis that was moved to the front: where it lies in memory as before, what moves it back
    copies nothing.
    """
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    if like is None or like.shape != shape or like.strides[-1] != like.itemsize:
        return np.matmul(a, b)
    return np.matmul(a, b, out=np.empty_like(like))


# -- recurrent networks --------------------------------------------------------------------------


@kernel
def lstm(a: Array, h: Array, c: Array, U: Array) -> tuple[Array, Array, Array] | None:
    """All steps from the products of their inputs: all h, all c and the gates, in the memory of `a`.

    A sigmoid is ``(tanh(a / 2) + 1) / 2``, so that one call of tanh serves the four gates.
    """
    if a.dtype not in _FLOATS or not a.dtype == h.dtype == c.dtype == U.dtype:
        return None
    (T, N, _), H = a.shape, h.shape[1]
    hs, cs = np.empty((2, T, N, H), a.dtype)
    of_h, iu = np.empty((N, 4 * H), a.dtype), np.empty((N, H), a.dtype)
    for t in range(T):
        g = a[t]
        g += np.matmul(h, U, out=of_h)
        s = g[:, : 3 * H]
        s *= 0.5
        np.tanh(g, out=g)
        s += 1
        s *= 0.5
        f, i, o, u = g[:, :H], g[:, H : 2 * H], g[:, 2 * H : 3 * H], g[:, 3 * H :]
        c = np.multiply(f, c, out=cs[t])
        c += np.multiply(i, u, out=iu)
        h = np.tanh(c, out=hs[t])
        h *= o
    return hs, cs, a


@kernel
def lstm_gradient(  # noqa: PLR0917  # what arrives, and what the op has saved
    ghs: Array | None, gcs: Array | None, c0: Array, U: Array, cs: Array, gates: Array
) -> tuple[Array, Array, Array] | None:
    """The gradients of `a` in `lstm`, of the first h and of the first c; those of all h or c may be None."""
    given = [g for g in (ghs, gcs, c0, U, cs, gates) if g is not None]
    if gates.dtype not in _FLOATS or any(g.dtype != gates.dtype for g in given):
        return None
    T, N, H = cs.shape
    ga = np.empty_like(gates)
    gh, gc, tanh, slope = np.zeros((4, N, H), gates.dtype)
    slopes = np.empty((N, 3 * H), gates.dtype)
    back = U.T
    for t in reversed(range(T)):
        g, s = ga[t], gates[t]
        f, i, o, u = s[:, :H], s[:, H : 2 * H], s[:, 2 * H : 3 * H], s[:, 3 * H :]
        if ghs is not None:
            gh += ghs[t]
        if gcs is not None:
            gc += gcs[t]
        np.tanh(cs[t], out=tanh)
        np.multiply(gh, tanh, out=g[:, 2 * H : 3 * H])
        tanh *= tanh
        np.subtract(1, tanh, out=tanh)
        tanh *= o
        tanh *= gh
        gc += tanh
        np.multiply(gc, cs[t - 1] if t else c0, out=g[:, :H])
        np.multiply(gc, u, out=g[:, H : 2 * H])
        np.multiply(gc, i, out=g[:, 3 * H :])
        sigmoids = s[:, : 3 * H]
        np.subtract(1, sigmoids, out=slopes)
        slopes *= sigmoids
        g[:, : 3 * H] *= slopes
        np.multiply(u, u, out=slope)
        np.subtract(1, slope, out=slope)
        g[:, 3 * H :] *= slope
        gc *= f
        np.matmul(g, back, out=gh)
    return ga, gh, gc
