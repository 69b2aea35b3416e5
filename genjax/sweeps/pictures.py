"""A sweep's pictures: what each axis does, how trials learned, and what the best, the median and the worst one draw."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax import plots
from genjax.data import Dataset
from genjax.rng import evenly_spaced, stream
from genjax.sweeps import batches, cohorts, plan, results
from genjax.sweeps.batches import SweepContext
from genjax.sweeps.cohorts import FinishedCohort
from genjax.system import processes
from genjax.training.step import averaged_params, prepare
from genjax.types import DataSpec, Key, Model, Params

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
    return _picture(made.model(hparams, state.step), averaged_params(state), made.spec, made.dataset, rng)


def _picture(model: Model, params: Params, spec: DataSpec, dataset: Dataset, rng: Key) -> np.ndarray | None:
    shape: Any = spec.shape
    if model.sample is not None and len(shape) == 3:
        return np.clip(np.asarray(model.sample(params, stream(rng, "picture"), SHOWN)), 0, 1)
    if model.sample is not None and shape == (2,):
        return np.asarray(model.sample(params, stream(rng, "picture"), POINTS))
    if model.reconstruct is None or len(shape) != 3:
        return None
    x = dataset.validation.x
    inputs = prepare(spec, stream(rng, "binarise"), jnp.asarray(x[evenly_spaced(SHOWN, len(x))]))
    return np.clip(np.asarray(model.reconstruct(params, inputs, stream(rng, "reconstruct"))), 0, 1)
