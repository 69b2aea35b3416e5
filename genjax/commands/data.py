"""`genjax data`."""

import argparse
from collections.abc import Sequence

from genjax.commands.arguments import plain_parser, print_list, run_quietly

DESCRIPTION = """Lists the sources of data, a line each.

`--config.data.source=SOURCE` chooses one; what stands in angle brackets is for you to fill in. Options follow a `#`, as
in `folder:photos#resize=32`. Nothing is downloaded but what `hf:` needs of the hub.
"""


def main(arguments: Sequence[str], prog: str = "genjax data") -> int:
    """Prints the list; returns the exit code."""
    return run_quietly(lambda: _data(arguments, prog))


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    return plain_parser(prog, DESCRIPTION)


def _data(arguments: Sequence[str], prog: str) -> int:
    make_parser(prog).parse_args(arguments)
    from genjax.runs.load import describe_sources

    print_list(describe_sources())
    return 0
