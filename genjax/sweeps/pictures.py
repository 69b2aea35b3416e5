"""A sweep's pictures: what each axis does, how trials learned, and what the best, the median and the worst one draw."""

import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax import plots
from genjax.sweeps import gallery, plan, results
from genjax.sweeps.batches import SweepContext
from genjax.sweeps.cohorts import FinishedCohort
from genjax.sweeps.gallery import Gallery
from genjax.system import processes


def draw(context: SweepContext, ended: list[FinishedCohort]) -> None:
    """Saves `axes.png`, `heat.png` (two axes against each other), `parallel.png`, `curves.png` and `samples.png`.

    And, of every trial, what it draws: `samples.npz`. On many hosts all processes must call, because they read the
    states together.
    """
    samples, table = gallery.draw(context, ended), _plotted_results(context.config, ended)
    if not processes.is_primary():
        return
    folder = context.workdir
    plots.axis_effects(folder / "axes.png", table)
    plots.heat(folder / "heat.png", table)
    plots.parallel_coordinates(folder / "parallel.png", table)
    steps, curves = _objective_curves(context.config, ended)
    plots.ranked_curves(folder / "curves.png", steps, curves, table)
    gallery.save(folder / gallery.FILE, samples)
    if rows := _sample_rows(context.config, ended, samples):
        plots.sample_rows(folder / "samples.png", rows)


def _plotted_results(config: ConfigDict, ended: list[FinishedCohort]) -> plots.Results:
    trials = [trial for finished in ended for trial in finished.cohort.trials]
    names = [axis.setting for axis in config.axes if axis.setting != "seed"] or ["seed"]
    return plots.Results(
        axes={name: [trial.settings[name] for trial in trials] for name in names},
        point=np.array([trial.point for trial in trials]),
        values=np.concatenate([results.objective_values(config, finished) for finished in ended]),
        diverged=np.concatenate([finished.state.diverged_at >= 0 for finished in ended]),
        metric=config.objective.metric,
        goal=config.objective.goal,
        unit=configs.shared_unit(config.objective.metric, [configs.flatten(f.cohort.config) for f in ended]),
    )


def _objective_curves(config: ConfigDict, ended: list[FinishedCohort]) -> tuple[np.ndarray, np.ndarray]:
    """The objective's metric wherever a trial was evaluated: steps `[E]`, and `[T, E]`."""
    name = f"validation/{config.objective.metric}"
    evaluated = [finished.state.rows["step"] for finished in ended if name in finished.state.rows]
    steps = np.unique(np.concatenate([np.zeros(0, int), *evaluated]))
    parts = []
    for finished in ended:
        part = np.full((len(finished.cohort.trials), len(steps)), np.nan)
        if name in finished.state.rows:
            part[:, np.searchsorted(steps, finished.state.rows["step"])] = finished.state.rows[name].T
        parts.append(part)
    curves = np.concatenate(parts)
    measured = ~np.isnan(curves).all(axis=0)
    return steps[measured], curves[:, measured]


def _sample_rows(config: ConfigDict, ended: list[FinishedCohort], samples: Gallery) -> list[tuple[str, np.ndarray]]:
    """What the best, the median and the worst of the finished trials draw, or how they reconstruct."""
    ranked = results.rank_finishers(config, ended)
    ranks = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    rows = []
    for name, rank in list(ranks.items())[: len(ranked)]:
        finished, i, value = ranked[rank]
        trial = finished.cohort.trials[i]
        if trial.number in samples:
            label = f"{name}: {config.objective.metric} {value:.4g}\n{plan.describe(trial.settings)}"
            rows.append((label, samples[trial.number]))
    return rows
