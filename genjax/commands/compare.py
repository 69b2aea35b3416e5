"""`genjax compare`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from genjax.commands.arguments import plain_parser, refuse, run_quietly

DESCRIPTION = """Compares runs, sweeps and folders of runs: settings that differ, and metrics side by side.

  %(prog)s runs/a runs/b --out comparison.html

Runs whose settings differ in the seed alone are one group. Each group is compared with the first, over the seeds that
both have. `--out` writes a page as well; it needs the extra `report` of the package.
"""


def main(arguments: Sequence[str], prog: str = "genjax compare") -> int:
    """Prints the comparison; returns the exit code."""
    return run_quietly(lambda: _compare(arguments, prog))


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = plain_parser(prog, DESCRIPTION)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of a run, of a sweep, or of several")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a page as well")
    return parser


def _compare(arguments: Sequence[str], prog: str) -> int:
    parsed = make_parser(prog).parse_args(arguments)
    from genjax.reports import comparison, page
    from genjax.reports.groups import read_groups

    if parsed.out:
        page.require()
    groups = read_groups(parsed.folders)
    if len(groups) < 2:
        refuse(f"{parsed.folders[0]} holds one group of runs: there is nothing to compare it with")
    if parsed.out:
        page.write(parsed.out, comparison.page(groups))
    print(comparison.text(groups))
    return 0
