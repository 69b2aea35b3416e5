"""`genjax train`."""

import argparse
from collections.abc import Sequence

from genjax.commands.arguments import (
    add_data,
    assignments,
    config_parser,
    default_workdir,
    print_notices,
    refuse,
    run_quietly,
)
from genjax.commands.report import refresh

DESCRIPTION = """Trains a model.

  %(prog)s --config vae_digits --config.hparams.beta=4 --workdir runs/x

Run again, it goes on where it stopped, or says that it is finished. Exit codes: 0 finished; 2 input that cannot be
used; 3 gradients stopped being finite; 4 stopped by SIGINT or SIGTERM after saving; 5 trouble of the machine, such as a
full disk.
"""


def main(arguments: Sequence[str], prog: str = "genjax train") -> int:
    """Trains a model; returns the exit code."""
    return run_quietly(lambda: _train(arguments, prog))


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command's own arguments; settings are parsed apart."""
    parser = config_parser(prog, DESCRIPTION)
    add_data(parser)
    return parser


def _train(arguments: Sequence[str], prog: str) -> int:
    from genjax import config as configs

    parsed, rest = make_parser(prog).parse_known_args(arguments)
    path = configs.find(parsed.config)
    loaded = configs.load(path)
    if "base" in loaded:
        refuse(f"{parsed.config} is a sweep: start it with genjax sweep")
    typed = assignments(rest)
    config, notices = configs.drop_unused(configs.override(loaded, typed), typed)
    from genjax.runs import loop  # a mistake in the settings is reported before this is imported
    from genjax.system import compiler, processes

    processes.start(parsed.coordinator, parsed.num_processes, parsed.process_id)
    compiler.ask_for_determinism(config.train.deterministic)
    print_notices(notices)
    workdir = parsed.workdir or default_workdir(path, configs.digest(config))
    code = loop.train(config, workdir, data_source=parsed.data)
    if code == loop.FINISHED:
        refresh(workdir, "evaluation.json")
    processes.finish()
    return code
