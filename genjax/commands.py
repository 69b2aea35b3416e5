"""Command lines: from arguments to one call, and from an error in the input to one line and an exit code.

What takes seconds to import is imported inside the functions, where Ctrl-C already ends the process quietly.
"""

import argparse
import functools
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

BAD_INPUT, BROKEN_PIPE = 2, 141


def train(arguments: Sequence[str], description: str) -> int:
    """Runs `scripts/train.py`; returns its exit code."""
    return _quietly(lambda: _train(arguments, description))


def sweep(arguments: Sequence[str], description: str) -> int:
    """Runs `scripts/sweep.py`; returns its exit code."""
    return _quietly(lambda: _sweep(arguments, description))


def evaluate(arguments: Sequence[str], description: str) -> int:
    """Runs `scripts/evaluate.py`; returns its exit code."""
    return _quietly(lambda: _evaluate(arguments, description))


def _quietly(command: Callable[[], int]) -> int:
    """A command without tracebacks for Ctrl-C, for input that cannot be used, and for a reader who has left."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # imports make other errors of a KeyboardInterrupt
    from genjax.types import InputError

    logging.getLogger("absl").setLevel(logging.ERROR)  # libraries' advice would break the progress bar
    try:
        return command()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # whoever read the progress has left
        return BROKEN_PIPE
    finally:
        signal.signal(signal.SIGINT, before)


def _train(arguments: Sequence[str], description: str) -> int:
    from genjax import config as configs

    known, rest = _parser(description).parse_known_args(arguments)
    loaded = configs.load(known.config)
    if "base" in loaded:
        _refuse(f"{known.config} is a sweep: start it with scripts/sweep.py")
    config = configs.override(loaded, assignments(rest))
    configs.check(config)
    from genjax import hosts, run  # a mistake in the settings is told before this is imported

    hosts.start(known.coordinator, known.num_processes, known.process_id)
    code = run.train(config, known.workdir or default_workdir(known.config, configs.digest(config)))
    hosts.finish()
    return code


def _sweep(arguments: Sequence[str], description: str) -> int:
    from genjax import config as configs
    from genjax.search import settings

    parser = _parser(description)
    parser.add_argument("--export-best", type=int, default=0, metavar="N", help="write the best N trials as workdirs")
    known, rest = parser.parse_known_args(arguments)
    config = settings.override(configs.load(known.config), assignments(rest))
    settings.check(config)
    from genjax import hosts
    from genjax.trials import run

    if known.export_best < 0:
        _refuse(f"--export-best={known.export_best} must be at least 0")
    hosts.start(known.coordinator, known.num_processes, known.process_id)
    hosts.cores_as_devices()
    workdir = known.workdir or default_workdir(known.config, configs.digest(config))
    code = run.sweep(config, workdir, known.export_best)
    hosts.finish()
    return code


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        usage="%(prog)s --config FILE [--config.SETTING=VALUE ...] [--workdir FOLDER]"
        " [--coordinator HOST:PORT --num-processes N --process-id I]",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config", required=True, type=Path, metavar="FILE", help="a file with get_config(), or a run's config.json"
    )
    parser.add_argument("--workdir", type=Path, metavar="FOLDER", help="default: runs/<config>-<hash of its settings>")
    add_hosts(parser)
    parser.error = _refuse
    return parser


def _evaluate(arguments: Sequence[str], description: str) -> int:
    from genjax.evaluation import options

    known = _evaluation_parser(description).parse_args(arguments)
    chosen = options.Options(**{name: getattr(known, name) for name in options.Options._fields})
    options.check(chosen)
    from genjax import hosts

    hosts.cores_as_devices()
    from genjax.evaluation import results, run  # a mistake in the options is told before this is imported

    print(results.table(run.evaluate(known.workdir, chosen)))
    return 0


def _evaluation_parser(description: str) -> argparse.ArgumentParser:
    from genjax.evaluation.options import CHECKPOINTS, METRICS, SPLITS, Options

    parser = argparse.ArgumentParser(
        usage="%(prog)s --workdir FOLDER [--metrics NAME ...] [options]",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--workdir", required=True, type=Path, metavar="FOLDER", help="of the run")
    add = functools.partial(_add_option, parser, Options())
    add("metrics", f"{', '.join(METRICS)}; all that apply by default")
    add("checkpoint", " or ".join(CHECKPOINTS))
    add("split", ", ".join(SPLITS))
    add("importance_samples", "k of log p(x)")
    add("samples", "how many are compared with as many examples")
    add("features", "pixels, pca:<components>, classifier:<name>; what suits the data by default")
    add("sampler", "prior, gaussian, mixture:<components>, reconstruction; the prior by default, if there is one")
    add("neighbours", "k of precision, recall, density and coverage, and of the codes' classification")
    add("seed", "of every draw")
    parser.error = _refuse
    return parser


def _add_option(parser: argparse.ArgumentParser, plain: Any, name: str, told: str) -> None:
    """An argument for a field of a record, of the field's type, with its default."""
    default = getattr(plain, name)
    several: dict[str, Any] = {"nargs": "+"} if isinstance(default, tuple) else {"type": type(default)}
    shown = f"{told} (default {default})" if default else told
    parser.add_argument(f"--{name.replace('_', '-')}", default=default, metavar=name[0].upper(), help=shown, **several)


def add_hosts(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `hosts.start`."""
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
            _refuse(f"unknown argument {name!r}; settings are given as --config.<setting>=<value>")
        if not equals and not waiting:
            _refuse(f"{name} needs a value")
        typed[name.removeprefix("--config.")] = value if equals else waiting.pop(0)
    return typed


def default_workdir(path: Path, digest: str) -> Path:
    """`runs/<config name>-<8 hex digits>`: other settings are another folder, the same settings resume.

    A run's own `config.json` stands for the folder that it lies in.
    """
    return path.parent if path.name == "config.json" else Path("runs") / f"{path.stem}-{digest}"


def _refuse(message: str) -> NoReturn:
    from genjax.types import InputError

    raise InputError(message)
