"""``python -m tensorgrad``: the environment report, the demonstration, and what is in files of weights."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from tensorgrad.report import environment_report

_DESCRIPTION = (
    "Print versions, backends and devices: the text a bug report should open with. With a command, do "
    "something else."
)


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
    if arguments[:1] == ["bench"]:
        return int(import_module("tensorgrad.bench.program").main(arguments[1:]))
    options = _parser().parse_args(arguments)
    if options.command is None:
        print(environment_report())
        return 0
    inspection = import_module("tensorgrad.inspection")
    show = inspection.contents if options.command == "inspect" else inspection.layers
    try:
        print(show(options.file))
    except (OSError, ValueError, ImportError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tensorgrad", description=_DESCRIPTION)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("demo", help="train a classifier of handwritten digits", add_help=False)
    about = "this machine against NumPy by hand and what else is installed"
    commands.add_parser("bench", help=about, add_help=False)
    about = "the arrays in a file of weights or of an optimizer: shapes, dtypes, ranges"
    commands.add_parser("inspect", help=about).add_argument("file", help="npz or safetensors")
    about = "the layers that a file of weights was saved from, as a tree"
    commands.add_parser("graph", help=about).add_argument("file", help="npz or safetensors")
    return parser


if __name__ == "__main__":
    sys.exit(main())
