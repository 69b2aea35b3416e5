"""Command lines: from arguments to one call, and from an error in the input to one line and exit code 2."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from genjax import config as configs
from genjax.types import InputError

BAD_INPUT, INTERRUPTED = 2, 130


def train(arguments: Sequence[str], description: str) -> int:
    """Runs `scripts/train.py`; returns its exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="a Python file with get_config()")
    parser.add_argument("--workdir", type=Path, metavar="FOLDER", help="default: runs/<config>-<hash of its settings>")
    parser.allow_abbrev = False
    known, rest = parser.parse_known_args(arguments)
    try:
        config = configs.override(configs.load(known.config), assignments(rest))
        configs.check(config)
        from genjax import run  # takes seconds to import: a mistake in the settings is told first

        return run.train(config, known.workdir or default_workdir(known.config, config))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


def assignments(arguments: Sequence[str]) -> dict[str, str]:
    """`["--config.a.b=1", "--config.c", "2"]` as `{"a.b": "1", "c": "2"}`.

    Raises:
      InputError: an argument of another form.
    """
    typed, waiting = {}, list(arguments)
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        if not name.startswith("--config."):
            raise InputError(f"unknown argument {name!r}; settings are given as --config.<setting>=<value>")
        if not equals and not waiting:
            raise InputError(f"{name} needs a value")
        typed[name.removeprefix("--config.")] = value if equals else waiting.pop(0)
    return typed


def default_workdir(path: Path, config: ConfigDict) -> Path:
    """`runs/<config name>-<8 hex digits>`: other settings are another folder, the same settings resume."""
    return Path("runs") / f"{path.stem}-{configs.digest(config)}"
