"""
6. Derivatives of derivatives
=============================

The gradient is computed by a calculation. A calculation can have a graph. So a
gradient can be differentiated again, and what comes out of that as well, as often as
you like.

**What you learn**

- ``create_graph=True``, the one word that it takes;
- what Newton's method gains by a second derivative;
- what happens to the graph as the order grows;
- ``tg.grad``, ``tg.hessian`` and ``tg.hvp``, which do the same to functions.

(Steps 29 to 36 of the book.)
"""

# %%
# A backward that is recorded
# ---------------------------
#
# ``backward`` multiplies and adds. With ``create_graph=True`` it does so with
# Variables, and leaves a graph behind. Then ``x.grad`` is not just a number in a box:
# it has a creator, and a ``backward`` of its own.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import Variable
from tensorgrad import functions as F

x = Variable(np.array(2.0))
y = x**3
y.backward(create_graph=True)
gx = x.grad
print("3 x^2 =", gx.item(), "| made by", type(gx.creator).__name__)

x.cleargrad()
gx.backward()
print("6 x   =", x.grad.item())
assert x.grad.item() == 12.0

# %%
# ``cleargrad`` is needed in between. Without it the second derivative would be added to
# the first.
#
# All the derivatives of the sine
# -------------------------------
#
# The sine's derivatives go round in a circle: :math:`\sin, \cos, -\sin, -\cos`, and
# again :math:`\sin`. Let ``backward`` find that out.

x = Variable(np.linspace(-np.pi, np.pi, 200))
y = F.sin(x)
curves = [y.data]
y.sum().backward(create_graph=True)
for _ in range(4):
    gx = x.grad
    curves.append(gx.data)
    x.cleargrad()
    gx.sum().backward(create_graph=True)

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for order, curve in enumerate(curves[:4]):
    axes.plot(x.data, curve, label=f"order {order}")
axes.set(xlabel="x", title="sin x and its derivatives")
axes.grid(alpha=0.3)
axes.legend(loc="upper right")
plt.show()

print("order 4 is the sine again:", np.allclose(curves[4], np.sin(x.data)))
assert np.allclose(curves[3], -np.cos(x.data))
assert np.allclose(curves[4], np.sin(x.data))

# %%
# Newton's method
# ---------------
#
# Gradient descent knows in which direction it goes down, but not how far. The second
# derivative says how the slope changes, and so where it would be 0 if the function were
# a parabola. Newton's method jumps there:
#
# .. math:: x \leftarrow x - \frac{f'(x)}{f''(x)}
#
# We minimise :math:`f(x) = e^x - 2x`, whose minimum is at :math:`\log 2`.


def f(x):
    return tg.exp(x) - 2 * x


newton, x = [], Variable(np.array(3.0))
for _ in range(7):
    newton.append(abs(x.item() - np.log(2)))
    x.cleargrad()
    f(x).backward(create_graph=True)
    slope = x.grad
    x.cleargrad()
    slope.backward()
    x.data = x.data - slope.data / x.grad.data

descent, x = [], Variable(np.array(3.0))
for _ in range(60):
    descent.append(abs(x.item() - np.log(2)))
    x.cleargrad()
    f(x).backward()
    x.data = x.data - 0.1 * x.grad.data

figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
axes.semilogy(descent, label="gradient descent, step 0.1")
axes.semilogy(newton, "o-", label="Newton")
axes.set(xlabel="step", ylabel="distance from the minimum")
axes.grid(alpha=0.3)
axes.legend()
plt.show()

print("Newton: ", *(f"{error:.0e}" for error in newton))
assert newton[-1] < 1e-6 < descent[20]

# %%
# Near the minimum, each step of Newton's doubles the number of right digits. That is
# worth the second derivative, where there are few unknowns. For a million weights the
# second derivatives are a million by a million numbers; so neural nets are trained by
# the first.
#
# Functions instead of boxes
# --------------------------
#
# ``tg.grad(f)`` is the function that gives the gradient of ``f``. It takes arrays and
# gives arrays, nothing has to be cleared, and it can be applied to its own result.

third = tg.grad(tg.grad(tg.grad(np.sin)))
print("minus cos 0.5:", third(np.array(0.5)), -np.cos(0.5))

# %%
# With several unknowns the second derivatives are a matrix, the *Hessian*. Here it
# makes short work of Rosenbrock's function, a narrow bent valley in which gradient
# descent needs thousands of steps.


def rosenbrock(p):
    x, y = p[0], p[1]
    return 100 * (y - x**2) ** 2 + (1 - x) ** 2


