"""A training step of an LSTM: 128 units, 50 steps, batch 32, backpropagation through time, Adam."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
import tensorgrad.functions as F
from tensorgrad.bench.rivals import FlatAdam, adam_in_jax, autograd, jax, jax_step, mygrad, torch

STEPS, BATCH, SIZE, CLASSES = 50, 32, 128, 10
SHAPES = ((SIZE, 4 * SIZE), (SIZE, 4 * SIZE), (4 * SIZE,), (SIZE, CLASSES), (CLASSES,))
_RNG = np.random.default_rng(0)
X = _RNG.standard_normal((STEPS, BATCH, SIZE)).astype(np.float32)
T = _RNG.standard_normal((STEPS * BATCH, CLASSES)).astype(np.float32)
WEIGHTS = [(_RNG.standard_normal(s) / np.sqrt(SIZE)).astype(np.float32) for s in SHAPES]


def copies():
    return [w.copy() for w in WEIGHTS]


class HandLSTM:
    """All buffers are kept; one product for the inputs of all steps, one for all gates of a step.

    The gates stand in the order f, i, o, u. A sigmoid is ``(tanh(a / 2) + 1) / 2``, so that one tanh serves
    all four: the halves are taken of a copy of the weights' products in place.
    """

    def __init__(self):
        H = SIZE
        self.gates = np.empty((STEPS, BATCH, 4 * H), np.float32)
        self.flat = self.gates.reshape(-1, 4 * H)
        self.of_h, self.slopes = np.empty((2, BATCH, 4 * H), np.float32)
        self.hs, self.cs = np.zeros((2, STEPS + 1, BATCH, H), np.float32)
        self.tanh, self.slope_h = np.empty((2, STEPS, BATCH, H), np.float32)
        self.ga = np.empty_like(self.gates)
        self.gh, self.gc, self.a = np.zeros((3, BATCH, H), np.float32)
        self.views = [tuple(g[:, k * H : (k + 1) * H] for k in range(4)) for g in self.gates]
        self.gviews = [tuple(g[:, k * H : (k + 1) * H] for k in range(4)) for g in self.ga]

    def forward(self, W, U, b):
        H = SIZE
        np.matmul(X.reshape(-1, SIZE), W, out=self.flat)
        self.flat += b
        for t in range(STEPS):
            np.matmul(self.hs[t], U, out=self.of_h)
            g = self.gates[t]
            g += self.of_h
            s = g[:, : 3 * H]
            s *= 0.5
            np.tanh(g, out=g)
            s += 1
            s *= 0.5
            f, i, o, u = self.views[t]
            c = np.multiply(f, self.cs[t], out=self.cs[t + 1])
            c += np.multiply(i, u, out=self.a)
            np.tanh(c, out=self.tanh[t])
            np.multiply(o, self.tanh[t], out=self.hs[t + 1])
        return self.hs[1:]

    def backward(self, ghs, U, into):
        H = SIZE
        gW, gU, gb = into
        gh, gc, a = self.gh, self.gc, self.a
        gh.fill(0)
        gc.fill(0)
        for t in reversed(range(STEPS)):
            f, i, o, u = self.views[t]
            gf, gi, go, gu = self.gviews[t]
            tanh, ga = self.tanh[t], self.ga[t]
            gh += ghs[t]
            np.multiply(tanh, tanh, out=a)
            np.subtract(1, a, out=a)
            a *= o
            a *= gh
            gc += a
            np.multiply(gc, self.cs[t], out=gf)
            np.multiply(gc, u, out=gi)
            np.multiply(gh, tanh, out=go)
            np.multiply(gc, i, out=gu)
            s, d = self.gates[t][:, : 3 * H], self.slopes[:, : 3 * H]
            np.subtract(1, s, out=d)
            d *= s
            ga[:, : 3 * H] *= d
            np.multiply(u, u, out=a)
            np.subtract(1, a, out=a)
            gu *= a
            gc *= f
            np.matmul(ga, U.T, out=gh)
        ga = self.ga.reshape(-1, 4 * H)
        np.matmul(X.reshape(-1, SIZE).T, ga, out=gW)
        np.matmul(self.hs[:-1].reshape(-1, H).T, ga, out=gU)
        np.add.reduce(ga, axis=0, out=gb)


def by_hand():
    optimizer = FlatAdam(copies())
    W, U, b, V, c = optimizer.weights
    gW, gU, gb, gV, gc = optimizer.grads
    lstm = HandLSTM()
    y = np.empty((STEPS * BATCH, CLASSES), np.float32)
    ghs = np.empty((STEPS, BATCH, SIZE), np.float32)

    def step():
        h = lstm.forward(W, U, b).reshape(-1, SIZE)
        np.matmul(h, V, out=y)
        np.add(y, c, out=y)
        np.subtract(y, T, out=y)
        flat = y.reshape(-1)
        loss = flat @ flat / y.size
        np.multiply(y, 2 / y.size, out=y)
        np.matmul(h.T, y, out=gV)
        np.add.reduce(y, axis=0, out=gc)
        np.matmul(y, V.T, out=ghs.reshape(-1, SIZE))
        lstm.backward(ghs, U, (gW, gU, gb))
        optimizer.update()
        return float(loss)

    return step


def ours():
    params = [tg.Parameter(w) for w in copies()]
    W, U, b, V, c = params
    optimizer = tg.optimizers.Adam().setup(params)
    start = np.zeros((BATCH, SIZE), np.float32)

    def step():
        hs, _, _ = F.lstm(X, start, start, W, U, b)
        y = F.linear(F.reshape(hs, (-1, SIZE)), V, c)
        loss = F.mean_squared_error(y, T, reduction="mean")
        for p in params:
            p.cleargrad()
        loss.backward()
        optimizer.update()
        return float(loss.data)

    return step


def in_torch():
    """Its own LSTM has the gates in the order i, f, u, o and two biases, of which one is not trained."""
    order = np.r_[SIZE : 2 * SIZE, :SIZE, 3 * SIZE : 4 * SIZE, 2 * SIZE : 3 * SIZE]
    W, U, b, V, c = copies()
    lstm = torch.nn.LSTM(SIZE, SIZE)
    lstm.weight_ih_l0.data = torch.from_numpy(W[:, order].T.copy())
    lstm.weight_hh_l0.data = torch.from_numpy(U[:, order].T.copy())
    lstm.bias_ih_l0.data = torch.from_numpy(b[order].copy())
    lstm.bias_hh_l0.data.zero_()
    lstm.bias_hh_l0.requires_grad_(False)
    V, c = (torch.from_numpy(p).requires_grad_() for p in (V, c))
    params = [*(p for p in lstm.parameters() if p.requires_grad), V, c]
    optimizer = torch.optim.Adam(params)
    x, target = torch.from_numpy(X), torch.from_numpy(T)

    def step():
        hs, _ = lstm(x)
        y = torch.addmm(c, hs.reshape(-1, SIZE), V)
        loss = torch.nn.functional.mse_loss(y, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def sigmoid(tanh, x):
    return 0.5 * tanh(0.5 * x) + 0.5


def in_jax():
    jnp, lax = jax.numpy, jax.lax
    x, target = jnp.asarray(X), jnp.asarray(T)

    def loss(params):
        W, U, b, V, c = params

        def one(state, a):
            h, cell = state
            a = a + h @ U
            f, i, o = jnp.split(sigmoid(jnp.tanh, a[:, : 3 * SIZE]), 3, axis=1)
            cell = f * cell + i * jnp.tanh(a[:, 3 * SIZE :])
            h = o * jnp.tanh(cell)
            return (h, cell), h

        start = jnp.zeros((BATCH, SIZE), jnp.float32)
        _, hs = lax.scan(one, (start, start), x @ W + b)
        return jnp.mean((hs.reshape(-1, SIZE) @ V + c - target) ** 2)

    return jax_step(loss, copies(), adam=adam_in_jax())


def composed(tanh, params, zeros):
    """The states of all steps, step by step."""
    W, U, b = params
    h = cell = zeros
    H = SIZE
    hs = []
    for x in X:
        a = x @ W + h @ U + b
        s = sigmoid(tanh, a[:, : 3 * H])
        cell = s[:, :H] * cell + s[:, H : 2 * H] * tanh(a[:, 3 * H :])
        h = s[:, 2 * H :] * tanh(cell)
        hs.append(h)
    return hs


def updated(optimizer, grads):
    for into, g in zip(optimizer.grads, grads, strict=True):
        into[...] = g
    optimizer.update()


def in_autograd():
    from autograd import numpy as xp  # noqa: PLC0415
    from autograd import value_and_grad  # noqa: PLC0415

    def loss(params):
        *cell, V, c = params
        hs = composed(xp.tanh, cell, np.zeros((BATCH, SIZE), np.float32))
        return xp.mean((xp.concatenate(hs) @ V + c - T) ** 2)

    both = value_and_grad(loss)
    optimizer = FlatAdam(copies())

    def step():
        value, grads = both(optimizer.weights)
        updated(optimizer, grads)
        return float(value)

    return step


def in_mygrad():
    optimizer = FlatAdam(copies())

    def step():
        tensors = [mygrad.tensor(p, copy=False) for p in optimizer.weights]
        *cell, V, c = tensors
        hs = composed(mygrad.tanh, cell, np.zeros((BATCH, SIZE), np.float32))
        loss = mygrad.mean((mygrad.matmul(mygrad.concatenate(hs), V) + c - T) ** 2)
        loss.backward()
        updated(optimizer, [t.grad for t in tensors])
        return float(loss.data)

    return step


def test_lstm_step(contest):
    makers = {
        "tensorgrad": ours,
        "NumPy by hand": by_hand,
        "torch": torch and in_torch,
        "JAX jit": jax and in_jax,
        "autograd": autograd and in_autograd,
        "MyGrad": mygrad and in_mygrad,
    }
    contest("LSTM 128, 50 steps, batch 32, BPTT, Adam", makers, aim=1.2)
