"""The site: every public name has its place in the reference, every example its page."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from operator import attrgetter
from pathlib import Path
from types import ModuleType

import gallery
import links
import public
import pytest
import reference

import tensorgrad as tg

ROOT = Path(__file__).resolve().parent.parent


def entries(text: str) -> list[str]:
    """Full names of what a page describes."""
    module, found = "", []
    for line in text.splitlines():
        directive, _, name = line.partition(":: ")
        name = name.partition("(")[0]
        if directive in (".. py:module", ".. py:currentmodule"):
            module = name
        elif directive.startswith((".. py:", ".. auto")) and name:
            found.append(name if name.startswith("tensorgrad") else f"{module}.{name}")
    return found


def test_every_public_name_is_described_exactly_once() -> None:
    times = Counter(name for page in reference.pages().values() for name in entries(page))
    expected = {name.path for names in public.public().values() for name in names}
    expected |= set(public.standard())
    assert expected - times.keys() == set()
    assert times.keys() - expected == set()
    assert [name for name, n in times.items() if n > 1] == []
    assert {"tensorgrad.Variable", "tensorgrad.functions.gamma", "tensorgrad.special.gamma"} <= expected


def test_a_name_that_python_lists_is_public_here() -> None:
    """`dir` finds names another way: it asks the module that is running."""
    listed = {name for name in dir(tg) if name[0] != "_" and not isinstance(getattr(tg, name), ModuleType)}
    known = {name.name for name in public.names_of("tensorgrad")}
    known |= {path.removeprefix("tensorgrad.") for path in public.standard()}
    used_inside = {"TYPE_CHECKING", "later"}
    assert listed - known == {"linalg", *used_inside}
    assert {f"linalg.{name}" for name in dir(tg.linalg)} <= known


def test_a_module_that_is_in_no_table_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "MODULES", reference.MODULES[1:])
    with pytest.raises(LookupError, match=r"MODULES has no page for \['tensorgrad'\]"):
        reference.pages()
    monkeypatch.setattr(reference, "FUNCTIONS", reference.FUNCTIONS[1:])
    with pytest.raises(LookupError, match=r"FUNCTIONS has no page for \['tensorgrad.functions.arithmetic"):
        reference.pages()


def test_what_a_module_exports() -> None:
    text = """
from a import b as b, c
from a import d as e
if TYPE_CHECKING:
    from f import g as g
h = i, j = 1, 2
k: int = 3
class L: ...
"""
    found = dict(public.exported(ast.parse(text).body, "m"))
    assert found == {"b": "a", "g": "f", "k": "m", "L": "m"}


def test_links_to_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there">1</a><a href="b.html#gone">2</a><a href="c.html">3</a>'
        '<img src="no.png"><a href="#">4</a><a href="https://example.org/x">5</a>'
    )
    (tmp_path / "b.html").write_text('<p id="there">')
    assert links.broken(tmp_path) == ["a.html: b.html#gone", "a.html: c.html", "a.html: no.png"]


def test_every_example_has_a_page_with_its_source() -> None:
    scripts = {path.stem for path in (ROOT / "examples").glob("*.py")} - {"common"}
    pages = gallery.pages()
    assert pages.keys() == {"index.rst"} | {f"{name}.rst" for name in scripts}
    for name in scripts:
        assert f".. literalinclude:: ../../examples/{name}.py" in pages[f"{name}.rst"]
        assert f"python examples/{name}.py" in pages[f"{name}.rst"]
        assert f":link: {name}\n" in pages["index.rst"]
        assert "\nRecorded in " in pages[f"{name}.rst"], (
            f"python docs/site/record.py {name} is still to be run"
        )


def test_an_example_that_is_not_recorded_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*gallery.programs(), "another"):
        (tmp_path / f"{name}.py").write_text('"""Something."""')
    monkeypatch.setattr(gallery, "EXAMPLES", tmp_path)
    with pytest.raises(LookupError, match="do not have the same programs: another"):
        gallery.pages()


def test_a_page_says_when_its_program_has_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def shown() -> str:
        return gallery.page("style", gallery.runs()["style"])

    same = gallery.digest("style")
    facts = {"seconds": 12.3, "python": "3.11.7", "numpy": "2.4.6", "machine": "x86_64", "script": same}
    (tmp_path / "style.json").write_text(json.dumps(facts))
    (tmp_path / "style.txt").write_text("loss 0.016\n")
    monkeypatch.setattr(gallery, "RECORDED", tmp_path)
    assert "   $ python examples/style.py\n   loss 0.016\n" in shown()
    assert "Recorded in 12 s of one core (x86_64), with Python 3.11.7 and NumPy 2.4.6.\n" in shown()
    (tmp_path / "style.json").write_text(json.dumps({**facts, "script": "0"}))
    assert "The program has changed since." in shown()
    (tmp_path / "style.json").unlink()
    assert "No run of this program was recorded yet." in shown()


def test_names_of_tensorgrad_in_the_how_to_pages_exist() -> None:
    roots = {"tg": tg, "tensorgrad": tg, "F": tg.functions, "L": tg.layers, "D": tg.distributed}
    found = 0
    for path in sorted((ROOT / "docs" / "how-to").glob("*.md")):
        text = path.read_text(encoding="utf-8").replace(
            '"tensorgrad.backends"', ""
        )  # a group of entry points
        if path.stem.startswith("from-"):  # the last column is ours
            rows = (row.rsplit("|", 2) for row in text.splitlines() if row.startswith("|"))
            text = "\n".join(row[1] for row in rows)
        for root, name in re.findall(r"(?<![\w.])(tg|tensorgrad|F|L|D)\.([A-Za-z_][\w.]*\w)", text):
            assert attrgetter(name)(roots[root]) is not None, f"{path.name}: {root}.{name}"
            found += 1
    assert found > 100
