"""One training run, as all ranks of a communicator make it together; alone it is the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad import distributed as D
from tensorgrad import functions as F
from tensorgrad import layers as L

EXAMPLES = 26  # three batches of 8 and one of 2: with 4 ranks, two of them get none
BATCH = 8


def data() -> list[tuple[Any, Any]]:
    draw = np.random.RandomState(3)
    x = draw.normal(size=(EXAMPLES, 5))
    return list(zip(x, (x.sum(axis=1) > 0).astype(np.int64) + (x[:, 0] > 1), strict=True))


class Net(tg.Model):
    """A layer that is used, one with a frozen bias, and one that nobody uses."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        tg.seed(seed)
        self.first = L.Linear(6, in_size=5, dtype=np.float64)
        self.unused = L.Linear(3, in_size=4, dtype=np.float64)
        self.second = L.Linear(3, in_size=6, dtype=np.float64)
        self.second.b.requires_grad = False
        self.second.b.data[...] = 0.25

    def forward(self, x: Any) -> Any:
        return self.second(F.tanh(self.first(x)))


def train(
    comm: Any,
    make_optimizer: Callable[[], Any],
    *,
    make_model: Callable[..., Any] = Net,
    steps: int = 20,
    kind: Any = D.DistributedOptimizer,
    prepare: Callable[[Any], object] | None = None,
    step: Callable[[int, Any], object] | None = None,
    **options: Any,
) -> Any:
    """Train on batches of `BATCH` examples of all ranks; gives the model and the optimizer."""
    model = make_model(comm.rank)  # of other values on each rank: those of rank 0 count
    optimizer = kind(make_optimizer(), comm, **options).setup(model, data()[0][0][None])
    if prepare is not None:
        prepare(optimizer)
    loader = tg.DataLoader(data(), BATCH // comm.size, comm=comm, seed=1)
    done = 0
    while done < steps:
        for x, t in loader:
            if step is not None:
                step(done, model)
            loss = D.mean_loss(F.cross_entropy(model(x), t, reduction="sum"), len(x), comm)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            done += 1
            if done == steps:
                break
    return model, optimizer


def assert_same(model: Any, reference: Any, tolerance: float = 1e-6) -> None:
    want = dict(reference.namedparams())
    for path, p in model.namedparams():
        np.testing.assert_allclose(p.data, want[path].data, rtol=0, atol=tolerance, err_msg=path)


def assert_in_step(model: Any, comm: Any) -> None:
    """The same bits on all ranks."""
    for path, p in model.namedparams():
        every = comm.allgather(p.data)
        assert (every == every[0]).all(), path
