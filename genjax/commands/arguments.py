"""What the command lines share: their parsers, `--config.<setting>=<value>`, and one line for an error.

What takes seconds to import is imported inside the functions, where Ctrl-C already ends the process quietly.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from genjax.system.troubles import is_trouble

if TYPE_CHECKING:
    from ml_collections import ConfigDict

BAD_INPUT, MACHINE_TROUBLE, BROKEN_PIPE = 2, 5, 141
LONGEST_LINE = 1000


def run_quietly(command: Callable[[], int]) -> int:
    """A command without tracebacks for Ctrl-C, for input that cannot be used, and for a reader who has left.

    Returns:
      The command's own exit code, 2 for input that cannot be used, 5 for trouble of the machine, 141 for a closed pipe.
    """
    previous_handler = signal.signal(signal.SIGINT, signal.SIG_DFL)  # imports make other errors of a KeyboardInterrupt
    from genjax.types import InputError

    logging.getLogger("absl").setLevel(logging.ERROR)  # libraries' advice would break the progress bar
    try:
        return command()
    except InputError as error:
        print_error(str(error))
        return BAD_INPUT
    except BrokenPipeError:  # whoever read the progress has left
        return BROKEN_PIPE
    except (OSError, MemoryError, RecursionError, UnicodeDecodeError, RuntimeError) as error:
        line, code = describe_trouble(error)
        if not line:
            raise
        print_error(line)
        return code
    finally:
        signal.signal(signal.SIGINT, previous_handler)


def print_error(line: str) -> None:
    """Prints a line on standard error, without the middle of one that repeats thousands of characters."""
    short = line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 2 :]}"
    print(f"error: {short}", file=sys.stderr)


def describe_trouble(error: BaseException) -> tuple[str, int]:
    """A line about an error that is no mistake of the program, and the exit code; no line for any other.

    Example:
      >>> describe_trouble(PermissionError(13, "Permission denied", "runs/x"))
      ('runs/x: Permission denied', 5)
    """
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        code = MACHINE_TROUBLE if is_trouble(error) else BAD_INPUT
        return where + (error.strerror or str(error) or type(error).__name__), code
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return "out of memory: smaller batches, fewer trials at a time (memory_bytes) or smaller networks need less", 5
    if isinstance(error, RecursionError):
        return "the input is nested too deeply", BAD_INPUT
    if isinstance(error, UnicodeDecodeError):
        return f"the input is no text: {error}", BAD_INPUT
    return "", 0


def config_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """The parser of a command that takes a configuration, a folder, and the place among many hosts.

    Args:
      prog: how the user calls the command.
      description: of what the command does.
    """
    parser = plain_parser(
        prog,
        description,
        usage="%(prog)s --config NAME [--config.SETTING=VALUE ...] [--workdir FOLDER] [--plugin FILE ...]"
        " [--coordinator HOST:PORT --num-processes N --process-id I]",
        add_help=False,
    )
    parser.add_argument("-h", "--help", action=_Help, help="behind --config NAME: the settings of that one as well")
    parser.add_argument(
        "--config",
        required=True,
        metavar="NAME",
        help="one that `genjax configs` lists, or the path of a file with get_config() or of a run's config.json",
    )
    default = "default: runs/<config>-<hash of its settings>"
    parser.add_argument("--workdir", type=_folder, metavar="FOLDER", help=default)
    add_hosts(parser)
    return parser


def _folder(text: str) -> Path:
    """A folder's path; an empty one, such as that of a variable that is not set, would be where the command runs."""
    if not text:
        refuse("--workdir is empty")
    return Path(text)


