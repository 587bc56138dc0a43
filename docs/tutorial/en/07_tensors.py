"""
7. Shapes
=========

So far a value was a number, or many numbers that had nothing to do with each other.
Neural nets are made of functions that move numbers around, copy them, and add them
up. Each of these has a way back, and it is always the same idea: *the gradient has
the shape of its value, and goes back the way that the value came*.

**What you learn**

- the way back of ``reshape``, ``sum``, broadcasting, indexing and ``matmul``;
- ``sum_to``, which undoes broadcasting;
- how to see at a glance what a gradient means.

(Steps 37 to 41 of the book.)
"""

# %%
# Element by element
# ------------------
#
# Operators and functions such as ``exp`` treat each element by itself, whatever the
# shape. ``backward`` starts from a single number as a rule; from an array it would
# start with ones, which is the gradient of the sum.

import matplotlib.pyplot as plt
import numpy as np

from tensorgrad import Variable
from tensorgrad import functions as F

x = Variable(np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]))
F.sum(x * x).backward()
print(x.grad)

# %%
# Moving elements
# ---------------
#
# ``reshape``, transposing and the like change where an element stands. On the way back,
# the gradient is moved to where the element came from. To see it, we give every element
# of the result another weight; the gradient must bring each weight to its element.

weights = np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]])

x.cleargrad()
(x.reshape(3, 2) * weights).sum().backward()
print("reshape:", x.grad, sep="\n")

x.cleargrad()
(x.T * weights).sum().backward()
print("transposed:", x.grad, sep="\n")
assert np.array_equal(x.grad.data, weights.T)

# %%
# Adding and copying are opposites
# --------------------------------
#
# ``sum`` makes one number of many. If one of the many grows by a little, the sum grows
# by as much. So on the way back each of them gets a *copy* of the gradient.
#
# Broadcasting is the other way round: NumPy copies a small array until it fits a large
# one. If the small one grows, the result grows in all the copies. So on the way back
# the gradients of the copies are *added*.

x = Variable(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
b = Variable(np.array([10.0, 20.0, 30.0]))
y = x + b
F.sum(y * y).backward()
print("shape of y", y.shape, "| gradient of b", b.grad, "of shape", b.grad.shape)

# %%
# ``b`` was added to two rows. Its gradient is the sum over the rows, in the shape of
# ``b``. ``sum_to`` is this operation on its own: it sums an array until it has a shape
# that could have been broadcast to it.

gy = 2 * y.data
print(F.sum_to(gy, (3,)))
assert np.array_equal(b.grad.data, F.sum_to(gy, (3,)).data)

# %%
# In tensorgrad the way back of broadcasting is the engine's business. A ``Function`` of
# your own returns the gradient as its formula gives it, in whatever shape it has by
# broadcasting, and the engine sums it.
#
# Choosing elements
# -----------------
#
# ``x[index]`` takes some elements. The others do not matter to the result, so their
# gradient is 0. An element that is taken twice gets two contributions.

x = Variable(np.zeros(6))
F.sum(x[np.array([1, 1, 1, 4])]).backward()
print(x.grad)
assert x.grad.data.tolist() == [0.0, 3.0, 0.0, 0.0, 1.0, 0.0]

# %%
# A gradient is a picture of influence
# ------------------------------------
#
# All of this can be looked at. Here are gradients of sums of parts of a 6 x 8 array:
# white is 0, and the darker, the more often an element was used.


def influence(f):
    x = Variable(np.zeros((6, 8)))
    F.sum(f(x)).backward()
    return x.grad.data


rows = np.array([0, 2, 2, 5])
hills = np.random.default_rng(0).normal(size=(6, 8))
parts = {
    "x[1:4, 2:6]": influence(lambda x: x[1:4, 2:6]),
    "x[::2, ::-3]": influence(lambda x: x[::2, ::-3]),
    "x[[0, 2, 2, 5]]": influence(lambda x: x[rows]),
    "diagonal(x)": influence(F.diagonal),
    "sums of 3 x 3 windows": influence(
        lambda x: sum(x[i : i + 4, j : j + 6] for i in range(3) for j in range(3))
    ),
    "max of each row": influence(lambda x: F.max(x + hills, axis=1)),
}

figure, axes = plt.subplots(2, 3, figsize=(8, 4), layout="constrained")
for ax, (title, gradient) in zip(axes.flat, parts.items(), strict=True):
    ax.imshow(gradient, cmap="Blues", vmin=0)
    ax.set_title(title, fontsize=9)
    ax.set(xticks=[], yticks=[])
plt.show()

assert parts["x[[0, 2, 2, 5]]"][2].tolist() == [2.0] * 8
assert parts["sums of 3 x 3 windows"].max() == 9

# %%
# The windows in the fifth picture overlap. An element in the middle is part of nine of
# them, one in a corner of a single one. Page 11 comes back to this: it is what a
# convolution does.
#
# The product of matrices
# -----------------------
#
# One more function is needed for neural nets. In :math:`y = x W` with :math:`x` of
# shape (N, D) and :math:`W` of shape (D, H), each
# :math:`y_{nh} = \sum_d x_{nd} W_{dh}`. So :math:`x_{nd}` acts upon :math:`y_{nh}` by
# :math:`W_{dh}`, for every :math:`h`, and
#
# .. math:: g_x = g_y W^T, \qquad g_W = x^T g_y.
#
# There is no need to learn this by heart. Shapes leave no choice: from :math:`g_y` of
# shape (N, H) and :math:`W` of shape (D, H) transposed, there is one way to get (N, D).

rng = np.random.default_rng(0)
x = Variable(rng.normal(size=(4, 3)))
W = Variable(rng.normal(size=(3, 2)))
y = x @ W
gy = rng.normal(size=(4, 2))
y.backward(grad=gy)
print("shapes of the gradients:", x.grad.shape, W.grad.shape)
assert np.allclose(x.grad.data, gy @ W.data.T)
assert np.allclose(W.grad.data, x.data.T @ gy)

# %%
# ``backward(grad=...)`` starts with a gradient of your own instead of ones.
#
# For everything that is a sum of products over some axes there is ``einsum``, with a
# derivative as well. The trace of a product, for instance, without the product:

c = rng.normal(size=(3, 4))
x.cleargrad()
trace = F.einsum("ij,ji->", x, c)
trace.backward()
print(trace.item(), "=", np.trace(x.data @ c))
assert np.allclose(x.grad.data, c.T)

# %%
# What you have now
# -----------------
#
# - Whatever moves elements moves gradients back; what adds copies; what copies adds.
# - A gradient has the shape of its value. If yours does not, something is wrong before
#   the numbers are.
# - ``sum_to``, ``broadcast_to``, indexing, ``@`` and ``einsum`` have derivatives of any
#   order.
#
# **More**: `tensorgrad.functions.sum_to`, `tensorgrad.functions.einsum`. Next:
# :doc:`08_regression`.
