"""The `contest` fixture: equal work, timed by turns, so that a ratio means something on a noisy machine."""

from __future__ import annotations

import os
import resource
import tracemalloc
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time

import numpy as np
import pytest

from benchmarks import results

ONE_THREAD = os.environ.get("OMP_NUM_THREADS") == "1"
if ONE_THREAD:  # JAX has threads of its own
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

# With one thread the time of the processor counts, which other programs on the machine do not change.
clock = process_time if ONE_THREAD else perf_counter

OURS, BY_HAND = "tensorgrad", "NumPy by hand"
_LINES: list[str] = []
_ROWS: list[results.Row] = []

Step = Callable[[], object]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--results", help="write the table of all contests to this file")


@pytest.fixture
def report() -> Callable[[str], None]:
    """Show a line at the end of the run."""
    return _LINES.append


@pytest.fixture
def short(request: pytest.FixtureRequest) -> bool:
    """Whether this run is only to show that the benchmarks work."""
    return float(request.config.getoption("--benchmark-max-time")) < 0.5


@pytest.fixture
def contest(benchmark, report, short: bool, request: pytest.FixtureRequest) -> Callable[..., results.Row]:
    """Check that contenders do equal work, and time each against NumPy by hand, by turns.

    `makers` gives for each contender a function without arguments that makes its step from the same
    first state; a step gives its result, a loss for instance. The first `steps` results agree.
    A ratio is the median over rounds of (time of the contender / time by hand), each taken one after the
    other. None is asserted, since a busy machine would fail the test and not the code.
    """

    def run(
        workload: str,
        makers: dict[str, Callable[[], Step] | None],
        *,
        aim: float | None = None,
        steps: int = 10,
        rtol: float = 1e-3,
        atol: float = 0.0,
        per_round: int = 1,
    ) -> results.Row:
        present = {name: make for name, make in makers.items() if make is not None}
        found = {}
        for name, make in present.items():
            step = make()
            found[name] = [step() for _ in range(2 if short else steps)]
        for name, values in found.items():
            np.testing.assert_allclose(values, found[BY_HAND], rtol, atol, err_msg=name)
        racing = {name: make() for name, make in present.items()}
        times: dict[str, list[float]] = {name: [] for name in racing}
        until = perf_counter() + (0 if short else 15)
        while len(times[OURS]) < 3 or (len(times[OURS]) < 31 and perf_counter() < until):
            for name, step in racing.items():
                times[name].append(_time(step, per_round))
        row = results.Row(
            workload,
            {n: median(t / h for t, h in zip(times[n], times[BY_HAND], strict=True)) for n in racing},
            1e3 * median(times[OURS]) / per_round,
            aim,
            {name: _faults(racing[name], 2 if short else 20) for name in (OURS, BY_HAND)},
            {name: _peak(racing[name]) for name in (OURS, BY_HAND)},
        )
        _ROWS.append(row)
        report(row.line())
        _write(request.config)  # what is known so far, should the run be stopped
        benchmark.extra_info.update(ratios={k: round(v, 3) for k, v in row.ratios.items()})
        benchmark(racing[OURS])
        return row

    return run


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


def _faults(work: Step, times: int) -> float:
    """Page faults of a step: memory that the system had to find for it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        work()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / times


def _peak(work: Step) -> float:
    """Megabytes that a step has at most beyond what is there before it."""
    tracemalloc.start()
    work()
    work()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    work()
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    return peak / 1e6


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show every ratio beside the figure that is aimed at."""
    if _LINES:
        terminalreporter.section("time : NumPy by hand, medians of rounds by turns")
        for line in _LINES:
            terminalreporter.write_line(line)
    _write(terminalreporter.config)


def _write(config: pytest.Config) -> None:
    """Write the table, if that is asked for."""
    path = config.getoption("--results")
    if path:
        results.write(path, _ROWS, _LINES, "process time" if ONE_THREAD else "wall time")
