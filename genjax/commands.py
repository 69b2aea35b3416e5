"""Command lines: from arguments to one call, and from an error in the input to one line and an exit code.

What takes seconds to import is imported inside the functions, where Ctrl-C already ends the process quietly.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

BAD_INPUT, BROKEN_PIPE = 2, 141


def train(arguments: Sequence[str], description: str) -> int:
    """Runs `scripts/train.py`; returns its exit code."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # imports make other errors of a KeyboardInterrupt
    try:
        return _train(arguments, description)
    except BrokenPipeError:  # whoever read the progress has left
        return BROKEN_PIPE
    finally:
        signal.signal(signal.SIGINT, before)


def _train(arguments: Sequence[str], description: str) -> int:
    from genjax import config as configs
    from genjax.types import InputError

    logging.getLogger("absl").setLevel(logging.ERROR)  # libraries' advice would break the progress bar
    try:
        known, rest = _parser(description).parse_known_args(arguments)
        config = configs.override(configs.load(known.config), assignments(rest))
        configs.check(config)
        from genjax import run  # a mistake in the settings is told before this is imported

        return run.train(config, known.workdir or default_workdir(known.config, configs.digest(config)))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        usage="%(prog)s --config FILE [--config.SETTING=VALUE ...] [--workdir FOLDER]",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="a Python file with get_config()")
    parser.add_argument("--workdir", type=Path, metavar="FOLDER", help="default: runs/<config>-<hash of its settings>")
    parser.error = _refuse
    return parser


def assignments(arguments: Sequence[str]) -> dict[str, str]:
    """`["--config.a.b=1", "--config.c", "2"]` as `{"a.b": "1", "c": "2"}`.

    Raises:
      InputError: an argument of another form.
    """
    typed, waiting = {}, list(arguments)
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        if not name.startswith("--config."):
            _refuse(f"unknown argument {name!r}; settings are given as --config.<setting>=<value>")
        if not equals and not waiting:
            _refuse(f"{name} needs a value")
        typed[name.removeprefix("--config.")] = value if equals else waiting.pop(0)
    return typed


def default_workdir(path: Path, digest: str) -> Path:
    """`runs/<config name>-<8 hex digits>`: other settings are another folder, the same settings resume."""
    return Path("runs") / f"{path.stem}-{digest}"


def _refuse(message: str) -> NoReturn:
    from genjax.types import InputError

    raise InputError(message)
