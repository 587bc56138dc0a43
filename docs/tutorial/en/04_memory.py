"""
4. What is kept, and for how long
=================================

A graph refers to values, and values to the graph. If both held on to each other,
memory would fill until Python's garbage collector came by. With arrays of many
megabytes that is too late. This page shows what a calculation keeps, and how you can
keep less.

**What you learn**

- why an array is freed the moment nobody needs it;
- which gradients stay, and ``retain_grad``;
- ``no_grad`` for calculations without a backward, ``checkpoint`` for less memory with
  one.

(Steps 17 and 18 of the book.)
"""

# %%
# Freed at once
# -------------
#
# Python frees an object when the last reference to it goes. Only objects that refer to
# each other in a *cycle* have to wait for the garbage collector. In a graph a cycle is
# quickly made: a box refers to its creator, the creator to its outputs. tensorgrad has
# none, since a Function knows its outputs by *weak* references, which do not keep them
# alive.
#
# We can watch that. ``weakref.ref`` tells whether an object still exists. The garbage
# collector is switched off, so that only reference counting is at work.

import gc
import weakref

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F

gc.disable()

x = Variable(np.ones(1_000_000))
y = x + 1.0
z = y + 1.0
middle = weakref.ref(y.data)
del y
print("the array in the middle is there:", middle() is not None)

# %%
# It is gone, though ``z`` was computed from it and knows its creator. The derivative of
# a sum is 1, whatever was added, so no backward will ask for this array. Nothing keeps
# it.
#
# With a product that is different: :math:`d(y^2)/dy = 2y`, and ``backward`` will need
# ``y``.

y = x + 1.0
z = y * y
middle = weakref.ref(y.data)
del y
print("after a product:", middle() is not None)
z.backward(grad=np.ones(1_000_000))
print("after the backward:", middle() is not None)

gc.enable()

# %%
# Each Function keeps the arrays that its ``backward`` reads, and no others. And once
# ``backward`` has gone through, these are freed too, node by node.
#
# Once, unless you say so
# -----------------------
#
# So a second walk through the same graph is not possible. It says so:

x = Variable(np.array(3.0))
y = x * x
y.backward()
try:
    y.backward()
except RuntimeError as error:
    print(error)

# %%
# With ``retain_graph=True`` the first walk leaves everything in place.

x.cleargrad()
y = x * x
y.backward(retain_graph=True)
y.backward()
print("twice 6:", x.grad)
assert x.grad.item() == 12.0

# %%
# Whose gradients stay
# --------------------
#
# A walk computes the gradient of every value on its way, but training needs those of
# the *leaves* alone: the boxes that you made yourself. The others are dropped on the
# way. If you want to see them, say ``retain_grad=True``.

x = Variable(np.array(0.5))
a = x**2
y = tg.exp(-a)
y.backward()
print("by default:  ", x.grad, a.grad, y.grad)

x.cleargrad()
a = x**2
y = tg.exp(-a)
y.backward(retain_grad=True)
print("retain_grad: ", x.grad, a.grad, y.grad)

# %%
# No graph at all
# ---------------
#
# To *use* a trained network, no gradient is needed, and a graph would only hold memory.
# In a ``no_grad`` block nothing is recorded.

with tg.no_grad():
    y = x * x
print("creator:", y.creator, "| requires a gradient:", y.requires_grad)

# %%
# It is a setting that holds in the block, in this thread, and ends with the block, even
# after an error. ``tg.using_config("enable_backprop", False)`` is the same under its
# long name. Data that never need a gradient can say so once:
# ``Variable(data, requires_grad=False)``. And plain arrays never get one.
#
# How much is it?
# ---------------
#
# ``tg.profile`` measures. Here is a chain of 64 layers of ``tanh`` on an array of 0.4
# MB. The backward of ``tanh`` needs its output, since :math:`\tanh' = 1 - \tanh^2`: so
# 64 arrays wait for it. The chain of additions keeps none.

data = np.linspace(-1, 1, 50_000)
tanhs = [F.tanh] * 64
additions = [lambda x: x + 1.0] * 64


def run(functions, x):
    for f in functions:
        x = f(x)
    return x


def in_blocks(functions, x):
    for start in range(0, len(functions), 8):
        x = tg.checkpoint(lambda x, part=functions[start : start + 8]: run(part, x), x)
    return x


def peak(call, functions, back=True):
    x = Variable(data)
    with tg.profile() as p:
        y = call(functions, x)
        if back:
            y.sum().backward()
    return p.peak / 1e6, x.grad


measured = {"64 tanh": peak(run, tanhs)}
with tg.no_grad():
    measured["64 tanh, no_grad"] = peak(run, tanhs, back=False)
measured["64 tanh, 8 checkpoints"] = peak(in_blocks, tanhs)
measured["64 additions"] = peak(run, additions)

for name, (megabytes, _) in measured.items():
    print(f"{name:24} {megabytes:6.1f} MB")

figure, axes = plt.subplots(figsize=(6, 2.4), layout="constrained")
axes.barh(list(measured), [megabytes for megabytes, _ in measured.values()])
axes.invert_yaxis()
axes.set(xlabel="most memory at once (MB)")
plt.show()

# %%
# ``no_grad`` needs two arrays at a time: what comes in and what goes out. In between
# lies ``tg.checkpoint``: it keeps only what goes into a block, and computes the block
# again when ``backward`` gets there. Eight blocks of eight layers keep eight arrays,
# and those of one block at a time. Every layer is computed twice; the gradient is the
# same.

kept, computed_again = measured["64 tanh"], measured["64 tanh, 8 checkpoints"]
assert np.array_equal(kept[1].data, computed_again[1].data)
assert computed_again[0] < kept[0] / 3
assert measured["64 tanh, no_grad"][0] < 3 * data.nbytes / 1e6

# %%
# What you have now
# -----------------
#
# - Graphs have no cycles. An array goes when nobody needs it, and a ``backward`` frees
#   what it has used.
# - ``retain_graph`` and ``retain_grad`` keep more; ``no_grad`` and ``checkpoint`` keep
#   less.
# - ``tg.profile()`` measures memory, and time as well.
#
# **More**: `tensorgrad.checkpoint`, `tensorgrad.profile`. Next: :doc:`05_operators`.