class _Help(argparse.Action):
    """Prints the help of a command and, where a configuration was named before, a line for each of its settings."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str):
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object) -> None:
        parser.print_help()
        if namespace.config is not None:
            print("\n" + describe_settings(namespace.config))
        parser.exit()


def describe_settings(name: str) -> str:
    """The settings that act in a configuration, those of a sweep before those of its base: lines with their values."""
    from genjax import config as configs

    path = configs.find(name)
    settings = settings_of(configs.load(path))
    cells = {f"--config.{setting}={value}": line for setting, (value, line) in settings.items()}
    width = max(map(len, cells))
    lines = [f"  {cell.ljust(width)}  {line}" for cell, line in cells.items()]
    return "\n".join([f"settings of {path.stem}, as they are:", *lines])


def settings_of(config: "ConfigDict") -> dict[str, tuple[str, str]]:
    """The settings that act in a configuration of a run or of a sweep, `{name: (value, a line)}`."""
    from genjax import config as configs

    if "base" not in config:
        return configs.describe(config)
    from genjax.sweeps import settings

    own = configs.flatten({name: value for name, value in config.items() if name not in ("base", "axes")})
    of_base = configs.describe(config.base)
    return {
        **{name: (str(value), settings.ABOUT[name]) for name, value in own.items()},
        **{f"base.{name}": described for name, described in of_base.items()},
    }


def plain_parser(prog: str, description: str, **options: Any) -> argparse.ArgumentParser:
    """The parser of a command that knows of plugins, without other arguments yet; see `bare_parser`."""
    parser = bare_parser(prog, description, **options)
    parser.add_argument(
        "--plugin",
        action=_LoadPlugin,
        metavar="FILE",
        help="a Python file or module that adds losses, factors, families or data; may be given several times",
    )
    return parser


def bare_parser(prog: str, description: str, **options: Any) -> argparse.ArgumentParser:
    """A parser without arguments; a mistake raises an InputError.

    Args:
      prog: how the user calls the command; the description may name it as `%(prog)s`.
      description: of what the command does.
      options: of argparse's parser.
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        **options,
    )
    parser.error = refuse
    return parser


class _LoadPlugin(argparse.Action):
    """Adds what a plugin brings to the tables, before anything is looked up in them."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: object) -> None:
        from genjax.config.plugins import load_plugin

        load_plugin(values)


def print_list(descriptions: Mapping[str, str]) -> None:
    """Prints names and what they are in two columns."""
    width = max(map(len, descriptions))
    print(*(f"{name.ljust(width)}  {line}" for name, line in descriptions.items()), sep="\n")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Adds the argument that says where a run's data are now."""
    text = "where the data of the run are now, if they were moved: a source; its contents must be the same"
    parser.add_argument("--data", metavar="SOURCE", default="", help=text)


def add_hosts(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `processes.start`."""
    group = parser.add_argument_group("many hosts", "one process on each; clusters that JAX knows need none of these")
    group.add_argument("--coordinator", metavar="HOST:PORT", help="where process 0 listens")
    group.add_argument("--num-processes", type=int, metavar="N", help="how many there are")
    group.add_argument("--process-id", type=int, metavar="I", help="which of them this is, from 0")


def assignments(arguments: Sequence[str]) -> dict[str, str]:
    """`["--config.a.b=1", "--config.c", "2"]` as `{"a.b": "1", "c": "2"}`.

    Raises:
      InputError: an argument of another form.
    """
    typed, waiting = {}, list(arguments)
    while waiting:
        name, equals, value = waiting.pop(0).partition("=")
        if not name.startswith("--config."):
            refuse(f"unknown argument {name!r}; settings are given as --config.<setting>=<value>")
        if not equals and not waiting:
            refuse(f"{name} needs a value")
        typed[name.removeprefix("--config.")] = value if equals else waiting.pop(0)
    return typed


def default_workdir(path: Path, digest: str) -> Path:
    """`runs/<config name>-<8 hex digits>`: other settings are another folder, the same settings resume.

    A run's own `config.json` stands for the folder that it lies in.
    """
    return path.parent if path.name == "config.json" else Path("runs") / f"{path.stem}-{digest}"


def print_notices(notices: Sequence[str]) -> None:
    """Prints each notice on a line of standard error; of many processes only the first one does.

    With many processes this asks JAX for its devices, so XLA's flags must be set before.
    """
    from genjax.system import processes

    if notices and processes.is_primary():
        print(*(f"notice: {notice}" for notice in notices), sep="\n", file=sys.stderr, flush=True)


def refuse(message: str) -> NoReturn:
    """Raises an InputError with the message."""
    from genjax.types import InputError

    raise InputError(message)
