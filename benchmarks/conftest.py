"""The `race` fixture: contenders take turns, so that a ratio means something on a noisy machine."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter

import pytest

_LINES: list[str] = []


@pytest.fixture
def report() -> Callable[[str], None]:
    """Show a line at the end of the run."""
    return _LINES.append


@pytest.fixture
def race(benchmark, report, request: pytest.FixtureRequest) -> Callable[..., dict[str, float]]:
    """Time ``ours`` by pytest-benchmark, and its ratio to each rival by rounds that alternate.

    The ratio to a rival is the median over rounds of (time of ours / time of the rival), each pair
    taken one after the other. Ratios are shown at the end of the run and stored in ``extra_info``; none
    is asserted, since a busy machine would fail the test and not the code.
    """

    def run(
        ours: Callable[[], object],
        *,
        target: str = "",
        per_round: int = 1,
        **rivals: Callable[[], object],
    ) -> dict[str, float]:
        short = float(request.config.getoption("--benchmark-max-time")) < 0.5
        rounds = 5 if short else 41
        own = []
        ratios = {}
        for name, rival in rivals.items():
            pairs = []
            for _ in range(rounds):
                own.append(_time(ours, per_round))
                pairs.append(own[-1] / _time(rival, per_round))
            ratios[name] = median(pairs)
        benchmark.extra_info.update(ratios={k: round(v, 3) for k, v in ratios.items()})
        shown = "   ".join(f"{ratio:6.2f} x {rival}" for rival, ratio in ratios.items())
        milliseconds = 1e3 * median(own) / per_round
        report(f"{request.node.name:44s}{milliseconds:10.3f} ms   {shown}   {target}")
        benchmark(ours)
        return ratios

    return run


def _time(work: Callable[[], object], times: int) -> float:
    """Seconds of so many calls, after others that bring the caches back.

    They also outlast the threads of the contender before: those of OpenMP spin for milliseconds when
    their work is done, on cores that the next contender needs.
    """
    settled = perf_counter() + 0.01
    work()
    while perf_counter() < settled:
        work()
    start = perf_counter()
    for _ in range(times):
        work()
    return perf_counter() - start


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show every ratio beside the figure that is aimed at."""
    if _LINES:
        terminalreporter.section("tensorgrad : rival, medians of alternating rounds")
        for line in _LINES:
            terminalreporter.write_line(line)
