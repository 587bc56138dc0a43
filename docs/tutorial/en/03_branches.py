"""
3. Checks, branches and generations
===================================

A derivative that was written by hand can be wrong, so the first thing we need is a
check that is hard to fool. Then the graph gets branches: functions of several values,
values that are used several times, and the order in which to walk back.

**What you learn**

- how a gradient is checked by differences, and how precise that is;
- Functions with several inputs and outputs;
- why gradients are added up, and what ``cleargrad`` is for;
- in which order ``backward`` visits the graph.

(Steps 4 and 10 to 16 of the book.)
"""

# %%
# Derivatives by differences
# --------------------------
#
# A derivative is a limit of slopes, so a slope over a short distance comes near it. The
# slope from :math:`x - h` to :math:`x + h` is better than that from :math:`x` to
# :math:`x + h`. How short should the distance be? Let us try all of them, on
# :math:`e^x` at 1, where the derivative is :math:`e`.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Function, Variable
from tensorgrad.testing import check_gradients

h = np.logspace(-15, 0, 61)
forward = (np.exp(1 + h) - np.exp(1)) / h
central = (np.exp(1 + h) - np.exp(1 - h)) / (2 * h)

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.loglog(h, np.abs(forward - np.e), label="forward difference")
axes.loglog(h, np.abs(central - np.e), label="central difference")
axes.set(xlabel="h", ylabel="error of the derivative")
axes.grid(alpha=0.3)
axes.legend()
plt.show()

best = h[np.argmin(np.abs(central - np.e))]
print(f"best h for the central difference: about {best:.0e}")
assert np.abs(central - np.e).min() < 1e-9

# %%
# The picture shows two errors at work. To the right :math:`h` is too long: the curve
# bends, and the error falls with :math:`h` or, for the central difference, with
# :math:`h^2`. To the left :math:`h` is too short: the two values are nearly equal, and
# their difference consists of rounding. In between, the central difference has about
# ten right digits.
#
# That is plenty for a check, and too little and too slow for everything else: a network
# with a million weights would need two million calculations for one gradient.
# ``backward`` needs one.
#
# A check that is hard to fool
# ----------------------------
#
# ``check_gradients`` compares ``backward`` with central differences, in every element
# of every input. Where they agree it says nothing. Here is a Function with a mistake:
# the factor 2 is missing.


class Square(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        (x,) = self.inputs
        return gy * x


try:
    check_gradients(Square(), [np.array([1.0, -3.0])])
except AssertionError as error:
    print(error)

# %%
# The message names the input, the element and both values.
# ``tensorgrad.utils.gradient_check`` is the same check under the name of the book; it
# returns True or False.
#
# Several inputs, several outputs
# -------------------------------
#
# A point in polar coordinates, :math:`(r, \varphi)`, is
# :math:`(r \cos\varphi, r \sin\varphi)` in the plane. That is one calculation with two
# inputs and two outputs. ``forward`` returns a tuple; ``backward`` gets one gradient
# for each output, and returns one for each input.


class PolarToPlane(Function):
    def forward(self, r, angle):
        return r * self.xp.cos(angle), r * self.xp.sin(angle)

    def backward(self, g0, g1):
        r, angle = self.inputs
        cos, sin = tg.cos(angle), tg.sin(angle)
        return g0 * cos + g1 * sin, r * (g1 * cos - g0 * sin)


r, angle = Variable(np.array(2.0)), Variable(np.array(np.pi / 6))
u, v = PolarToPlane()(r, angle)
print(f"u = {u.item():.4f}, v = {v.item():.4f}")

v.backward()
print(f"dv/dr = {r.grad.item():.4f}, dv/dangle = {angle.grad.item():.4f}")
check_gradients(PolarToPlane(), [np.array([2.0, 0.5]), np.array([0.1, 3.0])])

# %%
# In ``backward`` each input gathers what comes from *all* outputs. ``u`` was not part
# of what we went back from, so its gradient ``g0`` was zero.
#
# Used twice, added twice
# -----------------------
#
# In ``x * x`` both factors are the same box. The product rule gives two contributions,
# and the gradient of ``x`` is their sum. It has to be: if ``x`` grows, it grows in both
# places.

x = Variable(np.array(3.0))
y = x * x
y.backward()
print("by one backward:", x.grad)

# %%
# For the same reason a second ``backward`` adds to what is there. When that is not
# wanted, ``cleargrad`` makes room.

y = x + x
y.backward()
print("6 from before, and 2:", x.grad)

x.cleargrad()
y = x + x
y.backward()
print("after cleargrad:", x.grad)

# %%
# Which one first?
# ----------------
#
# In a chain there is one way back. Here the way splits:
#
# .. math:: a = x^2, \qquad y = a^2 + e^{a}
#
# ``a`` is used by two Functions. If the walk goes on from ``a`` when only one of them
# has reported, half of the gradient is missing, and going there twice would double the
# work at every such place: after thirty of them, a billion visits. So a Function must
# wait until everything that used its output is done.
#
# A number decides that. Each value has a *generation*: 0 for a leaf, and otherwise one
# more than the highest among the inputs of the Function that made it.

x = Variable(np.array(2.0), name="x")
a = x**2
square, exponential = a**2, tg.exp(a)
y = square + exponential
values = {"x": x, "a": a, "a ** 2": square, "exp(a)": exponential, "y": y}
for name, v in values.items():
    print(f"{name:7} generation {v.generation}")

# %%
# ``backward`` always takes the waiting Function whose output has the highest
# generation. What was computed from a value is of a higher generation than the value,
# so by the time a Function's turn comes, its gradient is complete. The waiting ones are
# kept in a heap, which gives out the highest first.

y.backward()
by_hand = (2 * 4 + np.exp(4)) * 2 * 2
print(f"{x.grad.item():.4f}; by hand, (2 a + exp(a)) 2 x: {by_hand:.4f}")
assert np.isclose(x.grad.item(), by_hand)

# %%
# The heap passes the hard test as well. Forty times in a row a value is used twice.
# There are :math:`2^{40}` ways through this graph, about a million millions, and forty
# visits suffice.

x = Variable(np.array(1.0))
y = x
for _ in range(40):
    y = y + y
y.backward()
print("ways:", int(x.grad.item()), "=", 2**40)
assert x.grad.item() == 2**40

# %%
# What you have now
# -----------------
#
# - ``check_gradients(f, inputs)`` finds a wrong derivative and says where it is.
# - Functions may have several inputs and outputs.
# - Gradients are added up; ``cleargrad`` starts again.
# - Generations make sure that each Function is visited once, with its whole gradient.
#
# **More**: `tensorgrad.testing` in the reference. Next: :doc:`04_memory`.
