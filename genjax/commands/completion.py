"""`genjax completion`: what a shell needs to complete commands, options, configurations and settings."""

import argparse
import os
import shlex
from collections.abc import Sequence
from typing import Any

from genjax.commands.arguments import plain_parser, run_quietly, settings_of

SHELLS = ("bash", "zsh", "fish")
DESCRIPTION = """Prints what makes a shell complete the arguments of genjax; put one of these into its start-up file:

  eval "$(%(prog)s bash)"
  eval "$(%(prog)s zsh)"
  %(prog)s fish | source

Behind `genjax train --config NAME` the settings of a configuration that came with the package are completed too. A file
of your own is not loaded for that, since loading runs it.
"""


def main(arguments: Sequence[str], prog: str = "genjax completion") -> int:
    """Prints it; returns the exit code."""
    return run_quietly(lambda: _print_completion(arguments, prog))


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = plain_parser(prog, DESCRIPTION)
    parser.add_argument("shell", choices=SHELLS)
    return parser


def _print_completion(arguments: Sequence[str], prog: str) -> int:
    parsed = make_parser(prog).parse_args(arguments)
    from argcomplete.shell_integration import shellcode

    print(shellcode(["genjax"], shell=parsed.shell))
    return 0


def complete() -> None:
    """Answers a shell that asks what may follow, and ends the process."""
    import argcomplete

    words = shlex.split(os.environ["COMP_LINE"].replace("'", "").replace('"', ""))
    argcomplete.autocomplete(whole_parser(words))


def whole_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """A parser of all commands, for completion alone.

    Args:
      words: of the line so far; a command that they name brings its arguments, and a configuration its settings.
    """
    from genjax.commands.main import COMMANDS, module_of

    parser = argparse.ArgumentParser(prog="genjax")
    commands: Any = parser.add_subparsers()
    for name, line in COMMANDS.items():
        parents = [module_of(name).make_parser(f"genjax {name}")] if name in words[1:2] else []
        command = commands.add_parser(name, parents=parents, add_help=not parents, help=line)
        for action in command._actions:
            if "--config" in action.option_strings:
                action.completer = _complete_config
        if parents and "--config" in words[:-1]:
            _add_settings(command, words[words.index("--config") + 1])
    return parser


def _complete_config(prefix: str, **_: Any) -> list[str]:
    """Names that came with the package, and paths."""
    from argcomplete.completers import FilesCompleter

    from genjax.config import describe_shipped

    names = [name for name in describe_shipped() if name.startswith(prefix)]
    return names + list(FilesCompleter(("py", "json"))(prefix))


def _add_settings(parser: argparse.ArgumentParser, name: str) -> None:
    """Adds the settings of a shipped configuration as options of a parser."""
    from genjax import config as configs

    if name not in configs.describe_shipped():
        return
    for setting, (value, line) in settings_of(configs.load(configs.find(name))).items():
        parser.add_argument(f"--config.{setting}", metavar=value, help=line.replace("%", "%%"))
