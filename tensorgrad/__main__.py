"""``python -m tensorgrad``: the environment report. ``python -m tensorgrad demo``: the demonstration."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from tensorgrad.report import environment_report

_USAGE = "python -m tensorgrad [demo ...]"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the command line by default. What follows ``demo`` goes to the
        demonstration.

    Returns
    -------
    int
        The exit status.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["demo"]:
        # imported only now: the report must come even where the demonstration cannot be imported
        return import_module("tensorgrad.demo").main(arguments[1:]) or 0
    argparse.ArgumentParser(
        prog="python -m tensorgrad",
        usage=_USAGE,
        description="Print versions, backends and devices: the text a bug report should open with. "
        "With 'demo', train a classifier of handwritten digits.",
    ).parse_args(arguments)
    print(environment_report())
    return 0


if __name__ == "__main__":
    sys.exit(main())
