"""Equal work, timed by turns, so that a ratio means something on a noisy machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter, process_time

import numpy as np

ONE_THREAD = os.environ.get("OMP_NUM_THREADS") == "1"
if ONE_THREAD:  # JAX has threads of its own
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

# With one thread the time of the processor counts, which other programs on the machine do not change.
clock = process_time if ONE_THREAD else perf_counter

OURS, BY_HAND = "tensorgrad", "NumPy by hand"

Step = Callable[[], object]
Makers = Mapping[str, Callable[[], Step]]


def check(makers: Makers, steps: int, rtol: float, atol: float) -> None:
    """Have each contender do its first steps, and compare their results with those by hand.

    Parameters
    ----------
    makers : mapping of str to callable
        For each contender a function without arguments that makes its step from the same first state; a step
        gives its result, a loss for instance.

    Raises
    ------
    AssertionError
        If one gives something else: then the work is not equal.
    """
    found = {}
    for name, make in makers.items():
        step = make()
        found[name] = [step() for _ in range(steps)]
    for name, values in found.items():
        np.testing.assert_allclose(values, found[BY_HAND], rtol, atol, err_msg=name)  # type: ignore[arg-type]


def race(racing: Mapping[str, Step], seconds: float, per_round: int) -> dict[str, list[float]]:
    """The seconds that each takes for so many steps, round by round: three at least, 31 at most."""
    times: dict[str, list[float]] = {name: [] for name in racing}
    until = perf_counter() + seconds
    while len(times[OURS]) < 3 or (len(times[OURS]) < 31 and perf_counter() < until):
        for name, step in racing.items():
            times[name].append(_time(step, per_round))
    return times


def ratios(times: Mapping[str, list[float]]) -> dict[str, float]:
    """The median over rounds of (time of the contender / time by hand), taken one after the other."""
    return {n: median(t / h for t, h in zip(times[n], times[BY_HAND], strict=True)) for n in times}


def _time(work: Step, times: int) -> float:
    """Seconds of so many calls, after others that bring the caches back.

    They also outlast the threads of the contender before: those of OpenMP spin for milliseconds when
    their work is done, on cores that the next contender needs.
    """
    settled = perf_counter() + 0.01
    work()
    while perf_counter() < settled:
        work()
    start = clock()
    for _ in range(times):
        work()
    return clock() - start
