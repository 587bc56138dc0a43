"""Text in columns, and quantities for people."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column to the left, the others to the right, a rule under the head."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        rest = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "  ".join([cells[0].ljust(widths[0]), *rest]).rstrip()

    return [line(head), "-" * (sum(widths) + 2 * (len(widths) - 1)), *map(line, rows)]


def as_html(head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """The same table for Jupyter, with lines of text below it. Blanks before the first cell indent it.

    Examples
    --------
    >>> as_html(["layer", "size"], [["a < b", "1"]])[-28:]
    '>1</td></tr></tbody></table>'
    """
    left = 'style="text-align: left; padding-left: {:.1f}em"'
    right = 'style="text-align: right; padding-left: 1.5em"'

    def line(cells: Sequence[str], tag: str) -> str:
        first, *others = cells
        indent = 0.5 + 0.6 * (len(first) - len(first.lstrip()))
        made = f"<{tag} {left.format(indent)}>{escape(first.strip())}</{tag}>"
        made += "".join(f"<{tag} {right}>{escape(cell)}</{tag}>" for cell in others)
        return f"<tr>{made}</tr>"

    body = "".join(line(row, "td") for row in rows)
    below = "".join(f"<div>{escape(note)}</div>" for note in notes)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>{below}"


def in_bytes(size: float) -> str:
    """A number of bytes in the unit that suits it, powers of 1,024.

    Examples
    --------
    >>> in_bytes(1536), in_bytes(0)
    ('1.5 KiB', '0 B')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def in_seconds(seconds: float) -> str:
    """A time in the unit that suits it.

    Examples
    --------
    >>> in_seconds(0.0012), in_seconds(2.5e-6), in_seconds(3.0)
    ('1.20 ms', '2.50 us', '3.00 s')
    """
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{1e3 * seconds:.2f} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.2f} us"
