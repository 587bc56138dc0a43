"""What data-parallel training costs in messages, and a model of how far it scales: makes docs/scaling.md.

    python benchmarks/scaling.py docs/scaling.md

needs ``pip install 'tensorgrad[mpi]'`` with Open MPI, which also counts the bytes that are sent, and takes
minutes. With --worker this file is the program that ``mpiexec`` starts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad import distributed as D
from tensorgrad import functions as F
from tensorgrad import layers as L

SIZES = [8, 1 << 10, 1 << 15, 1 << 18, 1 << 20, 1 << 22, 1 << 24]  # bytes
RANKS = [8, 16, 32, 64, 128, 256, 512, 1024]
STEPS = 40
BATCHES = {"MLP": 64, "CNN": 32, "transformer": 8}


def models() -> dict[str, tuple[tg.Model, Any, Any]]:
    """Networks of the examples' kinds, with inputs and labels for one rank."""
    draw = np.random.RandomState(0)
    cnn = tg.models.Sequential(
        *(L.Conv2d(16, 3, pad=1), F.relu, L.Conv2d(32, 3, pad=1), F.relu, L.MaxPool2d(2)),
        *(L.Flatten(), L.Linear(128), F.relu, L.Linear(10)),
    )
    blocks = tg.models.Sequential(
        *(L.Linear(64), L.TransformerEncoderBlock(64, 4, 256), L.TransformerEncoderBlock(64, 4, 256)),
        *(L.Flatten(), L.Linear(10)),
    )
    inputs = {
        "MLP": (tg.models.MLP((512, 512, 10)), draw.normal(size=(64, 784))),
        "CNN": (cnn, draw.normal(size=(32, 1, 16, 16))),
        "transformer": (blocks, draw.normal(size=(8, 32, 64))),
    }
    return {
        name: (model, x.astype(np.float32), draw.randint(0, 10, len(x)))
        for name, (model, x) in inputs.items()
    }


# -- the program of each rank ------------------------------------------------------------------------


def slowest(comm: D.Communicator, seconds: float) -> float:
    return float(comm.allreduce(np.array(seconds), "max"))


