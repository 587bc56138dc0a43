"""
5. Operators, pictures, and the way downhill
============================================

Formulas should look like formulas. This page shows what you can write, draws the
graph of what you have written, and uses gradients for the first time for what they
are most often used for: to find a minimum.

**What you learn**

- operators, NumPy's functions, plain arrays and numbers, all in one formula;
- where things are in the package;
- how to draw a graph;
- gradient descent.

(Steps 20 to 28 of the book.)
"""

# %%
# Mixed company
# -------------
#
# A Variable gets on with numbers and with arrays of its library, on either side. ``@``
# is the product of matrices. NumPy's own functions work too: they see a Variable among
# their arguments and hand the work over.

import matplotlib.pyplot as plt
import numpy as np

from tensorgrad import Variable
from tensorgrad.utils import get_dot_graph

x = Variable(np.array([1.0, 4.0, 9.0]))
weights = np.array([0.5, 0.25, 0.25])

print(1.0 / x)
print(weights * x)
print(weights @ x)
print(np.sqrt(x), "by NumPy's own sqrt")

# %%
# All four are boxes with a creator. The numbers and the plain array are constants: no
# gradient is computed for what nobody could read.
#
# How does ``weights * x`` work at all, with NumPy's array on the left? Python asks the
# left one first. But a Variable has the method ``__array_ufunc__``, which NumPy's
# functions look for among their arguments, and to which they leave the work.
#
# An update in place is part of the graph, too. ``v += 1`` and ``v[0] = 5`` compute a
# new value that the handle moves on to; what was computed earlier keeps the old one, so
# gradients stay right.

y = x * 1.0
z = y * y
y += 100.0
z.sum().backward()
print("y is now", y)
print("the gradient is that of the old y, 2 x:", x.grad)

# %%
# Where things are
# ----------------
#
# - ``import tensorgrad as tg``: ``Variable``, modes, and the Array API: ``tg.exp``,
#   ``tg.linalg.inv``
# - ``tensorgrad.functions as F``: every function that has a derivative, those of neural
#   nets too
# - ``tensorgrad.layers as L``: functions that bring their own parameters
# - ``tensorgrad.models``: whole networks
# - ``tensorgrad.optimizers``: rules that change parameters by their gradients
# - ``tensorgrad.datasets``: data, and ``tensorgrad.DataLoader`` to go through them
# - ``tensorgrad.testing``: ``check_gradients`` and ``assert_close``
# - ``tensorgrad.utils``: pictures of graphs, and what else readers of the book know
#
# In a terminal, ``python -m tensorgrad`` prints which array libraries were found, and
# what is missing.
#
# A function with hills and valleys
# ---------------------------------
#
# Himmelblau's function is a common test for programs that look for minima. It has four
# of them, each with the value 0.
#
# .. math:: f(x, y) = (x^2 + y - 11)^2 + (x + y^2 - 7)^2


def himmelblau(x, y):
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


x, y = Variable(np.array(1.0), name="x"), Variable(np.array(2.0), name="y")
f = himmelblau(x, y)
f.name = "f"
f.backward(retain_graph=True)
print("value", f.item(), "| slopes", x.grad.item(), y.grad.item())
assert x.grad.item() == -36.0  # by the formula, with pencil and paper
assert y.grad.item() == -32.0

# %%
# Its graph as a picture
# ----------------------
#
# ``plot_dot_graph(f, to_file="f.html")`` in ``tensorgrad.utils`` writes the graph as a
# page for the browser, to zoom and click in: every Function with its inputs, shape,
# type and memory. With ``"f.svg"`` it draws a plain picture by
# `Graphviz <https://graphviz.org>`_, if that is installed. The text that Graphviz gets
# can be had without it:

print(get_dot_graph(x * y, verbose=False))

# %%
# And since the graph consists of plain objects, it takes no more than thirty lines to
# draw one ourselves. A column for each generation; Functions as boxes, the leaves as
# circles.


