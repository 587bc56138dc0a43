"""The `contest` fixture: equal work, timed by turns, so that a ratio means something on a noisy machine."""

from __future__ import annotations

import resource
import tracemalloc
from collections.abc import Callable
from statistics import median

import pytest

from benchmarks import results
from tensorgrad.bench.contests import BY_HAND, ONE_THREAD, OURS, Step, check, race, ratios

_LINES: list[str] = []
_ROWS: list[results.Row] = []


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
        check(present, 2 if short else steps, rtol, atol)
        racing = {name: make() for name, make in present.items()}
        times = race(racing, 0 if short else 15, per_round)
        row = results.Row(
            workload,
            ratios(times),
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
