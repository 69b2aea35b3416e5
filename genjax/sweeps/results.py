"""What a sweep leaves behind: a table of trials, their curves, a ranking of points over seeds, and pictures."""

import collections
import csv
import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.runs import stopping
from genjax.runs.watches import find_warnings
from genjax.sweeps import cohorts, ranking
from genjax.sweeps.batches import SweepContext, execution_mode
from genjax.sweeps.cohorts import Cohort, CohortState, FinishedCohort, measured_curve
from genjax.system import processes
from genjax.system.files import write_atomically
from genjax.system.messages import format_value

BASE = "base.json"  # the configuration that trials change, as `genjax train --config` takes it
TABLE = "trials.csv"  # written last: its presence marks a finished sweep


def objective_values(config: ConfigDict, finished: FinishedCohort, until: float = math.inf) -> np.ndarray:
    """Each trial's objective, `[T]`, as it was at a step; NaN where there was none."""
    cohort, state, objective = finished.cohort, finished.state, config.objective
    diverged = (state.diverged_at >= 0) & (state.diverged_at < until)
    curve = _judged_curve(cohort, state, objective.metric, objective.of, until)
    return ranking.objective(curve, diverged, objective.of, objective.goal)


def _judged_curve(cohort: Cohort, state: CohortState, metric: str, of: str, until: float = math.inf) -> np.ndarray:
    """A metric up to a step, `[R, T]`; where the last value counts, up to the state that a trial is judged by."""
    steps = state.rows["step"][:, None]
    end = cohorts.reported_steps(cohort, state, until) if of == "last" else until
    return np.where(steps <= end, measured_curve(cohort, state, metric), np.nan)


def find_leader(config: ConfigDict, ended: list[FinishedCohort]) -> tuple[FinishedCohort, int, float] | None:
    """The trial with the best objective so far: its cohort, place in it, and objective; None before there is one."""
    ranked = [
        (finished, i, value)
        for finished in ended
        for i, value in enumerate(objective_values(config, finished).tolist())
    ]
    values = np.array([value for *_, value in ranked])
    return None if np.isnan(values).all() else ranked[ranking.order(values, config.objective.goal)[0]]


def rank_finishers(config: ConfigDict, ended: list[FinishedCohort]) -> list[tuple[FinishedCohort, int, float]]:
    """The trials that came to their end with an objective, from the best: their cohort, place in it, and objective."""
    ranked = []
    for finished in ended:
        values = objective_values(config, finished)
        ranked += [(finished, int(i), values[i]) for i in cohorts.finishers(finished.cohort, finished.state)]
    values = np.array([value for _, _, value in ranked])
    return [ranked[i] for i in ranking.order(values, config.objective.goal) if not np.isnan(values[i])]


class PointSummary(NamedTuple):
    """What the seeds of a point say together.

    Attributes:
      trials: their rows.
      mean: of the objectives of those that did not diverge; None where there is none.
      std: the standard deviation of the same; None where there are less than two.
      diverged: how many did.
      stopped_at: the step at which halving stopped the point, or None.
      best: the number of its best trial.
    """

    trials: list[dict[str, Any]]
    mean: float | None
    std: float | None
    diverged: int
    stopped_at: int | None
    best: int


def summarise_points(config: ConfigDict, trials: list[dict[str, Any]]) -> list[PointSummary]:
    """Every point, in the order of their numbers."""
    values = np.array([row["objective"] for row in trials], float)
    point = np.array([row["point"] for row in trials])
    means, summaries = ranking.over_seeds(values, point), []
    for number, mean, std in zip(means["point"], means["mean"], means["std"], strict=True):
        rows = [row for row in trials if row["point"] == number]
        stopped = [row["steps"] for row in rows if row["state"] == "stopped"]
        first = int(ranking.order(values[point == number], config.objective.goal)[0])
        summaries.append(
            PointSummary(
                trials=rows,
                mean=_none_if_nan(mean),
                std=_none_if_nan(std),
                diverged=sum(row["state"] == "diverged" for row in rows),
                stopped_at=max(stopped, default=None),
                best=rows[first]["trial"],
            )
        )
    return summaries


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def write(context: SweepContext, ended: list[FinishedCohort]) -> None:
    """Writes everything, the table last; on many hosts the first process does."""
    if not processes.is_primary():
        return
    trials = table_rows(context.config, ended)
    for row, names in zip(trials, _warnings_of_trials(context, ended), strict=True):
        row["warnings"] = "; ".join(names)
    _say_warnings(context, trials)
    _save_curves(context.workdir / "curves.npz", ended)
    write_atomically(context.workdir / "leaderboard.md", leaderboard(context.config, trials).encode())
    write_atomically(context.workdir / TABLE, _to_csv(trials).encode())


