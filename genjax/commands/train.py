"""The command line of `scripts/train.py`."""

from collections.abc import Sequence

from genjax.commands.arguments import assignments, config_parser, default_workdir, print_notices, refuse, run_quietly


def main(arguments: Sequence[str], description: str) -> int:
    """Runs `scripts/train.py`; returns its exit code."""
    return run_quietly(lambda: _train(arguments, description))


def _train(arguments: Sequence[str], description: str) -> int:
    from genjax import config as configs

    parsed, rest = config_parser("train.py", description).parse_known_args(arguments)
    loaded = configs.load(parsed.config)
    if "base" in loaded:
        refuse(f"{parsed.config} is a sweep: start it with scripts/sweep.py")
    typed = assignments(rest)
    config, notices = configs.drop_unused(configs.override(loaded, typed), typed)
    from genjax.runs import loop  # a mistake in the settings is reported before this is imported
    from genjax.system import compiler, processes

    processes.start(parsed.coordinator, parsed.num_processes, parsed.process_id)
    compiler.ask_for_determinism(config.train.deterministic)
    print_notices(notices)
    code = loop.train(config, parsed.workdir or default_workdir(parsed.config, configs.digest(config)))
    processes.finish()
    return code
