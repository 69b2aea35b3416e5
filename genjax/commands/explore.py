"""`genjax explore`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from genjax.commands.arguments import add_data, plain_parser, refuse, run_quietly

DESCRIPTION = """Opens a page on this machine in which the codes of a trained model are moved.

  %(prog)s --workdir runs/x

The page has a slider for each dimension of the code, interpolation between examples, and new samples. It is served on
127.0.0.1 alone until Ctrl-C. It needs the extra `report` of the package.
"""


def main(arguments: Sequence[str], prog: str = "genjax explore") -> int:
    """Serves the page; returns the exit code."""
    return run_quietly(lambda: _explore(arguments, prog))


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = plain_parser(prog, DESCRIPTION)
    parser.add_argument("--workdir", required=True, type=Path, metavar="FOLDER", help="of the run")
    parser.add_argument(
        "--checkpoint", default="", metavar="C", help="newest or best; the default is that of genjax evaluate"
    )
    add_data(parser)
    parser.add_argument("--port", type=int, default=0, metavar="N", help="default: any that is free")
    return parser


def _explore(arguments: Sequence[str], prog: str) -> int:
    parsed = make_parser(prog).parse_args(arguments)
    if not 0 <= parsed.port < 2**16:
        refuse(f"--port={parsed.port} must be at least 0 and less than 2**16")
    from genjax.api.run import load_run
    from genjax.reports import explorer, page

    page.require()
    with explorer.serve(
        explorer.Explorer(load_run(parsed.workdir, parsed.checkpoint, data_source=parsed.data)), parsed.port
    ) as server:
        print(explorer.start_line(parsed.workdir, server.server_port), file=sys.stderr, flush=True)
        server.serve_forever()
    return 0
