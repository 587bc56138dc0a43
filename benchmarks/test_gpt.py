"""A training step of a small GPT: two layers, width 128, four heads, 8 texts of 64 characters, AdamW."""

from __future__ import annotations

import numpy as np

import tensorgrad as tg
import tensorgrad.functions as F
import tensorgrad.layers as L
from benchmarks.gpt_by_hand import CUBIC, SCALE, by_hand
from tensorgrad.bench.rivals import FlatAdam, adam_in_jax, autograd, jax, jax_step, mygrad, torch

BATCH, LENGTH, SIZE, HEADS, DEPTH, CHARACTERS = 8, 64, 128, 4, 2, 65
DECAY = 0.01
_RNG = np.random.default_rng(0)
TEXT = _RNG.integers(0, CHARACTERS, (BATCH, LENGTH + 1))
IDS, TARGETS = np.ascontiguousarray(TEXT[:, :-1]), np.ascontiguousarray(TEXT[:, 1:])
FUTURE = np.triu(np.full((LENGTH, LENGTH), -np.inf, np.float32), 1)
D = SIZE


def weights():
    """By name; W and b of a block are those of query, key and value side by side."""
    rng = np.random.default_rng(1)
    block = {
        "g1": (D,), "n1": (D,), "W": (D, 3 * D), "b": (3 * D,), "Wo": (D, D), "bo": (D,),
        "g2": (D,), "n2": (D,), "W1": (D, 4 * D), "b1": (4 * D,), "W2": (4 * D, D), "b2": (D,),
    }  # fmt: skip
    shapes = {"wte": (CHARACTERS, D), "wpe": (LENGTH, D)}
    shapes |= {f"{i}.{name}": shape for i in range(DEPTH) for name, shape in block.items()}
    shapes |= {"gf": (D,), "nf": (D,), "head": (D, CHARACTERS)}
    made = {}
    for name, shape in shapes.items():
        if len(shape) == 2:
            made[name] = (rng.standard_normal(shape) / np.sqrt(D)).astype(np.float32)
        else:
            made[name] = np.full(shape, "g" in name, np.float32)
    return made


def ours():
    p = weights()

    class Net(tg.Model):
        def __init__(self) -> None:
            super().__init__()
            self.characters, self.places = L.EmbedID(CHARACTERS, D), tg.Parameter(p["wpe"])
            self.characters.W.data = p["wte"]
            self.blocks = [block(p, i) for i in range(DEPTH)]
            for i, one in enumerate(self.blocks):
                setattr(self, f"block{i}", one)
            self.norm = L.LayerNorm()
            self.norm.gamma.data, self.norm.beta.data = p["gf"], p["nf"]
            self.head = tg.Parameter(p["head"])

        def forward(self, ids):
            x = self.characters(ids) + self.places
            for one in self.blocks:
                x = one(x, causal=True)
            return F.linear(F.reshape(self.norm(x), (-1, D)), self.head)

    model = Net()
    optimizer = tg.optimizers.AdamW(weight_decay=DECAY).setup(model)
    targets = TARGETS.reshape(-1)

    def step():
        loss = F.softmax_cross_entropy(model(IDS), targets)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return float(loss.data)

    return step


def block(p, i):
    one = L.TransformerEncoderBlock(D, HEADS, activation=lambda x: F.gelu(x, approximate="tanh"))
    one(np.zeros((1, 1, D), np.float32))  # the layers learn the lengths of their weights
    linear = {"Wo": one.attention.out, "W1": one.l1, "W2": one.l2}
    for name, layer in linear.items():
        layer.W.data, layer.b.data = p[f"{i}.{name}"], p[f"{i}.b{name[1:]}"]
    for k, layer in enumerate((one.attention.query, one.attention.key, one.attention.value)):
        part = slice(k * D, (k + 1) * D)
        layer.W.data, layer.b.data = p[f"{i}.W"][:, part].copy(), p[f"{i}.b"][part].copy()
    for k, norm in ((1, one.norm1), (2, one.norm2)):
        norm.gamma.data, norm.beta.data = p[f"{i}.g{k}"], p[f"{i}.n{k}"]
    return one


