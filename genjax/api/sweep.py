"""A finished sweep as a table, curves and its best run."""

import ast
import csv
import importlib.util
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genjax.api.run import Run, load_run
from genjax.sweeps import gallery, ranking
from genjax.sweeps.axes import shared_rates
from genjax.sweeps.results import TABLE
from genjax.system.files import DAMAGES, describe_damage, read_arrays, read_object
from genjax.system.messages import numbered
from genjax.types import InputError


class Sweep(NamedTuple):
    """A finished sweep; `load_sweep` returns one.

    Attributes:
      workdir: its folder.
      settings: of the sweep, `{dotted name: value}`; those of the base begin with `base.`.
      rows: of the table, one for each trial in the order of their numbers: settings, metrics, steps, seconds. None
        where a cell is empty.
      steps: `[S]`, after which metrics were measured.
      curves: `{metric: [trials, S]}`, NaN where a trial was not measured.

    Example:
      >>> sweep.curves["validation/loss"].shape == (len(sweep.rows), len(sweep.steps))
      True
    """

    workdir: Path
    settings: dict[str, Any]
    rows: list[dict[str, Any]]
    steps: np.ndarray
    curves: dict[str, np.ndarray]

    def __repr__(self) -> str:
        """One line: how many trials over which settings, and where."""
        return f"<sweep of {numbered(len(self.rows), 'trial')} over {', '.join(self.axes)}, {self.workdir}>"

    @property
    def table(self) -> Any:
        """A row for each trial: a pandas DataFrame where pandas is installed, else the rows themselves.

        Example:
          >>> len(sweep.table) == len(sweep.rows)
          True
        """
        if importlib.util.find_spec("pandas") is None:
            return self.rows
        import pandas  # pyright: ignore[reportMissingImports]

        return pandas.DataFrame(self.rows)

    @property
    def samples(self) -> dict[int, np.ndarray]:
        """What trials drew at the end, by their numbers: images `[n, H, W, C]` in [0, 1], or points `[n, 2]`.

        A sweep keeps the best 200 trials, the median and the worst; reconstructions where a model has no samples.

        Raises:
          InputError: the file cannot be read.

        Example:
          >>> sweep.samples[0].shape
          (12, 8, 8, 1)
        """
        path = self.workdir / gallery.FILE
        return gallery.load(path) if path.exists() else {}

    def settings_of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what a trial sets beside the base, by the names that a run has for it, and its seed.

        An axis over a rate that all players share sets the rate of each.

        Args:
          row: of `rows`.

        Example:
          >>> sweep.settings_of(sweep.rows[-1])
          {'hparams.beta': 2.0, 'seed': 1}
        """
        base = {name.removeprefix("base."): value for name, value in self.settings.items() if name.startswith("base.")}
        settings = {}
        for name in (*self.axes, "seed"):
            if row.get(name) is not None:
                settings |= dict.fromkeys(shared_rates(name, base) or (name,), _value(row[name]))
        return settings

    @property
    def axes(self) -> list[str]:
        """The settings that vary, the seed left out.

        Example:
          >>> sweep.axes
          ['hparams.beta']
        """
        return [axis[0] for axis in self.settings["axes"] if axis[0] != "seed"]

    @property
    def best_trial(self) -> dict[str, Any]:
        """The row of the trial with the best objective.

        Raises:
          InputError: every trial diverged.

        Example:
          >>> sweep.best_trial["objective"] == min(row["objective"] for row in sweep.rows)
          True
        """
        values = np.array([row["objective"] for row in self.rows], float)
        if np.isnan(values).all():
            raise InputError(f"{self.workdir}: no trial has an objective")
        return self.rows[ranking.order(values, self.settings["objective.goal"])[0]]

    def best_run(self, rank: int = 1) -> Run:
        """The model of the trial of a rank, which the sweep has exported.

        Raises:
          InputError: it was not exported.

        Example:
          >>> sweep.best_run().sample(3).shape
          (3, 8, 8, 1)
        """
        for folder in self.workdir.glob(f"best/{rank}-trial-*"):
            return load_run(folder)
        raise InputError(f"{self.workdir} has not exported rank {rank}: genjax sweep --export-best {rank} writes it")


def load_sweep(workdir: Path | str) -> Sweep:
    """Loads the results of a finished sweep.

    Raises:
      InputError: the folder is not a sweep's, or the sweep is not finished, or a file of it cannot be read.

    Example:
      >>> sweep = load_sweep(sweep_workdir)  # such as "runs/vae_digits-5b1d22c0"
      >>> [row["hparams.beta"] for row in sweep.rows]
      [0.5, 0.5, 2.0, 2.0]
    """
    workdir = Path(workdir)
    settings = _read_settings(workdir / "config.json")
    if not (workdir / TABLE).is_file():
        raise InputError(f"{workdir} is not finished: it has no {TABLE}")
    try:
        with (workdir / TABLE).open(newline="") as file:
            rows = [{name: _parse(text) for name, text in row.items()} for row in csv.DictReader(file)]
        if any(None in row for row in rows):
            raise csv.Error("a row has more cells than there are columns")
    except (OSError, *DAMAGES, csv.Error) as error:
        raise InputError(f"{workdir / TABLE} cannot be read: {describe_damage(error)}") from error
    if not rows or not all(type(row.get("trial")) is int and _is_figure(row.get("objective", "")) for row in rows):
        raise InputError(f"{workdir / TABLE} cannot be read: it holds no table of trials")
    curves = read_arrays(workdir / "curves.npz")
    if not {"step", "trial"} <= curves.keys():
        raise InputError(f"{workdir / 'curves.npz'} cannot be read: it holds no curves of trials")
    steps, _ = curves.pop("step"), curves.pop("trial")
    of_trials = {name: values for name, values in curves.items() if not name.startswith("population/")}
    return Sweep(workdir, settings, rows, steps, of_trials)


def _read_settings(path: Path) -> dict[str, Any]:
    settings = read_object(path)
    if settings is None:
        raise InputError(f"{path.parent} is not the folder of a sweep: it has no config.json")
    if "base.model.family" not in settings:
        raise InputError(f"{path.parent} is not the folder of a sweep")
    return settings


def _value(cell: Any) -> Any:
    """A setting from its cell: tuples and booleans are text there."""
    if isinstance(cell, str) and re.fullmatch(r"True|False|\(.*\)", cell):
        with suppress(ValueError, SyntaxError):  # a name in brackets is a name
            return ast.literal_eval(cell)
    return cell


def _is_figure(value: Any) -> bool:
    return value is None or type(value) in (int, float)


def _parse(text: Any) -> Any:
    """A cell of the table: a number where it is one, None where it is empty, else its text."""
    if not text:
        return None
    if not isinstance(text, str):
        return text  # the cells beyond the last column
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
