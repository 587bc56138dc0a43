"""A pytest plugin for the conformance suite: the runs that are compared get the same examples.

``--derandomize`` sees to that but for strategies' ``example()``, which draws from Python's random numbers.
And failures are counted here, not explained, so none is shrunk: that took most of the time of a run.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import Phase, settings


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Take the shrinking out of the settings that the suite has made."""
    suite = settings.get_profile("array-api-tests")
    settings.register_profile("repeatable", suite, phases=(Phase.explicit, Phase.generate))
    settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start each test with random numbers of its own."""
    random.seed(item.nodeid)