def scores(xp, tanh, p):
    """The same network as a formula, in a namespace like NumPy's."""

    def norm(x, gamma, beta):
        x = x - xp.mean(x, axis=-1, keepdims=True)
        return x * (xp.mean(x * x, axis=-1, keepdims=True) + 1e-5) ** -0.5 * gamma + beta

    def heads(x):
        return xp.transpose(xp.reshape(x, (BATCH, LENGTH, HEADS, D // HEADS)), (0, 2, 1, 3))

    x = p["wte"][IDS] + p["wpe"]
    for i in range(DEPTH):
        names = ("g1", "n1", "W", "b", "Wo", "bo", "g2", "n2", "W1", "b1", "W2", "b2")
        g1, n1, W, b, Wo, bo, g2, n2, W1, b1, W2, b2 = (p[f"{i}.{name}"] for name in names)
        a = xp.matmul(norm(x, g1, n1), W) + b
        q, k, v = (heads(a[:, :, j * D : (j + 1) * D]) for j in range(3))
        s = xp.matmul(q, xp.transpose(k, (0, 1, 3, 2))) * (D // HEADS) ** -0.5 + FUTURE
        e = xp.exp(s)  # the scores are small
        y = xp.matmul(e / xp.sum(e, axis=-1, keepdims=True), v)
        x = x + xp.matmul(xp.reshape(xp.transpose(y, (0, 2, 1, 3)), (BATCH, LENGTH, D)), Wo) + bo
        h = xp.matmul(norm(x, g2, n2), W1) + b1
        h = 0.5 * h * (1 + tanh(SCALE * (h + CUBIC * h * h * h)))
        x = x + xp.matmul(h, W2) + b2
    return xp.reshape(xp.matmul(norm(x, p["gf"], p["nf"]), p["head"]), (BATCH * LENGTH, CHARACTERS))


def cross_entropy(xp, y):
    return xp.mean(xp.log(xp.sum(xp.exp(y), axis=1)) - y[np.arange(TARGETS.size), TARGETS.reshape(-1)])


def in_torch():
    p = {name: torch.from_numpy(w).requires_grad_() for name, w in weights().items()}
    optimizer = torch.optim.AdamW(p.values(), 1e-3, weight_decay=DECAY)
    ids, targets = torch.from_numpy(IDS), torch.from_numpy(TARGETS.reshape(-1))
    nn = torch.nn.functional

    def norm(x, gamma, beta):
        return nn.layer_norm(x, (D,), gamma, beta)

    def forward():
        x = p["wte"][ids] + p["wpe"]
        for i in range(DEPTH):
            of = {name[2:]: w for name, w in p.items() if name.startswith(f"{i}.")}
            a = norm(x, of["g1"], of["n1"]) @ of["W"] + of["b"]
            q, k, v = (
                part.reshape(BATCH, LENGTH, HEADS, D // HEADS).transpose(1, 2) for part in a.split(D, dim=2)
            )
            y = nn.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + y.transpose(1, 2).reshape(BATCH, LENGTH, D) @ of["Wo"] + of["bo"]
            h = norm(x, of["g2"], of["n2"]) @ of["W1"] + of["b1"]
            x = x + nn.gelu(h, approximate="tanh") @ of["W2"] + of["b2"]
        return (norm(x, p["gf"], p["nf"]) @ p["head"]).reshape(-1, CHARACTERS)

    def step():
        loss = nn.cross_entropy(forward(), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def in_jax():
    names = list(weights())
    jnp = jax.numpy

    def loss(params):
        p = dict(zip(names, params, strict=True))
        return cross_entropy(jnp, scores(jnp, jnp.tanh, p))

    return jax_step(loss, list(weights().values()), adam=adam_in_jax(decay=DECAY))


def in_autograd():
    from autograd import numpy as xp  # noqa: PLC0415
    from autograd import value_and_grad  # noqa: PLC0415

    names = list(weights())

    def loss(params):
        p = dict(zip(names, params, strict=True))
        return cross_entropy(xp, scores(xp, xp.tanh, p))

    both = value_and_grad(loss)
    optimizer = FlatAdam(list(weights().values()), decay=DECAY)

    def step():
        value, grads = both(optimizer.weights)
        for into, g in zip(optimizer.grads, grads, strict=True):
            into[...] = g
        optimizer.update()
        return float(value)

    return step


def in_mygrad():
    from mygrad.nnet import softmax_crossentropy  # noqa: PLC0415

    names = list(weights())
    optimizer = FlatAdam(list(weights().values()), decay=DECAY)

    def step():
        tensors = [mygrad.tensor(w, copy=False) for w in optimizer.weights]
        p = dict(zip(names, tensors, strict=True))
        loss = softmax_crossentropy(scores(mygrad, mygrad.tanh, p), TARGETS.reshape(-1))
        loss.backward()
        for into, t in zip(optimizer.grads, tensors, strict=True):
            into[...] = t.grad
        optimizer.update()
        return float(loss.data)

    return step


def test_gpt_step(contest):
    makers = {
        "tensorgrad": ours,
        "NumPy by hand": lambda: by_hand(weights(), IDS, TARGETS, HEADS, DECAY),
        "torch": torch and in_torch,
        "JAX jit": jax and in_jax,
        "autograd": autograd and in_autograd,
        "MyGrad": mygrad and in_mygrad,
    }
    contest("GPT, 2 layers, d 128, batch 8 x 64, AdamW", makers, aim=1.15)
