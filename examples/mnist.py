"""A convolutional network reads handwritten digits of 28 x 28 pixels (MNIST).

Two convolutions find strokes and their corners, pooling makes it matter less where exactly they are, and
two linear layers tell the digits apart. Each image is moved by up to two pixels at random, a new way in each
epoch: with few images that is worth as much as many more of them.

    python examples/mnist.py                    downloads MNIST: 60,000 images to train on
    python examples/mnist.py --data FOLDER      reads the idx files in a folder instead

A folder with only `images-idx3-ubyte` and `labels-idx1-ubyte` (packed by gzip or not) has its last eighth
held out to test with. Of 8,000 images there, 7,000 are so trained on; of the other 1,000 at least 98 % should
be read rightly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import common
import numpy as np

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad import transforms as T
from tensorgrad.cuda import as_numpy
from tensorgrad.datasets import MNIST, Dataset
from tensorgrad.optimizers import Adam, OneCycleLR

GOAL = 0.98
BATCH = 100

AS_IT_IS = T.Compose([T.ToFloat(), T.Normalize(0.0, 255.0)])
MOVED = T.Compose([T.RandomCrop(28, pad=2), AS_IT_IS])


class CNN(tg.Model):
    """Images (N, 1, 28, 28), ink from 0 to 1, to scores (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = L.Conv2d(8, kernel_size=5, pad=2)
        self.conv2 = L.Conv2d(16, kernel_size=5, pad=2)
        self.l1 = L.Linear(64)
        self.l2 = L.Linear(10)

    def forward(self, x: Any) -> tg.Variable:
        return self.classify(self.features(x))

    def features(self, x: Any) -> tg.Variable:
        """What the convolutions find: (N, 16, 14, 14)."""
        x = F.pooling(F.relu(self.conv1(x)), kernel_size=2, stride=2)
        return F.relu(self.conv2(x))

    def classify(self, x: Any) -> tg.Variable:
        """The scores for what was found."""
        x = F.flatten(F.pooling(x, kernel_size=2, stride=2))
        x = F.dropout(F.relu(self.l1(x)), 0.3)
        return self.l2(x)


class History(NamedTuple):
    """After each epoch: the mean loss, and the accuracy on images that were held out."""

    losses: list[float]
    accuracies: list[float]


def train(
    model: tg.Model, data: tuple[tg.DataLoader, tg.DataLoader], epochs: int, rate: float = 0.004
) -> History:
    """Train a classifier on the first loader, and test it on the second after each epoch."""
    training, held_out = data
    optimizer = Adam().setup(model)
    schedule = OneCycleLR(optimizer, max_lr=rate, total_steps=max(2, epochs * len(training)))
    history = History([], [])
    for epoch in range(1, epochs + 1):
        losses = []
        for x, t in training:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            schedule.step()
            losses.append(loss.item())
        history.losses.append(float(np.mean(losses)))
        history.accuracies.append(common.accuracy(model, held_out))
        print(f"epoch {epoch}: loss {history.losses[-1]:.3f}, test accuracy {history.accuracies[-1]:.1%}")
    return history


def misread(model: tg.Model, data: Dataset, loader: tg.DataLoader) -> tuple[np.ndarray, list[str]]:
    """The images of a data set that the model misreads, and for each "what it is, what it was taken for"."""
    with tg.no_grad(), tg.test_mode():
        answers = np.concatenate([as_numpy(tg.argmax(model(x), axis=1)) for x, _ in loader])
    (wrong,) = np.nonzero(answers != data.label)
    return data.data[wrong, 0], [f"{data.label[i]}, read as {answers[i]}" for i in wrong]


def main(argv: Sequence[str] | None = None) -> History:
    """Train, test, draw the curves and the images that are misread."""
    parser = common.options(__doc__, out="mnist-out", epochs=12)
    parser.add_argument("--data", metavar="FOLDER", help="with the idx files; without it they are downloaded")
    chosen = parser.parse_args(argv)
    backend = common.prepare(chosen)
    epochs = 3 if chosen.quick else chosen.epochs

    held_out = MNIST(train=False, transform=AS_IT_IS, root=chosen.data)
    training = tg.DataLoader(MNIST(transform=MOVED, root=chosen.data), BATCH).to(backend)
    testing = tg.DataLoader(held_out, 500, shuffle=False).to(backend)
    print(f"{training.data_size:,} images to train on, {testing.data_size:,} to test with")

    model = CNN().to(backend)
    history = train(model, (training, testing), epochs)
    reached = history.accuracies[-1]
    print(f"{reached:.1%} are read rightly; the goal with 7,000 images to train on: {GOAL:.0%}")

    percent = [100 * a for a in history.accuracies]
    common.curves(
        chosen.out / "curves.png",
        ("Training loss", "cross entropy (nats)", {"loss": history.losses}),
        ("Test accuracy", "read rightly (%)", {"accuracy": percent}),
    )
    images, titles = misread(model, held_out, testing)
    if titles:
        common.sheet(chosen.out / "misread.png", images[:20], 10, titles[:20], top=255)
    model.save_weights(chosen.out / "weights.npz")
    return history


if __name__ == "__main__":
    main()
