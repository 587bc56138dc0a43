"""
11. Convolution, and other devices
==================================

To a linear layer, an image is a row of numbers in no particular order. A
*convolution* knows that pixels have neighbours. It also needs more arithmetic, which
is what graphics processors are for: so this page ends with the same program on
another device.

**What you learn**

- what a convolution computes, and how it becomes a product of matrices;
- padding, stride, pooling;
- a convolutional network for the digits;
- how to move a model and its data to another array library or to a GPU.

(Steps 52 and 55 to 58 of the book.)
"""

# %%
# A window that moves
# -------------------
#
# A small array of weights, the *kernel*, moves over the image. At each place the pixels
# in the window are multiplied with the weights and added up. That gives one pixel of
# the result. So each kernel looks for one pattern, everywhere.

import matplotlib.pyplot as plt
import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import optimizers
from tensorgrad.utils import get_conv_outsize

images = tg.datasets.Digits(flatten=False)
image = images[3][0][np.newaxis]
print("an image:", image.shape, "= (images, channels, height, width)")

kernels = {
    "lower edges": np.array([[1, 1, 1], [0, 0, 0], [-1, -1, -1]]),
    "right edges": np.array([[1, 0, -1], [1, 0, -1], [1, 0, -1]]),
    "mean of 9": np.ones((3, 3)) / 9,
}
W = np.stack(list(kernels.values()))[:, np.newaxis].astype(np.float32)
print("kernels:", W.shape, "= (channels out, channels in, height, width)")
found = F.conv2d(image, W, pad=1)
print("result:", found.shape)

figure, axes = plt.subplots(1, 4, figsize=(8, 2.3), layout="constrained")
axes[0].imshow(image[0, 0], cmap="gray_r")
axes[0].set_title("image", fontsize=9)
for ax, name, channel in zip(axes[1:], kernels, found.data[0], strict=True):
    largest = np.abs(channel).max()
    ax.imshow(channel, cmap="RdBu", vmin=-largest, vmax=largest)
    ax.set_title(name, fontsize=9)
for ax in axes:
    ax.axis("off")
plt.show()

# %%
# Blue is positive, red is negative. The first kernel is positive where ink lies above
# and none below: it finds the lower edges of strokes. The second does the same
# sideways. The third smears the image.
#
# Sizes
# -----
#
# A window of 3 finds only 6 places along 8 pixels. ``pad=1`` adds a margin of zeros,
# and the result is as large as the image. With ``stride=2`` the window moves two pixels
# at a time, and the result is half as large.

for kernel, stride, pad in [(3, 1, 0), (3, 1, 1), (3, 2, 1), (2, 2, 0)]:
    size = get_conv_outsize(8, kernel, stride, pad)
    print(f"kernel {kernel}, stride {stride}, pad {pad}: 8 -> {size}")
    ones = np.ones((1, 1, kernel, kernel), np.float32)
    assert F.conv2d(image, ones, stride=stride, pad=pad).shape == (1, 1, size, size)

# %%
# As a product of matrices
# ------------------------
#
# Nested loops over windows would be slow in Python. ``im2col`` writes each window as a
# row of a matrix. Then one product with the kernels, as columns, does all the work, and
# its derivatives are known from page 7.

columns = F.im2col(image, 3, stride=1, pad=1)
print("64 windows of 9 pixels:", columns.shape)
product = columns @ W.reshape(3, 9).T
same = product.T.reshape(1, 3, 8, 8)
print("largest difference to conv2d:", f"{np.abs(same.data - found.data).max():.1e}")
assert np.allclose(same.data, found.data, atol=1e-6)

# %%
# Pooling
# -------
#
# ``pooling`` keeps the largest value of each window. Mostly the windows are 2 x 2 and
# do not overlap. The result is a quarter of the size, and says *that* something was
# found, less precisely *where*.

print(F.pooling(found, kernel_size=2, stride=2).shape)

