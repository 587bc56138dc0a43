"""
2. Functions and the graph
==========================

A gradient is computed by going backwards through a calculation. For that, somebody
must remember the calculation. On this page we first do this by hand, then let objects
do it, and then the library.

**What you learn**

- the chain rule as a walk from the result back to the input;
- how to write a ``Function`` with its derivative;
- what the graph is, and what ``backward`` does with it.

(Steps 2, 3 and 5 to 8 of the book.)
"""

# %%
# By hand
# -------
#
# The bell curve :math:`y = e^{-x^2}` is three small steps, one after the other:
#
# .. math:: a = x^2, \qquad b = -a, \qquad y = e^b
#
# Forwards, each step uses the result of the one before.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Function, Variable

x = 0.5
a = x**2
b = -a
y = np.exp(b)
print(f"a = {a}, b = {b}, y = {y:.6f}")

# %%
# Backwards, we ask at every place: if this value grows by a little, how much does
# :math:`y` grow? For :math:`y` itself the answer is 1. For the others it is the answer
# of the place that follows, times the derivative of the step in between. That is the
# chain rule, read from the left:
#
# .. math::
#
#    \frac{dy}{dx} = \frac{dy}{dy} \, \frac{dy}{db} \, \frac{db}{da} \, \frac{da}{dx}

gy = 1.0
gb = gy * np.exp(b)  # the derivative of exp is exp
ga = gb * -1.0
gx = ga * 2 * x
print(f"gb = {gb:.6f}, ga = {ga:.6f}, gx = {gx:.6f}")
print(f"by the formula, -2 x exp(-x^2): {-2 * x * np.exp(-(x**2)):.6f}")

# %%
# Two things are worth a second look. The walk back needs values from the way there:
# ``b`` and ``x``. And each line needs to know only its own step. So a step can be an
# object that computes forwards, keeps what it needs, and knows the way back.
#
# A step as an object
# -------------------
#
# That object is a ``Function``. ``forward`` gets arrays and returns an array.
# ``backward`` gets the gradient of the output and returns that of the input. It finds
# its inputs in ``self.inputs``.


class Square(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        (x,) = self.inputs
        return gy * 2 * x


class Negative(Function):
    def forward(self, x):
        return -x

    def backward(self, gy):
        return -gy


class Exponential(Function):
    def forward(self, x):
        return self.xp.exp(x)

    def backward(self, gy):
        (x,) = self.inputs
        return gy * tg.exp(x)


# %%
# ``self.xp`` is the library of the array that came in: with it the function runs on
# every library. An object is called like a function, on boxes.

x = Variable(np.array(0.5), name="x")
y = Exponential()(Negative()(Square()(x)))
print(y)

# %%
# The trace that a calculation leaves
# -----------------------------------
#
# The result is a box, and the box knows where it came from: ``creator`` is the Function
# that made it. The Function knows its ``inputs``, which are boxes again. So the
# calculation can be followed upwards, from the result to ``x``:

v = y
while v.creator is not None:
    (source,) = v.creator.inputs
    maker = type(v.creator).__name__
    print(f"{v.item():9.6f} was made by {maker:11} from {source.item():9.6f}")
    v = source
print("the walk ends at", v.name)

# %%
# Boxes, and Functions between them: that is the *graph* of the calculation. Nobody
# declared it. It came about while Python ran, and that is called *define-by-run*. Loops
# and branches need no special form, since the graph has what was executed and nothing
# else.
#
# The walk back
# -------------
#
# With the graph, the walk that we did by hand is a loop of three lines. ``gradient``
# begins with 1, and each Function turns the gradient of its output into that of its
# input.

gradient = Variable(np.array(1.0))
v = y
while v.creator is not None:
    gradient = v.creator.backward(gradient)
    (v,) = v.creator.inputs
    print(f"gradient {gradient.item():9.6f}")

# %%
# These are the numbers from above. The library's own loop is ``backward``, and it puts
# the result where the first page left room for it.

y.backward()
print("x.grad =", x.grad.item())
assert np.isclose(x.grad.item(), gx)

# %%
# Ready-made Functions
# --------------------
#
# Of course these three exist already, with more than two hundred others: as operators,
# in ``tensorgrad`` under the names of the Array API, and in ``tensorgrad.functions``
# with all that neural nets need. What we wrote as classes is one line.


def bell(x):
    return tg.exp(-(x**2))


x = Variable(np.linspace(-3, 3, 121))
y = bell(x)
y.sum().backward()

point = Variable(np.array(0.5))
value = bell(point)
value.backward()
tangent = value.item() + point.grad.item() * (x.data - 0.5)

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.plot(x.data, y.data, label="y")
axes.plot(x.data, x.grad.data, label="dy/dx")
near = np.abs(x.data - 0.5) < 0.8
axes.plot(x.data[near], tangent[near], "k--", label="tangent at 0.5")
axes.set(xlabel="x")
axes.grid(alpha=0.3)
axes.legend()
plt.show()

# %%
# The sum before ``backward`` is a small trick that we will use often. Each element of
# ``y`` depends on its own element of ``x`` only, so the gradient of the sum has all 121
# slopes at once.
#
# Depth is no limit
# -----------------
#
# A first implementation of ``backward`` would call itself, and Python stops that after
# about a thousand levels. Here it is a loop. Ten thousand Functions in a row are no
# problem:

x = Variable(np.array(1.0))
y = x
for _ in range(10_000):
    y = y * 1.0001
y.backward()
print(f"{x.grad.item():.6f}, and 1.0001 to the power of 10,000 is {1.0001**10_000:.6f}")
assert np.isclose(x.grad.item(), 1.0001**10_000)

# %%
# Loops and branches
# ------------------
#
# A loop whose length depends on a value is an ordinary loop, and an ``if`` an ordinary
# ``if``. Here is Newton's method for the square root, which goes on until the result is
# precise enough. The derivative is that of the path that was taken. It should be
# :math:`\frac{1}{2\sqrt{x}}`.


def root(x):
    guess, steps = x, 0
    while abs((guess * guess - x).item()) > 1e-10 * x.item():
        guess = (guess + x / guess) / 2
        steps += 1
    return guess, steps


for number in (2.0, 9.0, 100.0):
    x = Variable(np.array(number))
    y, steps = root(x)
    y.backward()
    print(f"root {y.item():9.6f} after {steps} steps, slope {x.grad.item():.6f}")
    assert np.isclose(x.grad.item(), 0.5 / np.sqrt(number))

# %%
# What you have now
# -----------------
#
# - A ``Function`` has ``forward`` on arrays and ``backward`` on gradients.
# - Boxes remember their ``creator``, Functions their ``inputs``; together they are the
#   graph.
# - ``y.backward()`` walks it from the result to the *leaves*, the boxes that you made
#   yourself, and fills their ``grad``.
#
# **More**: `tensorgrad.Function` in the reference. Next: :doc:`03_branches`.
