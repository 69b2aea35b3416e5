"""`genjax report`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from genjax.commands.arguments import plain_parser, run_quietly

DESCRIPTION = """Writes report.html into the folder of a run or a sweep: one file, which opens without a network.

  %(prog)s --workdir runs/x

It shows settings, curves, pictures during training and after it, what `genjax evaluate` measured, and the command. It
needs the extra `report` of the package.
"""


def main(arguments: Sequence[str], prog: str = "genjax report") -> int:
    """Writes the page; returns the exit code."""
    return run_quietly(lambda: _report(arguments, prog))


def report_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = plain_parser(prog, DESCRIPTION)
    parser.add_argument("--workdir", required=True, type=Path, metavar="FOLDER", help="of a run or a sweep")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: report.html in the folder")
    return parser


def _report(arguments: Sequence[str], prog: str) -> int:
    parsed = report_parser(prog).parse_args(arguments)
    from genjax.reports import report

    print(report.write(parsed.workdir, parsed.out))
    return 0
