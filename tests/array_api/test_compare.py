"""The comparison of two runs of the conformance suite finds what is worse, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import compare
import pytest
from compare import Result

HERE = Path(__file__).parent


def passed(*names: str) -> dict[str, Result]:
    return dict.fromkeys(names, Result("passed"))


def failed(*names: str) -> dict[str, Result]:
    return dict.fromkeys(names, Result("failed", "why"))


def test_a_test_that_passed_on_the_inner_library_alone_is_an_error():
    said, errors = compare.compare(passed("a", "b"), passed("a") | failed("b"), {})
    assert said == ["2 passed of 2 on the inner library, 1 passed, 1 failed of 2 on tensorgrad"]
    assert errors == ["passed on the inner library, failed on tensorgrad: b\n    why"]


def test_a_failure_of_the_inner_library_is_its_own():
    _, errors = compare.compare(passed("a") | failed("b"), passed("a") | failed("b"), {})
    assert errors == []


def test_what_is_better_is_said():
    said, errors = compare.compare(failed("a"), passed("a"), {})
    assert said[1:] == ["mended: a"]
    assert errors == []


@pytest.mark.parametrize("ours", [{}, {"a": Result("skipped")}])
def test_a_test_that_is_not_run_on_tensorgrad_is_an_error(ours):
    _, errors = compare.compare(passed("a"), ours, {})
    (error,) = errors
    assert error == f"passed on the inner library, {'skipped' if ours else 'absent'} on tensorgrad: a"


def test_a_failure_where_the_inner_library_has_nothing_to_test_is_an_error():
    _, errors = compare.compare({"a": Result("skipped")}, failed("a", "b"), {})
    assert [error.partition("\n")[0] for error in errors] == [
        "skipped on the inner library, failed on tensorgrad: a",
        "absent on the inner library, failed on tensorgrad: b",
    ]


def test_known_differences_are_of_a_test_or_of_a_function():
    inner = passed("f.py::t[1]", "f.py::t[2]", "f.py::u[1]", "f.py::u[2]")
    known = {"f.py::t": "why", "f.py::u[1]": "why"}
    said, errors = compare.compare(inner, failed(*inner), known)
    assert said[1:] == ["known: f.py::t[1]", "known: f.py::t[2]", "known: f.py::u[1]"]
    (error,) = errors
    assert "f.py::u[2]" in error


def test_known_differences_must_be_tests():
    _, errors = compare.compare(passed("a"), passed("a"), {"b": "why"})
    assert errors == ["no test of the suite, but a known difference: b"]


def test_too_few_passed():
    assert compare.compare(passed("a", "b"), passed("a", "b"), {}, floor=2)[1] == []
    _, errors = compare.compare(passed("a", "b"), passed("a", "b"), {}, floor=3)
    assert errors == ["expected at least 3 tests to pass on tensorgrad; got 2"]


def test_reasons_stand_above_the_tests():
    lines = ["# one reason,", "# of two lines", "a", "b[x is -0 -> 0 + 0j]", "", "# another", "c"]
    assert compare.read_known(lines) == {
        "a": "one reason, of two lines",
        "b[x is -0 -> 0 + 0j]": "one reason, of two lines",
        "c": "another",
    }


@pytest.mark.parametrize("lines", [["a"], ["# a reason", "a", "", "b"]])
def test_a_difference_without_a_reason_is_refused(lines):
    with pytest.raises(ValueError, match="expected a comment with the reason above"):
        compare.read_known(lines)


def report(path: Path, **outcomes: str) -> str:
    tests = [
        {"nodeid": name, "outcome": outcome, "call": {"crash": {"message": "first\nsecond"}}}
        for name, outcome in outcomes.items()
    ]
    path.write_text(json.dumps({"tests": tests}))
    return str(path)


def test_reports_are_read_and_the_status_says_what_was_found(tmp_path, capsys):
    inner = report(tmp_path / "inner.json", a="passed", b="passed")
    ours = report(tmp_path / "ours.json", a="passed", b="failed")
    known = tmp_path / "known.txt"
    known.write_text("")
    assert compare.main([inner, ours, "--known", str(known)]) == 1
    said = capsys.readouterr().out
    assert said.endswith("error: passed on the inner library, failed on tensorgrad: b\n    first\n")
    known.write_text("# a reason\nb\n")
    assert compare.main([inner, ours, "--known", str(known)]) == 0
    assert compare.main([inner, ours, "--known", str(known), "--floor", "2"]) == 1


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_the_files_of_known_differences_can_be_read(path):
    known = compare.read_known(path.read_text(encoding="utf-8").splitlines())
    assert all(name.startswith("array_api_tests/") for name in known)
