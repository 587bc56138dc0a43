"""The ops of recurrent networks: all steps in one, backpropagation through time included.

Shapes: x (T, N, D), states (N, H), W (D, G H), U (H, G H), b (G H,), with G gates side by side. The products
with W are one for all steps, and so are those of the gradients of W and U.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tensorgrad.backend import Array
from tensorgrad.core import ArrayLike, Input, Op, Output
from tensorgrad.core.function import Saves


class Recurrence(Op):
    """The base: the products, the steps and the mask. Step t of an example past its end changes nothing."""

    precision = "full"
    fresh = True
    places: ClassVar[tuple[int, int, int]] = (2, 3, 4)  # of W, U and b among the inputs

    def __init__(self, lengths: Array | None = None) -> None:
        self.masked = lengths is not None
        if lengths is not None:
            self.keep(lengths)

    def _start(self, x: Array, W: Array, b: Array) -> list[Array]:
        """What the inputs give to the gates at each step; keeps the mask."""
        xp = self.xp
        a = self._of_inputs(x, W, b)
        T = x.shape[0]
        if self.masked:
            (lengths,) = self.kept
            steps = xp.arange(T, dtype=lengths.dtype, device=self.backend.device(x))
            self.keep(xp.expand_dims(xp.expand_dims(steps, axis=1) < lengths, axis=-1))
        return [a[t, ...] for t in range(T)]

    def _of_inputs(self, x: Array, W: Array, b: Array) -> Array:
        """``x W + b`` at all steps, in memory of its own."""
        T, N, D = x.shape
        y = self.xp.matmul(self.xp.reshape(x, (T * N, D)), W)
        return self.xp.reshape(_plus(y, b), (T, N, W.shape[1]))

    def _steps(self, x: ArrayLike) -> list[ArrayLike]:
        """The parts of an array by its first axis, at the level of this backward."""
        if self.recording:
            return list(self.xp.unstack(x))
        return [x[t, ...] for t in range(x.shape[0])]

    def _arrived(self, g: ArrayLike, T: int) -> list[ArrayLike]:
        return [None] * T if g is None else self._steps(g)

    def _chosen(self, t: int, new: ArrayLike, old: ArrayLike) -> ArrayLike:
        """The new state of the examples that have not ended, the old one of the others."""
        return self.xp.where(self.kept[0][t, ...], new, old) if self.masked else new

    def _split(self, t: int, g: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
        """The gradient of a state: what goes through the step, and what passes it by (None: nothing)."""
        if not self.masked:
            return g, None
        xp = self.xp
        mask, zeros = self.kept[0][t, ...], xp.zeros_like(g)
        return xp.where(mask, g, zeros), xp.where(mask, zeros, g)

    def _of_products(
        self,
        x: ArrayLike,
        W: ArrayLike,
        before: list[ArrayLike],
        to_x: list[ArrayLike] | Array,
        to_h: list[ArrayLike] | Array,
    ) -> tuple[ArrayLike, ...]:
        """The gradients of x, W, U and b from those of the gates: as x meets them, and as h does."""
        xp = self.xp
        x_edge, (w, u, b) = self.edges[0], (self.edges[i] for i in self.places)
        ga = self._rows(to_x) if x_edge is not None or w is not None or b is not None else None
        gx = gW = gU = None
        if x_edge is not None:
            gx = xp.reshape(xp.matmul(ga, W.T), (len(to_x), to_x[0].shape[0], W.shape[0]))
        if w is not None:
            gW = xp.matmul(xp.reshape(x, (-1, x.shape[-1])).T, ga)
        if u is not None:
            gu = ga if to_h is to_x and ga is not None else self._rows(to_h)
            gU = xp.matmul(xp.concat(before, axis=0).T, gu)
        return gx, gW, gU, (None if b is None else xp.sum(ga, axis=0))

    def _rows(self, steps: list[ArrayLike] | Array) -> ArrayLike:
        """The rows of all steps, which are a list or an array (T, N, n)."""
        if isinstance(steps, list):
            return self.xp.concat(steps, axis=0)
        return self.xp.reshape(steps, (-1, steps.shape[-1]))


class ElmanSequence(Recurrence):
    """``h' = tanh(x W + h U + b)``; ``ga = gh' (1 - h'**2)``, ``gh = ga U^T``. Inputs x, h, W, U, b."""

    saves: ClassVar[Saves] = (
        Input(0, needed_by=2), Input(1, needed_by=3), Input(2, needed_by=0), Input(3), Output(0),
    )  # fmt: skip

    def forward(self, x: Array, h: Array, W: Array, U: Array, b: Array) -> Array:
        states = []
        for t, a in enumerate(self._start(x, W, b)):
            h = self._chosen(t, self.xp.tanh(_plus(self.xp.matmul(h, U), a)), h)
            states.append(h)
        return self.xp.stack(states, axis=0)

    def backward(self, gy: ArrayLike) -> tuple[ArrayLike, ...]:
        x, h0, W, U, y = self.saved
        states, arrived = self._steps(y), self._steps(gy)
        ga = []
        gh: ArrayLike = None
        for t in reversed(range(len(states))):
            gh = arrived[t] if gh is None else gh + arrived[t]
            gh, by = self._split(t, gh)
            ga.append(gh * (1 - states[t] * states[t]))
            gh = self.xp.matmul(ga[-1], U.T)
            if by is not None:
                gh = gh + by
        ga.reverse()
        gx, gW, gU, gb = self._of_products(x, W, [h0, *states[:-1]], ga, ga)
        return gx, (None if self.edges[1] is None else gh), gW, gU, gb


class LstmSequence(Recurrence):
    """``c' = f c + i u``, ``h' = o tanh c'``, the gates f, i, o sigmoids and u a tanh of ``x W + h U + b``.

    Inputs x, h, c, W, U, b; outputs all h', all c', and, hidden, the gates.
    """

    hidden = 1
    places = (3, 4, 5)
    saves: ClassVar[Saves] = (
        Input(0, needed_by=3), Input(1, needed_by=4), Input(2), Input(3, needed_by=0), Input(4),
        Output(0), Output(1), Output(2),
    )  # fmt: skip

    def forward(self, x: Array, h: Array, c: Array, *weights: Array) -> tuple[Array, ...]:
        W, U, b = weights
        xp, H = self.xp, h.shape[-1]
        if not self.masked and self.backend.kernel("lstm") is not None:  # all steps in one
            made = self.fused("lstm", self._of_inputs(x, W, b), h, c, U)
            if made is not None:
                return made  # type: ignore[no-any-return]
        hs, cs, gates = [], [], []
        for t, a in enumerate(self._start(x, W, b)):
            made = self.fused("lstm_step", a, of_h := xp.matmul(h, U), c)
            if made is None:
                made = self._step(_plus(of_h, a), c, H)
            h = self._chosen(t, made[0], h)
            c = self._chosen(t, made[1], c)
            hs.append(h)
            cs.append(c)
            gates.append(made[2])
        return xp.stack(hs, axis=0), xp.stack(cs, axis=0), xp.stack(gates, axis=0)

    def _step(self, a: Array, c: Array, H: int) -> tuple[Array, Array, Array]:
        """The new h, the new c and the gates."""
        xp = self.xp
        s = _sigmoid(xp, a[:, : 3 * H])
        u = xp.tanh(a[:, 3 * H :])
        new = s[:, :H] * c + s[:, H : 2 * H] * u
        return s[:, 2 * H :] * xp.tanh(new), new, xp.concat([s, u], axis=1)

    def backward(self, ghs: ArrayLike, gcs: ArrayLike, ggates: ArrayLike) -> tuple[ArrayLike, ...]:
        _, _, c0, _, U, hs, cs, gates = self.saved
        if not self.recording and self.backend.kernel("lstm_step_gradient") is not None:
            made = self._fused_backward(ghs, gcs, ggates)
            if made is not None:
                return made
        if not self.masked and ggates is None:
            made = self.fused("lstm_gradient", ghs, gcs, c0, U, cs, gates)
            if made is not None:
                return self._given(made[0], *made[1:])
        xp, H = self.xp, _size(U)
        tanh = xp.tanh(cs)
        s, o, u = (gates[:, :, a * H : b * H] for a, b in ((0, 3), (2, 3), (3, 4)))
        slopes = self._steps(xp.concat([s * (1 - s), 1 - u * u], axis=2))
        of_h = self._steps(o * (1 - tanh * tanh))  # how h changes with c
        f, i, u, tanh = (self._steps(v) for v in (gates[:, :, :H], gates[:, :, H : 2 * H], u, tanh))
        hs, cs = self._steps(hs), self._steps(cs)
        T = len(hs)
        to_h, to_c, to_gates = (self._arrived(g, T) for g in (ghs, gcs, ggates))
        ga = []
        gh = gc = None
        for t in reversed(range(T)):
            gh, h_by = self._split(t, _sum(xp, gh, to_h[t], cs[t]))
            gc, c_by = self._split(t, _sum(xp, gc, to_c[t], cs[t]))
            gc = gc + gh * of_h[t]
            before = cs[t - 1] if t else c0
            gg = xp.concat([gc * before, gc * u[t], gh * tanh[t], gc * i[t]], axis=1)
            if to_gates[t] is not None:
                gg = gg + to_gates[t]
            ga.append(gg * slopes[t])
            gc, gh = gc * f[t], xp.matmul(ga[-1], U.T)
            if self.masked:
                gc, gh = gc + c_by, gh + h_by
        ga.reverse()
        return self._given(ga, gh, gc)

    def _given(self, ga: list[ArrayLike] | Array, gh: ArrayLike, gc: ArrayLike) -> tuple[ArrayLike, ...]:
        """The gradients of all inputs from those of the gates, the first h and the first c."""
        x, h0, _, W, _, hs, *_ = self.saved
        gx, gW, gU, gb = self._of_products(x, W, [h0, *self._steps(hs)[:-1]], ga, ga)
        to_h0, to_c0 = self.edges[1] is not None, self.edges[2] is not None
        return gx, (gh if to_h0 else None), (gc if to_c0 else None), gW, gU, gb

    def _fused_backward(self, ghs: Array, gcs: Array, ggates: Array) -> tuple[Array, ...] | None:
        """The gradients by the backend's kernel for a step, if it serves these arrays."""
        _, _, c0, _, U, hs, cs, gates = self.saved
        T, zeros = hs.shape[0], self.xp.zeros_like(hs[0, ...])
        to_h, to_c, to_gates = (self._arrived(g, T) for g in (ghs, gcs, ggates))
        ga = []
        gh = gc = None
        for t in reversed(range(T)):
            gh, h_by = self._split(t, _sum(self.xp, gh, to_h[t], zeros))
            gc, c_by = self._split(t, _sum(self.xp, gc, to_c[t], zeros))
            before = cs[t - 1, ...] if t else c0
            made = self.fused("lstm_step_gradient", gh, gc, gates[t, ...], before, cs[t, ...], to_gates[t])
            if made is None:
                return None
            gg, gc = made
            ga.append(gg)
            gh = self.xp.matmul(gg, U.T)
            if self.masked:
                gc, gh = gc + c_by, gh + h_by
        ga.reverse()
        return self._given(ga, gh, gc)


class GruSequence(Recurrence):
    """``h' = n + z (h - n)``, ``n = tanh(x W_n + b_n + r (h U_n + q))``, r and z sigmoids.

    Inputs x, h, W, U, b, q; outputs all h', and, hidden, the gates r, z, n and ``h U_n + q``.
    """

    hidden = 1
    saves: ClassVar[Saves] = (
        Input(0, needed_by=2), Input(1), Input(2, needed_by=0), Input(3), Output(0), Output(1),
    )  # fmt: skip

    def forward(self, x: Array, h: Array, *weights: Array) -> tuple[Array, Array]:
        W, U, b, q = weights
        xp = self.xp
        hs, gates = [], []
        for t, a in enumerate(self._start(x, W, b)):
            made = self.fused("gru_step", a, of_h := xp.matmul(h, U), q, h)
            if made is None:
                made = self._step(a, of_h, q, h)
            h = self._chosen(t, made[0], h)
            hs.append(h)
            gates.append(made[1])
        return xp.stack(hs, axis=0), xp.stack(gates, axis=0)

    def _step(self, a: Array, of_h: Array, q: Array, h: Array) -> tuple[Array, Array]:
        """The new h and the gates."""
        xp, H = self.xp, h.shape[-1]
        s = _sigmoid(xp, a[:, : 2 * H] + of_h[:, : 2 * H])
        p = of_h[:, 2 * H :] + q
        n = xp.tanh(a[:, 2 * H :] + s[:, :H] * p)
        return n + s[:, H:] * (h - n), xp.concat([s, n, p], axis=1)

    def backward(self, ghs: ArrayLike, ggates: ArrayLike) -> tuple[ArrayLike, ...]:
        x, h0, W, U, hs, gates = self.saved
        xp, H = self.xp, _size(U)
        hs, gates = self._steps(hs), self._steps(gates)
        T = len(hs)
        to_h, to_gates = self._arrived(ghs, T), self._arrived(ggates, T)
        by_x, by_h, of_p = [], [], []
        gh = None
        for t in reversed(range(T)):
            r, z, n, p = (gates[t][:, k * H : (k + 1) * H] for k in range(4))
            gh, by = self._split(t, _sum(xp, gh, to_h[t], n))
            before = hs[t - 1] if t else h0
            made = self.fused("gru_step_gradient", gh, gates[t], before, to_gates[t])
            if made is not None:
                ga, gu, past = made
                by_x.append(ga)
                by_h.append(gu)
                of_p.append(gu[:, 2 * H :])
                gh = past + xp.matmul(gu, U.T)
                if by is not None:
                    gh = gh + by
                continue
            gr, gz, gn, gp = None, gh * (before - n), gh * (1 - z), None
            if to_gates[t] is not None:
                gr, dz, dn, gp = (to_gates[t][:, k * H : (k + 1) * H] for k in range(4))
                gz, gn = gz + dz, gn + dn
            gn = gn * (1 - n * n)
            gr = gn * p if gr is None else gr + gn * p
            gp = gn * r if gp is None else gp + gn * r
            gr, gz = gr * (r * (1 - r)), gz * (z * (1 - z))
            by_x.append(xp.concat([gr, gz, gn], axis=1))
            by_h.append(xp.concat([gr, gz, gp], axis=1))
            of_p.append(gp)
            gh = gh * z + xp.matmul(by_h[-1], U.T)
            if by is not None:
                gh = gh + by
        by_x.reverse()
        by_h.reverse()
        gx, gW, gU, gb = self._of_products(x, W, [h0, *hs[:-1]], by_x, by_h)
        gq = None if self.edges[5] is None else xp.sum(xp.concat(of_p, axis=0), axis=0)
        return gx, (None if self.edges[1] is None else gh), gW, gU, gb, gq


def _size(U: ArrayLike) -> int:
    """The size of the state, from its weights."""
    return int(U.shape[0])


def _sigmoid(xp: Any, x: Array) -> Array:
    y = xp.tanh(x * 0.5)
    y *= 0.5
    y += 0.5
    return y


def _plus(y: Array, x: Array) -> Array:
    """``y + x``; `y` is overwritten where that keeps the dtype."""
    if y.dtype != x.dtype:
        return y + x
    y += x
    return y


def _sum(xp: Any, g: ArrayLike, arrived: ArrayLike, like: ArrayLike) -> ArrayLike:
    """A gradient that is carried back and one that arrives here: either may be None."""
    if g is None:
        return xp.zeros_like(like) if arrived is None else arrived
    return g if arrived is None else g + arrived
