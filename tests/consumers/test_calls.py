"""Every call of the tables on every backend: the value, the gradient, or the limit that it meets."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from consumers import page
from consumers.checks import check
from consumers.limits import LIMITS, limit_of
from consumers.tables import TABLES, missing

CALLS = [(table, call) for table in TABLES for call in table.calls]


@pytest.mark.parametrize("table", [pytest.param(t, id=t.module) for t in TABLES])
def test_the_library_is_installed(table: Any) -> None:
    if missing(table):
        pytest.skip(f"{table.library} is not installed: its {table.module} calls are not tested")
    assert table.calls


@pytest.mark.parametrize("call", [pytest.param(call, id=call.name) for _, call in CALLS])
def test_call(call: Any, backend: Any, request: pytest.FixtureRequest) -> None:
    limit = limit_of(call.name, backend.name)
    if limit is not None:
        request.applymarker(pytest.mark.xfail(strict=True, raises=limit.error, reason=limit.reason))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what the library says of its own code is not our subject
        check(call, backend)


def test_names_are_unique_and_limits_are_of_calls() -> None:
    names = [call.name for _, call in CALLS]
    assert len(set(names)) == len(names)
    if not any(map(missing, TABLES)):
        assert sorted(set(LIMITS) - set(names)) == []


def test_the_page_is_made_from_the_tables() -> None:
    if any(map(missing, TABLES)):
        pytest.skip("not all of the libraries are installed")
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), "run: python -m consumers.page, in tests/"
