"""A sweep's pictures: what each axis does, how trials learned, and what the best, the median and the worst one draw."""

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax import plots
from genjax.data import stored_batch
from genjax.runs.pictures import TrainedModel, draw_samples, reconstructions
from genjax.runs.programs import reads_labels
from genjax.sweeps import batches, cohorts, plan, results
from genjax.sweeps.batches import SweepContext
from genjax.sweeps.cohorts import FinishedCohort
from genjax.system import processes
from genjax.training.step import averaged_params
from genjax.types import Batch

SHOWN = 12
POINTS = 2000


def draw(context: SweepContext, ended: list[FinishedCohort]) -> None:
    """Saves `axes.png`, `heat.png` (two axes against each other), `parallel.png`, `curves.png` and `samples.png`.

    On many hosts all processes must call, because they read the states together.
    """
    table, rows = _plotted_results(context.config, ended), _sample_rows(context, ended)
    if not processes.is_primary():
        return
    folder = context.workdir
    plots.axis_effects(folder / "axes.png", table)
    plots.heat(folder / "heat.png", table)
    plots.parallel_coordinates(folder / "parallel.png", table)
    steps, curves = _objective_curves(context.config, ended)
    plots.ranked_curves(folder / "curves.png", steps, curves, table)
    if rows:
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


def _sample_rows(context: SweepContext, ended: list[FinishedCohort]) -> list[tuple[str, np.ndarray]]:
    """What the best, the median and the worst of the trials that reached the end draw, or how they reconstruct."""
    metric, ranked = context.config.objective.metric, results.rank_finishers(context.config, ended)
    ranks = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    rows = []
    for name, rank in list(ranks.items())[: len(ranked)]:
        finished, i, value = ranked[rank]
        images = _draw_trial(context, finished, i)
        if images is not None:
            settings = plan.describe(finished.cohort.trials[i].settings)
            rows.append((f"{name}: {metric} {value:.4g}\n{settings}", images))
    return rows


def _draw_trial(context: SweepContext, finished: FinishedCohort, i: int) -> np.ndarray | None:
    """Samples of trial i of a cohort, or reconstructions where its model has none."""
    config, alive = finished.cohort.config, len(finished.state.alive)
    programs = context.programs(config, max(1, alive), batches.execution_mode(context))
    cohort_state = cohorts.load(finished.path, programs.like, context.progress.say)
    if cohort_state is None:
        return None
    place = int(np.flatnonzero(cohort_state.alive == i)[0])
    state = jax.tree.map(lambda leaf: jnp.asarray(leaf[place]), cohort_state.states)
    hparams = {name: values[place] for name, values in cohort_state.hparams.items()}
    rng = jax.random.key(finished.cohort.trials[i].config.seed)
    trained = TrainedModel(programs.model(hparams, state.step), averaged_params(state), programs.spec, rng)
    return _draw_model(trained, stored_batch(programs.dataset, programs.dataset.validation, reads_labels(config)))


def _draw_model(trained: TrainedModel, validation: Batch) -> np.ndarray | None:
    """Samples of images or of points in the plane, or reconstructions of images, or None, `[n, *shape]`."""
    images, samples = len(trained.spec.shape) == 3, trained.model.sample is not None
    if images and samples:
        return np.clip(draw_samples(trained, SHOWN), 0, 1)
    if trained.spec.shape == (2,) and samples:
        return draw_samples(trained, POINTS)
    if images and trained.model.reconstruct is not None:
        return np.clip(reconstructions(trained, validation, SHOWN)[1], 0, 1)
    return None
