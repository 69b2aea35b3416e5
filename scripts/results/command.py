"""The command line of `scripts/reproduce.py`: runs what is missing, and writes the page."""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from genjax.commands.arguments import bare_parser, run_quietly
from genjax.system.messages import nearest_name
from genjax.types import InputError
from results import measured, page
from results.experiments import EXPERIMENTS
from results.kinds import UV_RUN, Experiment, Row, Run, train_command

ROOT = Path(__file__).parents[2]
CERTIFICATES = "certificates"
FIGURES, PAGE = ROOT / "docs" / "results.json", ROOT / "docs" / "results.md"


def main(arguments: Sequence[str], description: str) -> int:
    """Runs the experiments that were named; the exit code of the first command that failed, or 0."""
    return run_quietly(lambda: _reproduce(arguments, description))


def _reproduce(arguments: Sequence[str], description: str) -> int:
    parsed = reproduce_parser(description).parse_args(arguments)
    for name in parsed.experiments:
        nearest_name("experiment", name, [*EXPERIMENTS, CERTIFICATES])
    if not parsed.experiments:
        for name, experiment in EXPERIMENTS.items():
            finished_rows = sum(measured.read_row(experiment, row, parsed.runs) is not None for row in experiment.rows)
            print(f"{name}: {finished_rows} of {len(experiment.rows)} rows; {experiment.title}")
        return 0
    for name in parsed.experiments:
        if name == CERTIFICATES:
            _certify()
            continue
        for row in choose_rows(EXPERIMENTS[name], parsed.row):
            for command in commands(EXPERIMENTS[name], row, parsed.runs):
                print(shlex.join(command), file=sys.stderr, flush=True)
                if code := _start(command):
                    return code
            add_row(name, EXPERIMENTS[name], row, parsed.runs)
    return 0


def choose_rows(experiment: Experiment, text: str) -> list[Row]:
    """The rows whose label holds a text.

    Raises:
      InputError: there are none.
    """
    rows = [row for row in experiment.rows if text in row.label]
    if not rows:
        labels = ", ".join(repr(row.label) for row in experiment.rows)
        raise InputError(f"no row of '{experiment.title}' holds {text!r}: there are {labels}")
    return rows


def _certify() -> None:
    from results import certificates

    path = ROOT / "docs" / "certificates.md"
    path.write_text(certificates.page())
    print(f"{path} is written", file=sys.stderr)


def commands(experiment: Experiment, row: Row, root: Path) -> Iterator[list[str]]:
    """The commands that a row is the outcome of; a folder that has finished says so at once, and is left as it is."""
    for folder, run in row.runs.items():
        yield train_command(run, root / folder)
        for later, run_after in (run.after if isinstance(run, Run) else {}).items():
            yield train_command(run_after, root / later)
        if measured.read_row(experiment, row._replace(runs={folder: run}), root) is not None:
            continue
        for evaluated in [root / folder] if isinstance(run, Run) else _trials_to_evaluate(row, root / folder):
            for evaluation in run.evaluations:
                options = evaluation.format(runs=root).split()
                yield [*UV_RUN, "scripts/evaluate.py", "--workdir", str(evaluated), *options]


def _trials_to_evaluate(row: Row, sweep: Path) -> list[Path]:
    numbers = [trial["trial"] for trial in measured.read_trials(row, sweep)]
    folders = [measured.trial_folder(sweep, number) for number in numbers]
    return [folder for folder in folders if folder is not None and not (folder / "evaluation.json").exists()]


def add_row(name: str, experiment: Experiment, row: Row, root: Path) -> None:
    """Adds a row to the figures, and writes the page anew."""
    figures: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    measured_row = measured.read_row(experiment, row, root)
    if measured_row is not None:
        figures.setdefault(name, {})[row.label] = {**measured_row, "machine": page.machine()}
        if callable(experiment.picture):
            experiment.picture(figures[name], PAGE.parent / page.picture_name(name))
        elif experiment.picture:
            shutil.copyfile(root / next(iter(row.runs)) / experiment.picture, PAGE.parent / page.picture_name(name))
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    PAGE.write_text(page.markdown(EXPERIMENTS, figures))


def _start(command: list[str]) -> int:
    """Runs the command with the Python that runs this one."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *command[len(UV_RUN) :]], cwd=ROOT, env=environment, check=False).returncode


def reproduce_parser(description: str) -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = bare_parser("uv run scripts/reproduce.py", description)
    names = ", ".join([*EXPERIMENTS, CERTIFICATES])
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help=f"of {names}")
    parser.add_argument("--row", default="", metavar="TEXT", help="only rows whose label holds this text")
    parser.add_argument(
        "--runs",
        type=lambda text: Path(text).absolute(),
        default=ROOT / "runs" / "results",
        metavar="FOLDER",
        help="where the runs' folders are kept (default runs/results)",
    )
    return parser
