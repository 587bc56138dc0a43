"""
1. A box for an array
=====================

Gradients need a place to live. In tensorgrad that place is the ``Variable``: a box
with an array in it, and room for what we will want to know about the array later.

**What you learn**

- what a ``Variable`` holds, and what it refuses;
- which library computes when you calculate with Variables;
- why code that was written for arrays runs on Variables as it stands.

You need to know Python and NumPy. (Steps 1, 9 and 19 of the book.)
"""

# %%
# An array in a box
# -----------------
#
# Every page begins with the same imports: NumPy for arrays, matplotlib for pictures,
# and tensorgrad.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Variable

data = np.array([1.0, 2.0, 3.0])
x = Variable(data, name="x")
print(x)
print("the array itself:", x.data)
print("no copy was made:", x.data is data)

# %%
# ``x.data`` is the array that you put in, not a copy of it. What you know from arrays
# can be asked of the box too, and there are two things that an array does not have: a
# name, and a place for a gradient. That place is empty so far.

print("shape", x.shape, "| axes", x.ndim, "| elements", x.size, "| type", x.dtype)
print("name", x.name, "| gradient", x.grad)

# %%
# A box can be given another array. Nothing else about it changes.

x.data = np.array([10.0, 20.0])
print(x)

# %%
# Only arrays go in
# -----------------
#
# A number or a list is no array, and a box that took either would have to guess: which
# library, which type? So it refuses, and says what to do.

try:
    Variable(1.0)
except TypeError as error:
    print(error)

# %%
# ``np.array(1.0)`` is an array with no axes, which is how a single number is written
# here.

half = Variable(np.array(0.5))
print(half, half.shape, half.item())

# %%
# Calculating
# -----------
#
# The operators and functions that you use on arrays work on boxes, and give boxes.

x = Variable(np.array([1.0, 2.0, 3.0]))
y = 2.0 * x**2 + 1.0
print(y)
print(tg.sqrt(y))

# %%
# Types are kept. In float32, a Python number such as ``2.0`` goes along with the array:
# nothing becomes float64 behind your back.

small = Variable(np.array([1.0, 2.0], dtype=np.float32))
print((2.0 * small + 1.0).dtype)

# %%
# The array decides who computes
# ------------------------------
#
# tensorgrad has no array type of its own. It takes the arrays of NumPy, CuPy, PyTorch,
# JAX, dpnp, Dask and others, and every operation is done by the library that its array
# came from. ``v.to(name)`` moves a box to another library. Here it is array-api-strict
# (``pip install array-api-strict``), a small one that has exactly what the
# `Array API standard <https://data-apis.org/array-api/latest/>`_ asks for and nothing
# more.

moved = x.to("array_api_strict")
square = moved * moved
print(type(x.data).__module__, "->", type(square.data).__module__)

# %%
# Two libraries in one calculation would need a copy from one to the other. That can be
# slow, so it never happens silently.

try:
    x + moved
except TypeError as error:
    print(error)

# %%
# A box is an array, too
# ----------------------
#
# The standard lets any array say which functions belong to it, by
# ``x.__array_namespace__()``. Code that begins with this question runs on every
# library. Here is the softplus function, :math:`\log(1 + e^x)`, in a form that does not
# overflow for large :math:`x`:


def softplus(x):
    xp = x.__array_namespace__()
    return xp.log1p(xp.exp(-xp.abs(x))) + (x + xp.abs(x)) / 2


print(softplus(np.array([-1000.0, 0.0, 1000.0])))
print(softplus(Variable(np.array([-1000.0, 0.0, 1000.0]))))

# %%
# ``softplus`` knows nothing of tensorgrad, and yet it takes a Variable: a Variable
# answers the question as arrays do. What it answers with is a set of functions that
# compute the same *and remember how*. That memory is what the box is for, and what the
# next page is about.
#
# Here is what it leads to. We ask for the values of softplus, and with one more line
# for its slope everywhere. We never wrote down a derivative.

x = Variable(np.linspace(-6.0, 6.0, 121))
y = softplus(x)
y.sum().backward()

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.plot(x.data, y.data, label="softplus")
axes.plot(x.data, x.grad.data, label="its slope")
axes.set(xlabel="x")
axes.grid(alpha=0.3)
axes.legend()
plt.show()

# %%
# The slope of softplus is known: it is the sigmoid, :math:`1 / (1 + e^{-x})`. Are we
# right?

sigmoid = 1.0 / (1.0 + np.exp(-x.data))
error = np.abs(x.grad.data - sigmoid).max()
print(f"largest difference: {error:.1e}")
assert error < 1e-12

# %%
# What you have now
# -----------------
#
# - ``Variable(array)``: the array in ``data``, a place for the gradient in ``grad``, a
#   ``name``.
# - The array's own library computes, and its types are kept.
# - Code for the Array API runs on Variables, and its derivative comes with it.
#
# **More**: `tensorgrad.Variable` in the reference. Next: :doc:`02_functions`.
