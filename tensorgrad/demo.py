"""The demo: train a classifier of real handwritten digits, and write down what came of it.

``python -m tensorgrad.demo`` trains on the GPU if there is one, else on the CPU. It shows how far it is,
ends with the accuracy on digits that it was not trained on, and writes the loss curve, the computation
graph of one step and the weights into a folder. It exits with 0 if the accuracy is at least 97 %.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tensorgrad import cuda, utils
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.backend import Backend, BackendUnavailableError, get_backend
from tensorgrad.core import Variable, no_grad, test_mode
from tensorgrad.dataloaders import DataLoader
from tensorgrad.datasets import Digits
from tensorgrad.models import Model
from tensorgrad.optimizers import Adam
from tensorgrad.training.curves import new_figure, plot_losses, plot_values
from tensorgrad.training.progress import best

GOAL = 0.97
"""The least test accuracy that counts as success."""

BATCH = 32
"""Larger ones would make OpenBLAS share each product among threads: slow on a busy machine."""

INSTALL = "python -m pip install 'tensorgrad[demo]'"


# -- the model and its training ------------------------------------------------------------------


class Classifier(Model):
    """Two hidden layers: x of shape (N, 64) to scores of shape (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.l1 = L.Linear(128)
        self.l2 = L.Linear(64)
        self.l3 = L.Linear(10)

    def forward(self, x: Any) -> Any:
        x = F.dropout(F.relu(self.l1(x)), 0.2)
        x = F.dropout(F.relu(self.l2(x)), 0.2)
        return self.l3(x)


def smoothed_loss(y: Variable, t: Any) -> Variable:
    """Cross entropy with a tenth of each label spread over all classes (Szegedy et al. 2016)."""
    return 0.9 * F.softmax_cross_entropy(y, t) - 0.1 * F.mean(F.log_softmax(y))


class History(NamedTuple):
    """The loss of every step, and the test accuracy after every epoch."""

    losses: list[float]
    accuracies: list[float]

    def epoch_losses(self) -> Any:
        """The mean loss of every epoch."""
        return np.mean(np.reshape(self.losses, (len(self.accuracies), -1)), axis=1)


def train(model: Model, backend: Backend, epochs: int) -> History:
    """Train `model` on the digits, and test it after every epoch."""
    loader = DataLoader(Digits(), BATCH).to(backend)
    optimizer = Adam().setup(model)
    history = History([], [])
    steps = epochs * loader.max_iter
    images = epochs * loader.data_size
    with best()(epochs, images, unit="images", install=INSTALL) as progress:
        for _ in range(epochs):
            losses = []
            for x, t in loader:
                optimizer.alpha = 0.003 * (1 - optimizer.t / steps)
                loss = smoothed_loss(model(x), t)
                model.cleargrads()
                loss.backward()
                optimizer.update()
                losses.append(loss.data)
                progress.step(x.shape[0])
            history.losses.extend(map(float, losses))  # here, as it waits for the device
            history.accuracies.append(accuracy(model, backend))
            progress.epoch(_state(history))
    return history


def accuracy(model: Model, backend: Backend) -> float:
    """The part of the held-out digits that `model` names rightly."""
    digits = Digits(train=False)
    (batch,) = DataLoader(digits, len(digits), shuffle=False).to(backend)
    with no_grad(), test_mode():
        return float(F.accuracy(model(batch[0]), batch[1]))


# -- what a person sees --------------------------------------------------------------------------


def _state(history: History) -> str:
    return f"loss {history.epoch_losses()[-1]:.3f}, test accuracy {history.accuracies[-1]:.1%}"


def choose(name: str | None) -> tuple[Backend, str]:
    """The backend to train on, and why that one."""
    if name is not None:
        backend = get_backend(name)
        return backend, f"on {name} ({', '.join(backend.devices())}): --backend asks for it"
    if cuda.is_available():
        backend = get_backend("cupy")
        return backend, f"on the GPU ({', '.join(backend.devices())}): CuPy found it"
    return get_backend("numpy"), f"on the CPU, with NumPy. No GPU: {cuda.why_unavailable()}"


# -- what is written -----------------------------------------------------------------------------


def write_curve(history: History, path: Path) -> str:
    """Draw loss and accuracy; what to say about the file."""
    try:
        figure, (left, right) = new_figure(2, INSTALL)
    except ImportError as error:
        return f"not drawn: {error}"
    blue, orange, grey = "#2a5d8f", "#c8641e", "#666666"
    epochs = np.arange(1, len(history.accuracies) + 1)

    plot_losses(left, history.losses, len(epochs))
    plot_values(left, epochs - 0.5, history.epoch_losses(), color=blue, label="mean of the epoch")
    left.set(title="Training loss", ylabel="smoothed cross entropy (nats)")
    left.set_ylim(bottom=0)
    left.legend(frameon=False)

    percent = np.multiply(history.accuracies, 100)
    plot_values(right, epochs, percent, color=orange)
    right.axhline(100 * GOAL, color=grey, linewidth=1, linestyle="--")
    right.annotate(
        f"goal: {100 * GOAL:.0f} %",
        (len(epochs), 100 * GOAL),
        (0, -5),
        color=grey,
        textcoords="offset points",
        ha="right",
        va="top",
    )
    right.set(
        title=f"Test accuracy, {percent[-1]:.2f} % at the end",
        ylabel="held-out digits named rightly (%)",
    )
    right.set_ylim(min(90, percent.min() - 1), 100)
    for axes in (left, right):
        axes.set_xlim(0, len(epochs) + 0.5)
    figure.savefig(path)
    return "the loss curve"


def write_graph(model: Model, backend: Backend, path: Path) -> str:
    """Draw the graph of one step as DOT, and as SVG where Graphviz is; what to say about it."""
    (x, t), *_ = DataLoader(Digits(), BATCH).to(backend)
    for name, p in model.namedparams():
        p.name = name
    loss = smoothed_loss(model(Variable(x, name="x")), t)
    loss.name = "loss"
    utils.plot_dot_graph(loss, to_file=path.with_suffix(".dot"))
    if shutil.which("dot") is None:
        return "the computation graph of one step (Graphviz, not installed, makes a picture of it)"
    utils.plot_dot_graph(loss, to_file=path.with_suffix(".svg"))
    return "the computation graph of one step, and graph.svg, its picture"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo.

    Parameters
    ----------
    argv : sequence of str, optional
        By default what stands on the command line.

    Returns
    -------
    int
        The exit status: 0 if the goal was reached, else 1.
    """
    options = _parser().parse_args(argv)
    try:
        backend, why = choose(options.backend)
        options.out.mkdir(parents=True, exist_ok=True)
    except (LookupError, BackendUnavailableError, OSError) as error:
        _parser().error(str(error))
    np.random.seed(options.seed)  # noqa: NPY002  # weights and shuffles draw from it
    backend.seed(options.seed)

    train_size, test_size = len(Digits()), len(Digits(train=False))
    print(f"Handwritten digits: {train_size:,} images to train on, {test_size} held out to test with.")
    print(f"Training {why}")
    start = time.perf_counter()
    model = Classifier()
    model = model.to_gpu() if backend.name == "cupy" else model.to(backend)
    history = train(model, backend, options.epochs)
    print(f"Trained for {options.epochs} epochs in {time.perf_counter() - start:.1f} s.")

    curve = write_curve(history, options.out / "loss.png")
    graph = write_graph(model, backend, options.out / "graph.dot")
    model.save_weights(options.out / "weights.npz")
    print(f"Written to {options.out.resolve()}:")
    print(f"  loss.png     {curve}")
    print(f"  graph.dot    {graph}")
    print("  weights.npz  the weights")

    reached = history.accuracies[-1]
    print(f"Test accuracy: {reached:.2%} ({round(reached * test_size)} of {test_size})")
    if reached >= GOAL:
        return 0
    print(f"That is below the goal of {GOAL:.0%}.", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tensorgrad.demo",
        description="Train a classifier of handwritten digits; on the GPU if there is one.",
    )
    add = parser.add_argument
    add("--backend", metavar="NAME", help="array library: numpy, cupy, torch, jax, dpnp, ...")
    add("--epochs", type=_positive, default=25, help="how often each image is seen (%(default)s)")
    add(
        "--out",
        type=Path,
        default=Path("tensorgrad-demo"),
        metavar="DIR",
        help="folder for what is written (./%(default)s)",
    )
    add("--seed", type=int, default=0, help="of all random numbers (%(default)s)")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1; got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
