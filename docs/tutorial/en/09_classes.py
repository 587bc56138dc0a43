"""
9. Optimizers, and choosing among classes
=========================================

Two things were fixed so far: the step was the gradient times a number, and the loss
was a squared distance. Here both are replaced by what is used in practice. At the end
a network separates three spiral arms.

**What you learn**

- what momentum and Adam do with a gradient, seen on a map;
- softmax and cross entropy, and why they belong together;
- how to train a classifier.

(Steps 46 to 48 of the book.)
"""

# %%
# Optimizers
# ----------
#
# An *optimizer* is a rule that changes parameters by their gradients. It is set up with
# a model, or with any layer; from then on ``update()`` does one step with the gradients
# that are there. To watch the rules at work we take a "model" with two parameters and
# no input, on a long narrow valley: steep across, nearly flat along.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Parameter, optimizers
from tensorgrad import functions as F
from tensorgrad.datasets import get_spiral


class Point(tg.Model):
    def __init__(self):
        super().__init__()
        self.p = Parameter(np.array([-7.0, 2.0]))

    def forward(self):
        x, y = self.p[0], self.p[1]
        return x**2 / 40 + y**2


rules = {
    "SGD(0.95)": optimizers.SGD(0.95),
    "MomentumSGD(0.3, 0.8)": optimizers.MomentumSGD(0.3, 0.8),
    "AdaGrad(1.5)": optimizers.AdaGrad(1.5),
    "Adam(0.5)": optimizers.Adam(0.5),
}

figure, axes = plt.subplots(2, 2, figsize=(8, 4.5), layout="constrained")
grid = np.meshgrid(np.linspace(-8, 8, 100), np.linspace(-3, 3, 100))
heights = grid[0] ** 2 / 40 + grid[1] ** 2
for ax, (name, rule) in zip(axes.flat, rules.items(), strict=True):
    point = Point()
    optimizer = rule.setup(point)
    path = [point.p.data.copy()]
    for _ in range(40):
        loss = point()
        point.cleargrads()
        loss.backward()
        optimizer.update()
        path.append(point.p.data.copy())
    ax.contour(*grid, heights, levels=12, cmap="Blues_r", linewidths=0.6)
    ax.plot(*np.transpose(path), ".-", color="#c8641e", markersize=4)
    ax.set_title(name)
    print(f"{name:21} value after 40 steps: {point().item():.5f}")
plt.show()

# %%
# (``update`` changes the array of a parameter where it lies, so the path needs copies.)
#
# Plain gradient descent (SGD) is thrown from side to side: a step that is long enough
# for the flat direction is too long for the steep one. *Momentum* sums up the
# gradients, so what changes sign cancels and what stays adds up. *AdaGrad* divides each
# direction by the size that its gradients have had. *Adam* does both, with averages
# that forget. The figures are those of one valley and of the steps chosen here: no rule
# is the best everywhere. Adam needs the least care with a real network, which is why
# most people begin with it.
#
# All are in ``tensorgrad.optimizers``, with schedules for the step and hooks that clip
# gradients.
#
# Scores and probabilities
# ------------------------
#
# Now the answer is one of several classes. A network gives a *score* for each, any
# number at all. ``softmax`` makes probabilities of them, positive and with the sum 1:
#
# .. math:: p_k = \frac{e^{s_k}}{\sum_j e^{s_j}}

scores = np.array([[2.0, 1.0, -1.0], [0.0, 0.0, 0.0]])
p = F.softmax(scores)
print(p)
print("sums:", F.sum(p, axis=1))

# %%
# As a formula that is simple; in floating-point numbers :math:`e^{1000}` is infinite.
# Subtracting the largest score from all of them changes nothing in the quotient, and
# the exponents are at most 0 then. ``F.softmax`` does that.

with np.errstate(over="ignore", invalid="ignore"):
    naive = np.exp(1000.0) / (np.exp(1000.0) + np.exp(999.0))
