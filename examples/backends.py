"""One training script for every array library: only the name of the library differs.

The model moves to a library with `model.to(name)`, the batches with `loader.to(name)`; from there on each op
computes with the library that its arrays come from. Weights and the order of the examples are drawn on the
host, so that the same seed gives the same run everywhere, but for rounding. (Dropout would draw on the
device, from the library's own generator.)

    python examples/backends.py --backend numpy torch jax      prints the losses side by side

Any of numpy, torch, jax, dpnp, array_api_strict and cupy that is installed; `python -m tensorgrad` says
which are.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import tensorgrad as tg
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.datasets import Digits
from tensorgrad.models import Sequential
from tensorgrad.optimizers import Adam


def network() -> tg.Model:
    """Digits (N, 1, 8, 8) to scores (N, 10)."""
    return Sequential(
        *(L.Conv2d(8, 3, pad=1), L.BatchNorm(), F.relu, L.MaxPool2d(2)),
        *(L.Flatten(), L.Linear(32), F.tanh, L.Linear(10)),
    )


def train(backend: str, steps: int, seed: int = 0) -> list[float]:
    """Train for some steps on a library; the loss of each."""
    tg.seed(seed)
    model = network().to(backend)
    loader = tg.DataLoader(Digits(flatten=False), batch_size=64).to(backend)
    optimizer = Adam(0.01).setup(model)
    losses: list[float] = []
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


def main(argv: Sequence[str] | None = None) -> dict[str, list[float]]:
    """Train on each library and print the curves side by side."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--backend", nargs="+", default=["numpy"], metavar="NAME", help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (%(default)s)")
    chosen = parser.parse_args(argv)

    curves = {}
    for name in chosen.backend:
        start = time.perf_counter()
        curves[name] = train(name, chosen.steps, chosen.seed)
        print(f"{name}: {chosen.steps} steps in {time.perf_counter() - start:.1f} s")
    print("\nstep" + "".join(f"{name:>18}" for name in curves))
    for step, losses in enumerate(zip(*curves.values(), strict=True), start=1):
        print(f"{step:4}" + "".join(f"{loss:18.6f}" for loss in losses))
    return curves


if __name__ == "__main__":
    main()
