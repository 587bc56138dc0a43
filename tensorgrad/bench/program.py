"""The command: a few workloads of benchmarks/, as a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

from tensorgrad.bench import formula, mlp
from tensorgrad.bench.contests import ONE_THREAD, OURS, check, race, ratios
from tensorgrad.tools.table import aligned, in_seconds


class Workload(NamedTuple):
    """What is timed: the contenders, and how far their first results may differ."""

    name: str
    contenders: Callable[[], dict[str, Any]]
    steps: int
    per_round: int
    atol: float = 0.0


WORKLOADS = (
    Workload("MLP 784-100-10, batch 32, SGD", lambda: mlp.training(mlp.Case(mlp.SMALL, 32)), 10, 10),
    Workload(
        "MLP 784-1024-1024-10, batch 256, Adam",
        lambda: mlp.training(mlp.Case(mlp.LARGE, 256), adam=True),
        3,
        1,
    ),
    Workload("a formula on 1000 x 1000, with gradient", formula.contenders, 1, 1, 1e-5),
)


def table(seconds: float = 10.0) -> str:
    """Time all contenders that are installed, and say how long each takes beside NumPy by hand.

    Parameters
    ----------
    seconds : float, default 10
        For each workload: rounds begin until they are over, but three are run at least.

    Returns
    -------
    str
        A line for each workload; ratios are medians over rounds in which all take their turns.

    Raises
    ------
    AssertionError
        If a contender gives another loss than the others, so that the work is not equal.
    """
    rows = []
    names: list[str] = []
    for workload in WORKLOADS:
        makers = {name: make for name, make in workload.contenders().items() if make is not None}
        check(makers, workload.steps, 1e-3, workload.atol)
        times = race({name: make() for name, make in makers.items()}, seconds, workload.per_round)
        found = ratios(times)
        names = list(dict.fromkeys([*names, *found]))
        rows.append((workload.name, median(times[OURS]) / workload.per_round, found))
    cells = [
        [name, in_seconds(ours), *(f"{found[n]:.2f}" if n in found else "" for n in names)]
        for name, ours, found in rows
    ]
    note = "processor time, one thread" if ONE_THREAD else "wall time"
    below = f"ratios to NumPy by hand, medians of rounds by turns; {note}. The losses were compared first."
    return "\n".join([*aligned(["workload", f"{OURS}, a step", *names], cells), "", below])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tensorgrad bench",
        description="Time training steps and a formula beside NumPy by hand, and beside PyTorch, JAX, "
        "autograd and MyGrad where they are installed. OMP_NUM_THREADS=1 compares on one thread, by the "
        "processor's time.",
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, metavar="S", help="for each workload (%(default)s)"
    )
    print(table(parser.parse_args(argv).seconds))
    return 0
