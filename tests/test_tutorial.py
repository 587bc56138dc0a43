"""The tutorial: each page runs, what it says is so, and both languages show the same code."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from under_test import BACKENDS

TUTORIAL = Path(__file__).resolve().parent.parent / "docs" / "tutorial"
PAGES = sorted((TUTORIAL / "en").glob("*.py"))

pytestmark = pytest.mark.skipif("numpy" not in BACKENDS, reason="the pages compute on NumPy")
pytest.importorskip("matplotlib", reason="the pages draw")
pytest.importorskip("array_api_strict", reason="the pages compute on a second library")


def names(language: str, pattern: str) -> list[str]:
    return sorted(path.name for path in (TUTORIAL / language).glob(pattern))


# -- the pages as texts --------------------------------------------------------------------------


def test_there_are_twelve_pages_in_each_language() -> None:
    assert [path.name[:3] for path in PAGES] == [f"{i:02}_" for i in range(1, 13)]
    assert names("ko", "*") == names("en", "*")


def code(path: Path) -> str:
    """What Python sees of a page: neither comments nor the text at its beginning."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{path} has no introduction"
    return ast.dump(ast.Module(tree.body[1:], []))


def blocks(path: Path) -> int:
    return len(re.findall(r"^# %%", path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_both_languages_have_the_same_code_in_as_many_blocks(page: Path) -> None:
    korean = TUTORIAL / "ko" / page.name
    assert code(korean) == code(page)
    assert blocks(korean) == blocks(page) > 5


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_overview_has_every_step_of_the_book_and_every_page(language: str) -> None:
    text = (TUTORIAL / language / "README.rst").read_text(encoding="utf-8")
    rows = re.findall(r"^ *(\d+) .*:doc:`(\w+)`", text, re.MULTILINE)
    assert [int(step) for step, _ in rows] == list(range(1, 61))
    assert {page for _, page in rows} == {path.stem for path in PAGES}


# -- the pages as programs -----------------------------------------------------------------------

Claim = Callable[[dict[str, Any]], None]
CLAIMS: dict[str, Claim] = {}


def claims(number: str) -> Callable[[Claim], Claim]:
    """Register a test of what a page with this number says, on the names that are left at its end."""
    return lambda claim: CLAIMS.setdefault(number, claim)


@claims("01")
def _(page: dict[str, Any]) -> None:
    assert page["square"].backend.name == "array_api_strict"
    assert page["y"].backend.name == "numpy"


@claims("02")
def _(page: dict[str, Any]) -> None:
    np.testing.assert_allclose(page["gx"], -2 * 0.5 * np.exp(-0.25))
    np.testing.assert_allclose(page["gradient"].item(), page["gx"])


@claims("03")
def _(page: dict[str, Any]) -> None:
    assert 1e-7 < page["best"] < 1e-4  # the theory says the cube root of the precision, 6e-6
    assert (page["angle"].grad.item(), page["r"].grad.item()) == pytest.approx((2 * np.sqrt(0.75), 0.5))


@claims("04")
def _(page: dict[str, Any]) -> None:
    arrays = {name: round(peak / 0.4) for name, (peak, _) in page["measured"].items()}
    assert arrays["64 tanh"] in (65, 66, 67)
    assert arrays["64 additions"] == arrays["64 tanh, no_grad"] == 2
    assert page["middle"]() is None


@claims("05")
def _(page: dict[str, Any]) -> None:
    minima = [(3.0, 2.0), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848126)]
    np.testing.assert_allclose(page["ends"], minima, atol=2e-6)
    assert page["drawn"] == 11  # nine Functions, two leaves
    assert max(page["value"], page["slope"]) < 1e-10


@claims("06")
def _(page: dict[str, Any]) -> None:
    errors = np.array(page["newton"])
    np.testing.assert_allclose(errors[5:], errors[4:-1] ** 2 / 2, rtol=0.02)  # f''' / (2 f'') = 1/2
    t = np.tanh(page["x"].data)
    np.testing.assert_allclose(page["derivatives"][2].data, -2 * t * (1 - t**2), atol=1e-12)
    np.testing.assert_allclose(page["derivatives"][3].data, (1 - t**2) * (6 * t**2 - 2), atol=1e-12)


@claims("07")
def _(page: dict[str, Any]) -> None:
    parts = page["parts"]
    assert all(part.shape == (6, 8) for part in parts.values())
    assert parts["x[1:4, 2:6]"].sum() == 12
    assert np.array_equal(np.argmax(parts["max of each row"], axis=1), np.argmax(page["hills"], axis=1))
    windows = np.lib.stride_tricks.sliding_window_view(np.arange(48).reshape(6, 8), (3, 3))
    counts = np.bincount(windows.ravel(), minlength=48).reshape(6, 8)
    assert np.array_equal(parts["sums of 3 x 3 windows"], counts)


@claims("08")
def _(page: dict[str, Any]) -> None:
    rest = np.mean((page["t"] - page["x"] @ page["line"][:1] - page["line"][1]) ** 2)
    assert max(page["losses"][-1], page["curve"][-1]) < rest / 5  # the line is far worse


@claims("09")
def _(page: dict[str, Any]) -> None:
    assert page["test_accuracy"] > 0.95
    assert page["losses"][0] > np.log(3) > page["losses"][-1] * 20


@claims("10")
def _(page: dict[str, Any]) -> None:
    right = np.mean(page["answers"] == page["test_set"].label)
    assert right == pytest.approx(page["curve"]["test"][-1])
    assert right > 0.95


@claims("11")
def _(page: dict[str, Any]) -> None:
    assert page["accuracy"] > 0.95
    assert sum(p.size for p in page["model"].params()) == 1898


@claims("12")
def _(page: dict[str, Any]) -> None:
    assert np.all(np.diff(page["influence"]) > 0)
    assert page["curve"][-1] < 0.1


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_runs_draws_and_is_right(page: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    drawn = []

    def show() -> None:
        for number in plt.get_fignums():
            canvas = plt.figure(number).canvas
            canvas.draw()
            drawn.append(np.ptp(np.asarray(canvas.buffer_rgba())))
        plt.close("all")

    monkeypatch.setattr(plt, "show", show)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(compile(page.read_text(encoding="utf-8"), str(page), "exec", dont_inherit=True), namespace)
        CLAIMS[page.name[:2]](namespace)
    finally:
        plt.close("all")
        namespace.clear()  # its functions refer to it: a cycle
    assert drawn
    assert min(drawn) > 100
    assert capsys.readouterr().out.count("\n") > 5
