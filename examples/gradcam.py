"""Where does a network look? Grad-CAM shows it on handwritten digits.

The last convolution of a CNN finds features at each place of an image. The gradient of the score of a class
by a feature, averaged over all places, says how much that feature speaks for the class; the sum of the
features, weighted so, is a map of what speaks for it where (Selvaraju et al. 2017, "Grad-CAM: visual
explanations from deep networks via gradient-based localization", eq. 1 and 2).

The CNN and its training are those of mnist.py. Whether the map means something is measured: how probable the
class still is when the ink of the most heat is erased, and when as much ink is erased at random.

    python examples/gradcam.py                    on the bundled digits, enlarged to 28 x 28 pixels
    python examples/gradcam.py --data FOLDER      on MNIST, as mnist.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import common
import numpy as np
from mnist import AS_IT_IS, CNN, train

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad.cuda import as_numpy
from tensorgrad.datasets import MNIST, Dataset, Digits

INK = np.array([0.10, 0.14, 0.25])
HEAT = np.array([0.93, 0.38, 0.10])


def enlarged(image: np.ndarray) -> np.ndarray:
    """A bundled digit (1, 8, 8) in the size of MNIST: (1, 28, 28)."""
    return np.pad(np.kron(image, np.ones((3, 3), np.float32)), ((0, 0), (2, 2), (2, 2)))


def grad_cam(model: CNN, x: Any) -> tuple[np.ndarray, np.ndarray]:
    """Heat (N, H, W), at most 1, for the class that the model takes each image for, and the classes (N,)."""
    with tg.test_mode():
        features = model.features(x)
        scores = model.classify(features)
        classes = tg.argmax(scores, axis=1, keepdims=True)
        best = F.sum(F.take_along_axis(scores, classes, axis=1))
    (slopes,) = tg.gradients(best, [features])
    weights = F.mean(slopes, axis=(2, 3), keepdims=True)
    heat = as_numpy(F.relu(F.sum(weights * features, axis=1)))
    heat = heat.repeat(x.shape[2] // heat.shape[1], axis=1).repeat(x.shape[3] // heat.shape[2], axis=2)
    return heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-12), as_numpy(classes)[:, 0]


def erasing(model: CNN, x: Any, classes: np.ndarray, order: np.ndarray, part: float = 0.3) -> float:
    """How much of a class's probability is left, on average, without the ink that comes first in `order`.

    `order` (N, H, W) says which pixels go: those of the greatest numbers, `part` of the ink of each image.
    """
    images = as_numpy(x).copy()
    for image, rank in zip(images[:, 0], order, strict=True):
        inked = image > 0.5
        image[inked & (rank >= np.quantile(rank[inked], 1 - part))] = 0
    backend = model.l2.W.backend
    with tg.no_grad(), tg.test_mode():
        p = as_numpy(F.softmax(model(backend.from_numpy(images))))
    return float(np.mean(p[np.arange(len(p)), classes]))


class Found(NamedTuple):
    """What the maps are worth."""

    accuracy: float  # of the network
    on_stroke: float  # mean heat where there is ink
    elsewhere: float
    without_hot: float  # probability of the class without the hottest third of the ink
    without_random: float  # and without a third at random


def overlay(images: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Digits and their heat in colours, (N, H, W, 3)."""
    ink = images[..., np.newaxis]
    shown = (1 - ink) + ink * INK
    strength = 0.9 * heat[..., np.newaxis] ** 0.7
    return shown * (1 - strength) + HEAT * strength


def data(folder: str | None) -> tuple[Dataset, Dataset]:
    """Images to train on and others, (1, 28, 28)."""
    if folder is not None:
        return MNIST(transform=AS_IT_IS, root=folder), MNIST(train=False, transform=AS_IT_IS, root=folder)
    return Digits(transform=enlarged, flatten=False), Digits(train=False, transform=enlarged, flatten=False)


def main(argv: Sequence[str] | None = None) -> Found:
    """Train the network, and draw digits with their heat."""
    parser = common.options(__doc__, out="gradcam-out", epochs=8)
    parser.add_argument("--data", metavar="FOLDER", help="with idx files of MNIST; else the bundled digits")
    chosen = parser.parse_args(argv)
    backend = common.prepare(chosen)

    training, held_out = data(chosen.data)
    loaders = tg.DataLoader(training, 50).to(backend), tg.DataLoader(held_out, 100, shuffle=False).to(backend)
    model = CNN().to(backend)
    history = train(model, loaders, 3 if chosen.quick else chosen.epochs)

    x, _ = loaders[1].next()
    heat, classes = grad_cam(model, x)
    images = as_numpy(x)[:, 0]
    at_random = np.random.default_rng(chosen.seed).random(heat.shape)
    found = Found(
        history.accuracies[-1],
        float(heat[images > 0.5].mean()),
        float(heat[images < 0.5].mean()),
        erasing(model, x, classes, heat),
        erasing(model, x, classes, at_random),
    )
    print(f"mean heat {found.on_stroke:.2f} on the stroke, {found.elsewhere:.2f} elsewhere")
    print(
        "probability of the class without three tenths of the ink: "
        f"{found.without_hot:.2f} if it is the hottest, {found.without_random:.2f} at random"
    )
    every = np.concatenate([np.flatnonzero(classes == digit)[:1] for digit in range(10)])
    titles = [f"for a {classes[i]}" for i in every]
    common.sheet(chosen.out / "heat.png", overlay(images, heat)[every], len(every), titles)
    return found


if __name__ == "__main__":
    main()
