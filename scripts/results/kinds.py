"""What an experiment is made of."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

UV_RUN = ("uv", "run")  # which every command of the page begins with


class Run(NamedTuple):
    """One run of train.py and what is measured on it.

    Attributes:
      config: a name in configs/, without `.py`.
      settings: changes to it, `{"train.steps": "5000"}`; `{runs}` stands for the folder of all runs.
      evaluations: argument lists of evaluate.py, likewise.
      after: `{folder: Run}`, which are trained after it and before its evaluations.
    """

    config: str
    settings: Mapping[str, str]
    evaluations: tuple[str, ...]
    after: Mapping[str, "Run"] = {}


class Sweep(NamedTuple):
    """One run of sweep.py.

    Attributes:
      config: a name in configs/sweeps/.
      trials: how many of its trials are written as folders of single runs, the best first.
      evaluations: argument lists of evaluate.py, for each of those.
    """

    config: str
    trials: int = 0
    evaluations: tuple[str, ...] = ()


class Column(NamedTuple):
    """Where a figure is found: a metric of `evaluation.json`, by parts of its protocol; or a column of `trials.csv`.

    The figures of training (`test/recon`) have no protocol. The sampler `run` stands for any other run. Of a sweep's
    row, a metric that `trials.csv` has not is looked up in the folders of the evaluated trials.

    Attributes:
      heading: of the table's column.
      metric: its name.
      protocol: parts of it.
      optional: whether a row may lack the figure, and has an empty cell then.
      of: what the name of the run's folder ends with, where another run has the figure.
    """

    heading: str
    metric: str
    protocol: Mapping[str, Any] = {}
    optional: bool = False
    of: str = ""


class Row(NamedTuple):
    """A line of a table.

    Attributes:
      label: what was trained.
      runs: `{folder: Run}`, one for each seed; or one Sweep, whose trials with `where` are the seeds.
      published: the literature's figures for this row, with their source.
      where: `{column of trials.csv: value}`.
      protocol: what tells this row's evaluation of the runs from others'.
    """

    label: str
    runs: Mapping[str, Run | Sweep]
    published: str = ""
    where: Mapping[str, str] = {}
    protocol: Mapping[str, Any] = {}


class Experiment(NamedTuple):
    """A table: a title, what it asks and how it was measured, its columns and rows.

    Attributes:
      picture: shown under the table: a file of the sweep's folder, or a function that draws the figures to a path.
    """

    title: str
    text: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    picture: str | Callable[[Mapping[str, Any], Path], None] = ""


def train_command(run: Run | Sweep, workdir: Path) -> list[str]:
    """The command that trains a run or a sweep into its folder."""
    if isinstance(run, Sweep):
        config = f"configs/sweeps/{run.config}.py"
        exported = ["--export-best", str(run.trials)] if run.trials else []
        return [*UV_RUN, "scripts/sweep.py", "--config", config, "--workdir", str(workdir), *exported]
    settings = [f"--config.{name}={value.format(runs=workdir.parent)}" for name, value in run.settings.items()]
    return [*UV_RUN, "scripts/train.py", "--config", f"configs/{run.config}.py", *settings, "--workdir", str(workdir)]
