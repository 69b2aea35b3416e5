"""`genjax sweep`."""

import argparse
from collections.abc import Sequence

from genjax.commands.arguments import assignments, config_parser, default_workdir, print_notices, refuse, run_quietly
from genjax.commands.report import refresh

DESCRIPTION = """Trains a whole sweep as one program for each static shape.

  %(prog)s --config sweeps/vae_digits --export-best 3

Run again, it goes on where it stopped, or says that it is finished. Exit codes: 0 finished; 2 input that cannot be
used; 4 stopped by SIGINT or SIGTERM after saving; 5 trouble of the machine, such as a full disk. A trial that diverges
is a row of the table, not a failure.
"""


def main(arguments: Sequence[str], prog: str = "genjax sweep") -> int:
    """Trains a sweep; returns the exit code."""
    return run_quietly(lambda: _sweep(arguments, prog))


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command's own arguments; settings are parsed apart."""
    parser = config_parser(prog, DESCRIPTION)
    parser.add_argument("--export-best", type=int, default=0, metavar="N", help="write the best N trials as workdirs")
    return parser


def _sweep(arguments: Sequence[str], prog: str) -> int:
    from genjax import config as configs
    from genjax.sweeps import settings

    parsed, rest = make_parser(prog).parse_known_args(arguments)
    path, typed = configs.find(parsed.config), assignments(rest)
    config, notices = settings.drop_unused(settings.override(configs.load(path), typed), typed)
    from genjax.sweeps import loop, results
    from genjax.system import compiler, processes

    if parsed.export_best < 0:
        refuse(f"--export-best={parsed.export_best} must be at least 0")
    processes.start(parsed.coordinator, parsed.num_processes, parsed.process_id)
    processes.use_cores_as_devices()
    compiler.ask_for_determinism(config.base.train.deterministic)
    print_notices(notices)
    workdir = parsed.workdir or default_workdir(path, configs.digest(config))
    code = loop.sweep(config, workdir, parsed.export_best)
    if code == loop.FINISHED:
        refresh(workdir, results.TABLE)
    processes.finish()
    return code
