"""The command line of `scripts/sweep.py`."""

import argparse
from collections.abc import Sequence

from genjax.commands.arguments import assignments, config_parser, default_workdir, print_notices, refuse, run_quietly


def main(arguments: Sequence[str], description: str) -> int:
    """Runs `scripts/sweep.py`; returns its exit code."""
    return run_quietly(lambda: _sweep(arguments, description))


def sweep_parser(description: str) -> argparse.ArgumentParser:
    """The parser of the command's own arguments; settings are parsed apart."""
    parser = config_parser("sweep.py", description)
    parser.add_argument("--export-best", type=int, default=0, metavar="N", help="write the best N trials as workdirs")
    return parser


def _sweep(arguments: Sequence[str], description: str) -> int:
    from genjax import config as configs
    from genjax.sweeps import settings

    parser = sweep_parser(description)
    parsed, rest = parser.parse_known_args(arguments)
    typed = assignments(rest)
    config, notices = settings.drop_unused(settings.override(configs.load(parsed.config), typed), typed)
    from genjax.sweeps import loop
    from genjax.system import compiler, processes

    if parsed.export_best < 0:
        refuse(f"--export-best={parsed.export_best} must be at least 0")
    processes.start(parsed.coordinator, parsed.num_processes, parsed.process_id)
    processes.use_cores_as_devices()
    compiler.ask_for_determinism(config.base.train.deterministic)
    print_notices(notices)
    workdir = parsed.workdir or default_workdir(parsed.config, configs.digest(config))
    code = loop.sweep(config, workdir, parsed.export_best)
    processes.finish()
    return code
