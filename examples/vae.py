"""A variational autoencoder draws handwritten digits from two numbers.

The encoder says of an image where in a plane it may lie: a normal distribution with mean and spread. The
decoder draws an image from a point. What is minimised is the negative evidence lower bound (ELBO) in nats an
image: how badly a point drawn from that distribution gives the image back, and how far the distribution is
from the standard normal. Points are drawn as mean + spread * noise, so that gradients reach both (Kingma,
Welling 2014, "Auto-encoding variational Bayes").

Afterwards the decoder draws a map: the image for each point of a grid over the plane, in which neighbours
look alike and one digit turns into another.

    python examples/vae.py
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import common
import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.cuda import as_numpy
from tensorgrad.datasets import Digits
from tensorgrad.models import MLP
from tensorgrad.optimizers import Adam, OneCycleLR

BATCH = 64
GOAL = 24.0
"""Nats an image, of the digits held out; the ink of a pixel counts as the probability that it is black."""


class VAE(tg.Model):
    """Images (N, 64), ink from 0 to 1, to the negative ELBO of each batch."""

    def __init__(self, latent_size: int = 2, hidden_size: int = 256) -> None:
        super().__init__()
        self.hidden = MLP((hidden_size, hidden_size // 2), activation=F.relu)
        self.mean = L.Linear(latent_size)
        self.log_variance = L.Linear(latent_size)
        self.decoder = MLP((hidden_size // 2, hidden_size, 64), activation=F.relu)

    def encode(self, x: Any) -> tuple[tg.Variable, tg.Variable]:
        """Mean and logarithm of the variance of where images may lie, each (N, latent_size)."""
        h = F.relu(self.hidden(x))
        return self.mean(h), self.log_variance(h)

    def forward(self, x: Any) -> tg.Variable:
        """The negative ELBO in nats, the mean over the batch."""
        mean, log_variance = self.encode(x)
        noise = mean.backend.normal(mean.shape, mean.dtype, mean.device)
        logits = self.decoder(mean + F.exp(0.5 * log_variance) * noise)
        given_back = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        divergence = 0.5 * F.sum(mean**2 + F.exp(log_variance) - log_variance - 1)
        return (given_back + divergence) / len(x)

    def decode(self, z: Any) -> np.ndarray:
        """Images (N, 8, 8) for points (N, latent_size)."""
        with tg.no_grad():
            return as_numpy(F.sigmoid(self.decoder(z))).reshape(-1, 8, 8)


class History(NamedTuple):
    """After each epoch the negative ELBO: of the images trained on, and of those held out."""

    training: list[float]
    held_out: list[float]


def train(model: VAE, training: tg.DataLoader, testing: tg.DataLoader, epochs: int) -> History:
    """Train, and measure after each epoch."""
    optimizer = Adam().setup(model)
    schedule = OneCycleLR(optimizer, max_lr=0.004, total_steps=epochs * len(training))
    history = History([], [])
    for epoch in range(1, epochs + 1):
        losses = []
        for x, _ in training:
            loss = model(x)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            schedule.step()
            losses.append(loss.item())
        with tg.no_grad():
            tested = [model(x).item() for x, _ in testing]
        history.training.append(float(np.mean(losses)))
        history.held_out.append(float(np.mean(tested)))
        if epoch % 10 == 0:
            print(f"epoch {epoch}: {losses[-1]:.2f} nats an image, held out {history.held_out[-1]:.2f}")
    return history


def grid(model: VAE, n: int = 14) -> np.ndarray:
    """The map: images for n x n points that the standard normal makes equally likely, (n * n, 8, 8)."""
    steps = [NormalDist().inv_cdf((i + 0.5) / n) for i in range(n)]
    points = np.array([(x, -y) for y in steps for x in steps], dtype=np.float32)
    return model.decode(model.mean.W.backend.from_numpy(points))


def main(argv: Sequence[str] | None = None) -> History:
    """Train, then draw the curves, the map, and images beside what the network makes of them."""
    parser = common.options(__doc__, out="vae-out", epochs=150)
    chosen = parser.parse_args(argv)
    backend = common.prepare(chosen)
    epochs = 15 if chosen.quick else chosen.epochs

    training = tg.DataLoader(Digits(), BATCH, drop_last=True).to(backend)
    testing = tg.DataLoader(Digits(train=False), 359, shuffle=False).to(backend)
    model = VAE().to(backend)
    history = train(model, training, testing, epochs)
    print(f"negative ELBO of digits held out: {history.held_out[-1]:.2f} nats an image; the goal: {GOAL}")

    common.curves(
        chosen.out / "curves.png",
        ("Negative ELBO", "nats an image", {"training": history.training, "held out": history.held_out}),
    )
    common.sheet(chosen.out / "map.png", grid(model), 14)
    x = testing.next()[0][:14]
    given_back = model.decode(model.encode(x)[0])
    common.sheet(chosen.out / "pairs.png", [*as_numpy(x).reshape(-1, 8, 8), *given_back], 14)
    return history


if __name__ == "__main__":
    main()
