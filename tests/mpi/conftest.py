"""Tests that all ranks of an MPI program run together, and that one process runs alone.

``mpiexec -n 4 python -m pytest tests/mpi`` runs them on four ranks: rank 0 reports, and a test that fails on
any rank ends all of them. Without ``mpiexec`` the communicator is that of a program that runs alone.
"""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tensorgrad.communicator import Communicator
from tensorgrad.distributed import create_communicator

COMM = create_communicator(debug=True, timeout=120)

if COMM.size > 1:  # a folder for each rank: they would meet where pytest removes those of earlier runs
    TEMPORARY = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    atexit.register(TEMPORARY.cleanup)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = TEMPORARY.name


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if not COMM.is_main:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        reporter._tw._file = Path(os.devnull).open("w")  # noqa: SIM115  # to the end


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed and COMM.size > 1:
        sys.stderr.write(f"[rank {COMM.rank}] {report.nodeid} failed:\n{report.longreprtext}\n")
        sys.stderr.flush()
        COMM.abort(1)


@pytest.fixture
def comm() -> Iterator[Communicator]:
    """The ranks, which have all come to the same test."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "")
    assert set(COMM.allgather_object(test)) == {test}
    yield COMM
    COMM.barrier()


@pytest.fixture
def several(comm: Communicator) -> Communicator:
    """The ranks, where there are at least two."""
    if comm.size == 1:
        pytest.skip("takes several ranks: mpiexec -n 2 python -m pytest tests/mpi")
    return comm


@pytest.fixture
def on_rank() -> Any:
    """``on_rank(r, shape)``: numbers that every rank can compute for every other."""

    def make(rank: int, shape: tuple[int, ...] = (3,), dtype: Any = np.float64) -> Any:
        return np.random.default_rng([7, rank]).uniform(-1, 1, shape).astype(dtype)

    return make
