"""A training step of a small GPT by hand in NumPy: every large array is made once and kept."""

from __future__ import annotations

import numpy as np

from tensorgrad.bench.rivals import FlatAdam

SCALE, CUBIC = 0.7978845608028654, 0.044715


class LayerNorm:
    """Rows to mean 0 and variance 1, then a scale and a shift."""

    def __init__(self, rows, size):
        self.xhat, self.y, self.gx = np.empty((3, rows, size), np.float32)
        self.size = size

    def forward(self, x, gamma, beta):
        xhat = self.xhat
        np.subtract(x, x.mean(axis=1, keepdims=True), out=xhat)
        var = np.einsum("ij,ij->i", xhat, xhat)[:, None]
        var /= self.size
        var += 1e-5
        self.r = 1 / np.sqrt(var)
        xhat *= self.r
        np.multiply(xhat, gamma, out=self.y)
        self.y += beta
        return self.y

    def backward(self, gy, gamma, ggamma, gbeta):
        """The gradient of x."""
        np.add.reduce(gy, axis=0, out=gbeta)
        np.multiply(gy, self.xhat, out=self.y)
        np.add.reduce(self.y, axis=0, out=ggamma)
        gx = np.multiply(gy, gamma, out=self.gx)
        dots = np.einsum("ij,ij->i", gx, self.xhat)[:, None]
        dots /= self.size
        gx -= gx.mean(axis=1, keepdims=True)
        self.xhat *= dots
        gx -= self.xhat
        gx *= self.r
        return gx