def times_of_messages(comm: D.Communicator) -> dict[int, float]:
    """Seconds of an allreduce by the number of bytes: the best of several, of the slowest rank."""
    found = {}
    for size in SIZES:
        x = np.ones(size // 8)
        best = math.inf
        for _ in range(60 if size < 1 << 20 else 15):
            comm.barrier()
            start = time.perf_counter()
            comm.allreduce(x)
            best = min(best, slowest(comm, time.perf_counter() - start))
        found[size] = best
    return found


def training(
    comm: D.Communicator, name: str, bucket_size: int, steps: int = STEPS, apart: bool = False
) -> dict[str, Any]:
    """The best step, what it waited for, and how much there is to send; with `apart` nothing is."""
    model, x, t = models()[name]
    peers = D.create_communicator("local") if apart else comm
    optimizer = D.DistributedOptimizer(tg.optimizers.MomentumSGD(0.001), peers, bucket_size=bucket_size)
    optimizer.setup(model, x)
    taken, exposed = [], []
    for _ in range(steps + 2):
        comm.barrier()
        start = time.perf_counter()
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        taken.append(slowest(comm, time.perf_counter() - start))
        exposed.append(slowest(comm, optimizer.exposed))
    buckets = optimizer._buckets
    return {
        "step": min(taken[2:]),
        "median": median(taken[2:]),
        "exposed": min(exposed[2:]),
        "bytes": sum(b.total * np.dtype(b.dtype).itemsize for b in buckets),
        "buckets": len(buckets),
    }


def worker(chosen: argparse.Namespace) -> None:
    comm = D.create_communicator("mpi")
    if chosen.only:
        training(comm, chosen.only, 1 << 20, steps=chosen.steps)
        return
    found: dict[str, Any] = {"messages": times_of_messages(comm), "training": {}}
    for name in BATCHES:
        found["training"][name] = {
            "overlapped": training(comm, name, 1 << 20),
            "afterwards": training(comm, name, 1 << 40),  # one bucket: sent after the last gradient
            "apart": training(comm, name, 1 << 20, apart=True),  # at the same time, each for itself
        }
    if comm.is_main:
        sys.stdout.write(json.dumps(found) + "\n")


# -- measuring ---------------------------------------------------------------------------------------

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def mpiexec(ranks: int, *arguments: str, options: tuple[str, ...] = ()) -> str:
    program = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or "mpiexec"
    command = [program, "-n", str(ranks), *options, sys.executable, __file__, "--worker", *arguments]
    env = {**os.environ, **ENVIRONMENT}
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


def bytes_per_step(ranks: int, name: str) -> float:
    """What the busiest rank sends in a step, as Open MPI counts it: from a long and a short run."""
    counts = []
    for steps in (2, 12):
        with tempfile.TemporaryDirectory() as folder:
            monitoring = {"enable": "2", "enable_output": "3", "filename": f"{folder}/sent"}
            options = [f"--mca pml_monitoring_{k} {v}".split() for k, v in monitoring.items()]
            flat = tuple(word for option in options for word in option)
            mpiexec(ranks, "--only", name, "--steps", str(steps), options=flat)
            sent = []
            for path in Path(folder).glob("sent.*.prof"):
                lines = re.findall(r"^[IE]\t\d+\t\d+\t(\d+) bytes", path.read_text(), flags=re.MULTILINE)
                sent.append(sum(map(int, lines)))
        counts.append(np.array(sorted(sent)))
    return float((counts[1] - counts[0]).max() / 10)


def fitted(messages: dict[str, float], ranks: int) -> tuple[float, float]:
    """Seconds of latency a message and seconds a byte, of ``T = 2 log2(n) a + 2 (n - 1) / n s b``."""
    a = messages[str(SIZES[0])] / (2 * math.log2(ranks))
    size = SIZES[-1]
    b = (messages[str(size)] - messages[str(SIZES[0])]) / (2 * (ranks - 1) / ranks * size)
    return a, b


def allreduce_time(ranks: int, size: float, messages: int, a: float, b: float) -> float:
    return 2 * math.log2(ranks) * a * messages + 2 * (ranks - 1) / ranks * size * b


# -- the page ----------------------------------------------------------------------------------------


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(found: dict[int, Any], counted: dict[tuple[int, str], float]) -> str:
    cores = len(os.sched_getaffinity(0))
    a, b = fitted(found[2]["messages"], 2)
    single = {name: found[1]["training"][name]["overlapped"]["step"] for name in BATCHES}
    of_two = {name: found[2]["training"][name] for name in BATCHES}
    hidden = {
        name: max(0.0, 1 - t["overlapped"]["exposed"] / t["afterwards"]["exposed"])
        for name, t in of_two.items()
    }

    def step(name: str, ranks: int, share: float = 1.0) -> float:
        """The model: the step without an exchange, and what the backward does not hide of the transfers."""
        of = of_two[name]["overlapped"]
        transfers = allreduce_time(ranks, of["bytes"], of["buckets"], a, b) if ranks > 1 else 0.0
        # On this machine ranks share cores and memory. Further ones have a core each, as one rank has here.
        own = found[ranks]["training"][name]["apart"]["step"] if ranks in found else share * single[name]
        busy = max(1.0, ranks / cores) if ranks in found else 1.0
        return own + busy * (1 - hidden[name]) * transfers

    def best(name: str) -> str:
        """With how many ranks a batch of fixed size, 16 times that of BATCHES, takes the least time."""
        examples = 16 * BATCHES[name]
        times = {n: step(name, n, 16 / n) for n in RANKS if n <= examples}
        fastest = min(times, key=lambda n: times[n])
        return f"{fastest:,}{', with an example each' if fastest == examples else ''}"

    rows_of_model, rows_sent, rows_hidden, rows_far = [], [], [], []
    off = 0.0
    for name in BATCHES:
        for n in (2, 4):
            measured, predicted = found[n]["training"][name]["overlapped"]["step"], step(name, n)
            off = max(off, abs(predicted / measured - 1))
            rows_of_model.append(
                [
                    *(name, str(n), milliseconds(single[name])),
                    *(milliseconds(found[n]["training"][name]["apart"]["step"]), milliseconds(measured)),
                    *(milliseconds(predicted), f"{single[name] / measured:.0%}"),
                    f"{single[name] / predicted:.0%}",
                ]
            )
            least = 2 * (n - 1) / n * of_two[name]["overlapped"]["bytes"]
            sent = counted[n, name]
            rows_sent.append([name, str(n), f"{sent:,.0f}", f"{least:,.0f}", f"{sent / least:.3f}"])
        t = of_two[name]
        waited = [milliseconds(t[k]["exposed"]) for k in ("afterwards", "overlapped")]
        rows_hidden.append([name, *waited, f"{hidden[name]:.0%}"])
        rows_far.append([name, *(f"{single[name] / step(name, n):.0%}" for n in RANKS), best(name)])
    messages = [
        [f"{size:,}", *(f"{1e6 * found[n]['messages'][str(size)]:,.0f}" for n in (2, 4))] for size in SIZES
    ]
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return TEMPLATE.format(
        machine=f"{platform.machine()} with {cores} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}",
        load=load,
        quiet="" if os.getloadavg()[2] < 0.5 + cores else LOADED,
        messages=table(["bytes", "2 ranks, us", "4 ranks, us"], messages),
        latency=f"{1e6 * a:.0f}",
        bandwidth=f"{1e-9 / b:.2f}",
        sent=table(
            ["network", "ranks", "bytes of the busiest rank", "2(n-1)/n of the gradient", "ratio"],
            rows_sent,
        ),
        hidden=table(["network", "after the backward, ms", "in buckets of 1 MiB, ms", "hidden"], rows_hidden),
        check=table(
            [
                *("network", "ranks", "1 rank, ms", "apart, ms", "measured, ms", "model, ms"),
                *("efficiency", "of the model"),
            ],
            rows_of_model,
        ),
        far=table(["network", *map(str, RANKS), "fixed batch: fastest with"], rows_far),
        cores=cores,
        off=f"{off:.0%}",
        batches=", ".join(f"{name} {n}" for name, n in BATCHES.items()),
    )


LOADED = """
**The machine had other work during these measurements**, several times as many busy processes as cores:
the times are worse than its own and vary from run to run, as a rank that waits for one without a core
waits for the scheduler. They neither confirm nor refute the model below. The numbers of bytes are exact.
Run the script on a quiet machine before you rely on a time here.
"""

TEMPLATE = """# How data-parallel training scales

Made by `python benchmarks/scaling.py docs/scaling.md`. Measured on {machine};
all ranks on this one machine, one BLAS thread each, messages through shared memory.
Load averages at the end: {load}.
{quiet}
Times are the best of several, of the slowest rank. With 4 ranks on {cores} cores each has part of a core.

## Messages

An allreduce of float64 numbers over Open MPI:

{messages}

From the smallest and the largest with 2 ranks: a latency of a = {latency} us a message, and
b = 1 / ({bandwidth} GB/s) for each byte, in `T(n, s) = 2 log2(n) a + 2 (n - 1) / n s b`.

## Bytes

Sent in a step by the rank that sends most, counted by Open MPI's monitoring, beside the least that a sum
over n ranks takes. What is more than that are a number for each parameter, which says whether any rank has
used it, and the messages with which this benchmark brings the ranks together before each step.

{sent}

## Overlap

What `update` waited for with 2 ranks: when everything is sent after the backward, and when each bucket starts
as soon as its last gradient is there. MPI works on a transfer in calls alone, which come with each gradient
that arrives; and a transfer through shared memory takes the time of the core that computes.

{hidden}

## The model beside the measurement

A step of n ranks takes as long as n that run at the same time and send nothing ("apart": on one machine they
share cores, caches and memory), and what the backward does not hide of the transfers: `T(n)` for the
gradient, once for each bucket in the latency, times the part that was not hidden with 2 ranks, and
n / {cores} times as long with more ranks than cores. Batches of a rank: {batches}.
Efficiency is against one rank alone. The model is off by {off} of the measured step at most.

{check}

## Further ranks, by the model

Efficiency with a core and its memory for each rank, the batch growing with the ranks, and the same latency
and bandwidth between all: no network was measured. With those of yours for a and b, the formula gives your
table. The last column is for a batch of fixed size, 16 times that of a rank: with how many ranks a step takes
the least time. From there on the network stops scaling, for want of examples where each rank has one left.

{far}
"""


def main() -> None:
    """Measure with 1, 2 and 4 ranks, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("page", nargs="?", type=Path, help="where the page goes")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only", help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=STEPS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        worker(chosen)
        return
    if chosen.page is None:
        parser.error("name the page to write: docs/scaling.md")
    found = {}
    for ranks in (1, 2, 4):
        found[ranks] = json.loads(mpiexec(ranks).splitlines()[-1])
        sys.stdout.write(f"measured with {ranks} ranks\n")
    counted = {(n, name): bytes_per_step(n, name) for n in (2, 4) for name in BATCHES}
    chosen.page.write_text(page(found, counted), encoding="utf-8")


if __name__ == "__main__":
    main()