# %%
# A convolutional network
# -----------------------
#
# Two convolutions with eight and sixteen kernels, each followed by ``relu`` and by
# pooling, then a linear layer that decides. The kernels are not given now; they are
# parameters.


def network():
    return tg.models.Sequential(
        *(L.Conv2d(8, 3, pad=1), F.relu, L.MaxPool2d(2)),
        *(L.Conv2d(16, 3, pad=1), F.relu, L.MaxPool2d(2)),
        *(L.Flatten(), L.Linear(10)),
    )


tg.seed(0)
model = network()
print(model.summary(image))

# %%
# The loop is that of page 10, and it takes the place where it computes as an argument:
# the model moves by ``model.to(name)``, the batches by ``loader.to(name)``. Nothing
# else in it knows which library is at work.


def train(model, steps, backend="numpy"):
    model.to(backend)
    loader = tg.DataLoader(images, batch_size=64, seed=0).to(backend)
    optimizer = optimizers.Adam(0.01).setup(model)
    losses = []
    while len(losses) < steps:
        for x, t in loader:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            losses.append(loss.item())
            if len(losses) == steps:
                break
    return losses


losses = train(model, 160)
held_out = tg.datasets.Digits(train=False, flatten=False)
with tg.no_grad(), tg.test_mode():
    accuracy = F.accuracy(model(held_out.data), held_out.label).item()
print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, test accuracy {accuracy:.1%}")
assert accuracy > 0.95

# %%
# What do the eight kernels of the first layer look for? Blue weights want ink, red ones
# want none.

weights = next(model.params()).data
figure, axes = plt.subplots(1, 8, figsize=(8, 1.2), layout="constrained")
for ax, kernel in zip(axes, weights[:, 0], strict=True):
    ax.imshow(kernel, cmap="RdBu", vmin=-1, vmax=1)
    ax.axis("off")
plt.show()

# %%
# Another device
# --------------
#
# On a machine with an NVIDIA card and CuPy (``pip install 'tensorgrad[cuda12]'``),
# ``model.to_gpu()`` and ``loader.to_gpu()`` move everything to the card, and the loop
# runs there. ``tg.cuda`` knows whether that is possible:

if tg.cuda.gpu_enable:
    print("a GPU is here: train(network(), 160, 'cupy') runs on it")
else:
    print("no GPU here")

# %%
# These pages are made on machines without one. So here is the same step in the
# direction that any machine can take: to another array library. array-api-strict
# computes with NumPy inside, but its arrays are of a type of their own, and refuse
# everything that the standard does not promise. A loop that runs on it relies on
# nothing special.

curves = {}
for backend in ("numpy", "array_api_strict"):
    tg.seed(1)
    curves[backend] = train(network(), 3, backend)
    print(f"{backend:17}", *(f"{loss:.6f}" for loss in curves[backend]))
assert np.allclose(curves["numpy"], curves["array_api_strict"], rtol=1e-4)

# %%
# The losses agree. With ``"torch"`` or ``"jax"`` in the place of the name the same loop
# runs on PyTorch's or JAX's arrays, with ``"cupy"`` on a GPU. What of the GPU side was
# tested, and how, is told in the guide to GPUs (``docs/gpu.md``).
#
# Large networks
# --------------
#
# VGG16, ResNet, SqueezeNet and U-Net are in ``tensorgrad.models``, and read the weights
# that others have trained: ``VGG16(pretrained=True)`` downloads half a gigabyte, after
# which ``model(VGG16.preprocess(picture)[np.newaxis])`` gives the scores of a thousand
# kinds of things.
#
# What you have now
# -----------------
#
# - ``F.conv2d`` and ``F.pooling``; ``L.Conv2d`` and ``L.MaxPool2d`` with parameters of
#   their own.
# - A network with 1,898 weights that reads digits about as well as that of page 10 with
#   its 4,810.
# - ``model.to(name)`` and ``loader.to(name)``: the same program elsewhere.
#
# **More**: `tensorgrad.layers.Conv2d`, `tensorgrad.models`, `tensorgrad.cuda`. Next:
# :doc:`12_sequences`.