def draw(output, axes):
    place, rows, edges, stack = {}, {}, [], [output]
    while stack:
        v = stack.pop()
        node = v.creator or v
        if node in place:
            continue
        row = rows[v.generation] = rows.get(v.generation, 0) + 1
        place[node] = (v.generation, -row)
        for source in v.creator.inputs if v.creator else ():
            if source.requires_grad:
                edges.append((source.creator or source, node))
                stack.append(source)
    for start, end in edges:
        arrow = {"arrowstyle": "->", "color": "gray", "shrinkA": 16, "shrinkB": 16}
        axes.annotate("", place[end], place[start], arrowprops=arrow)
    for node, where in place.items():
        look = {"boxstyle": "round", "facecolor": "#bcd7ee"}
        label = type(node).__name__
        if isinstance(node, Variable):
            look, label = {"boxstyle": "circle", "facecolor": "#f2c48d"}, node.name
        axes.text(*where, label, ha="center", va="center", bbox=look)
    axes.set(xlim=(-1, output.generation + 1), ylim=(-max(rows.values()) - 1, 0))
    axes.axis("off")
    return len(place)


figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
drawn = draw(f, axes)
axes.set_title("Himmelblau's function, from the leaves to its value")
plt.show()

# %%
# The graph of a loop
# -------------------
#
# A graph is as long as the calculation was. The sine as a power series, for example,
# needs more terms the more precise it is to be:
#
# .. math:: \sin x = x - \frac{x^3}{3!} + \frac{x^5}{5!} - \dots
#
# The loop stops when a term is too small to matter. ``generation`` of the result tells
# how many Functions lie on the longest way to ``x``.


def sine(x, tolerance):
    total = term = x
    n = 1
    while abs(term.item()) > tolerance:
        term = -term * x * x / ((n + 1) * (n + 2))
        total = total + term
        n += 2
    return total


for tolerance in (0.1, 1e-4, 1e-12):
    x = Variable(np.array(2.0))
    y = sine(x, tolerance)
    y.backward()
    value, slope = abs(y.item() - np.sin(2.0)), abs(x.grad.item() - np.cos(2.0))
    print(f"depth {y.generation:2}: value off by {value:.0e}, slope by {slope:.0e}")

# %%
# Downhill
# --------
#
# The gradient points to where a function grows fastest. A small step against it leads
# down. That, repeated, is *gradient descent*, and neural nets are trained by it. We
# start at four places.

figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
grid = np.meshgrid(np.linspace(-5, 5, 101), np.linspace(-5, 5, 101))
heights = np.log1p(himmelblau(*grid))
axes.contour(*grid, heights, levels=20, cmap="Blues_r", linewidths=0.8)

ends = []
for start in [(0.5, 0.5), (-1.0, 1.0), (-0.5, -1.0), (0.5, -1.5)]:
    x, y = Variable(np.array(start[0])), Variable(np.array(start[1]))
    path = [start]
    for _ in range(150):
        f = himmelblau(x, y)
        x.cleargrad()
        y.cleargrad()
        f.backward()
        x.data = x.data - 0.005 * x.grad.data
        y.data = y.data - 0.005 * y.grad.data
        path.append((x.item(), y.item()))
    axes.plot(*zip(*path, strict=True), ".-", markersize=3)
    ends.append((x.item(), y.item()))
    print(f"from {start} to ({x.item():7.4f}, {y.item():7.4f}), value {f.item():.1e}")
axes.set(xlabel="x", ylabel="y")
plt.show()

assert len({(round(a), round(b)) for a, b in ends}) == 4
assert max(himmelblau(a, b) for a, b in ends) < 1e-6

# %%
# Note that ``himmelblau`` served three purposes here: with numbers in the last line,
# with arrays for the contours, and with Variables for the gradients. It knows nothing
# of any of them.
#
# Four starts, four valleys: descent finds the bottom of the valley that it stands in,
# and cannot say whether there is a deeper one. The update was made on ``x.data``, so it
# is not part of any graph.
#
# What you have now
# -----------------
#
# - Formulas with Variables look like formulas with arrays.
# - ``plot_dot_graph`` shows a graph; ``creator``, ``inputs`` and ``generation`` are
#   there for your own tools.
# - Forward, ``cleargrad``, ``backward``, a step against the gradient: the loop that all
#   training is made of.
#
# **More**: `tensorgrad.functions`, `tensorgrad.utils`, `tensorgrad.graphs`. Next:
# :doc:`06_higher_order`.
