"""Checks the links of built pages that stay within the site: `python links.py docs/_build/html`.

Sphinx checks references between its sources; this looks at what came out, menus and pictures included.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, and the places in it that links may name."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors = {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where the tag leads, and its name."""
        for key, value in attrs:
            if value is not None and key in ("href", "src"):
                self.links.add(value)
            elif value is not None and (key == "id" or (key == "name" and tag == "a")):
                self.anchors.add(value)


def broken(root: Path) -> list[str]:
    """Every link below `root` to a file or a place in a file that is not there."""
    pages = {path: Page(path) for path in sorted(root.resolve().rglob("*.html"))}
    found = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            if not target.is_file() or (known and unquote(parts.fragment) not in known.anchors):
                found.append(f"{path.relative_to(root.resolve())}: {link}")
    return found


if __name__ == "__main__":
    lost = broken(Path(sys.argv[1]))
    print("\n".join(lost) or "all links within the site lead somewhere")
    sys.exit(bool(lost))
