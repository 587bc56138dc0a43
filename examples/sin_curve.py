"""A recurrent network learns to continue a wave, as in steps 59 and 60 of the DeZero book.

It is given a noisy sine value by value and says at each step what comes next. Gradients go back thirty steps;
there the graph is cut off (truncated backpropagation through time). Thirty stretches of the curve run side by
side in a batch, and each keeps its own state of the recurrent layer from batch to batch.

Afterwards the network runs freely: it is given half a period of a cosine without noise, and from there on
each output is its next input. For that the curve has 50 points a period. In the book it has 1,000, so that
the noise hides every step, and what is learned is to smooth; left alone such a network comes to rest.

    python examples/sin_curve.py --model rnn      an Elman network (step 59)
    python examples/sin_curve.py --model lstm     a long short-term memory (step 60)
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
from tensorgrad.optimizers import Adam, CosineAnnealingLR

PERIOD = 50  # points
NOISE = 0.05
BATCH = 30  # stretches side by side
BPTT = 30  # steps that gradients go back
GIVEN = PERIOD // 2  # points that a free run begins with
RECURRENT = {"rnn": L.RNN, "lstm": L.LSTM}


class Wave(tg.Dataset):
    """A sine of 63 periods with noise; the label of each point is the next.

    Thirty stretches of it are 2.1 periods long, so that each begins at another phase.
    """

    def prepare(self) -> None:
        angle = 2 * np.pi / PERIOD * np.arange(63 * PERIOD + 1)
        noise = np.random.default_rng(0).uniform(-NOISE, NOISE, len(angle))
        curve = (np.sin(angle) + noise).astype(np.float32)[:, np.newaxis]
        self.data, self.label = curve[:-1], curve[1:]


class Network(tg.Model):
    """A recurrent layer and a linear one: a point of each curve (N, 1) to the next (N, 1)."""

    def __init__(self, kind: str, hidden_size: int) -> None:
        super().__init__()
        self.recurrent = RECURRENT[kind](hidden_size)
        self.out = L.Linear(1)

    def forward(self, x: Any) -> tg.Variable:
        return self.out(self.recurrent(x))


def train(model: Network, loader: tg.DataLoader, epochs: int) -> list[float]:
    """Train with truncated backpropagation; the mean squared error of each epoch."""
    optimizer = Adam(0.01).setup(model)
    schedule = CosineAnnealingLR(optimizer, epochs)
    history = []
    for epoch in range(1, epochs + 1):
        model.reset_state()
        total, loss = 0.0, 0.0
        for step, (x, t) in enumerate(loader, start=1):
            loss = loss + F.mean_squared_error(model(x), t)
            if step % BPTT == 0 or step == len(loader):
                model.cleargrads()
                loss.backward()
                loss.unchain_backward()
                optimizer.update()
                total, loss = total + loss.item(), 0.0
        schedule.step()
        history.append(total / len(loader))
        if epoch % 10 == 0:
            print(f"epoch {epoch}: mean squared error {history[-1]:.5f}")
    return history


class FreeRun(NamedTuple):
    """What the network said when it was left alone, and what it should have said."""

    predicted: np.ndarray
    truth: np.ndarray

    @property
    def errors(self) -> list[float]:
        """Root mean square of the difference, for each period."""
        squares = (self.predicted - self.truth) ** 2
        return np.sqrt(np.mean(squares.reshape(-1, PERIOD), axis=1)).tolist()


def free_run(model: Network, backend: Backend, periods: int = 4) -> FreeRun:
    """Give the network the beginning of a cosine, then its own outputs."""
    curve = np.cos(2 * np.pi / PERIOD * np.arange(GIVEN + periods * PERIOD)).astype(np.float32)
    said = []
    model.reset_state()
    with tg.no_grad():
        for value in curve[:GIVEN]:
            y = model(backend.from_numpy(np.full((1, 1), value)))
        for _ in curve[GIVEN:]:
            said.append(y.item())
            y = model(y)
    model.reset_state()
    return FreeRun(np.array(said), curve[GIVEN:])


def draw(run: FreeRun, losses: Sequence[float], title: str, path: Any) -> None:
    """The training error, and the free run beside the curve that it should follow."""
    figure = common.figure(10, 3.4)
    if figure is None:
        return
    left, right = figure.subplots(1, 2, width_ratios=[1, 2.2])
    left.semilogy(np.arange(1, len(losses) + 1), losses, color=common.BLUE)
    left.axhline(NOISE**2 / 3, color=common.GREY, linestyle="--", linewidth=1)
    left.annotate(
        "variance of the noise",
        (len(losses), NOISE**2 / 3),
        (0, 4),
        color=common.GREY,
        textcoords="offset points",
        ha="right",
    )
    common.tidy(left, title="Training", xlabel="epoch", ylabel="mean squared error")

    given = np.arange(GIVEN)
    after = GIVEN + np.arange(len(run.truth))
    right.plot(given, np.cos(2 * np.pi / PERIOD * given), color=common.GREY, linewidth=3, label="given")
    right.plot(after, run.truth, color=common.BLUE, alpha=0.4, linewidth=3, label="the curve")
    right.plot(after, run.predicted, color=common.ORANGE, linewidth=1.5, label="the network alone")
    right.axvline(GIVEN, color=common.GREY, linestyle="--", linewidth=1)
    right.set_ylim(-1.3, 1.7)
    common.tidy(right, title=title, xlabel="point", ylabel="value")
    right.legend(frameon=False, ncols=3, loc="upper center")
    common.write(figure, path)


def main(argv: Sequence[str] | None = None) -> FreeRun:
    """Train, let the network run freely, and draw both."""
    parser = common.options(__doc__, out="sin-curve-out", epochs=120)
    parser.add_argument("--model", choices=list(RECURRENT), default="lstm", help="(%(default)s)")
    chosen = parser.parse_args(argv)
    backend = common.prepare(chosen)

    model = Network(chosen.model, 50).to(backend)
    loader = tg.SeqDataLoader(Wave(), BATCH).to(backend)
    losses = train(model, loader, 30 if chosen.quick else chosen.epochs)
    run = free_run(model, backend)
    print(f"{chosen.model}: mean squared error {losses[-1]:.5f}, of the noise alone {NOISE**2 / 3:.5f}")
    errors = ", ".join(f"{error:.3f}" for error in run.errors)
    print(f"running freely it is off, in each of four periods, by {errors} (root mean square)")
    title = f"{chosen.model.upper()}, running freely"
    draw(run, losses, title, chosen.out / f"{chosen.model}.png")
    return run


if __name__ == "__main__":
    main()
