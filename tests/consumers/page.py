"""Makes docs/consumers.md from the tables: ``python -m consumers.page`` in tests/; ``--check`` compares.

SCIPY_ARRAY_API=1 must be set, as for the tests.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

from consumers.call import Limit
from consumers.limits import limit_of
from consumers.tables import TABLES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "consumers.md"
BACKENDS = {"numpy": "NumPy", "array_api_strict": "array-api-strict"}
WHOSE = {"consumer": "the library's", "standard": "the standard's", "tensorgrad": "tensorgrad's"}

HEAD = """\
# Code that takes Variables as it stands

A Variable is an Array API object, so functions that were written for the standard compute with it and
differentiate without a change: those of SciPy, scikit-learn, array-api-extra, einops, and your own.

<!-- skip: start if(__import__("os").environ.get("SCIPY_ARRAY_API") != "1") -->
```python
>>> from scipy.special import logsumexp  # with SCIPY_ARRAY_API=1 in the environment
>>> tg.grad(logsumexp)(np.array([0.0, 0.0, np.log(2.0)])).round(2)
array([0.25, 0.25, 0.5 ])

```
<!-- skip: end -->

**SciPy** looks at the arrays that it gets only if `SCIPY_ARRAY_API=1` is set in the environment before it is
first imported. Without it, it converts everything to NumPy, and a Variable that requires a gradient refuses
that with an error.

**scikit-learn** needs the same variable, and `sklearn.config_context(array_api_dispatch=True)` around the
call.

**einops** has a list of libraries of its own: `tg.register_einops()` adds tensorgrad to it.
`einops.array_api` needs nothing.

**scipy.optimize** keeps its state in NumPy arrays. `f = tg.scipy_objective(function)` is the bridge:
`minimize(f, x0, jac=f.jac, hess=f.hess)`, `least_squares(f, x0, jac=f.jac)`, `root(f, x0, jac=f.jac)`.

**Functions that change their argument in place** raise an error on a leaf that requires a gradient, since the
gradient refers to its value. `tg.grad`, `tg.vjp` and their kin hand over a value that may be changed, and so
does `x * 1.0`. The calls below are made through `tg.grad`.

## What was tried
"""

TRIED = """\
Each call below is a test (`nox -s consumers`, tests/consumers): its value on Variables against the same call
on plain NumPy arrays, and its gradient in all floating inputs, along a random direction, against differences
of the plain call. A call that does not work must fail with the error that is expected: when a new version
of a library mends it, the test says so, and the line goes. This page is made from the tables of the tests
by `python -m consumers.page`.
"""


def text() -> str:
    """The page."""
    calls = [(table, call) for table in TABLES for call in table.calls]
    lines = [HEAD, TRIED]
    names = ("scipy", "scikit-learn", "array-api-extra", "einops")
    lines.append(f"Versions: {', '.join(f'{name} {version(name)}' for name in names)}.\n")
    lines.append(
        "| library | calls | " + " | ".join(f"with gradient on {b}" for b in BACKENDS.values()) + " |"
    )
    lines.append("| --- " * (2 + len(BACKENDS)) + "|")
    rows = [(table.title, table.calls) for table in TABLES]
    rows.append(("**all**", [call for _, call in calls]))
    for title, some in rows:
        counts = [sum(limit_of(call.name, b) is None for call in some) for b in BACKENDS]
        lines.append(f"| {title} | {len(some)} | {' | '.join(map(str, counts))} |")
    for table in TABLES:
        lines.append(f"\n## {table.title}\n")
        working = [c.name for c in table.calls if all(limit_of(c.name, b) is None for b in BACKENDS)]
        if working:
            lines.append("Value and gradient, on every backend tested:\n")
            lines.append(" · ".join(map(_joined, _by_function(working))))
        failing = [c.name for c in table.calls if c.name not in working]
        if failing:
            lines.append("\nNot, or not everywhere:\n")
            lines.append("| call | on | whose limit | reason |\n| --- | --- | --- | --- |")
            lines.extend(_limits(failing))
    return "\n".join(lines).rstrip() + "\n"


def _by_function(names: list[str]) -> list[list[str]]:
    """The names of calls, those of one function together."""
    return [list(some) for _, some in groupby(names, key=lambda name: name.split(", ")[0])]


def _joined(names: list[str]) -> str:
    """`` `function` ``, and which calls of it."""
    function = names[0].split(", ")[0]
    ways = [name.partition(", ")[2] or "plain" for name in names]
    return f"`{function}`" if ways == ["plain"] else f"`{function}` ({'; '.join(ways)})"


def _limits(names: list[str]) -> list[str]:
    """A line of the table for each limit and where it is met, with the calls that meet it."""
    met: dict[tuple[Limit, tuple[str, ...]], list[str]] = {}
    for name in names:
        found: dict[Limit, list[str]] = {}
        for backend, title in BACKENDS.items():
            limit = limit_of(name, backend)
            if limit is not None:
                found.setdefault(limit, []).append(title)
        for limit, where in found.items():
            met.setdefault((limit, tuple(where)), []).append(name)
    lines = []
    for (limit, where), some in met.items():
        on = "every backend" if len(where) == len(BACKENDS) else ", ".join(where)
        calls = " · ".join(map(_joined, _by_function(some)))
        lines.append(f"| {calls} | {on} | {WHOSE[limit.whose]} | {limit.reason} |")
    return lines


def main() -> int:
    """Write the page, or say whether it is up to date."""
    made = text()
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text(encoding="utf-8") != made)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
