"""`genjax configs`."""

import argparse
from collections.abc import Sequence

from genjax.commands.arguments import plain_parser, print_list, run_quietly

DESCRIPTION = """Lists the configurations that come with the package, a line each.

`genjax train --config NAME` trains one; those under `sweeps/` are for `genjax sweep`.
"""


def main(arguments: Sequence[str], prog: str = "genjax configs") -> int:
    """Prints the list; returns the exit code."""
    return run_quietly(lambda: _configs(arguments, prog))


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    return plain_parser(prog, DESCRIPTION)


def _configs(arguments: Sequence[str], prog: str) -> int:
    make_parser(prog).parse_args(arguments)
    from genjax.config import describe_shipped

    print_list(describe_shipped())
    return 0