p = np.array([-1.2, 1.0])
for step in range(7):
    print(f"step {step}: ({p[0]:8.5f}, {p[1]:8.5f})  value {rosenbrock(p):.1e}")
    p = p - np.linalg.solve(tg.hessian(rosenbrock)(p), tg.grad(rosenbrock)(p))
assert np.allclose(p, [1.0, 1.0])

# %%
# Often the matrix itself is not needed, only its product with a direction. ``tg.hvp``
# computes that without the matrix, at the cost of a few gradients. So it works for a
# million unknowns too.

direction = np.array([1.0, -1.0])
(product,) = tg.hvp(rosenbrock, [p], [direction])
print("Hessian times direction:", product, "|", tg.hessian(rosenbrock)(p) @ direction)
assert np.allclose(product, tg.hessian(rosenbrock)(p) @ direction)

# %%
# A derivative within a formula
# -----------------------------
#
# Since a gradient is an ordinary box, it can be part of a formula, and the formula can
# be differentiated. This is called *double backpropagation*. For instance, some
# networks are trained with a penalty on steep slopes. In small: minimise
# :math:`y^2 + (dy/dx)^2` for :math:`y = x^2`, that is :math:`x^4 + 4 x^2`.

x = Variable(np.array(3.0))
y = x**2
y.backward(create_graph=True)
gx = x.grad

penalised = y**2 + gx**2
x.cleargrad()
penalised.backward()
print("4 x^3 + 8 x =", x.grad.item())
assert x.grad.item() == 4 * 3.0**3 + 8 * 3.0

# %%
# The graph grows
# ---------------
#
# What does it cost? Let us count the Functions in the graphs of the derivatives of
# ``tanh``. Each derivative is a calculation over all that came before.


def graph_of(v):
    place, arrows, rows, stack = {}, [], {}, [v.creator]
    while stack:
        node = stack.pop()
        if node not in place:
            row = rows[node.generation] = rows.get(node.generation, 0) + 1
            place[node] = (node.generation, row)
            above = [v.creator for v in node.inputs if v.creator is not None]
            arrows += [(start, node) for start in above]
            stack += above
    return place, arrows


x = Variable(np.linspace(-3, 3, 121))
derivatives = [F.tanh(x)]
for _ in range(5):
    x.cleargrad()
    derivatives[-1].sum().backward(create_graph=True)
    derivatives.append(x.grad)
sizes = [len(graph_of(v)[0]) for v in derivatives]

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for order, v in enumerate(derivatives[:4]):
    left.plot(x.data, v.data, label=f"order {order}")
left.set(xlabel="x", title="tanh and its derivatives")
left.legend()
right.bar(range(6), sizes)
right.set(xlabel="order of the derivative", title="Functions in its graph")
plt.show()

print("Functions:", sizes)
assert sizes[-1] > 20 * sizes[1]

# %%
# It grows by a factor at every order. Nothing is wrong there: the formula for the fifth
# derivative of ``tanh``, written out, is as long. Second derivatives are cheap, sixth
# ones are not.
#
# ``graph_of`` also noted where each Function stands: a column for each generation, as
# on the last page. So here is the third derivative of ``tanh``, every Function of it.

place, arrows = graph_of(derivatives[3])
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
for start, end in arrows:
    axes.plot(*zip(place[start], place[end], strict=True), color="gray", linewidth=0.8)
for node, where in place.items():
    look = {"boxstyle": "round", "facecolor": "#bcd7ee"}
    axes.text(*where, type(node).__name__, ha="center", va="center", bbox=look)
axes.axis("off")
plt.show()

# %%
# All of it was made by ``backward``; we wrote ``tanh``. Larger graphs are better looked
# at in the browser: ``plot_dot_graph(derivatives[5], to_file="graph.html")``.
#
# Why does this work with *every* function? Each ``backward`` in the library is written
# with operators and functions that work on arrays as well as on Variables. A plain
# backward hands them arrays, which is fast. A recorded one hands them Variables. There
# is no second set of formulas that could be wrong.
#
# What you have now
# -----------------
#
# - ``backward(create_graph=True)`` makes gradients that have a graph, to any order.
# - ``tg.grad``, ``tg.jacobian``, ``tg.hessian`` and ``tg.hvp`` turn functions into
#   functions.
# - Gradients can be part of a formula.
#
# **More**: `tensorgrad.grad`, `tensorgrad.hessian`, `tensorgrad.hvp`. Next:
# :doc:`07_tensors`.
