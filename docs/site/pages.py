"""What the pages that are made have in common: they are written only if they changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorgrad as tg


def write(folder: Path, pages: dict[str, str]) -> None:
    """Write pages into a folder; take those away that are no longer made."""
    for old in set(folder.glob("*.rst")) - {folder / name for name in pages}:
        old.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def as_at_the_start(conf: dict[str, Any], name: str) -> None:
    """Before each script: no random numbers depend on the scripts before."""
    tg.seed(None)
