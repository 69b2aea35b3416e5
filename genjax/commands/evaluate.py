"""`genjax evaluate`."""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genjax.commands.arguments import add_data, plain_parser, refuse, run_quietly
from genjax.commands.report import refresh

if TYPE_CHECKING:
    from genjax.evaluation.options import Options

DESCRIPTION = """Evaluates a run.

  %(prog)s --workdir runs/x --metrics likelihood fidelity

Every number comes with its protocol and, where it has one, its standard error: as a table, and in the folder's
`evaluation.json`. Pictures lie beside it. Samples that another program drew are compared with data, or with other
samples, without a run:

  %(prog)s --samples folder:out --against tfds:mnist --features classifier:mnist

Exit codes: 0 done; 2 input that cannot be used; 5 trouble of the machine, such as a full disk.
"""


def main(arguments: Sequence[str], prog: str = "genjax evaluate") -> int:
    """Evaluates a run; returns the exit code."""
    return run_quietly(lambda: _evaluate(arguments, prog))


def _evaluate(arguments: Sequence[str], prog: str) -> int:
    parsed = make_parser(prog).parse_args(arguments)
    if parsed.against:
        return _compare(parsed)
    if parsed.workdir is None:
        refuse("--workdir names the run to evaluate; --samples with --against compares samples without a run")
    if parsed.out:
        refuse("--out acts with --against alone: the results of a run lie in its folder")
    options = read_options(parsed)
    from genjax.system import processes

    processes.use_cores_as_devices()
    from genjax.evaluation import results  # a mistake in the options is reported before this is imported
    from genjax.evaluation.evaluate import evaluate

    measured = evaluate(parsed.workdir, options, data_source=parsed.data)
    print(results.table(measured, results.terminal_width()))
    refresh(parsed.workdir, "evaluation.json")
    return 0


def read_options(parsed: argparse.Namespace) -> "Options":
    """The checked options of a run's evaluation.

    Raises:
      InputError: some option cannot be.
    """
    from genjax.evaluation.options import Options, check, refuse_unread

    try:
        count = int(parsed.samples)
    except ValueError:
        refuse(f"--samples={parsed.samples} must be a number; a source of samples is compared with --against")
    options = Options(**{**{name: getattr(parsed, name) for name in Options._fields}, "samples": count})
    check(options)
    refuse_unread(options)
    return options


def _compare(parsed: argparse.Namespace) -> int:
    """Compares two sets of examples, of `--samples` and of `--against`."""
    from genjax.evaluation import options, results, sample_sets
    from genjax.system import processes
    from genjax.system.files import write_json

    defaults = options.Options()
    for name in sorted({*defaults._fields, "workdir", "data"} - {*sample_sets.READ, "samples"}):
        if (getattr(parsed, name) or None) != (getattr(defaults, name, None) or None):
            refuse(f"--{name.replace('_', '-')} would not act: --against compares samples without a run")
    if parsed.samples.isdecimal():
        refuse("--against needs --samples SOURCE, such as folder:out or npz:samples.npz")
    if parsed.out and parsed.out.is_dir():
        refuse(f"--out {parsed.out}: it is a folder; name a file")
    if parsed.out and not parsed.out.parent.is_dir():
        refuse(f"--out {parsed.out}: there is no folder {parsed.out.parent}")
    processes.use_cores_as_devices()
    sample_options = defaults._replace(**{name: getattr(parsed, name) for name in sample_sets.READ})
    measured = sample_sets.compare(parsed.samples, parsed.against, sample_options)
    if parsed.out:
        write_json(parsed.out, {"results": results.merged([], [r for group in measured.values() for r in group])})
    print(results.table(measured, results.terminal_width()))
    return 0


def make_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    from genjax.evaluation.options import CHECKPOINTS, METRICS, SPLITS, Options

    usage = "%(prog)s (--workdir FOLDER [--metrics NAME ...] | --samples SOURCE --against SOURCE) [options]"
    parser = plain_parser(prog, DESCRIPTION, usage=usage)
    parser.add_argument("--workdir", type=Path, metavar="FOLDER", help="of the run")
    add_data(parser)
    parser.add_argument("--against", metavar="SOURCE", help="data or samples that --samples SOURCE is compared with")
    parser.add_argument("--out", type=Path, metavar="FILE", help="a JSON file for the results of such a comparison")
    add = functools.partial(_add_option, parser, Options())
    add("metrics", f"{', '.join(METRICS)}; all that apply by default, except bounds, which take long")
    add("checkpoint", f"{' or '.join(CHECKPOINTS)}; by default the best of a run that may stop early, else the newest")
    add("split", f"{', '.join(SPLITS)}; with --against also all")
    add("importance_samples", "k of log p(x)")
    parser.add_argument(
        "--samples",
        default=str(Options().samples),
        metavar="N",
        help="how many are compared with as many examples (default 10000); with --against the source of the samples",
    )
    add("features", "pixels, pca:<components>, classifier:<name>, network:<path>; what suits the data by default")
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
