"""The suite's own guards: each is shown a test with the fault that it is there for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CASES = """
import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import Variable


def test_passes(backend, xp, var):
    assert xp is backend.xp
    assert isinstance(var([1.0]).data, backend.array_types)


def test_leaks_configuration():
    tg.Config.train = False


def test_after_the_leak():
    assert tg.Config.train


def test_leaves_a_cycle():
    x = Variable(np.array(1.0))
    x.grad = x


def test_leaves_a_cycle_through_a_node():
    y = Variable(np.array(1.0)) * 2.0
    y.creator.mine = [y.creator]


def test_a_cycle_of_frames_is_no_fault():
    y = Variable(np.array(1.0)) * 2.0
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    assert caught and y


def test_a_local_class_is_no_fault():
    class Double(tg.Function):
        def forward(self, x):
            return 2 * x

    Double()(Variable(np.array(1.0)))


def test_fails_by_itself():
    y = Variable(np.array(1.0)) * 2.0
    assert y is None


@pytest.mark.parametrize("round", [0, 1])
def test_seeds(round):
    assert np.random.random() == 0.5488135039273248


@pytest.mark.gpu
def test_device():
    assert False


@pytest.mark.gpu
def test_device_too():
    assert False
"""
SETTINGS = """
[pytest]
addopts = --strict-markers
markers =
    gpu: needs a CUDA device
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    for name in ("conftest.py", "op_coverage.py", "under_test.py"):
        shutil.copy(Path(__file__).with_name(name), folder)
    (folder / "test_cases.py").write_text(CASES)
    (folder / "pytest.ini").write_text(SETTINGS)
    return folder


def run(suite: Path, backends: str) -> str:
    """What pytest says about the cases, where there is no CUDA device."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "--tb=short", "-p", "no:cacheprovider", str(suite)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TENSORGRAD_TEST_BACKENDS": backends, "CUDA_VISIBLE_DEVICES": ""},
        cwd=suite,
    )
    assert done.returncode == 1, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def outcome(suite: Path) -> str:
    return run(suite, "numpy,no_such_backend")


def said(outcome: str, what: str) -> set[str]:
    return set(re.findall(rf"^{what} test_cases.py::(\S+)", outcome, re.MULTILINE))


def test_what_passes(outcome):
    passed = said(outcome, "PASSED") - said(outcome, "ERROR")
    assert passed == {
        "test_passes[numpy]",
        "test_after_the_leak",
        "test_a_cycle_of_frames_is_no_fault",
        "test_a_local_class_is_no_fault",
        "test_seeds[0]",
        "test_seeds[1]",
    }
    assert said(outcome, "FAILED") == {"test_fails_by_itself"}


def test_what_leaks(outcome):
    leaked = "State(enable_backprop=True, train=False, precision=None)"
    assert f"the test leaked its configuration: {leaked}" in outcome
    assert {
        "test_leaks_configuration",
        "test_leaves_a_cycle",
        "test_leaves_a_cycle_through_a_node",
    } <= said(outcome, "ERROR")
    assert "the test left a reference cycle: Variable -> Variable" in outcome
    assert "the test left a reference cycle: Mul -> " in outcome


def test_a_backend_that_does_not_load_is_a_failure(outcome):
    assert "test_passes[no_such_backend]" in said(outcome, "ERROR")
    assert "no backend is named 'no_such_backend'" in outcome


def test_device_tests_are_counted(outcome):
    assert re.search(r"^2 device tests not run: \S", outcome, re.MULTILINE)


def test_without_numpy_only_what_meets_a_backend_is_run(suite):
    outcome = run(suite, "no_such_backend")
    assert said(outcome, "ERROR") == {"test_passes[no_such_backend]"}
    assert said(outcome, "PASSED") == said(outcome, "FAILED") == set()
    assert "2 skipped, 9 deselected, 1 error" in outcome
