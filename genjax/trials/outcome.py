"""What a sweep leaves behind: a table of trials, their curves, a ranking of points over seeds, and pictures."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from genjax import hosts
from genjax.atomic import write_atomically
from genjax.search import plan
from genjax.search.plan import Trial
from genjax.trials import ranking
from genjax.trials.batches import Job
from genjax.trials.standing import Ended

TABLE = "trials.csv"  # written last: its presence marks a finished sweep


def objective(config: ConfigDict, one: Ended) -> np.ndarray:
    """Each trial's objective, `[T]`, NaN where there is none."""
    now = one.standing
    curve = now.rows.get(f"validation/{config.objective.metric}", np.full((0, len(now.steps)), np.nan))
    return ranking.objective(curve, now.diverged_at >= 0, config.objective.of, config.objective.goal)


def leader(config: ConfigDict, ended: list[Ended]) -> str:
    """`best elbo -23.4 (beta=1 seed=0)`; nothing before the first evaluation."""
    values = np.concatenate([objective(config, one) for one in ended])
    if np.isnan(values).all():
        return ""
    first = ranking.order(values, config.objective.goal)[0]
    trials = [trial for one in ended for trial in one.cohort.trials]
    return f"best {config.objective.metric} {values[first]:.4g} ({plan.told(trials[first].settings)})"


def write(job: Job, ended: list[Ended]) -> None:
    """Writes everything, the table last; on many hosts the first process does."""
    if not hosts.first():
        return
    trials = rows(job.config, ended)
    _save_curves(job.workdir / "curves.npz", ended)
    write_atomically(job.workdir / "leaderboard.md", leaderboard(job.config, trials).encode())
    write_atomically(job.workdir / TABLE, _csv(trials).encode())


def rows(config: ConfigDict, ended: list[Ended]) -> list[dict[str, Any]]:
    """A row for each trial, in the order of their numbers: settings, metrics, steps, seconds, `diverged_at`."""
    found = []
    for one in ended:
        values = objective(config, one)
        found += [_row(config, one, i, trial, values[i]) for i, trial in enumerate(one.cohort.trials)]
    return sorted(found, key=lambda row: row["trial"])


def _row(config: ConfigDict, one: Ended, i: int, trial: Trial, value: float) -> dict[str, Any]:
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


def _save_curves(path: Path, ended: list[Ended]) -> None:
    """`step: [S]`, each metric `[T, S]`, NaN where a trial was not measured, and a population's history."""
    steps = np.unique(np.concatenate([one.standing.rows["step"] for one in ended]))
    trials = [trial for one in ended for trial in one.cohort.trials]
    names = {name for one in ended for name in one.standing.rows if name != "step"}
    curves = {name: np.full((len(trials), len(steps)), np.nan) for name in sorted(names)}
    number = {trial.number: i for i, trial in enumerate(sorted(trials, key=lambda trial: trial.number))}
    for one in ended:
        where = np.searchsorted(steps, one.standing.rows["step"])
        mine = [number[trial.number] for trial in one.cohort.trials]
        for name, values in one.standing.rows.items():
            if name != "step":
                curves[name][np.ix_(mine, where)] = values.T
    moves = {
        f"population/{one.cohort.number}/{name}": values
        for one in ended
        for name, values in one.standing.moves.items()
        if len(values)
    }
    np.savez_compressed(buffer := io.BytesIO(), trial=sorted(number), step=steps, **curves, **moves)  # pyright: ignore
    write_atomically(path, buffer.getvalue())


def leaderboard(config: ConfigDict, trials: list[dict[str, Any]]) -> str:
    """The points from the best to the worst, as Markdown: mean and spread over seeds, and how many diverged."""
    goal, metric = config.objective.goal, config.objective.metric
    values = np.array([row["objective"] for row in trials], float)
    means = ranking.over_seeds(values, np.array([row["point"] for row in trials]))
    names = [axis.setting for axis in config.axes if axis.setting != "seed"]
    which = "lowest" if goal == "min" else "highest"
    lines = [
        f"# Ranking by the {which} {config.objective.of} validation {metric}",
        "",
        f"{len(trials)} trials, {len(means['point'])} points. Mean and standard deviation over the seeds that did not diverge.",
        "",
        f"| rank | {' | '.join([*names, metric, 'spread', 'seeds', 'diverged', 'stopped at', 'best trial'])} |",
        "|" + "---|" * (len(names) + 7),
    ]
    for rank, i in enumerate(ranking.order(means["mean"], goal), 1):
        mine = [row for row in trials if row["point"] == means["point"][i]]
        best = mine[int(ranking.order(np.array([row["objective"] for row in mine], float), goal)[0])]
        diverged = sum(row["state"] == "diverged" for row in mine)
        stopped = max(row["steps"] for row in mine) if any(row["state"] == "stopped" for row in mine) else ""
        cells = [*(plan.short(mine[0][name]) for name in names), _number(means["mean"][i]), _number(means["spread"][i])]
        lines.append(
            f"| {rank} | " + " | ".join(map(str, [*cells, len(mine), diverged, stopped, best["trial"]])) + " |"
        )
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.5g}"
