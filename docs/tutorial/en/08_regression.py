"""
8. From a line to a network
===========================

A network is a function with many parameters, and training is gradient descent on
them. We begin with the smallest example, a straight line with two parameters, and
change it into a network piece by piece.

**What you learn**

- linear regression by gradient descent;
- why a straight line is not enough, and what a hidden layer adds;
- ``Parameter``, ``Layer`` and ``Model``, which keep the parameters in order.

(Steps 42 to 45 of the book.)
"""

# %%
# A line
# ------
#
# A hundred points lie about a line, with some noise. We look for :math:`W` and
# :math:`b` so that :math:`x W + b` comes near them. How near is said by the mean of the
# squared distances: the *loss*.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Parameter, Variable
from tensorgrad import functions as F
from tensorgrad import layers as L

rng = np.random.default_rng(0)
x = rng.uniform(-1, 1, (100, 1))
noise = rng.normal(0, 0.1, (100, 1))
t = 5 + 2 * x + noise

W, b = Variable(np.zeros((1, 1))), Variable(np.zeros(1))
for step in range(201):
    y = x @ W + b
    loss = F.mean((y - t) ** 2)
    if step % 50 == 0:
        print(f"{step:3}: loss {loss.item():.4f}, W {W.item():.3f}, b {b.item():.3f}")
    W.cleargrad()
    b.cleargrad()
    loss.backward()
    W.data = W.data - 0.1 * W.grad.data
    b.data = b.data - 0.1 * b.grad.data

# %%
# The factor 0.1 is the *learning rate*: it sets the length of a step. ``x`` and ``t``
# are plain arrays: data need no gradient. ``b`` has one element and is broadcast to a
# hundred rows, and its gradient is summed back, as the last page showed.
#
# For a line, the best parameters can be computed in one go. That is a good test:
# descent must get there.

best = np.linalg.lstsq(np.hstack([x, np.ones_like(x)]), t, rcond=None)[0]
print("least squares: W {:.3f}, b {:.3f}".format(*best.ravel()))
assert abs(W.item() - best[0].item()) < 0.02

# %%
# Where a line fails
# ------------------
#
# Now the points follow a sine. Two linear functions in a row would not help:
# :math:`(x W_1) W_2` is :math:`x (W_1 W_2)`, one linear function. There has to be
# something bent in between, an *activation function*:
#
# .. math:: y = \tanh(x W_1 + b_1)\, W_2 + b_2
#
# Each of the ten hidden values learns to be a bend at a place of its own; the second
# product adds the bends up.

t = np.sin(np.pi * x) + noise


def mean_squared_error(y, t):
    return F.mean((y - t) ** 2)


W1, b1 = Variable(rng.normal(0, 1, (1, 10))), Variable(np.zeros(10))
W2, b2 = Variable(rng.normal(0, 0.3, (10, 1))), Variable(np.zeros(1))


def network(x):
    return F.tanh(x @ W1 + b1) @ W2 + b2


losses = []
for _ in range(1000):
    loss = mean_squared_error(network(x), t)
    losses.append(loss.item())
    for p in (W1, b1, W2, b2):
        p.cleargrad()
    loss.backward()
    for p in (W1, b1, W2, b2):
        p.data = p.data - 0.2 * p.grad.data
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}; the noise: {np.mean(noise**2):.4f}")

# %%
# The weights begin with random numbers. If they all were zero, the hidden values would
# be the same, so would be their gradients, and ten of them would stay as good as one.
# How large the numbers are matters as well: from much larger ones the bends would be
# sharp from the start, and the steps would have to be shorter.
#
# Parameters in order
# -------------------
#
# Four names in three places are a nuisance, and a real network has hundreds. So:
#
# - a ``Parameter`` is a Variable that is meant to be trained;
# - a ``Layer`` has parameters as attributes, and finds them itself;
# - layers may contain layers, and ``params()`` gives the parameters of all of them.


class Affine(L.Layer):
    def __init__(self, in_size, out_size, scale):
        super().__init__()
        self.W = Parameter(rng.normal(0, scale, (in_size, out_size)), name="W")
        self.b = Parameter(np.zeros(out_size), name="b")

    def forward(self, x):
        return x @ self.W + self.b


class Network(tg.Model):
    def __init__(self):
        super().__init__()
        self.hidden = Affine(1, 10, 1.0)
        self.out = Affine(10, 1, 0.3)

    def forward(self, x):
        return self.out(F.tanh(self.hidden(x)))


model = Network()
for path, p in model.namedparams():
    print(f"{path:9} {p.shape}")

# %%
# A ``Model`` is a layer that stands alone. It can describe itself, save itself and draw
# itself. Our ``Affine`` is there already: ``L.Linear`` needs only its output size, and
# makes its weights when the first input shows how wide that is. By default they fit
# data of the size 1; ``initializers`` has other choices. The training loop is short
# now, and stays like this however large the model becomes.


class TwoLayers(tg.Model):
    def __init__(self, hidden_size, out_size):
        super().__init__()
        self.hidden = L.Linear(hidden_size)
        self.out = L.Linear(out_size)

    def forward(self, x):
        return self.out(F.tanh(self.hidden(x)))


tg.seed(0)
model = TwoLayers(10, 1)
x32, t32 = x.astype(np.float32), t.astype(np.float32)
curve = []
for _ in range(1000):
    loss = F.mean_squared_error(model(x32), t32)
    curve.append(loss.item())
    model.cleargrads()
    loss.backward()
    for p in model.params():
        p.data = p.data - 0.2 * p.grad.data
print(model.summary(x32))

# %%
# Layers make their weights in float32, which is what is usual for networks, so the data
# are float32 as well. ``tg.seed`` makes the random weights the same in every run.
#
# What did they learn? On the left the line that is best for the sine, and both
# networks. On the right how the loss fell.

grid = np.linspace(-1, 1, 200)[:, np.newaxis]
line = np.linalg.lstsq(np.hstack([x, np.ones_like(x)]), t, rcond=None)[0]
with tg.no_grad():
    by_hand = network(grid).data
    by_layers = model(grid.astype(np.float32)).data

steps = np.arange(1, 1001)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.5), layout="constrained")
left.plot(x, t, ".", color="gray", markersize=4)
left.plot(grid, grid * line[0] + line[1], ":", label="line")
left.plot(grid, by_hand, label="by hand")
left.plot(grid, by_layers, "--", label="by layers")
left.set(xlabel="x")
left.legend()
right.loglog(steps, losses, label="by hand")
right.loglog(steps, curve, "--", label="by layers")
right.axhline(np.mean(noise**2), color="gray", linewidth=1)
right.set(xlabel="step", title="loss; gray: the noise")
right.legend()
plt.show()

assert losses[-1] < 2 * np.mean(noise**2)
assert curve[-1] < 2 * np.mean(noise**2)

# %%
# What you have now
# -----------------
#
# - Training is: compute the loss, clear gradients, go back, step.
# - An activation function between linear ones makes a network that can bend.
# - ``Layer`` and ``Model`` find their parameters; ``L.Linear`` makes its own.
#
# **More**: `tensorgrad.Layer`, `tensorgrad.Model`, `tensorgrad.models`. Next:
# :doc:`09_classes`.
