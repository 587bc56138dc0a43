"""The page to look around in: one HTML file with the graph, and the scripts that lay it out and draw it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tensorgrad.graphs.notes import Note, Scope

if TYPE_CHECKING:
    from tensorgrad.graphs.collect import Graph

SCRIPTS = ("items", "layout", "picture", "details", "start")


class Page:
    """A page in a file, which Jupyter shows.

    Attributes
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def _repr_html_(self) -> str:
        text = escape(self.path.read_text(encoding="utf-8"))
        style = "width: 100%; height: 540px; border: 1px solid #8884; border-radius: 6px"
        return f'<iframe sandbox="allow-scripts" title="Graph" style="{style}" srcdoc="{text}"></iframe>'

    def __repr__(self) -> str:
        return f"Page({str(self.path)!r})"


def write(graph: Graph, path: str | PathLike[str], title: str) -> Page:
    """Write the page of a graph."""
    folder = Path(__file__).with_name("browser")
    parts = {name: (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css")}
    scripts = "\n".join((folder / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    # Within a script element nothing is escaped, so that no "<" may be there which could end it.
    data = json.dumps(described(graph, title), ensure_ascii=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )
    text = parts["page.html"]
    filling = {"TITLE": escape(title), "STYLE": parts["page.css"], "SCRIPT": scripts, "GRAPH": data}
    for name, part in filling.items():  # the data last: it may contain the name of another
        before, _, after = text.partition(f"@{name}@")
        text = before + part + after
    target = Path(path)
    target.write_text(text, encoding="utf-8", errors="backslashreplace")
    return Page(target)


def described(graph: Graph, title: str) -> dict[str, Any]:
    """What the scripts get. Texts that come often stand in a list once, and have a number elsewhere."""
    groups = _Groups()
    inside = [groups.of(node.note) for node in graph.nodes]
    _put_leaves(graph, inside, groups.table)
    lines, formulas = _Once(), _Once()
    by_note = {id(node.note): i for i, node in enumerate(graph.nodes) if node.note is not None}
    nodes = []
    for node, group in zip(graph.nodes, inside, strict=True):
        entry: dict[str, Any] = {
            "name": node.name,
            "kind": node.kind,
            "group": group,
            "generation": node.generation,
            "inputs": node.inputs,
            "outputs": node.outputs,
            "formula": formulas.number(node.formula),
        }
        if node.kind == "op":
            entry |= {"kept": node.kept, "view": node.is_view, **_noted(node.note, lines, by_note)}
        nodes.append(entry)
    return {
        "title": title,
        "nodes": nodes,
        "groups": groups.table,
        "outputs": graph.outputs,
        "lines": lines.texts,
        "formulas": formulas.texts,
    }


def _noted(note: Note | None, lines: _Once, by_note: dict[int, int]) -> dict[str, Any]:
    if note is None:
        return {}
    found = {
        "line": lines.number(note.line),
        "order": note.order,
        "forward": note.forward,
        "backward": note.backward,
        "cause": by_note.get(id(note.cause)),
    }
    return {name: value for name, value in found.items() if value is not None}


class _Once:
    """Texts, each once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    @property
    def texts(self) -> list[str]:
        return list(self._numbers)


class _Groups:
    """The boxes: for every call of a layer one, within those around it; derivatives in one of their own."""

    def __init__(self) -> None:
        self.table: list[dict[str, Any]] = []
        self._known: dict[Any, int] = {}
        self._taken: dict[tuple[int | None, str], int] = {}

    def of(self, note: Note | None) -> int | None:
        """The number of the box that an op is in, or None where it is in none."""
        if note is None:
            return None
        chain: list[Scope] = []
        scope = note.scope
        while scope is not None:
            chain.append(scope)
            scope = scope.outer
        outer = None
        if note.order:
            outer = self._box(("order", note.order), f"derivative {note.order}", "derivative", None)
        for one in reversed(chain):
            outer = self._box((note.order, one), one.name, one.kind, outer)
        return outer

    def _box(self, key: Any, name: str, kind: str, outer: int | None) -> int:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = len(self.table)
            times = self._taken[outer, name] = self._taken.get((outer, name), 0) + 1
            label = name if times == 1 else f"{name} ({times})"
            self.table.append({"name": label, "kind": kind, "outer": outer})
        return known


def _put_leaves(graph: Graph, inside: list[int | None], table: list[dict[str, Any]]) -> None:
    """Put each leaf into the innermost box that holds all that use it."""
    users: dict[int, set[int | None]] = {}
    for node, group in zip(graph.nodes, inside, strict=True):
        for at in node.inputs:
            if at is not None and graph.nodes[at[0]].kind != "op":
                users.setdefault(at[0], set()).add(group)
    for leaf, groups in users.items():
        inside[leaf] = _common(groups, table)


def _common(groups: Iterable[int | None], table: list[dict[str, Any]]) -> int | None:
    """The innermost box around several."""
    shared: list[int] | None = None
    for group in groups:
        chain: list[int] = []
        while group is not None:
            chain.append(group)
            group = table[group]["outer"]  # noqa: PLW2901  # outwards
        chain.reverse()
        if shared is None:
            shared = chain
        else:
            shared = [a for a, b in zip(shared, chain, strict=False) if a == b]
    return shared[-1] if shared else None
