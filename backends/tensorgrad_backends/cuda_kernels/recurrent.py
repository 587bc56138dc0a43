"""The steps of recurrent networks."""

from __future__ import annotations

import cupy

from tensorgrad.backend import Array
from tensorgrad_backends.cuda_kernels.launching import dense, each, serves


def lstm_step(a: Array, u: Array, c: Array) -> tuple[Array, Array, Array] | None:
    """The new h, the new c, and the gates."""
    if not serves(a, u, c):
        return None
    h_new, c_new = cupy.empty(c.shape, c.dtype), cupy.empty(c.shape, c.dtype)
    gates = cupy.empty(a.shape, a.dtype)
    given = (dense(a), dense(u), dense(c), h_new, c_new, gates, c.size, c.shape[1])
    each("recurrent", "lstm_step", c.dtype, c.size, *given)
    return h_new, c_new, gates


def lstm_step_gradient(  # noqa: PLR0917  # what the op has
    gh: Array, gc: Array, gates: Array, before: Array, after: Array, ggates: Array | None
) -> tuple[Array, Array] | None:
    """The gradients of what goes into the gates, and of c."""
    if not serves(gh, gc, gates, before, after, *([] if ggates is None else [ggates])):
        return None
    ga, gc_before = cupy.empty(gates.shape, gates.dtype), cupy.empty(gc.shape, gc.dtype)
    given = [None if g is None else dense(g) for g in (gh, gc, gates, before, after, ggates)]
    each("recurrent", "lstm_step_gradient", gc.dtype, gc.size, *given, ga, gc_before, gc.size, gc.shape[1])
    return ga, gc_before


def gru_step(a: Array, u: Array, q: Array, h: Array) -> tuple[Array, Array] | None:
    """The new h, and the gates."""
    if not serves(a, u, q, h):
        return None
    h_new = cupy.empty(h.shape, h.dtype)
    gates = cupy.empty((h.shape[0], 4 * h.shape[1]), h.dtype)
    given = (dense(a), dense(u), dense(q), dense(h), h_new, gates, h.size, h.shape[1])
    each("recurrent", "gru_step", h.dtype, h.size, *given)
    return h_new, gates


def gru_step_gradient(
    gh: Array, gates: Array, before: Array, ggates: Array | None
) -> tuple[Array, Array, Array] | None:
    """The gradients of what x gives to the gates, of what h gives to them, and of h past them."""
    if not serves(gh, gates, before, *([] if ggates is None else [ggates])):
        return None
    wide = (gh.shape[0], 3 * gh.shape[1])
    ga, gu = cupy.empty(wide, gh.dtype), cupy.empty(wide, gh.dtype)
    gh_before = cupy.empty(gh.shape, gh.dtype)
    given = [None if g is None else dense(g) for g in (gh, gates, before, ggates)]
    each("recurrent", "gru_step_gradient", gh.dtype, gh.size, *given, ga, gu, gh_before, gh.size, gh.shape[1])
    return ga, gu, gh_before


KERNELS = {
    "lstm_step": lstm_step,
    "lstm_step_gradient": lstm_step_gradient,
    "gru_step": gru_step,
    "gru_step_gradient": gru_step_gradient,
}