print("naive:", naive, "| softmax:", F.softmax(np.array([[1000.0, 999.0]])))

# %%
# The loss asks for the probability that the network gave to the *right* class
# :math:`t`. Its negative logarithm is 0 if that is 1, and large if it is small: the
# *cross entropy*, :math:`-\log p_t`. Its unit is the nat. To guess among three classes
# costs :math:`\log 3 = 1.0986` nats.
#
# ``softmax_cross_entropy`` takes scores and labels, and computes both in one. That is
# more precise, and the gradient becomes as simple as can be: the probabilities, minus 1
# at the right class.

scores = tg.Variable(scores)
labels = np.array([0, 2])
loss = F.softmax_cross_entropy(scores, labels)
loss.backward()
print("loss:", loss, "| by hand:", -np.log([p.data[0, 0], p.data[1, 2]]).mean())
print(scores.grad * 2)
assert np.allclose(scores.grad.data * 2, p.data - np.array([[1, 0, 0], [0, 0, 1]]))

# %%
# (The factor 2: the loss is the mean over two examples.)
#
# Three spiral arms
# -----------------
#
# ``get_spiral`` gives 300 points in the plane on three arms. No straight line separates
# them.

tg.seed(1)
x, t = get_spiral(train=True)
x_test, t_test = get_spiral(train=False)
print(x.shape, x.dtype, t.shape, "labels:", np.unique(t))

model = tg.models.MLP((32, 32, 3), activation=F.tanh)
optimizer = optimizers.Adam(0.02).setup(model)

losses, accuracies = [], []
for _ in range(200):
    scores = model(x)
    loss = F.softmax_cross_entropy(scores, t)
    model.cleargrads()
    loss.backward()
    optimizer.update()
    losses.append(loss.item())
    accuracies.append(F.accuracy(scores, t).item())

with tg.no_grad():
    test_accuracy = F.accuracy(model(x_test), t_test).item()
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
print(f"right: {accuracies[-1]:.1%}, and of 300 other points {test_accuracy:.1%}")

# %%
# ``models.MLP`` is a row of linear layers with an activation between them.
# ``F.accuracy`` is the part of the examples whose highest score is at the right label;
# it has no derivative, so it cannot be the loss. Where does the network decide for
# which arm?

a = np.linspace(-1.1, 1.1, 120, dtype=np.float32)
plane = np.stack(np.meshgrid(a, a), axis=-1).reshape(-1, 2)
with tg.no_grad():
    p = F.softmax(model(plane)).data
decided = p.argmax(axis=1).reshape(120, 120)
sure = p.max(axis=1).reshape(120, 120)

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
colors = np.array([[42, 93, 143], [200, 100, 30], [58, 125, 68]]) / 255
shades = 1 - sure[..., np.newaxis] * 0.5 * (1 - colors[decided])
left.imshow(shades, extent=(-1.1, 1.1, -1.1, 1.1), origin="lower")
left.scatter(*x.T, c=colors[t], s=6)
left.set(title="three regions; paler: less sure", xticks=[], yticks=[])
right.plot(losses, label="loss (nats)")
right.plot(accuracies, label="accuracy")
right.axhline(np.log(3), color="gray", linewidth=1)
right.set(xlabel="step", title="gray: what guessing costs")
right.legend()
plt.show()

assert losses[-1] < 0.2
assert test_accuracy > 0.9

# %%
# What you have now
# -----------------
#
# - ``optimizer = Rule(...).setup(model)``, then ``cleargrads``, ``backward``,
#   ``update``.
# - ``softmax_cross_entropy(scores, labels)`` for classes, ``mean_squared_error(y, t)``
#   for numbers.
# - A classifier, and a picture of what it has learned.
#
# **More**: `tensorgrad.optimizers`, `tensorgrad.functions.cross_entropy`. Next:
# :doc:`10_digits`.
