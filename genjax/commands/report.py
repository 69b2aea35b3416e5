"""`genjax report`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from genjax.commands.arguments import plain_parser, print_notices, run_quietly

DESCRIPTION = """Writes report.html into the folder of a run or a sweep: one file, which opens without a network.

  %(prog)s --workdir runs/x

It shows settings, curves, pictures during training and after it, what `genjax evaluate` measured, and the command. It
needs the extra `report` of the package.
"""


def main(arguments: Sequence[str], prog: str = "genjax report") -> int:
    """Writes the page; returns the exit code."""
    return run_quietly(lambda: _report(arguments, prog))


def refresh(workdir: Path, made_of: str) -> None:
    """Writes the page of a folder after a command has changed a file of it, where the libraries of pages are there.

    A page that fails leaves what the command did as it is: a line says why.

    Args:
      workdir: of a run or a sweep.
      made_of: the name of the file; a page that is newer stays.
    """
    from genjax.system import processes

    if not processes.is_primary():
        return
    try:
        from genjax.reports import page, report

        if page.missing() or _is_newer(workdir / "report.html", workdir / made_of):
            return
        print(f"{report.write(workdir)} opens in a browser", file=sys.stderr, flush=True)
    except Exception as error:
        from genjax.system.messages import first_line

        print_notices([f"no page was written: {first_line(error)}"])


def _is_newer(page: Path, other: Path) -> bool:
    """Whether the page is there and newer than the other file, or there is nothing that it could show."""
    if not other.exists():
        return True
    return page.exists() and page.stat().st_mtime >= other.stat().st_mtime


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = plain_parser(prog, DESCRIPTION)
    parser.add_argument("--workdir", required=True, type=Path, metavar="FOLDER", help="of a run or a sweep")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: report.html in the folder")
    return parser


def _report(arguments: Sequence[str], prog: str) -> int:
    parsed = make_parser(prog).parse_args(arguments)
    from genjax.reports import report

    print(report.write(parsed.workdir, parsed.out))
    return 0
