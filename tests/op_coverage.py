"""The table of `docs/coverage.md`, made from the results of the table test of the ops.

A test run with ``TENSORGRAD_COVERAGE=folder`` leaves ``folder/<backend>.json`` there. Then

    python tests/op_coverage.py folder docs/coverage.md            writes the page
    python tests/op_coverage.py folder docs/coverage.md --check    fails if the page says something else
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

TESTS = {
    "test_forward": (0,),
    "test_gradients_in_float32": (1,),
    "test_gradients_to_second_order": (1, 2),
    "test_complex_numbers": (0, 1, 2),
    "test_what_is_not_differentiable_records_nothing": (1,),
}
"""The tests of `test_ops` that count, and the columns that each is for."""

CASE = re.compile(r"test_ops\.py::(?P<test>\w+)\[(?P<backend>\w+)-(?P<function>\w+)-\d+")
"""The name of a test of the table."""

BACKENDS = ("numpy", "array_api_strict", "torch", "jax", "dpnp", "dask", "cupy")
PASSED, FAILED, CONSTANT, NOT_RUN = "✓", "✗", "c", " "

HEAD = """\
# What is covered

Made by `tests/op_coverage.py` from the results of `tests/test_ops.py`; do not edit. For each function and
array library there are three marks: the value, the gradient and the second gradient.

- `✓` passed: values against an independent reference; gradients against finite differences on NumPy, and on
  the others against NumPy's; of real numbers and, where a function is defined for them, of complex ones;
- `c` a constant: the function has no gradient, and the test is that it records none;
- `✗` failed, or is known to fail at a sample (`tests/gaps.py` says why);
- a blank was not run.

On JAX, dpnp and Dask each function is tested at its first sample, in float64 (gradients on Dask in
float32); on the others at all samples, in float32 too. Second gradients and complex numbers are not tested
on Dask: a graph of tasks for each takes too long. All of it ran on the CPU, dpnp on an OpenCL device for
CPUs. CuPy needs a CUDA device: its column is there where one was.

"""


class Recorder:
    """Collects the outcomes of one test run, and writes them when it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: dict[str, dict[str, list[str]]] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        found = CASE.search(report.nodeid)
        if found and found["test"] in TESTS and (report.when == "call" or report.failed):
            self.add(found["test"], found["backend"], found["function"], report.passed)

    def add(self, test: str, backend: str, function: str, passed: bool) -> None:
        """One sample of a function passed a test, or did not."""
        marks = self.found.setdefault(backend, {}).setdefault(function, [NOT_RUN] * 3)
        constant = test == "test_what_is_not_differentiable_records_nothing"
        for column in TESTS[test]:
            if not passed:
                marks[column] = FAILED
            elif marks[column] != FAILED and not (constant and marks[column] == PASSED):
                marks[column] = CONSTANT if constant else PASSED  # another sample may be differentiable

    def pytest_sessionfinish(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for backend, functions in self.found.items():
            text = json.dumps(functions, indent=0, sort_keys=True, ensure_ascii=False)
            (self.folder / f"{backend}.json").write_text(text, encoding="utf-8")


def register(config: Any) -> None:
    """Record this run, if the environment says where."""
    folder = os.environ.get("TENSORGRAD_COVERAGE")
    if folder:
        config.pluginmanager.register(Recorder(Path(folder)))


def page(results: dict[str, dict[str, list[str]]]) -> str:
    """The page for backend -> function -> marks."""
    backends = [name for name in BACKENDS if name in results]
    functions = sorted({name for marks in results.values() for name in marks})
    rows = [["function", *backends], ["---"] * (len(backends) + 1)]
    for function in functions:
        cells = ["".join(results[b].get(function, [NOT_RUN] * 3)).rstrip() for b in backends]
        rows.append([f"`{function}`", *cells])
    complete = {
        b: sum(FAILED not in m and NOT_RUN not in m[:2] for m in results[b].values()) for b in backends
    }
    rows.append(["functions without a failure", *(f"{complete[b]} of {len(functions)}" for b in backends)])
    return HEAD + "".join("| " + " | ".join(row) + " |\n" for row in rows)


def main(argv: list[str] | None = None) -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("results", type=Path, help="the folder of the JSON files")
    parser.add_argument("page", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page differs")
    options = parser.parse_args(argv)
    files = sorted(options.results.glob("*.json"))
    if not files:
        parser.error(f"no results in {options.results}: run the tests with TENSORGRAD_COVERAGE set to it")
    text = page({file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files})
    if not options.check:
        options.page.parent.mkdir(parents=True, exist_ok=True)
        options.page.write_text(text, encoding="utf-8")
        return 0
    before = options.page.read_text(encoding="utf-8").splitlines() if options.page.exists() else []
    after = text.splitlines()
    changed = [line for line in after if line not in before] + [line for line in before if line not in after]
    if changed:
        differ = "\n".join(changed)
        sys.stdout.write(
            f"{options.page} is not what the tests found; make it again. It differs:\n{differ}\n"
        )
    return int(bool(changed))


if __name__ == "__main__":
    sys.exit(main())
