"""The page of a sweep: its trials, which settings matter, and how they learned."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np

from genjax import config as configs
from genjax import plots
from genjax.api.sweep import Sweep, load_sweep
from genjax.reports import figures
from genjax.reports.overview import overview
from genjax.reports.page import Detail, Figures, Pictures, Section, Table, render
from genjax.reports.run_page import environment_table, pictures, settings_tables
from genjax.sweeps import ranking
from genjax.sweeps.results import BASE

LINES = 100  # trials whose curves are drawn, from the best


def sweep_page(workdir: Path) -> str:
    """The page of a finished sweep's folder as HTML.

    Raises:
      InputError: the folder is not a sweep's, or the sweep is not finished.
    """
    sweep = load_sweep(workdir)
    (entry,) = overview(workdir)
    words = (entry.family, entry.data, f"{entry.steps:,} trials", entry.state, entry.figure, entry.when)
    base = {name.removeprefix("base."): v for name, v in sweep.settings.items() if name.startswith("base.")}
    metric, goal = sweep.settings["objective.metric"], sweep.settings["objective.goal"]
    unit = configs.shared_unit(metric, [{**base, **sweep.settings_of(row)} for row in sweep.rows])
    label = f"{metric}, {unit}" if unit else metric
    defaults = {name: _as_json(v) for name, v in configs.flatten(configs.default(base["model.family"])).items()}
    sections: list[Section] = [
        Figures("All axes at once", _parallel(sweep, label, goal), wide=True, note="Drag along an axis to filter."),
        Figures("Each axis", _effects(sweep, label)),
        trials_table(sweep),
        Figures(
            "Learning curves", _curves(sweep, metric, goal, unit), wide=True, note=f"Up to {LINES} trials, best first."
        ),
        Pictures("Pictures", pictures(workdir, without=("axes", "curves", "parallel"))),
        Table("Axes", ["setting", "kind", "values"], [[*axis[:2], str(axis[2])] for axis in sweep.settings["axes"]]),
        *settings_tables(base, defaults),
        environment_table(workdir),
    ]
    return render(workdir.absolute().name, ", ".join(word for word in words if word), sections)


def trials_table(sweep: Sweep) -> Table:
    """A row for each trial; clicked, it shows the arguments of its run and its folder, if it was exported."""
    first = ["trial", *sweep.axes, "seed", "state", "objective"]
    names = [*first, *(name for name in sweep.rows[0] if name not in (*first, "point", "diverged_at"))]
    return Table(
        "Trials",
        names,
        [[row.get(name) for name in names] for row in sweep.rows],
        note="A click on the head of a column sorts; a click on a row shows its command and what it draws.",
        details=[_describe(sweep, row) for row in sweep.rows],
    )


def _describe(sweep: Sweep, row: dict[str, Any]) -> Detail:
    """The command that trains a trial alone, the folder of one that was exported, and its samples."""
    arguments = [f"--config.{name}={value}" for name, value in sweep.settings_of(row).items()]
    base, own = str(sweep.workdir / BASE), f"{sweep.workdir}-trial-{row['trial']}"
    lines = [shlex.join(["genjax", "train", "--config", base, *arguments, "--workdir", own])]
    for folder in sweep.workdir.glob(f"best/*-trial-{row['trial']}"):
        lines.append(shlex.join(["genjax", "train", "--config", str(folder / "config.json")]))
    samples = sweep.samples.get(row["trial"])
    return Detail(lines, b"" if samples is None else plots.thumbnail(samples))


def _parallel(sweep: Sweep, label: str, goal: str) -> list[dict[str, Any]]:
    rows = [row for row in sweep.rows if row["objective"] is not None]
    if not rows or not sweep.axes:
        return []
    columns = {name: [row[name] for row in rows] for name in sweep.axes}
    columns[label] = [row["objective"] for row in rows]
    return [figures.parallel(columns, label, goal == "min")]


def _effects(sweep: Sweep, label: str) -> list[dict[str, Any]]:
    rows = [row for row in sweep.rows if row["objective"] is not None]
    hover = [f"trial {row['trial']}, seed {row.get('seed')}" for row in rows]
    objective = [row["objective"] for row in rows]
    return [figures.effect(name, [row[name] for row in rows], objective, hover, label) for name in sweep.axes if rows]


def _curves(sweep: Sweep, metric: str, goal: str, unit: str) -> list[dict[str, Any]]:
    values = np.array([row["objective"] for row in sweep.rows], float)
    order, curves = ranking.order(values, goal)[:LINES], sweep.curves.get(f"validation/{metric}")
    if curves is None:
        return []
    series = {}
    for i in order:
        measured = ~np.isnan(curves[i])
        series[f"trial {sweep.rows[i]['trial']}"] = (sweep.steps[measured].tolist(), curves[i][measured].tolist())
    figure = figures.lines(metric, series, unit)
    return [{**figure, "layout": {**figure["layout"], "hovermode": "closest"}}]


def _as_json(value: Any) -> Any:
    """A default as the settings of a folder hold it."""
    return list(value) if isinstance(value, tuple) else value