class Attention:
    """q, k and v by one product; heads are views, so nothing is copied but the result."""

    def __init__(self, batch, length, heads, size):
        self.qkv, self.gqkv = np.empty((2, batch * length, 3 * size), np.float32)
        shape = (batch, length, 3, heads, size // heads)
        self.q, self.k, self.v = np.moveaxis(self.qkv.reshape(shape), 2, 0).swapaxes(2, 3)
        self.gq, self.gk, self.gv = np.moveaxis(self.gqkv.reshape(shape), 2, 0).swapaxes(2, 3)
        self.p, self.gp, self.t = np.empty((3, batch, heads, length, length), np.float32)
        self.y, self.gy, self.gx = np.empty((3, batch * length, size), np.float32)
        heads_of = (batch, length, heads, size // heads)
        self.yh, self.gyh = self.y.reshape(heads_of).swapaxes(1, 2), self.gy.reshape(heads_of).swapaxes(1, 2)
        self.future = np.triu(np.full((length, length), -np.inf, np.float32), 1)
        self.scale = np.float32((size // heads) ** -0.5)

    def forward(self, x, W, b):
        np.matmul(x, W, out=self.qkv)
        self.qkv += b
        p = np.matmul(self.q, self.k.swapaxes(2, 3), out=self.p)
        p *= self.scale
        p += self.future
        p -= p.max(axis=-1, keepdims=True)
        np.exp(p, out=p)
        p /= p.sum(axis=-1, keepdims=True)
        np.matmul(p, self.v, out=self.yh)
        return self.y

    def backward(self, x, W, gW, gb):
        """From `self.gy`."""
        p, gp, t = self.p, self.gp, self.t
        np.matmul(p.swapaxes(2, 3), self.gyh, out=self.gv)
        np.matmul(self.gyh, self.v.swapaxes(2, 3), out=gp)
        np.multiply(gp, p, out=t)
        gp -= t.sum(axis=-1, keepdims=True)
        gp *= p
        gp *= self.scale
        np.matmul(gp, self.k, out=self.gq)
        np.matmul(gp.swapaxes(2, 3), self.q, out=self.gk)
        np.matmul(x.T, self.gqkv, out=gW)
        np.add.reduce(self.gqkv, axis=0, out=gb)
        return np.matmul(self.gqkv, W.T, out=self.gx)


class Gelu:
    """By the formula with tanh; its gradient from the same square and tanh."""

    def __init__(self, rows, size):
        self.t, self.square, self.y, self.g = np.empty((4, rows, size), np.float32)

    def forward(self, x):
        t, square, y = self.t, self.square, self.y
        np.multiply(x, x, out=square)
        np.multiply(square, CUBIC * SCALE, out=t)
        t += SCALE
        t *= x
        np.tanh(t, out=t)
        np.add(t, 1, out=y)
        y *= x
        y *= 0.5
        return y

    def backward(self, g, x):
        """The gradient of x, in `g`."""
        t, square, u = self.t, self.square, self.y
        square *= 3 * CUBIC * SCALE * 0.5
        square += 0.5 * SCALE
        square *= x
        np.multiply(t, t, out=u)
        np.subtract(1, u, out=u)
        square *= u
        t += 1
        t *= 0.5
        square += t
        g *= square
        return g


class Block:
    """Attention, then two linear layers, each of the norm of x and added to it."""

    def __init__(self, batch, length, heads, size):
        rows = batch * length
        self.norm1, self.norm2 = LayerNorm(rows, size), LayerNorm(rows, size)
        self.attention = Attention(batch, length, heads, size)
        self.gelu = Gelu(rows, 4 * size)
        self.h = np.empty((rows, 4 * size), np.float32)
        self.gh = self.gelu.g
        self.gx = np.empty((rows, size), np.float32)

    def forward(self, x, p):
        """Add to x what the two parts give, in place."""
        y = self.attention.forward(self.norm1.forward(x, p["g1"], p["n1"]), p["W"], p["b"])
        x += np.matmul(y, p["Wo"], out=self.gx)
        x += p["bo"]
        h = np.matmul(self.norm2.forward(x, p["g2"], p["n2"]), p["W1"], out=self.h)
        h += p["b1"]
        x += np.matmul(self.gelu.forward(h), p["W2"], out=self.gx)
        x += p["b2"]

    def backward(self, g, p, gp):
        """The gradient of x, in `g`."""
        np.matmul(self.gelu.y.T, g, out=gp["W2"])
        np.add.reduce(g, axis=0, out=gp["b2"])
        gh = self.gelu.backward(np.matmul(g, p["W2"].T, out=self.gh), self.h)
        np.matmul(self.norm2.y.T, gh, out=gp["W1"])
        np.add.reduce(gh, axis=0, out=gp["b1"])
        g += self.norm2.backward(np.matmul(gh, p["W1"].T, out=self.gx), p["g2"], gp["g2"], gp["n2"])
        np.matmul(self.attention.y.T, g, out=gp["Wo"])
        np.add.reduce(g, axis=0, out=gp["bo"])
        np.matmul(g, p["Wo"].T, out=self.attention.gy)
        gx = self.attention.backward(self.norm1.y, p["W"], gp["W"], gp["b"])
        g += self.norm1.backward(gx, p["g1"], gp["g1"], gp["n1"])


def by_hand(weights, ids, targets, heads, decay):
    """A step with AdamW; `weights` is a dict of arrays, those of block i with ``i.`` before their names."""
    optimizer = FlatAdam(list(weights.values()), decay=decay)
    p = dict(zip(weights, optimizer.weights, strict=True))
    gp = dict(zip(weights, optimizer.grads, strict=True))
    (batch, length), size = ids.shape, weights["wte"].shape[1]
    rows = batch * length
    depth = sum(name.endswith(".Wo") for name in weights)
    blocks = [Block(batch, length, heads, size) for _ in range(depth)]
    inner = [({n[2:]: a[n] for n in a if n.startswith(f"{i}.")}) for i in range(depth) for a in (p, gp)]
    last = LayerNorm(rows, size)
    x, g = np.empty((2, rows, size), np.float32)
    scores = np.empty((rows, weights["head"].shape[1]), np.float32)
    every, t = np.arange(rows), targets.reshape(-1)
    order = np.argsort(ids, axis=None, kind="stable")
    found, starts = np.unique(ids.reshape(-1)[order], return_index=True)

    def step():
        np.take(p["wte"], ids.reshape(-1), axis=0, out=x)
        np.add(x.reshape(batch, length, size), p["wpe"], out=x.reshape(batch, length, size))
        for i, block in enumerate(blocks):
            block.forward(x, inner[2 * i])
        y = last.forward(x, p["gf"], p["nf"])
        h = np.matmul(y, p["head"], out=scores)
        h -= h.max(axis=1, keepdims=True)
        right = h[every, t]
        np.exp(h, out=h)
        z = h.sum(axis=1, keepdims=True)
        loss = (np.log(z[:, 0]) - right).mean()
        h /= z
        h[every, t] -= 1
        h /= rows
        np.matmul(y.T, h, out=gp["head"])
        gx = last.backward(np.matmul(h, p["head"].T, out=g), p["gf"], gp["gf"], gp["nf"])
        np.copyto(g, gx)
        for i, block in reversed(list(enumerate(blocks))):
            block.backward(g, inner[2 * i], inner[2 * i + 1])
        np.add.reduce(g.reshape(batch, length, size), axis=0, out=gp["wpe"])
        gp["wte"].fill(0)
        gp["wte"][found] = np.add.reduceat(g[order], starts, axis=0)
        optimizer.update()
        return float(loss)

    return step
