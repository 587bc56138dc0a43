"""A training step of a small convolutional network: conv 16, conv 32, linear 128; batch 32, 28 x 28, SGD."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
import tensorgrad.functions as F
import tensorgrad.layers as L
from tensorgrad.bench.rivals import jax, jax_step, mygrad, torch

LR = 0.05
BATCH = 32
SHAPES = {
    "W1": (16, 1, 3, 3),
    "b1": (16,),
    "W2": (32, 16, 3, 3),
    "b2": (32,),
    "W3": (32 * 7 * 7, 128),
    "b3": (128,),
    "W4": (128, 10),
    "b4": (10,),
}


class Case:
    """The data and the first weights that every contender starts from."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.x = rng.standard_normal((BATCH, 1, 28, 28)).astype(np.float32)
        self.t = rng.integers(0, 10, BATCH)
        self.weights = {}
        for name, shape in SHAPES.items():
            fan_in = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
            values = rng.standard_normal(shape) * np.sqrt(2 / fan_in) if len(shape) > 1 else np.zeros(shape)
            self.weights[name] = values.astype(np.float32)

    def copies(self):
        return {name: values.copy() for name, values in self.weights.items()}


class HandConv:
    """3 x 3, padded by 1: im2col into a buffer that is kept, and one product for each of the batch."""

    def __init__(self, W, b, length):
        self.W, self.b = W, b
        outs, ins = W.shape[:2]
        self.padded = np.zeros((BATCH, ins, length + 2, length + 2), np.float32)
        self.gpadded = np.zeros_like(self.padded)
        self.inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))
        self.windows = np.lib.stride_tricks.sliding_window_view(self.padded, (3, 3), axis=(2, 3))
        self.windows = self.windows.transpose(0, 1, 4, 5, 2, 3)
        self.cols = np.empty((BATCH, ins, 3, 3, length, length), np.float32)
        self.flat = self.cols.reshape(BATCH, ins * 9, length * length)
        self.gcols = np.empty_like(self.flat)
        self.y = np.empty((BATCH, outs, length, length), np.float32)
        self.yflat = self.y.reshape(BATCH, outs, length * length)
        self.products = np.empty((BATCH, outs, ins * 9), np.float32)
        self.length = length

    def forward(self, x):
        self.padded[self.inside] = x
        np.copyto(self.cols, self.windows)
        np.matmul(self.W.reshape(len(self.W), -1), self.flat, out=self.yflat)
        self.yflat += self.b[:, None]
        return self.y

    def backward(self, gy, wanted=True):
        g = gy.reshape(self.yflat.shape)
        gx = None
        if wanted:
            np.matmul(self.W.reshape(len(self.W), -1).T, g, out=self.gcols)
            parts = self.gcols.reshape(self.cols.shape)
            self.gpadded.fill(0)
            n = self.length
            for i in range(3):
                for j in range(3):
                    self.gpadded[:, :, i : i + n, j : j + n] += parts[:, :, i, j]
            gx = self.gpadded[self.inside]
        np.matmul(g, self.flat.transpose(0, 2, 1), out=self.products)
        self.W -= LR * self.products.sum(axis=0).reshape(self.W.shape)
        self.b -= LR * g.sum(axis=(0, 2))
        return gx


