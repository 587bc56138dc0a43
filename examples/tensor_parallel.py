"""Tensor parallelism: a network whose layers are spread over processes, for models that one cannot hold.

    mpiexec -n 2 python examples/tensor_parallel.py

Each process has a part of the hidden features: columns of the first matrix, rows of the second. All get the
same batches and compute the same loss; its gradient counts once. Alone it is an ordinary network.
"""

from __future__ import annotations

from collections.abc import Sequence

import common
import numpy as np

import tensorgrad as tg
from tensorgrad import distributed as D
from tensorgrad import functions as F
from tensorgrad.datasets import Digits


class Perceptron(tg.Model):
    """64 pixels, `hidden` features that are spread over the processes, 10 scores."""

    def __init__(self, hidden: int, comm: D.Communicator) -> None:
        super().__init__()
        self.first = D.ColumnParallelLinear(hidden, comm, in_size=64)
        self.second = D.RowParallelLinear(10, comm, in_size=hidden)

    def forward(self, x: tg.Variable) -> tg.Variable:
        return self.second(F.relu(self.first(x)))


def main(arguments: Sequence[str] | None = None) -> float:
    """Train, report on rank 0, and give the accuracy on the test images."""
    parser = common.options(__doc__, "tensor_parallel", epochs=10, hidden=128)
    chosen = parser.parse_args(arguments)
    comm = D.create_communicator()
    common.prepare(chosen)

    model = Perceptron(chosen.hidden, comm)
    optimizer = tg.optimizers.Adam(0.003).setup(model)
    # The same batches for all: the loader of a program that runs alone, with one seed.
    loader = tg.DataLoader(Digits(train=True), 64, seed=chosen.seed)
    for _ in range(2 if chosen.quick else chosen.epochs):
        for x, t in loader:
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
    right = common.accuracy(model, tg.DataLoader(Digits(train=False), 128, shuffle=False))
    held = sum(int(np.prod(p.shape)) for p in model.params())
    if comm.is_main:
        print(f"{comm.size} processes with {held:,} numbers each: right {right:.1%}")
    return right


if __name__ == "__main__":
    main()
