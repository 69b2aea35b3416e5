"""What a sweep leaves behind: a table of trials, their curves, a ranking of points over seeds, and pictures."""

import csv
import io
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from genjax.sweeps import plan, ranking
from genjax.sweeps.batches import SweepContext
from genjax.sweeps.cohorts import FinishedCohort
from genjax.sweeps.plan import Trial
from genjax.system import processes
from genjax.system.files import write_atomically

TABLE = "trials.csv"  # written last: its presence marks a finished sweep


def objective(config: ConfigDict, one: FinishedCohort, until: float = math.inf) -> np.ndarray:
    """Each trial's objective, `[T]`, as it was at a step; NaN where there was none."""
    now, steps = one.standing, one.standing.rows["step"]
    unmeasured = np.full((len(steps), len(now.steps)), np.nan)
    curve = now.rows.get(f"validation/{config.objective.metric}", unmeasured)
    diverged = (now.diverged_at >= 0) & (now.diverged_at < until)
    return ranking.objective(curve[steps <= until], diverged, config.objective.of, config.objective.goal)


def leader(config: ConfigDict, ended: list[FinishedCohort]) -> str:
    """`best elbo -23.4 (beta=1 seed=0)`; nothing before the first evaluation."""
    values = np.concatenate([objective(config, one) for one in ended])
    if np.isnan(values).all():
        return ""
    first = ranking.order(values, config.objective.goal)[0]
    trials = [trial for one in ended for trial in one.cohort.trials]
    return f"best {config.objective.metric} {values[first]:.4g} ({plan.told(trials[first].settings)})"


def finishers(config: ConfigDict, ended: list[FinishedCohort]) -> list[tuple[FinishedCohort, int, float]]:
    """The trials that have a last state and an objective, from the best: their cohort, place in it, and objective."""
    found = [(one, int(i), objective(config, one)[i]) for one in ended for i in one.standing.alive]
    values = np.array([value for _, _, value in found])
    return [found[i] for i in ranking.order(values, config.objective.goal) if not np.isnan(values[i])]


class PointSummary(NamedTuple):
    """What the seeds of a point say together.

    Attributes:
      trials: their rows.
      mean, spread: of their objectives, of those that did not diverge; None where there is none, or one alone.
      diverged: how many did.
      stopped_at: the step at which the point was stopped early, or None.
      best: the number of its best trial.
    """

    trials: list[dict[str, Any]]
    mean: float | None
    std: float | None
    diverged: int
    stopped_at: int | None
    best: int


def places(config: ConfigDict, trials: list[dict[str, Any]]) -> list[PointSummary]:
    """Every point, in the order of their numbers."""
    values = np.array([row["objective"] for row in trials], float)
    point = np.array([row["point"] for row in trials])
    means, found = ranking.over_seeds(values, point), []
    for number, mean, std in zip(means["point"], means["mean"], means["std"], strict=True):
        mine = [row for row in trials if row["point"] == number]
        stopped = [row["steps"] for row in mine if row["state"] == "stopped"]
        first = ranking.order(values[point == number], config.objective.goal)[0]
        diverged = sum(row["state"] == "diverged" for row in mine)
        best = mine[int(first)]["trial"]
        found.append(PointSummary(mine, _known(mean), _known(std), diverged, max(stopped, default=None), best))
    return found


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def write(job: SweepContext, ended: list[FinishedCohort]) -> None:
    """Writes everything, the table last; on many hosts the first process does."""
    if not processes.is_primary():
        return
    trials = rows(job.config, ended)
    _save_curves(job.workdir / "curves.npz", ended)
    write_atomically(job.workdir / "leaderboard.md", leaderboard(job.config, trials).encode())
    write_atomically(job.workdir / TABLE, _csv(trials).encode())


def rows(config: ConfigDict, ended: list[FinishedCohort]) -> list[dict[str, Any]]:
    """A row for each trial, in the order of their numbers: settings, metrics, steps, seconds, `diverged_at`."""
    found = []
    for one in ended:
        values = objective(config, one)
        found += [_row(config, one, i, trial, values[i]) for i, trial in enumerate(one.cohort.trials)]
    return sorted(found, key=lambda row: row["trial"])


