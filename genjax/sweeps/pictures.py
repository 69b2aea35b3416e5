"""A sweep's pictures: what each axis does, how trials learned, and what the best, the median and the worst one draw."""

import jax
import jax.numpy as jnp
import numpy as np

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


def draw(job: SweepContext, ended: list[FinishedCohort]) -> None:
    """Saves `axes.png`, `heat.png` (two axes against each other), `parallel.png`, `curves.png` and `samples.png`.

    On many hosts all processes must call, because they read the states together.
    """
    found, rows = _results(job, ended), _samples(job, ended)
    if not processes.is_primary():
        return
    plots.axis_effects(job.workdir / "axes.png", found)
    plots.heat(job.workdir / "heat.png", found)
    plots.parallel_coordinates(job.workdir / "parallel.png", found)
    steps, curves = _curves(job, ended)
    plots.ranked_curves(job.workdir / "curves.png", steps, curves, found)
    if rows:
        plots.sample_rows(job.workdir / "samples.png", rows)


def _results(job: SweepContext, ended: list[FinishedCohort]) -> plots.Results:
    trials = [trial for one in ended for trial in one.cohort.trials]
    names = [axis.setting for axis in job.config.axes if axis.setting != "seed"] or ["seed"]
    return plots.Results(
        axes={name: [trial.settings[name] for trial in trials] for name in names},
        point=np.array([trial.point for trial in trials]),
        values=np.concatenate([results.objective(job.config, one) for one in ended]),
        diverged=np.concatenate([one.standing.diverged_at >= 0 for one in ended]),
        metric=job.config.objective.metric,
        goal=job.config.objective.goal,
    )


def _curves(job: SweepContext, ended: list[FinishedCohort]) -> tuple[np.ndarray, np.ndarray]:
    """The objective's metric wherever a trial was evaluated: steps `[E]`, and `[T, E]`."""
    name = f"validation/{job.config.objective.metric}"
    measured = [one for one in ended if name in one.standing.rows]
    steps = np.unique(np.concatenate([np.zeros(0, int), *(one.standing.rows["step"] for one in measured)]))
    found = []
    for one in ended:
        curve = np.full((len(one.cohort.trials), len(steps)), np.nan)
        if name in one.standing.rows:
            curve[:, np.searchsorted(steps, one.standing.rows["step"])] = one.standing.rows[name].T
        found.append(curve)
    curves = np.concatenate(found)
    there = ~np.isnan(curves).all(axis=0)
    return steps[there], curves[:, there]


def _samples(job: SweepContext, ended: list[FinishedCohort]) -> list[tuple[str, np.ndarray]]:
    """What the best, the median and the worst of the trials that reached the end draw, or how they reconstruct."""
    metric, ranked = job.config.objective.metric, results.finishers(job.config, ended)
    chosen = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    found = []
    for name, rank in list(chosen.items())[: len(ranked)]:
        one, i, value = ranked[rank]
        drawn = _drawn(job, one, i)
        if drawn is not None:
            settings = plan.told(one.cohort.trials[i].settings)
            found.append((f"{name}: {metric} {value:.4g}\n{settings}", drawn))
    return found


def _drawn(job: SweepContext, one: FinishedCohort, i: int) -> np.ndarray | None:
    """Samples of a trial, or reconstructions where its model has none."""
    config = one.cohort.config
    made = job.programs(config, max(1, len(one.standing.alive)), batches.mode(job))
    now = cohorts.load(one.path, made.like, job.watch.say)
    if now is None:
        return None
    place = int(np.flatnonzero(now.alive == i)[0])
    state = jax.tree.map(lambda leaf: jnp.asarray(leaf[place]), now.states)
    hparams = {name: values[place] for name, values in now.hparams.items()}
    rng = jax.random.key(one.cohort.trials[i].config.seed)
    trained = TrainedModel(made.model(hparams, state.step), averaged_params(state), made.spec, rng)
    return _picture(trained, stored_batch(made.dataset, made.dataset.validation, reads_labels(config)))


def _picture(trained: TrainedModel, validation: Batch) -> np.ndarray | None:
    """Samples of images or of points in the plane, or reconstructions of images, or None, `[n, *shape]`."""
    images, samples = len(trained.spec.shape) == 3, trained.model.sample is not None
    if images and samples:
        return np.clip(draw_samples(trained, SHOWN), 0, 1)
    if trained.spec.shape == (2,) and samples:
        return draw_samples(trained, POINTS)
    if images and trained.model.reconstruct is not None:
        return np.clip(reconstructions(trained, validation, SHOWN)[1], 0, 1)
    return None
