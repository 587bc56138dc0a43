"""Runs the examples in the package's docstrings, in README.md and in docs/ as tests.

Every example finds `np`, `tg`, `F` and `Variable` in its namespace. One in a docstring also finds
the names of its module. The examples of one file share the namespace, from top to bottom.
"""

from __future__ import annotations

from doctest import ELLIPSIS
from importlib.util import find_spec
from typing import Any

import numpy as np
from sybil import Sybil
from sybil.parsers.doctest import DocTestParser
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.skip import SkipParser as DocstringSkipParser
from sybil.sybil import SybilCollection


def names(namespace: dict[str, Any]) -> None:
    """Give an example the names that users have after the usual imports."""
    import tensorgrad as tg  # noqa: PLC0415  (the tests choose when it is first imported)

    namespace.update(np=np, tg=tg, F=tg.functions, Variable=tg.Variable)


def names_and_lookup(namespace: dict[str, Any]) -> None:
    """Let a page also ask whether a library is there: `<!-- skip: start if(...) -->`."""
    names(namespace)
    namespace.update(find_spec=find_spec)


docstrings = Sybil(
    parsers=[DocTestParser(optionflags=ELLIPSIS), DocstringSkipParser()],
    path="tensorgrad",
    pattern="*.py",
    setup=names,
)
readme = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), SkipParser()],
    filenames=["README.md"],
    excludes=["*/README.md"],
    setup=names_and_lookup,
)
docs = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), SkipParser()],
    path="docs",
    pattern="*.md",
    setup=names_and_lookup,
)

pytest_collect_file = SybilCollection((docstrings, readme, docs)).pytest()
