"""`genjax evaluate`."""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genjax.commands.arguments import plain_parser, run_quietly
from genjax.commands.report import refresh

DESCRIPTION = """Evaluates a run.

  %(prog)s --workdir runs/x --metrics likelihood fidelity

Every number comes with its protocol and, where it has one, its standard error: as a table, and in the folder's
`evaluation.json`. Pictures lie beside it. Exit codes: 0 done; 2 input that cannot be used.
"""


def main(arguments: Sequence[str], prog: str = "genjax evaluate") -> int:
    """Evaluates a run; returns the exit code."""
    return run_quietly(lambda: _evaluate(arguments, prog))


def _evaluate(arguments: Sequence[str], prog: str) -> int:
    from genjax.evaluation import options

    parsed = make_parser(prog).parse_args(arguments)
    options_of_user = options.Options(**{name: getattr(parsed, name) for name in options.Options._fields})
    options.check(options_of_user)
    from genjax.system import processes

    processes.use_cores_as_devices()
    from genjax.evaluation import results  # a mistake in the options is reported before this is imported
    from genjax.evaluation.evaluate import evaluate

    print(results.table(evaluate(parsed.workdir, options_of_user)))
    refresh(parsed.workdir, "evaluation.json")
    return 0


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    from genjax.evaluation.options import CHECKPOINTS, METRICS, SPLITS, Options

    parser = plain_parser(prog, DESCRIPTION, usage="%(prog)s --workdir FOLDER [--metrics NAME ...] [options]")
    parser.add_argument("--workdir", required=True, type=Path, metavar="FOLDER", help="of the run")
    add = functools.partial(_add_option, parser, Options())
    add("metrics", f"{', '.join(METRICS)}; all that apply by default, except bounds, which take long")
    add("checkpoint", " or ".join(CHECKPOINTS))
    add("split", ", ".join(SPLITS))
    add("importance_samples", "k of log p(x)")
    add("samples", "how many are compared with as many examples")
    add("features", "pixels, pca:<components>, classifier:<name>; what suits the data by default")
    add(
        "sampler",
        "prior, gaussian, mixture:<components>, run:<workdir>, reconstruction; by default the prior, if any",
    )
    add("neighbours", "k of precision, recall, density and coverage, and of the codes' classification")
    add("annealing_steps", "from the prior to the posterior, of the bounds of log p(x)")
    add("chains", "for each example, of the bounds of log p(x)")
    add("seed", "of every draw")
    return parser


def _add_option(parser: argparse.ArgumentParser, defaults: Any, name: str, description: str) -> None:
    """Adds an argument for a field of a record, of the field's type, with its default."""
    default = getattr(defaults, name)
    several: dict[str, Any] = {"nargs": "+"} if isinstance(default, tuple) else {"type": type(default)}
    text = f"{description} (default {default})" if default else description
    parser.add_argument(f"--{name.replace('_', '-')}", default=default, metavar=name[0].upper(), help=text, **several)