class HandPool:
    """The largest of 2 x 2, and which of the four it is."""

    def __init__(self, channels, length):
        half = length // 2
        self.gx = np.empty((BATCH, channels, length, length), np.float32)
        self.y = np.empty((BATCH, channels, half, half), np.float32)
        self.hits = np.empty((4, *self.y.shape), np.bool_)
        self.free = np.empty(self.y.shape, np.bool_)

    def forward(self, x):
        parts = [x[:, :, i::2, j::2] for i in range(2) for j in range(2)]
        y = self.y
        np.maximum(parts[0], parts[1], out=y)
        np.maximum(y, parts[2], out=y)
        np.maximum(y, parts[3], out=y)
        self.free.fill(True)
        for part, hit in zip(parts, self.hits, strict=True):
            np.equal(part, y, out=hit)
            np.logical_and(hit, self.free, out=hit)
            self.free ^= hit
        return y

    def backward(self, gy):
        for k, hit in enumerate(self.hits):
            np.multiply(gy, hit, out=self.gx[:, :, k // 2 :: 2, k % 2 :: 2])
        return self.gx


def by_hand(case: Case):
    """SGD in NumPy: every large array is made once, and overwritten where its value is dead."""
    p = case.copies()
    conv1, conv2 = HandConv(p["W1"], p["b1"], 28), HandConv(p["W2"], p["b2"], 14)
    pool1, pool2 = HandPool(16, 28), HandPool(32, 14)
    rows = np.arange(BATCH)

    def step():
        y1 = conv1.forward(case.x)
        np.maximum(y1, 0, out=y1)
        h1 = pool1.forward(y1)
        y2 = conv2.forward(h1)
        np.maximum(y2, 0, out=y2)
        flat = pool2.forward(y2).reshape(BATCH, -1)
        h3 = flat @ p["W3"]
        h3 += p["b3"]
        np.maximum(h3, 0, out=h3)
        h = h3 @ p["W4"]
        h += p["b4"]
        h -= h.max(axis=1, keepdims=True)
        logp = h[rows, case.t]
        np.exp(h, out=h)
        z = h.sum(axis=1, keepdims=True)
        loss = (np.log(z[:, 0]) - logp).mean()
        h /= z
        h[rows, case.t] -= 1
        h /= BATCH
        g3 = h @ p["W4"].T
        g3 *= h3 > 0
        p["W4"] -= LR * (h3.T @ h)
        p["b4"] -= LR * h.sum(axis=0)
        g = g3 @ p["W3"].T
        gW = flat.T @ g3
        gW *= LR
        p["W3"] -= gW
        p["b3"] -= LR * g3.sum(axis=0)
        g = pool2.backward(g.reshape(pool2.y.shape))
        g *= y2 > 0
        g = pool1.backward(conv2.backward(g))
        g *= y1 > 0
        conv1.backward(g, wanted=False)
        return float(loss)

    return step


def in_tensorgrad(case: Case):
    class Net(tg.Model):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = L.Conv2d(16, 3, pad=1), L.Conv2d(32, 3, pad=1)
            self.fc1, self.fc2 = L.Linear(128), L.Linear(10)
            layers = (self.conv1, self.conv2, self.fc1, self.fc2)
            for i, layer in enumerate(layers, 1):
                layer.W.data = case.weights[f"W{i}"].copy()

        def forward(self, x):
            x = F.pooling(F.relu(self.conv1(x)), 2, 2)
            x = F.pooling(F.relu(self.conv2(x)), 2, 2)
            return self.fc2(F.relu(self.fc1(F.reshape(x, (BATCH, -1)))))

    model = Net()
    optimizer = tg.optimizers.SGD(LR).setup(model)

    def step():
        loss = F.softmax_cross_entropy(model(case.x), case.t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return float(loss.data)

    return step


def in_torch(case: Case):
    p = {name: torch.from_numpy(values).requires_grad_() for name, values in case.copies().items()}
    optimizer = torch.optim.SGD(p.values(), LR)
    x, t = torch.from_numpy(case.x), torch.from_numpy(case.t)
    nn = torch.nn.functional

    def step():
        h = nn.max_pool2d(torch.relu(nn.conv2d(x, p["W1"], p["b1"], padding=1)), 2)
        h = nn.max_pool2d(torch.relu(nn.conv2d(h, p["W2"], p["b2"], padding=1)), 2)
        h = torch.relu(torch.addmm(p["b3"], h.flatten(1), p["W3"]))
        loss = nn.cross_entropy(torch.addmm(p["b4"], h, p["W4"]), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def in_jax(case: Case):
    jnp, lax = jax.numpy, jax.lax
    names = list(case.weights)
    x, rows = jnp.asarray(case.x), np.arange(BATCH)

    def layer(x, W, b):
        y = lax.conv(x, W, (1, 1), "SAME") + b[:, None, None]
        window = (1, 1, 2, 2)
        return lax.reduce_window(jnp.maximum(y, 0), -jnp.inf, lax.max, window, window, "VALID")

    def loss(params):
        p = dict(zip(names, params, strict=True))
        h = layer(layer(x, p["W1"], p["b1"]), p["W2"], p["b2"]).reshape(BATCH, -1)
        h = jnp.maximum(h @ p["W3"] + p["b3"], 0) @ p["W4"] + p["b4"]
        h = h - jnp.max(h, axis=1, keepdims=True)
        return jnp.mean(jnp.log(jnp.sum(jnp.exp(h), axis=1)) - h[rows, case.t])

    return jax_step(loss, list(case.copies().values()), lr=LR)


def in_mygrad(case: Case):
    from mygrad.nnet import conv_nd, max_pool, softmax_crossentropy  # noqa: PLC0415

    weights = case.copies()

    def layer(x, W, b):
        y = conv_nd(x, W, stride=1, padding=1) + mygrad.reshape(b, (1, -1, 1, 1))
        return max_pool(mygrad.maximum(y, 0), (2, 2), 2)

    def step():
        p = {name: mygrad.tensor(w, copy=False) for name, w in weights.items()}
        h = mygrad.reshape(layer(layer(case.x, p["W1"], p["b1"]), p["W2"], p["b2"]), (BATCH, -1))
        h = mygrad.maximum(mygrad.matmul(h, p["W3"]) + p["b3"], 0)
        loss = softmax_crossentropy(mygrad.matmul(h, p["W4"]) + p["b4"], case.t)
        loss.backward()
        for name, w in weights.items():
            w -= LR * p[name].grad
        return float(loss.data)

    return step


def test_cnn_step(contest):
    case = Case()
    makers = {
        "tensorgrad": lambda: in_tensorgrad(case),
        "NumPy by hand": lambda: by_hand(case),
        "torch": torch and (lambda: in_torch(case)),
        "JAX jit": jax and (lambda: in_jax(case)),
        "autograd": None,  # its convolution is a product of all windows in Python
        "MyGrad": mygrad and (lambda: in_mygrad(case)),
    }
    contest("CNN (conv 16, conv 32, linear 128), batch 32", makers, aim=1.15, per_round=2)
