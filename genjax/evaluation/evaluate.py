"""An evaluation from a run's folder to its table: what applies is measured, and each result is kept at once."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from genjax.data import fingerprint
from genjax.evaluation import bounds, fidelity, latent, likelihood, modes, pictures, recognition, samplers
from genjax.evaluation.options import OPTIONS_READ, Options, changed
from genjax.evaluation.results import Result, merged, read_evaluation, show_progress
from genjax.runs.folder import claim
from genjax.runs.load import LoadedRun, load_run, read_config
from genjax.system import compiler
from genjax.system.files import write_json
from genjax.system.progress import print_line
from genjax.types import InputError


class Metrics(NamedTuple):
    """A group of metrics.

    Attributes:
      applies: names what a subject lacks for it, or nothing.
      measure: measures it.
      on_request: whether it is measured only where it is asked for by name, because it takes long.
    """

    applies: Callable[[LoadedRun], str]
    measure: Callable[[LoadedRun, Options, Any], list[Result]]
    on_request: bool = False


METRICS = {
    "likelihood": Metrics(likelihood.applies, likelihood.measure),
    "fidelity": Metrics(fidelity.applies, fidelity.measure),
    "recognition": Metrics(recognition.applies, recognition.measure),
    "modes": Metrics(modes.applies, modes.measure),
    "latent": Metrics(latent.applies, latent.measure),
    "bounds": Metrics(bounds.applies, bounds.measure, on_request=True),
}


def evaluate(
    workdir: Path, options: Options, stream: TextIO | None = None, data_source: str = ""
) -> dict[str, list[Result]]:
    """Measures a run and adds what it found to its `evaluation.json`, with pictures.

    Args:
      workdir: of the run.
      options: checked ones.
      stream: for progress; standard error by default.
      data_source: where the run's data are now, if they were moved.

    Returns:
      `{group of metrics: results}`.

    Raises:
      InputError: the folder or the checkpoint cannot be used, or a metric that was asked for does not apply.
    """
    out = stream or sys.stderr

    say = partial(print_line, out)
    config = read_config(workdir)
    compiler.ask_for_determinism(config.train.deterministic)
    compiler.keep_programs()
    with claim(workdir, config):
        read_evaluation(workdir / "evaluation.json")  # a file to which nothing can be added is refused at once
        loaded = load_run(workdir, options.checkpoint, say, data_source)
        changed_options = changed(options)
        options = options._replace(sampler=options.sampler or samplers.default(loaded))
        names = _applicable(loaded, options.metrics)
        say(f"{workdir}: step {loaded.step:,}, {', '.join(names)}")
        results_of: dict[str, list[Result]] = {}
        digest = fingerprint(loaded.dataset)["digest"][:8]
        for name in names:
            try:
                measured = METRICS[name].measure(loaded, options, show_progress(out))
            except InputError as error:
                if name in options.metrics or changed_options.intersection(OPTIONS_READ[name]):
                    raise
                say(f"{name} is left out: {error}")
                continue
            results_of[name] = [result._replace(protocol={**result.protocol, "data": digest}) for result in measured]
            _add_results(workdir / "evaluation.json", results_of[name])
        pictures.draw(loaded, options, results_of)
    return results_of


def _applicable(loaded: LoadedRun, names_asked_for: Sequence[str]) -> list[str]:
    """The groups that were asked for, each of which must apply, or else those that do and need no request."""
    for name in names_asked_for:
        if lacks := METRICS[name].applies(loaded):
            raise InputError(f"{name} needs {lacks}; {loaded.workdir} has none")
    return list(dict.fromkeys(names_asked_for)) or [
        name for name, group in METRICS.items() if not group.on_request and not group.applies(loaded)
    ]


def _add_results(path: Path, results: Sequence[Result]) -> None:
    """Adds results to the file that the run itself wrote, if it was finished."""
    content = read_evaluation(path)
    write_json(path, {**content, "results": merged(content.get("results", []), results)})
