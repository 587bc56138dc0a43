"""``python -m tensorgrad bench``: equal work, timed by turns, as a table."""

from __future__ import annotations

import re

import pytest

from tensorgrad.__main__ import main
from tensorgrad.bench import formula, mlp, program
from tensorgrad.bench.contests import BY_HAND, OURS, check, race, ratios
from under_test import BACKENDS

pytestmark = pytest.mark.skipif("numpy" not in BACKENDS, reason="seen where NumPy is tested")

SMALL = program.Workload("small", lambda: mlp.training(mlp.Case((20, 8, 3), 4)), 3, 1)


def alone(makers):
    """Ours and that by hand: the others take seconds to load."""
    return {name: makers[name] for name in (OURS, BY_HAND)}


def test_the_contenders_do_equal_work():
    case = mlp.Case((20, 8, 3), 4)
    for adam in (False, True):
        check(alone(mlp.training(case, adam=adam)), 4, 1e-4, 0.0)
    check(alone(formula.contenders()), 1, 1e-4, 1e-6)


def test_unequal_work_is_an_error():
    makers = alone(mlp.training(mlp.Case((20, 8, 3), 4)))
    makers["another"] = lambda: lambda: 1.0
    with pytest.raises(AssertionError, match="another"):
        check(makers, 2, 1e-3, 0.0)


def test_a_ratio_is_of_times_that_were_taken_by_turns():
    order = []
    racing = {name: lambda name=name: order.append(name) for name in (OURS, BY_HAND)}
    times = race(racing, 0.0, 1)
    assert [len(t) for t in times.values()] == [3, 3]
    turns = [name for i, name in enumerate(order) if i == 0 or order[i - 1] != name]
    assert turns == [OURS, BY_HAND] * 3
    assert ratios({OURS: [2.0, 8.0, 3.0], BY_HAND: [1.0, 2.0, 1.0]}) == {OURS: 3.0, BY_HAND: 1.0}


def test_the_table(monkeypatch, capsys):
    workload = SMALL._replace(contenders=lambda: alone(mlp.training(mlp.Case((20, 8, 3), 4))))
    monkeypatch.setattr(program, "WORKLOADS", (workload,))
    assert main(["bench", "--seconds", "0"]) == 0
    head, rule, row, *_ = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "workload"
    assert head.endswith(BY_HAND)
    assert set(rule) == {"-"}
    assert re.fullmatch(r"small +[\d.]+ (us|ms) +[\d.]+ +1\.00", row)


def test_every_workload_has_ours_and_that_by_hand():
    for workload in program.WORKLOADS:
        assert {OURS, BY_HAND} <= set(workload.contenders())
