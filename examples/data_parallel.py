"""Data-parallel training: each process has a part of every batch, and all keep the same network.

It runs alone as it stands; on four processes of this machine, after ``pip install 'tensorgrad[mpi]'``, with

    mpiexec -n 4 python examples/data_parallel.py

The batch of all processes together stays the same, so the result does, up to rounding. A run that is
interrupted goes on from the checkpoint in --out with --resume, on any number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import common
import numpy as np

import tensorgrad as tg
from tensorgrad import distributed as D
from tensorgrad import functions as F
from tensorgrad import layers as L
from tensorgrad.datasets import Digits

BATCH = 64  # of all processes together


def network(comm: D.Communicator) -> tg.Model:
    """Two hidden layers with batch normalisation, by the statistics of the batch of all processes."""
    layers = (L.Linear(64, nobias=True), L.BatchNorm(), F.relu)
    more = (L.Linear(32, nobias=True), L.BatchNorm(), F.relu, L.Linear(10))
    model = tg.models.Sequential(*layers, *more)
    D.synchronize_batch_norm(model, comm)
    return model


def accuracy(model: tg.Model, comm: D.Communicator) -> float:
    """The part of the test images whose label is found; each process looks at some of them."""
    right, count = 0.0, 0
    with tg.no_grad(), tg.test_mode():
        for x, t in tg.DataLoader(Digits(train=False), 128, shuffle=False, comm=comm):
            if len(t):
                right += float(F.accuracy(model(x), t).data) * len(t)
                count += len(t)
    part = right / count if count else 0.0
    return D.average_metrics({"accuracy": part}, comm, count)["accuracy"]


def main(arguments: Sequence[str] | None = None) -> float:
    """Train, report on rank 0, and give the accuracy on the test images."""
    parser = common.options(__doc__, "data_parallel", epochs=10)
    parser.add_argument("--sharded", action="store_true", help="keep the optimizer's state in parts")
    parser.add_argument("--compression", choices=["float16", "bfloat16"], help="send 16 bits a number")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    chosen = parser.parse_args(arguments)
    comm = D.create_communicator()
    common.prepare(chosen)
    epochs = 2 if chosen.quick else chosen.epochs

    model = network(comm)
    rule = tg.optimizers.Adam(0.003)
    if chosen.sharded:
        optimizer: Any = D.ShardedOptimizer(rule, comm)
    else:
        optimizer = D.DistributedOptimizer(rule, comm, compression=chosen.compression)
    optimizer.setup(model, np.zeros((1, 64), np.float32))
    loader = tg.DataLoader(Digits(train=True), BATCH // comm.size, comm=comm, seed=chosen.seed)
    path = chosen.out / "checkpoint.npz"
    state = {"model": model, "optimizer": optimizer, "loader": loader}
    start = D.load_checkpoint(path, comm, state)["epochs"] if chosen.resume else 0

    for epoch in range(start, epochs):
        total, examples = 0.0, 0
        for x, t in loader:
            loss = D.mean_loss(F.cross_entropy(model(x), t, reduction="sum"), len(t), comm)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            total += float(loss.data)
            examples += 1
        mean = D.average_metrics({"loss": total / examples}, comm)["loss"]
        right = accuracy(model, comm)
        D.save_checkpoint(path, comm, {**state, "epochs": epoch + 1}, sharded=chosen.sharded)
        if comm.is_main:
            print(f"{comm.size} processes, epoch {epoch + 1}: loss {mean:.4f}, right {right:.1%}")
    return accuracy(model, comm)


if __name__ == "__main__":
    main()