def _warnings_of_trials(context: SweepContext, ended: list[FinishedCohort]) -> list[list[str]]:
    """The names of each trial's warnings, in the order of the trials' numbers."""
    names: dict[int, list[str]] = {}
    for finished in ended:
        cohort, alive = finished.cohort, max(1, len(finished.state.alive))
        programs = context.programs(cohort.config, alive, execution_mode(context))
        model = programs.model(configs.active(cohort.config), jnp.int32(0))
        for i, trial in enumerate(cohort.trials):
            rows = rows_of_trial(finished.state, i)
            names[trial.number] = [warning["name"] for warning in find_warnings(model.watches, model.monitor, rows)]
    return [names[number] for number in sorted(names)]


def rows_of_trial(state: CohortState, i: int) -> list[dict[str, float]]:
    """Trial i's rows as a single run logs them, without what depends on the clock."""
    rows = []
    for r, step in enumerate(state.rows["step"]):
        values = {name: float(column[r, i]) for name, column in state.rows.items() if name != "step"}
        rows.append({"step": int(step), **{name: v for name, v in values.items() if v == v}})  # NaN: not measured
    return rows


def _say_warnings(context: SweepContext, trials: list[dict[str, Any]]) -> None:
    for name, count in _count_warnings(trials):
        context.progress.say(f"{name} in {count} of {len(trials)} trials (column warnings of {TABLE})")


