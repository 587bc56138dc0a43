"""The host's allocator: fresh arrays of a loop take memory that is at hand."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's allocator is told")

FAULTS = """
import resource
import numpy as np
import tensorgrad as tg
from tensorgrad_backends import allocator
tg.Variable(np.zeros(1)) + 1.0
{setting}

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        arrays = [np.ones(200_000) for _ in range(10)]  # 390 pages each
        del arrays
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10

faults()
print(faults())
"""


def faults_of_a_step(setting: str = "", **environ: str) -> float:
    """Page faults of ten arrays of 1.6 MB, made anew ten times; the mean, after ten times for a start."""
    own = ("TENSORGRAD_MALLOC", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
    env = {name: value for name, value in os.environ.items() if name not in own}
    code = FAULTS.format(setting=setting)
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={**env, **environ}
    )
    return float(run.stdout)


def test_fresh_arrays_need_no_new_pages():
    assert faults_of_a_step() < 50


@pytest.mark.parametrize(
    "environ",
    [{"TENSORGRAD_MALLOC": "system"}, {"MALLOC_TRIM_THRESHOLD_": "131072"}],
    ids=["switched off", "set by the user"],
)
def test_the_environment_leaves_the_allocator_alone(environ):
    assert faults_of_a_step(**environ) > 2000


def test_it_can_be_switched_off_again():
    assert faults_of_a_step("assert allocator.keep_freed_memory(False)") > 2000


def test_a_setting_that_is_no_choice():
    with pytest.raises(subprocess.CalledProcessError) as error:
        faults_of_a_step(TENSORGRAD_MALLOC="on")
    assert "TENSORGRAD_MALLOC: expected 'keep' or 'system'; got 'on'" in error.value.stderr
