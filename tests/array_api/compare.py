"""Two runs of the official conformance suite, test by test: the inner library's and tensorgrad's.

``python compare.py INNER.json OURS.json --known FILE [--floor N]`` reads the reports of pytest-json-report,
writes a summary, and exits with 1 if a test that passed on the inner library did not pass on tensorgrad
and is not in the file of known differences, or if fewer than N tests passed on tensorgrad.

In the file of known differences a line is the id of a test, or of all tests of a function. The comment
above a group of ids is their reason.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Result(NamedTuple):
    """What became of a test, and the first line of what it said."""

    outcome: str
    message: str = ""


def read_report(path: Path) -> dict[str, Result]:
    """The tests of a JSON report, by their ids."""
    tests = {}
    for test in json.loads(path.read_text(encoding="utf-8"))["tests"]:
        phases = (test.get(name, {}) for name in ("setup", "call", "teardown"))
        messages = [phase["crash"]["message"] for phase in phases if "crash" in phase]
        tests[test["nodeid"]] = Result(test["outcome"], messages[0].partition("\n")[0] if messages else "")
    return tests


def read_known(lines: Iterable[str]) -> dict[str, str]:
    """The ids in a file of known differences, each with its reason."""
    known: dict[str, str] = {}
    reason: list[str] = []
    in_comment = False
    for line in map(str.strip, lines):
        if line.startswith("#"):
            reason = [*(reason if in_comment else []), line.removeprefix("#").strip()]
        elif line:
            if not reason:
                raise ValueError(f"expected a comment with the reason above {line!r}; got none")
            known[line] = " ".join(reason)
        else:
            reason = []
        in_comment = line.startswith("#")
    return known


def is_known(test: str, known: Iterable[str]) -> bool:
    """Whether a test, or the function that it is a case of, is among the known differences."""
    return any(test == name or test.partition("[")[0] == name for name in known)


def worse(inner: dict[str, Result], ours: dict[str, Result]) -> list[str]:
    """The tests that failed, were skipped or were not there on tensorgrad, and fared better before."""
    ranks = {"passed": 2, "skipped": 1, "xfailed": 1, "absent": 1}  # anything else is a failure
    absent = Result("absent")
    return [
        name
        for name in {**inner, **ours}
        if ranks.get(ours.get(name, absent).outcome, 0) < ranks.get(inner.get(name, absent).outcome, 0)
    ]


def compare(
    inner: dict[str, Result], ours: dict[str, Result], known: dict[str, str], floor: int = 0
) -> tuple[list[str], list[str]]:
    """What there is to say about two runs, and what of it is an error."""
    found = worse(inner, ours)
    better = worse(ours, inner)
    said = [f"{_count(inner)} on the inner library, {_count(ours)} on tensorgrad"]
    said += [f"mended: {name}" for name in better]
    said += [f"known: {name}" for name in found if is_known(name, known)]
    absent = Result("absent")
    errors = []
    for name in found:
        if not is_known(name, known):
            theirs, test = inner.get(name, absent), ours.get(name, absent)
            head = f"{theirs.outcome} on the inner library, {test.outcome} on tensorgrad: {name}"
            errors.append(f"{head}\n    {test.message}".rstrip())
    tests = {*inner, *(name.partition("[")[0] for name in inner)}
    errors += [f"no test of the suite, but a known difference: {name}" for name in known if name not in tests]
    passed = sum(test.outcome == "passed" for test in ours.values())
    if passed < floor:
        errors.append(f"expected at least {floor} tests to pass on tensorgrad; got {passed}")
    return said, errors


def _count(tests: dict[str, Result]) -> str:
    counts = Counter(test.outcome for test in tests.values())
    return ", ".join(f"{n} {outcome}" for outcome, n in counts.most_common()) + f" of {len(tests)}"


def main(arguments: list[str] | None = None) -> int:
    """Compare the two reports that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("inner", type=Path)
    parser.add_argument("ours", type=Path)
    parser.add_argument("--known", type=Path, required=True)
    parser.add_argument("--floor", type=int, default=0)
    args = parser.parse_args(arguments)
    known = read_known(args.known.read_text(encoding="utf-8").splitlines())
    said, errors = compare(read_report(args.inner), read_report(args.ours), known, args.floor)
    sys.stdout.write("\n".join([*said, *(f"error: {error}" for error in errors)]) + "\n")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
