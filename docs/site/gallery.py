"""Writes a page for each program in examples/: what it says of itself, a recorded run, its source."""

from __future__ import annotations

import ast
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent
EXAMPLES = DOCS.parent / "examples"
RECORDED = DOCS / "examples" / "recorded"
PICTURES = DOCS / "pictures"
SHARED = "common"  # what the programs have in common: no program itself

OVERVIEW = """\
Examples
========

Programs to read and to copy from: each is one file, but for what they share in ``common.py``, and runs for at
most three minutes on two cores. What they print and draw here was recorded by ``docs/site/record.py``, on a
machine that had other work: times that they print are those of the clock, and too long. Those that train take
``--backend`` for the array library that computes, ``--seed``, and ``--quick`` for a run of seconds.
"""


RECORD = "Recorded in {seconds:.0f} s of one core ({machine}), with Python {python} and NumPy {numpy}."
FILES = (
    ":download:`{name}.py <../../examples/{name}.py>`. What it shares with the others is in "
    ":download:`common.py <../../examples/common.py>`.\n"
)


def programs() -> list[str]:
    """The examples, without their ending."""
    return sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != SHARED)


def runs() -> dict[str, dict[str, Any]]:
    """What is recorded of each program. An error if one of them is missing there, or in examples/."""
    found = tomllib.loads((DOCS / "examples" / "runs.toml").read_text(encoding="utf-8"))
    if found.keys() != set(programs()):
        differ = ", ".join(sorted(found.keys() ^ set(programs())))
        raise LookupError(f"docs/examples/runs.toml and examples/ do not have the same programs: {differ}")
    return found


def command(name: str, run: dict[str, Any]) -> str:
    """What a user types for a run."""
    ranks = f"mpiexec -n {run['processes']} " if "processes" in run else ""
    return f"{ranks}python examples/{name}.py {run.get('arguments', '')}".rstrip()


def digest(name: str) -> str:
    """A hash of the program and of what it shares with others."""
    text = b"".join((EXAMPLES / f"{stem}.py").read_bytes() for stem in (name, SHARED))
    return hashlib.sha256(text).hexdigest()[:16]


def literal(text: str) -> str:
    """A block of text as it is."""
    return ".. code-block:: text\n\n" + "".join(f"   {line}".rstrip() + "\n" for line in text.splitlines())


def described(name: str) -> tuple[str, str, str]:
    """The docstring of a program: heading (the first line, to a colon), the rest of that line, the text."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    first, _, text = (ast.get_docstring(ast.parse(source)) or "").partition("\n")
    heading, _, rest = first.rstrip(".").partition(":")
    return heading, f"{rest.strip()[:1].upper()}{rest.strip()[1:]}." if rest else "", text


def recorded(name: str, run: dict[str, Any]) -> list[str]:
    """What a run printed and drew, and what it took."""
    if not (RECORDED / f"{name}.json").exists():
        return [literal(f"$ {command(name, run)}"), "No run of this program was recorded yet.\n"]
    facts = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    output = (RECORDED / f"{name}.txt").read_text(encoding="utf-8")
    changed = " The program has changed since." if facts["script"] != digest(name) else ""
    return [
        literal(f"$ {command(name, run)}\n{output}"),
        RECORD.format(**facts) + f"{changed}\n",
        *(f".. image:: ../pictures/{kept}\n   :alt: {drawn}\n" for drawn, kept in pictures(run)),
    ]


def pictures(run: dict[str, Any]) -> list[tuple[str, str]]:
    """(name that the program gives, name in docs/pictures) of those that are there."""
    return [(a, b) for a, b in run.get("pictures", {}).items() if (PICTURES / b).exists()]


def page(name: str, run: dict[str, Any]) -> str:
    """The page of one program."""
    heading, rest, text = described(name)
    parts = [
        f"{heading}\n{'=' * len(heading)}\n",
        rest + "\n",
        prose(text),
        "A run\n-----\n",
        *recorded(name, run),
        "The program\n-----------\n",
        FILES.format(name=name),
        f".. literalinclude:: ../../examples/{name}.py\n   :language: python\n",
    ]
    return "\n".join(parts)


def prose(text: str) -> str:
    """Paragraphs as they are; indented lines, which are commands or formulas, as literal blocks."""
    blocks = text.strip("\n").split("\n\n")
    return "\n".join(literal(block) if block.startswith("    ") else block + "\n" for block in blocks)


def card(name: str, run: dict[str, Any]) -> str:
    """What the overview shows of a program: its heading, and a picture if it draws one."""
    heading, rest, _ = described(name)
    shown = [f"   :img-bottom: ../pictures/{kept}\n" for _, kept in pictures(run)[-1:]]
    says = f"{rest} ``{name}.py``".strip()
    link = f"   :link: {name}\n   :link-type: doc\n"
    return "".join([f".. grid-item-card:: {heading}\n", link, *shown, f"\n   {says}\n"])


def overview(found: dict[str, dict[str, Any]]) -> str:
    """The first page: all programs."""
    cards = "\n".join(card(name, run) for name, run in found.items())
    inside = "".join(f"   {line}".rstrip() + "\n" for line in cards.splitlines())
    names = "".join(f"   {name}\n" for name in found)
    return f"{OVERVIEW}\n.. grid:: 1 2 2 3\n   :gutter: 3\n\n{inside}\n.. toctree::\n   :hidden:\n\n{names}"


def pages() -> dict[str, str]:
    """File name -> text, of all pages."""
    found = runs()
    return {"index.rst": overview(found), **{f"{name}.rst": page(name, run) for name, run in found.items()}}
