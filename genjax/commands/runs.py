"""`genjax runs`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from genjax.commands.arguments import plain_parser, run_quietly

DESCRIPTION = """Lists the runs and sweeps below a folder, a line each.

  %(prog)s runs --where family=vae state=finished --sort figure

Columns: name, kind, family, data, steps (of a sweep: trials), state, figure (the main metric), when.
"""


def main(arguments: Sequence[str], prog: str = "genjax runs") -> int:
    """Prints the list; returns the exit code."""
    return run_quietly(lambda: _runs(arguments, prog))


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = plain_parser(prog, DESCRIPTION)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs"), help="default: runs")
    parser.add_argument("--where", nargs="+", default=[], metavar="COLUMN=VALUE", help="show only those")
    parser.add_argument("--sort", default="when", metavar="COLUMN", help="default: when")
    parser.add_argument("--reverse", action="store_true", help="from the last to the first")
    return parser


def _runs(arguments: Sequence[str], prog: str) -> int:
    parsed = make_parser(prog).parse_args(arguments)
    from genjax.reports import overview

    print(overview.table(overview.select(overview.overview(parsed.folder), parsed.where, parsed.sort, parsed.reverse)))
    return 0
