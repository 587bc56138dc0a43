"""The page of what is covered says what the tests found."""

from __future__ import annotations

import json
from types import SimpleNamespace

import op_coverage
from op_coverage import Recorder, main, page


def outcomes(*found):
    recorder = Recorder(None)
    for test, backend, function, passed in found:
        recorder.add(test, backend, function, passed)
    return recorder.found


def test_one_failure_at_any_sample_counts():
    found = outcomes(
        ("test_forward", "numpy", "exp", True),
        ("test_forward", "numpy", "exp", False),
        ("test_forward", "numpy", "exp", True),
        ("test_gradients_in_float32", "numpy", "exp", True),
        ("test_gradients_to_second_order", "numpy", "exp", True),
    )
    assert found == {"numpy": {"exp": ["✗", "✓", "✓"]}}


def test_constants_are_marked_unless_a_sample_is_differentiable():
    constant = "test_what_is_not_differentiable_records_nothing"
    found = outcomes(
        (constant, "numpy", "sign", True),
        (constant, "numpy", "astype", True),
        ("test_gradients_in_float32", "numpy", "astype", True),
        (constant, "numpy", "astype", True),
        (constant, "numpy", "floor", False),
    )
    assert found["numpy"] == {"sign": [" ", "c", " "], "astype": [" ", "✓", " "], "floor": [" ", "✗", " "]}


def test_the_page():
    text = page({"jax": {"exp": ["✓", "✓", "✗"]}, "numpy": {"exp": ["✓"] * 3, "sign": ["✓", "c", " "]}})
    assert text.splitlines()[-5:] == [
        "| function | numpy | jax |",
        "| --- | --- | --- |",
        "| `exp` | ✓✓✓ | ✓✓✗ |",
        "| `sign` | ✓c |  |",
        "| functions without a failure | 2 of 2 | 0 of 2 |",
    ]


def test_the_check_fails_on_a_page_that_says_something_else(tmp_path, capsys):
    results, made = tmp_path / "results", tmp_path / "coverage.md"
    results.mkdir()
    (results / "numpy.json").write_text(json.dumps({"exp": ["✓", "✓", "✓"]}), encoding="utf-8")
    assert main([str(results), str(made), "--check"]) == 1
    assert main([str(results), str(made)]) == 0
    assert main([str(results), str(made), "--check"]) == 0
    made.write_text(made.read_text(encoding="utf-8").replace("✓✓✓ |", "✓✓✗ |"), encoding="utf-8")
    assert main([str(results), str(made), "--check"]) == 1
    assert "✓✓✗" in capsys.readouterr().out


def test_a_run_is_recorded_only_where_the_environment_says_so(monkeypatch, tmp_path):
    plugins = []
    config = SimpleNamespace(pluginmanager=SimpleNamespace(register=plugins.append))
    monkeypatch.delenv("TENSORGRAD_COVERAGE", raising=False)
    op_coverage.register(config)
    assert plugins == []
    monkeypatch.setenv("TENSORGRAD_COVERAGE", str(tmp_path))
    op_coverage.register(config)
    assert [p.folder for p in plugins] == [tmp_path]
