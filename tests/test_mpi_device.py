"""Arrays on devices go from rank to rank: the double of CuPy's, as no machine with GPUs runs these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from launching import launch

pytest.importorskip("mpi4py", reason="mpi4py is not installed: nox -s tests-mpi runs these tests")


def test_arrays_on_devices_go_over_mpi_and_nccl():
    """Without a copy to the host, and with the results of the ranks together."""
    done = launch(2, str(Path(__file__).parent / "mpi" / "device_program.py"))
    assert done.returncode == 0, done.stderr
    said = [f"{name}: right on rank {rank} of 2" for name in ("mpi", "nccl") for rank in (0, 1)]
    assert sorted(done.stdout.splitlines()) == said, done.stderr
