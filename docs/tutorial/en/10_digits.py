"""
10. Handwritten digits
======================

Now real data: 1,797 images of handwritten digits that come with tensorgrad. The
training loop stays the same. What is new is everything around it.

**What you learn**

- ``Dataset`` and ``DataLoader``: data, piece by piece and in a new order each time;
- why a part of the data is set aside;
- dropout, and the difference between training and testing;
- saving what was learned.

(Steps 49 to 51, 53 and 54 of the book.)
"""

# %%
# Data sets
# ---------
#
# A data set is anything that has a length and gives an example and its label by number.
# ``Dataset`` is a base for your own: set ``data`` and ``label`` in ``prepare``. A
# ``transform`` is applied to each example as it is read.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers


class EvenOrOdd(tg.Dataset):
    def prepare(self):
        self.data = np.arange(10)
        self.label = self.data % 2


example, label = EvenOrOdd()[7]
print(len(EvenOrOdd()), "examples; number 7 is", example, "with the label", label)
example, label = EvenOrOdd(transform=lambda x: x / 10)[7]
print("with a transform:", example, "with the label", label)

# %%
# The digits are 8 x 8 pixels each, ink from 0 to 1, here as rows of 64 numbers. 1,438
# of them are there to train on. The other 359 are set aside.

train_set = tg.datasets.Digits(train=True)
test_set = tg.datasets.Digits(train=False)
print(len(train_set), "and", len(test_set))

figure, axes = plt.subplots(2, 10, figsize=(8, 1.9), layout="constrained")
for ax, (image, label) in zip(axes.flat, train_set, strict=False):
    ax.imshow(image.reshape(8, 8), cmap="gray_r")
    ax.set_title(str(label), fontsize=9)
    ax.axis("off")
plt.show()

# %%
# Batches
# -------
#
# A gradient over all the data is exact and slow. A gradient over 64 examples, a
# *batch*, points in roughly the same direction and costs a twentieth. So one uses
# batches, and makes many more steps. A ``DataLoader`` draws a new order for each pass
# over the data, an *epoch*, and gives batches as arrays.

tg.seed(0)
loader = tg.DataLoader(train_set, batch_size=64)
test_loader = tg.DataLoader(test_set, batch_size=200, shuffle=False)
x, t = next(iter(loader))
print("a batch:", x.shape, x.dtype, t.shape, "| batches in an epoch:", len(loader))

# %%
# Dropout
# -------
#
# With ``dropout`` a network learns not to rely on any single value: in training, a
# random part of the values is set to 0, and the others are enlarged so that the sum
# stays the same on average. To test, nothing is dropped. Which of the two is meant is a
# mode, like ``no_grad``.

values = np.ones(10)
print("training:", F.dropout(values, 0.5))
with tg.test_mode():
    print("testing: ", F.dropout(values, 0.5))

# %%
# Training
# --------
#
# ``Sequential`` puts layers and functions in a row. In each epoch we go through the
# data once, then test.


def accuracy(model, loader):
    right = 0.0
    with tg.no_grad(), tg.test_mode():
        for x, t in loader:
            right += F.accuracy(model(x), t).item() * len(t)
    return right / loader.data_size


def network():
    return tg.models.Sequential(L.Linear(64), F.relu, L.Dropout(0.2), L.Linear(10))


model = network()
optimizer = optimizers.Adam(0.005).setup(model)
curve = {"loss": [], "training": [], "test": []}
for epoch in range(1, 16):
    total = 0.0
    for x, t in loader:
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        total += loss.item() * len(t)
    curve["loss"].append(total / len(train_set))
    curve["training"].append(accuracy(model, loader))
    curve["test"].append(accuracy(model, test_loader))
    if epoch % 5 == 0:
        print(f"epoch {epoch:2}:", {name: round(v[-1], 3) for name, v in curve.items()})

# %%
# ``loss.item()`` is a Python number. Summing up ``loss`` itself would be a mistake that
# is easily made: the sum would be a box, and its graph would hold all batches of the
# epoch in memory.

epochs = range(1, 16)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
left.plot(epochs, curve["loss"], "o-")
left.set(xlabel="epoch", title="training loss (nats)")
right.plot(epochs, curve["training"], "o-", label="training")
right.plot(epochs, curve["test"], "o-", label="test")
right.set(xlabel="epoch", title="accuracy")
right.legend()
plt.show()

# %%
# The two curves to the right are the reason for the test set. On what it has seen, a
# large enough network becomes perfect, by learning by heart if nothing else helps. What
# counts is what it does with images that it has never seen.
#
# What it gets wrong
# ------------------
#
# Before anything is improved, one should look at the mistakes. Some of these digits are
# not easy for people either.

with tg.no_grad(), tg.test_mode():
    answers = model(test_set.data).data.argmax(axis=1)
(wrong,) = np.nonzero(answers != test_set.label)
print(f"{len(wrong)} of {len(test_set)} are misread")

figure, axes = plt.subplots(1, 8, figsize=(8, 1.5), layout="constrained")
for ax, i in zip(axes, wrong, strict=False):
    ax.imshow(test_set.data[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"{test_set.label[i]}, read {answers[i]}", fontsize=8)
for ax in axes:
    ax.axis("off")
plt.show()

assert curve["test"][-1] > 0.95

# %%
# Saving
# ------
#
# ``save_weights`` writes the parameters to a file, ``load_weights`` reads them into a
# model of the same form. The new network begins with other random weights; after
# loading it gives the same answers.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.npz"
    model.save_weights(path)
    again = network()
    again.load_weights(path)
    print(f"{path.name}: {path.stat().st_size:,} bytes")
print(f"the new network reads {accuracy(again, test_loader):.1%} rightly")
assert accuracy(again, test_loader) == accuracy(model, test_loader)

# %%
# The optimizer has ``save`` and ``load`` as well: it remembers averages of gradients.
# And a ``Trainer`` (``tensorgrad.Trainer``) writes checkpoints with everything, from
# which a run that was interrupted goes on.
#
# What you have now
# -----------------
#
# - ``Dataset`` gives examples, ``DataLoader`` gives batches.
# - ``test_mode`` and ``no_grad`` for testing, always on data that were set aside.
# - Weights in a file.
#
# The book's MNIST has the same place here: ``tg.datasets.MNIST`` downloads 70,000
# images of 28 x 28 pixels when it is first used. ``examples/mnist.py`` trains on it.
#
# **More**: `tensorgrad.datasets`, `tensorgrad.DataLoader`, `tensorgrad.Trainer`. Next:
# :doc:`11_convolution`.