def _row(config: ConfigDict, one: FinishedCohort, i: int, trial: Trial, value: float) -> dict[str, Any]:
    now, diverged = one.standing, int(one.standing.diverged_at[i])
    curve = now.rows.get(f"validation/{config.objective.metric}", np.full((0, len(now.steps)), np.nan))
    stopped = now.steps[i] < trial.config.train.steps
    row: dict[str, Any] = {"trial": trial.number, "point": trial.point, **trial.settings}
    row["state"] = "diverged" if diverged >= 0 else "stopped" if stopped else "finished"
    row["steps"] = diverged if diverged >= 0 else int(now.steps[i])
    row["diverged_at"] = diverged if diverged >= 0 else None
    row["objective"] = value
    never = np.zeros(1, bool)
    row["best"] = float(ranking.objective(curve[:, i : i + 1], never, "best", config.objective.goal)[0])
    for name in sorted(now.rows):
        if name.startswith("validation/"):
            row[name] = float(ranking.objective(now.rows[name][:, i : i + 1], never, "last", "min")[0])
    row |= {f"test/{name}": float(values[i]) for name, values in sorted(now.test.items())}
    if now.moves.keys() - {"step"} and i in now.alive:
        place = int(np.flatnonzero(now.alive == i)[0])
        row |= {f"final/{name}": float(values[place]) for name, values in sorted(now.hparams.items())}
    row["seconds"] = round(float(now.seconds[i]), 3)
    return row


def _csv(trials: list[dict[str, Any]]) -> str:
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
    steps = np.unique(np.concatenate([one.standing.rows["step"] for one in ended]))
    trials = [trial for one in ended for trial in one.cohort.trials]
    names = {name for one in ended for name in one.standing.rows if name != "step"}
    curves = {name: np.full((len(trials), len(steps)), np.nan) for name in sorted(names)}
    number = {trial.number: i for i, trial in enumerate(sorted(trials, key=lambda trial: trial.number))}
    for one in ended:
        where = np.searchsorted(steps, one.standing.rows["step"])
        mine = np.array([number[trial.number] for trial in one.cohort.trials])[:, None]
        for name, values in one.standing.rows.items():
            if name != "step":
                curves[name][mine, where] = values.T
    moves = {
        f"population/{one.cohort.number}/{name}": values
        for one in ended
        for name, values in one.standing.moves.items()
        if len(values)
    }
    np.savez_compressed(buffer := io.BytesIO(), trial=sorted(number), step=steps, **curves, **moves)  # pyright: ignore
    write_atomically(path, buffer.getvalue())


def leaderboard(config: ConfigDict, trials: list[dict[str, Any]]) -> str:
    """The points from the best to the worst, as Markdown; those that were stopped early after those that were not."""
    goal, metric = config.objective.goal, config.objective.metric
    names = [axis.setting for axis in config.axes if axis.setting != "seed"]
    found = places(config, trials)
    best_first = ranking.order(np.array([place.mean for place in found], float), goal)
    ranked = sorted((found[i] for i in best_first), key=lambda place: -(place.stopped_at or math.inf))
    which = "lowest" if goal == "min" else "highest"
    lines = [
        f"# Ranking by the {which} {config.objective.of} validation {metric}",
        "",
        f"{len(trials)} trials, {len(found)} points: mean and standard deviation over the seeds that did not diverge.",
        "",
        _cells(["rank", *names, metric, "std", "seeds", "diverged", "stopped at", "best trial"]),
        "|" + "---|" * (len(names) + 7),
    ]
    for rank, place in enumerate(ranked, 1):
        numbers = ["" if value is None else f"{value:.5g}" for value in (place.mean, place.std)]
        stopped = "" if place.stopped_at is None else place.stopped_at
        swept = [plan.short(place.trials[0][name]) for name in names]
        lines.append(_cells([rank, *swept, *numbers, len(place.trials), place.diverged, stopped, place.best]))
    return "\n".join(lines) + "\n"


def _cells(values: list[Any]) -> str:
    return f"| {' | '.join(map(str, values))} |"