def _count_warnings(trials: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """In how many trials each warning was given, by their names."""
    names = (name for row in trials for name in row.get("warnings", "").split("; ") if name)
    return sorted(collections.Counter(names).items())


def table_rows(config: ConfigDict, ended: list[FinishedCohort]) -> list[dict[str, Any]]:
    """A row for each trial, in the order of their numbers: settings, metrics, steps, seconds, `diverged_at`."""
    rows = [row for finished in ended for row in _rows_of_cohort(config, finished)]
    return sorted(rows, key=lambda row: row["trial"])


def _rows_of_cohort(config: ConfigDict, finished: FinishedCohort) -> list[dict[str, Any]]:
    cohort, state, objective = finished.cohort, finished.state, config.objective
    columns = {"objective": objective_values(config, finished)}
    metrics = sorted(name.removeprefix("validation/") for name in state.rows if name.startswith("validation/"))
    for column, metric, of in [("best", objective.metric, "best"), *((f"validation/{m}", m, "last") for m in metrics)]:
        curve = _judged_curve(cohort, state, metric, of)
        columns[column] = ranking.objective(curve, np.zeros(len(cohort.trials), bool), of, objective.goal)
    columns |= {f"test/{name}": values for name, values in sorted(state.test.items())}
    of_patience, has_stopped = _describe_patience(cohort, state), cohorts.has_stopped(cohort, state)
    return [
        {"trial": trial.number, "point": trial.point, **trial.settings}
        | _describe_end(cohort, state, i, bool(has_stopped[i]))
        | {name: float(values[i]) for name, values in columns.items()}
        | _final_hparams(state, i)
        | of_patience[i]
        | {"seconds": round(float(state.seconds[i]), 3)}
        for i, trial in enumerate(cohort.trials)
    ]


def _describe_end(cohort: Cohort, state: CohortState, i: int, stopped_early: bool) -> dict[str, Any]:
    """How trial i ended, and after how many steps."""
    diverged_at, steps = int(state.diverged_at[i]), int(state.steps[i])
    if diverged_at >= 0:
        return {"state": "diverged", "steps": diverged_at, "diverged_at": diverged_at}
    at_end = "finished" if steps >= cohort.config.train.steps else "stopped"  # by halving
    return {"state": "stopped early" if stopped_early else at_end, "steps": steps, "diverged_at": None}


def _describe_patience(cohort: Cohort, state: CohortState) -> list[dict[str, Any]]:
    """Of each trial, with `train.patience`, the step of its best state and why it stopped early."""
    if not cohort.config.train.patience:
        return [{} for _ in cohort.trials]
    course, has_stopped = cohorts.follow_patience(cohort, state)
    best_steps, monitor = cohorts.reported_steps(cohort, state), cohorts.monitor(cohort)
    descriptions: list[dict[str, Any]] = []
    for i, stopped in enumerate(has_stopped):
        reason = stopping.describe(monitor, stopping.Course(*(part[i] for part in course))) if stopped else ""
        best_step = int(best_steps[i]) if state.diverged_at[i] < 0 else None
        descriptions.append({"best_step": best_step, "stopped_early": reason})
    return descriptions


def _final_hparams(state: CohortState, i: int) -> dict[str, float]:
    """The numbers that a population gave a trial."""
    if not (state.moves.keys() - {"step"} and i in state.alive):
        return {}
    place = int(np.flatnonzero(state.alive == i)[0])
    return {f"final/{name}": float(values[place]) for name, values in sorted(state.hparams.items())}


def _to_csv(trials: list[dict[str, Any]]) -> str:
    """Numbers in full; an empty cell where there is none."""
    columns = list(dict.fromkeys(name for row in trials for name in row))
    columns = [*(name for name in columns if name != "seconds"), "seconds"]
    writer = csv.DictWriter(out := io.StringIO(), columns, lineterminator="\n")
    writer.writeheader()
    for row in trials:
        writer.writerow({name: "" if value is None or value != value else value for name, value in row.items()})
    return out.getvalue()


def _save_curves(path: Path, ended: list[FinishedCohort]) -> None:
    """`step: [S]`, each metric `[T, S]`, NaN where a trial was not measured, and a population's history."""
    steps = np.unique(np.concatenate([finished.state.rows["step"] for finished in ended]))
    trials = [trial for finished in ended for trial in finished.cohort.trials]
    names = {name for finished in ended for name in finished.state.rows if name != "step"}
    curves = {name: np.full((len(trials), len(steps)), np.nan) for name in sorted(names)}
    number = {trial.number: i for i, trial in enumerate(sorted(trials, key=lambda trial: trial.number))}
    for finished in ended:
        columns = np.searchsorted(steps, finished.state.rows["step"])
        rows = np.array([number[trial.number] for trial in finished.cohort.trials])[:, None]
        for name, values in finished.state.rows.items():
            if name != "step":
                curves[name][rows, columns] = values.T
    moves = {
        f"population/{finished.cohort.number}/{name}": values
        for finished in ended
        for name, values in finished.state.moves.items()
        if len(values)
    }
    np.savez_compressed(buffer := io.BytesIO(), trial=sorted(number), step=steps, **curves, **moves)  # pyright: ignore
    write_atomically(path, buffer.getvalue())


def leaderboard(config: ConfigDict, trials: list[dict[str, Any]]) -> str:
    """The points from the best to the worst, as Markdown; those that halving stopped after those that it did not."""
    goal, metric = config.objective.goal, config.objective.metric
    names = [axis.setting for axis in config.axes if axis.setting != "seed"]
    points = summarise_points(config, trials)
    best_first = ranking.order(np.array([point.mean for point in points], float), goal)
    ranked = sorted((points[i] for i in best_first), key=lambda point: -(point.stopped_at or math.inf))
    word, patient = "lowest" if goal == "min" else "highest", any("best_step" in row for row in trials)
    what = f"{config.objective.of} validation {metric}"
    if patient and config.objective.of == "last":
        what = f"validation {metric} of the best states"
    lines = [
        f"# Ranking by the {word} {what}",
        "",
        f"{len(trials)} trials, {len(points)} points: mean and standard deviation over the seeds that did not diverge.",
        "",
        _cells(["rank", *names, metric, "std", "seeds", "diverged", "stopped at", "best trial"]),
        "|" + "---|" * (len(names) + 7),
    ]
    for rank, point in enumerate(ranked, 1):
        numbers = ["" if value is None else f"{value:.5g}" for value in (point.mean, point.std)]
        stopped = "" if point.stopped_at is None else point.stopped_at
        swept = [format_value(point.trials[0][name]) for name in names]
        lines.append(_cells([rank, *swept, *numbers, len(point.trials), point.diverged, stopped, point.best]))
    if patient:
        stopped_early = sum(row["state"] == "stopped early" for row in trials)
        lines += ["", f"{stopped_early} of {len(trials)} trials stopped early (column stopped_early of {TABLE})."]
    if counts := _count_warnings(trials):
        lines += ["", "Warnings: " + ", ".join(f"{name} in {n} of {len(trials)} trials" for name, n in counts)]
    return "\n".join(lines) + "\n"


def _cells(values: list[Any]) -> str:
    return f"| {' | '.join(map(str, values))} |"
