"""From figures to docs/results.md."""

import platform
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from results import measured
from results.kinds import Experiment, Row, Run, train_command

HEAD = """# Results

This page shows what the models of genjax reach beside published figures. Each section is an experiment: what was
trained, a table of figures, and the commands that train and measure the same again.

`scripts/reproduce.py` runs the experiments and writes this page; without an experiment's name, it lists them. Every
figure is of the test split. `scripts/evaluate.py` measured it and keeps the whole protocol in `evaluation.json`, or
the sweep did, where a row is a sweep. A figure of a single run stands with its standard error. Of several seeds the
table shows the median, and the least and the greatest in brackets. Seconds are of training alone, summed over the
seeds, and the machine was not idle: compare orders of magnitude and no more. Published figures are as their papers
state them; where the protocols differ, the text says how.
"""


def markdown(experiments: Mapping[str, Experiment], figures: Mapping[str, Any]) -> str:
    """The whole page: a table for each experiment, with a row that says so for whatever was not run."""
    parts = [HEAD]
    for name, experiment in experiments.items():
        parts.append(f"## {experiment.title}\n\n`uv run scripts/reproduce.py {name}`. {experiment.text}\n")
        headings = ["", *(column.heading for column in experiment.columns), "published", "steps, s"]
        lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
        lines += [_line(experiment, row, figures.get(name, {}).get(row.label)) for row in experiment.rows]
        parts.append("\n".join(lines) + "\n")
        if experiment.picture and name in figures:
            parts.append(f"![{experiment.title}]({picture_name(name)})\n")
        parts.append(_commands(experiment))
    return "\n".join(parts)


def picture_name(experiment: str) -> str:
    """The file beside the page that an experiment's picture is copied to."""
    return f"{experiment}.png"


def machine() -> str:
    """What a row was measured on."""
    import jax

    devices = {device.device_kind for device in jax.devices()}
    return f"JAX {jax.__version__}, {', '.join(sorted(devices))}, Python {platform.python_version()}"


def _line(experiment: Experiment, row: Row, figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        cells = ["not run", *[""] * (len(experiment.columns) - 1)]
        cost = ""
    else:
        cells = [measured.format_figure(figures["figures"][column.heading]) for column in experiment.columns]
        cost = f"{figures['steps']:,} steps, {figures['seconds']:,.0f} s ({figures['machine']})"
    return "| " + " | ".join([row.label, *cells, row.published, cost]) + " |"


def _commands(experiment: Experiment) -> str:
    """The command of each row's first run."""
    lines = []
    for row in experiment.rows:
        folder, run = next(iter(row.runs.items()))
        seeds = f"  # and {len(row.runs) - 1} more seeds" if len(row.runs) > 1 else ""
        lines.append(shlex.join(train_command(run, Path("runs/results") / folder)) + seeds)
        after = run.after if isinstance(run, Run) else {}
        lines += [shlex.join(train_command(later, Path("runs/results") / name)) for name, later in after.items()]
        where = folder if isinstance(run, Run) else f"{folder}/best/RANK-trial-NUMBER"
        evaluations = [text.format(runs="runs/results") for text in run.evaluations]
        lines += [f"uv run scripts/evaluate.py --workdir runs/results/{where} {text}" for text in evaluations]
    return "```sh\n" + "\n".join(dict.fromkeys(lines)) + "\n```\n"
