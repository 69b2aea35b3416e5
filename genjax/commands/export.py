"""`genjax export`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from genjax.commands.arguments import add_data, plain_parser, run_quietly

DESCRIPTION = """Writes a trained model for others.

  %(prog)s --workdir runs/x --to DIR

The folder holds the parameters (safetensors), the configuration, a model card, and the encoder, the decoder and the
sampler as programs that run with JAX alone on CPUs, NVIDIA GPUs and TPUs. Its layout is that of a repository of Hugging
Face's hub. `genjax evaluate --workdir DIR` reads it as a run's folder. Exit codes: 0 done; 2 input that cannot be used.
"""


def main(arguments: Sequence[str], prog: str = "genjax export") -> int:
    """Exports a run; returns the exit code."""
    return run_quietly(lambda: _export(arguments, prog))


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = plain_parser(prog, DESCRIPTION)
    parser.add_argument("--workdir", required=True, type=Path, metavar="FOLDER", help="of the run")
    parser.add_argument("--to", required=True, type=Path, metavar="DIR", help="a new folder, or one of an export")
    parser.add_argument("--checkpoint", default="", metavar="C", help="newest or best; the default is that of evaluate")
    add_data(parser)
    return parser


def _export(arguments: Sequence[str], prog: str) -> int:
    parsed = make_parser(prog).parse_args(arguments)
    from genjax.api.export import export
    from genjax.api.run import load_run

    names = export(load_run(parsed.workdir, parsed.checkpoint, data_source=parsed.data), parsed.to)
    print(*(parsed.to / name for name in names), sep="\n")
    return 0
