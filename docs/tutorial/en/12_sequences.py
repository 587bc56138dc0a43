"""
12. Sequences, and where to go from here
========================================

A wave, a text, a melody: what comes next depends on what came before. A *recurrent*
network carries a memory from step to step. A *transformer* looks back at everything
at once. We train a small one of each, and then look at the road that lies behind and
at the one ahead.

**What you learn**

- a recurrent layer, and backpropagation through time;
- why the graph is cut now and then, and how;
- a GPT in miniature;
- which of the book's steps is on which page.

(Steps 59 and 60 of the book.)
"""

# %%
# A layer with a memory
# ---------------------
#
# ``L.RNN`` computes :math:`h \leftarrow \tanh(x W_x + h W_h + b)`: from the input, and
# from its own state ``h``, which it keeps between calls. The same input gives another
# output the second time.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers

tg.seed(0)
rnn = L.RNN(3)
x = np.ones((1, 1), np.float32)
print("first: ", rnn(x))
print("second:", rnn(x))
rnn.reset_state()
print("first: ", rnn(x))

# %%
# Backwards through time
# ----------------------
#
# The state is a Variable, so the graph goes on from step to step: the third output
# depends on the first input by way of the state. Nothing new is needed to differentiate
# that. It is a deep graph, and its weights are used many times, so their gradients are
# sums.

rnn.reset_state()
inputs = [tg.Variable(np.ones((1, 1), np.float32)) for _ in range(12)]
for x in inputs:
    y = rnn(x)
F.sum(y).backward()
influence = [abs(x.grad.item()) for x in inputs]

figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
axes.bar(range(-11, 1), influence)
axes.set(xlabel="step, seen from the last", ylabel="size of the gradient", yscale="log")
plt.show()

# %%
# The farther back, the smaller the influence: at each step back the gradient is
# multiplied by the weights and by the slope of ``tanh``. That is why such a network
# forgets, and why the LSTM was invented: it has a second state to which it mostly adds,
# and through a sum gradients pass unchanged.
#
# Predicting a wave
# -----------------
#
# Our data are a wave of 25 points per period, with noise. The label of each point is
# the next point. ``SeqDataLoader`` reads them in order, at several places at once: the
# rows of a batch are 20 readers that start at different points.
#
# A graph over all the steps would be long, and its gradients from far back are of
# little use. So after every 10 steps we update, and cut: ``unchain_backward`` takes the
# past out of the graph. The state keeps its *value*. This is called truncated
# backpropagation through time.


class Wave(tg.Dataset):
    def prepare(self):
        noise = np.random.default_rng(0).uniform(-0.1, 0.1, 1001)
        points = np.sin(2 * np.pi * np.arange(1001) / 25) + noise
        points = points.astype(np.float32)[:, np.newaxis]
        self.data, self.label = points[:-1], points[1:]


class Forecast(tg.Model):
    def __init__(self):
        super().__init__()
        self.rnn = L.LSTM(16)
        self.out = L.Linear(1)

    def forward(self, x):
        return self.out(self.rnn(x))


tg.seed(2)
wave = Wave()
loader = tg.SeqDataLoader(wave, batch_size=20)
model = Forecast()
optimizer = optimizers.Adam(0.02).setup(model)

losses = []
for _ in range(20):
    model.reset_state()
    loss, total = 0.0, 0.0
    for step, (x, t) in enumerate(loader, start=1):
        loss = loss + F.mean_squared_error(model(x), t)
        if step % 10 == 0:
            model.cleargrads()
            loss.backward()
            loss.unchain_backward()
            optimizer.update()
            total += loss.item()
            loss = 0.0
    losses.append(total / len(loader))

repeating = np.mean((wave.label - wave.data) ** 2)
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
print(f"to repeat the last point: {repeating:.4f}; the noise alone: {0.1**2 / 3:.4f}")

# %%
# The network does much better than one that says "as before", and comes near what the
# noise allows. Has it understood what a wave is? We show it 50 points, and then let it
# run on its own: what it says is its next input.

model.reset_state()
said = []
with tg.no_grad():
    for point in wave.data[:50]:
        y = model(point[np.newaxis])
    for _ in range(100):
        said.append(y.item())
        y = model(y)
clean = np.sin(2 * np.pi * np.arange(50, 150) / 25)
error = np.abs(np.array(said) - clean).mean()

figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
axes.plot(wave.data[:50], ".", color="gray", label="shown")
axes.plot(np.arange(50, 150), said, label="said")
axes.plot(np.arange(50, 150), clean, ":", label="the wave without noise")
axes.set(xlabel="step")
axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
plt.show()

print(f"mean error of the free run over four periods: {error:.3f}")
assert losses[-1] < repeating / 5
assert error < 0.15

# %%
# For whole sequences, ``L.NStepLSTM`` and its kin do all the steps in one call, which
# is much faster. The book's wave is ``tg.datasets.SinCurve``; ``examples/sin_curve.py``
# trains on it.
#
# A GPT in miniature
# ------------------
#
# A transformer has no state. At each place it looks at all the places before and
# decides, by *attention*, which of them matter. ``models.GPT`` is such a network. From
# the tokens so far it gives the scores of the next one: a classifier, as on page 9, at
# every place of a text at once.
#
# Our texts have ten tokens, the digits, and one rule: each digit is the one that stood
# four places earlier. The network does not know the rule; it sees examples.

rng = np.random.default_rng(0)


def texts(count):
    return np.tile(rng.integers(0, 10, (count, 4)), (1, 3))


tg.seed(0)
gpt = tg.models.GPT(10, context=12, size=32, n_layers=1, n_heads=2)
optimizer = optimizers.Adam(0.02).setup(gpt)
curve = []
for _ in range(60):
    text = texts(32)
    scores = gpt(text[:, :-1])[:, 3:]
    loss = F.softmax_cross_entropy(scores.reshape(-1, 10), text[:, 4:].reshape(-1))
    gpt.cleargrads()
    loss.backward()
    optimizer.update()
    curve.append(loss.item())

figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
axes.plot(curve)
axes.axhline(np.log(10), color="gray", linewidth=1)
axes.set(xlabel="step", ylabel="loss (nats)", title="gray: what guessing costs")
plt.show()

written = gpt.generate([[3, 1, 4, 1], [2, 7, 1, 8], [0, 0, 0, 9]], 8, temperature=0)
for text in written:
    print(*text)
assert np.array_equal(written, np.tile(written[:, :4], (1, 3)))

# %%
# What comes after the fourth digit was written by the network. The first four digits
# are random, so nothing can be learned about them, and the loss counts the others
# alone. ``generate`` appends one token after the other. The same network, with letters
# for digits and a page of text for the rule, writes sentences: ``examples/text.py``.
#
# The road behind
# ---------------
#
# ======================= ============================
# Steps of the book       Page
# ======================= ============================
# 1, 9, 19                :doc:`01_box`
# 2, 3, 5 to 8            :doc:`02_functions`
# 4, 10 to 16             :doc:`03_branches`
# 17, 18                  :doc:`04_memory`
# 20 to 28                :doc:`05_operators`
# 29 to 36                :doc:`06_higher_order`
# 37 to 41                :doc:`07_tensors`
# 42 to 45                :doc:`08_regression`
# 46 to 48                :doc:`09_classes`
# 49 to 51, 53, 54        :doc:`10_digits`
# 52, 55 to 58            :doc:`11_convolution`
# 59, 60                  this page
# ======================= ============================
#
# The overview has a table of all sixty, one by one. And the scripts of the book run as
# they are: ``python -m tensorgrad.dezero steps/step60.py``.
#
# The road ahead
# --------------
#
# - ``examples/`` has whole programs: MNIST by a CNN, text by an LSTM and a GPT, a GAN,
#   a variational autoencoder, Grad-CAM, style transfer, an ODE fitted to data. Each
#   runs in minutes on a CPU.
# - ``tg.Trainer`` does the loop, with checkpoints, logs and curves;
#   ``tensorgrad.distributed`` spreads it over processes.
# - ``tg.profile`` says where time and memory go, ``tg.debug`` where a nan comes from.
# - ``ARCHITECTURE.md`` describes on one page how the library is built. After these
#   twelve pages it reads easily.
#
# What you have now
# -----------------
#
# - Networks with memory and networks with attention, trained by the loop of page 8.
# - The whole way from a box with a number in it to a network that writes.
#
# **More**: `tensorgrad.layers.LSTM`, `tensorgrad.models.GPT`, `tensorgrad.Trainer`.
