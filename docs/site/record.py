"""Runs the examples in full and records what they print and draw, for their pages on the site.

python docs/site/record.py --data FOLDER             all of them, several minutes of one core
python docs/site/record.py mnist --data FOLDER       one

The runs are those of docs/examples/runs.toml. What they print goes to docs/examples/recorded, with the time
that they took, the versions and a hash of the script, and what they draw to docs/pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gallery

# One core: what takes how long can be compared.
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
# More ranks than cores, and root in a container, are allowed.
OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def record(name: str, run: dict[str, Any], data: str | None) -> None:
    """Run one example in an empty folder and keep what it printed and drew."""
    script = gallery.EXAMPLES / f"{name}.py"
    words = run.get("arguments", "").split()
    if "FOLDER" in words and data is None:
        sys.exit(f"{name} reads MNIST: --data FOLDER names a folder with its idx files")
    arguments = [str(Path(data).resolve()) if data and word == "FOLDER" else word for word in words]
    ranks = ["mpiexec", "-n", str(run["processes"])] if "processes" in run else []
    command = [*ranks, sys.executable, str(script), *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, **ALONE, **OPEN_MPI}
        ended = subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True, text=True)
        if ended.returncode:
            sys.exit(f"{gallery.command(name, run)} failed:\n{ended.stdout}{ended.stderr}")
        seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        for drawn, kept in run.get("pictures", {}).items():
            (found,) = Path(folder).rglob(drawn)
            shutil.copyfile(found, gallery.PICTURES / kept)
    facts = {
        "seconds": round(seconds, 1),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "machine": platform.machine(),
        "script": gallery.digest(name),
    }
    (gallery.RECORDED / f"{name}.txt").write_text(ended.stdout.rstrip() + "\n", encoding="utf-8")
    (gallery.RECORDED / f"{name}.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print(f"{gallery.command(name, run)}: {seconds:.0f} s", flush=True)


def main() -> None:
    """Record the runs that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    runs = gallery.runs()
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(runs)}; all by default")
    parser.add_argument("--data", metavar="FOLDER", help="with the idx files of MNIST")
    chosen = parser.parse_args()
    for name in chosen.names or runs:
        record(name, runs[name], chosen.data)


if __name__ == "__main__":
    main()
