"""Three kinds of network read the bundled handwritten digits, 8 x 8 pixels each.

- mlp: linear layers on the 64 pixels, which know nothing of rows and columns;
- cnn: convolutions, which look for the same strokes everywhere;
- transformer: the image as a sequence of its eight rows, which attend to each other. What is at which height
  it learns as a vector for each place, added to the row.

The loop that trains them is that of mnist.py. 1,438 digits are there to train on and 359 to test with.

    python examples/digits.py --model transformer
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import common
from mnist import History, train

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.datasets import Digits
from tensorgrad.models import Sequential

GOALS = {"mlp": 0.97, "cnn": 0.98, "transformer": 0.97}
BATCH = 32


def mlp() -> tg.Model:
    """Two hidden layers, each with dropout."""
    return Sequential(
        L.Flatten(),
        *(L.Linear(128), F.relu, L.Dropout(0.2)),
        *(L.Linear(64), F.relu, L.Dropout(0.2)),
        L.Linear(10),
    )


def cnn() -> tg.Model:
    """Two convolutions, each with batch normalisation."""
    return Sequential(
        *(L.Conv2d(16, 3, pad=1, nobias=True), L.BatchNorm(), F.relu),
        *(L.Conv2d(32, 3, pad=1, nobias=True), L.BatchNorm(), F.relu, L.MaxPool2d(2)),
        *(L.Flatten(), L.Dropout(0.3), L.Linear(10)),
    )


class Transformer(tg.Model):
    """Images (N, 1, 8, 8) as sequences of eight rows, to scores (N, 10)."""

    def __init__(self, size: int = 48, n_heads: int = 4) -> None:
        super().__init__()
        self.embed = L.Linear(size)
        self.places = tg.Parameter(L.initializers.Normal(0.1)((8, size)))
        self.block1 = L.TransformerEncoderBlock(size, n_heads, 2 * size, dropout_ratio=0.1)
        self.block2 = L.TransformerEncoderBlock(size, n_heads, 2 * size, dropout_ratio=0.1)
        self.norm = L.LayerNorm()
        self.out = L.Linear(10)

    def forward(self, x: Any) -> tg.Variable:
        rows = F.squeeze(x, axis=1)
        x = self.embed(rows) + self.places
        x = self.block2(self.block1(x))
        return self.out(F.mean(self.norm(x), axis=1))


MODELS: dict[str, Callable[[], tg.Model]] = {"mlp": mlp, "cnn": cnn, "transformer": Transformer}


def main(argv: Sequence[str] | None = None) -> History:
    """Train one of the networks and draw its curves."""
    parser = common.options(__doc__, out="digits-out", epochs=30)
    parser.add_argument("--model", choices=list(MODELS), default="cnn", help="(%(default)s)")
    chosen = parser.parse_args(argv)
    backend = common.prepare(chosen)
    epochs = 4 if chosen.quick else chosen.epochs

    training = tg.DataLoader(Digits(flatten=False), BATCH).to(backend)
    testing = tg.DataLoader(Digits(train=False, flatten=False), BATCH, shuffle=False).to(backend)
    model = MODELS[chosen.model]().to(backend)
    history = train(model, (training, testing), epochs, rate=0.01)

    numbers = sum(p.size for p in model.params())
    reached = f"{history.accuracies[-1]:.1%} are read rightly; the goal: {GOALS[chosen.model]:.0%}"
    print(f"{chosen.model} with {numbers:,} numbers: {reached}")
    percent = [100 * a for a in history.accuracies]
    common.curves(
        chosen.out / f"{chosen.model}.png",
        (f"Training loss of the {chosen.model}", "cross entropy (nats)", {"loss": history.losses}),
        ("Test accuracy", "read rightly (%)", {"accuracy": percent}),
    )
    return history


if __name__ == "__main__":
    main()
