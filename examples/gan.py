"""A generative adversarial network draws handwritten digits from noise.

Two networks play against each other. The generator makes images from random numbers; the critic tells real
digits from made ones. Each step trains the critic to tell them apart, and then the generator to be taken for
real (Goodfellow et al. 2014, "Generative adversarial nets"). Batch normalisation in the generator, leaky
rectifiers in the critic and a low beta1 keep the game going (Radford, Metz, Chintala 2015, "DCGAN").

Their losses do not say how good the images are. What does is the Fréchet distance between two sets of images:
both are taken for normal distributions of 64 pixels, and the distance is that of their means and covariances
(Dowson, Landau 1982; on a network's features it is known as FID).

    python examples/gan.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import common
import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.backend import Backend
from tensorgrad.cuda import as_numpy
from tensorgrad.datasets import Digits
from tensorgrad.models import Sequential
from tensorgrad.optimizers import Adam

BATCH = 64
NOISE = 32  # numbers that an image is made from


def generator() -> tg.Model:
    """Noise (N, 32) to images (N, 64), ink from 0 to 1."""
    return Sequential(
        *(L.Linear(128), L.BatchNorm(), F.relu),
        *(L.Linear(128), L.BatchNorm(), F.relu),
        *(L.Linear(64), F.sigmoid),
    )


def critic() -> tg.Model:
    """Images (N, 64) to logits (N, 1) of being real."""
    return Sequential(
        *(L.Linear(128), F.leaky_relu, L.Dropout(0.3)),
        *(L.Linear(64), F.leaky_relu, L.Dropout(0.3)),
        L.Linear(1),
    )


def judged(logits: tg.Variable, real: float) -> tg.Variable:
    """The loss of a critic that should have said `real` (0 to 1) of all of these images."""
    truth = logits.backend.xp.full_like(logits.data, real)
    return F.binary_cross_entropy_with_logits(logits, truth)


def noise(backend: Backend, n: int) -> Any:
    """What n images are made from."""
    return backend.normal((n, NOISE), backend.xp.float32)


def draw(model: tg.Model, z: Any) -> np.ndarray:
    """The images that a generator makes of noise: (N, 64)."""
    with tg.no_grad(), tg.test_mode():
        return as_numpy(model(z))


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The squared Fréchet distance between two sets of images, each taken for a normal distribution."""
    covariances = np.cov(a.T), np.cov(b.T)
    # The trace of (A B)^(1/2): A B has the eigenvalues of A^(1/2) B A^(1/2), none of which is negative.
    eigenvalues = np.linalg.eigvals(covariances[0] @ covariances[1]).real
    cross = np.sum(np.sqrt(np.maximum(eigenvalues, 0)))
    means = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    return float(means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * cross)


class History(NamedTuple):
    """The losses of both after each epoch; the distance to real digits at the start and after each epoch."""

    generator: list[float]
    critic: list[float]
    distances: list[float]


def train(makes: tg.Model, tells: tg.Model, loader: tg.DataLoader, epochs: int, backend: Backend) -> History:
    """Train the two networks, turn by turn."""
    real = Digits(train=False).data
    fixed = noise(backend, 1000)
    makes(noise(backend, BATCH))  # fixes the sizes that were left open
    history = History([], [], [frechet_distance(draw(makes, fixed), real)])
    makes_better = Adam(0.001, beta1=0.5).setup(makes)
    tells_better = Adam(0.0005, beta1=0.5).setup(tells)
    for epoch in range(1, epochs + 1):
        losses = []
        for x, _ in loader:
            made = makes(noise(backend, len(x)))
            # The critic is told that real ones are real by nine parts of ten: it is then never too sure.
            critic_loss = judged(tells(x), 0.9) + judged(tells(made.data), 0.0)
            tells.cleargrads()
            critic_loss.backward()
            tells_better.update()

            generator_loss = judged(tells(made), 1.0)
            makes.cleargrads()
            generator_loss.backward()
            makes_better.update()
            losses.append((generator_loss.item(), critic_loss.item()))
        for line, value in zip(history[:2], np.mean(losses, axis=0).tolist(), strict=True):
            line.append(value)
        history.distances.append(frechet_distance(draw(makes, fixed), real))
        if epoch % 10 == 0:
            print(f"epoch {epoch}: Fréchet distance to real digits {history.distances[-1]:.2f}")
    return history


def main(argv: Sequence[str] | None = None) -> History:
    """Train, then draw the curves and a sheet of samples."""
    parser = common.options(__doc__, out="gan-out", epochs=250)
    chosen = parser.parse_args(argv)
    backend = common.prepare(chosen)
    epochs = 30 if chosen.quick else chosen.epochs

    loader = tg.DataLoader(Digits(), BATCH, drop_last=True).to(backend)
    makes, tells = generator().to(backend), critic().to(backend)
    history = train(makes, tells, loader, epochs, backend)
    parts = Digits().data, Digits(train=False).data
    print(
        f"Fréchet distance to digits held out: {history.distances[0]:.2f} at the start, "
        f"{history.distances[-1]:.2f} at the end; of other real digits: {frechet_distance(*parts):.2f}"
    )
    common.curves(
        chosen.out / "curves.png",
        ("Losses", "nats", {"generator": history.generator, "critic": history.critic}),
        ("Distance to real digits", "squared Fréchet distance", {"distance": history.distances[1:]}),
    )
    common.sheet(chosen.out / "samples.png", draw(makes, noise(backend, 84)).reshape(-1, 8, 8), 14)
    return history


if __name__ == "__main__":
    main()
