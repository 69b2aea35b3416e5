"""What the trials of a sweep draw: samples of each, or reconstructions where a model has no samples."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.data import stored_batch
from genjax.plots import to_uint8
from genjax.rng import stream
from genjax.runs.pictures import select_examples
from genjax.runs.programs import reads_labels
from genjax.sweeps import batches, cohort_files, cohorts, results
from genjax.sweeps.batches import SweepContext
from genjax.sweeps.cohorts import FinishedCohort
from genjax.sweeps.programs import CohortPrograms
from genjax.system import processes
from genjax.system.files import read_arrays, write_atomically
from genjax.training.step import averaged_params, prepare
from genjax.types import Array, Batch, Hparams, InputError, Key, TrainState

FILE = "samples.npz"
SHOWN = 12
POINTS = 2000
MOST = 200  # trials; of more, the best are drawn, and the median and the worst

# Of each trial, by its number: images `[n, H, W, C]` in [0, 1], or points `[n, 2]`.
Gallery = dict[int, np.ndarray]


def draw(context: SweepContext, ended: list[FinishedCohort]) -> Gallery:
    """Draws the trials that have come to their end, or the best of many, each cohort with one compiled function.

    On many hosts all processes must call, because they read the states together.
    """
    ranked = [(finished.path, i) for finished, i, _ in results.rank_finishers(context.config, ended)]
    trial_places = {*ranked[:MOST], *ranked[len(ranked) // 2 :][:1], *ranked[-1:]}
    gallery: Gallery = {}
    for finished in ended:
        places = [i for path, i in trial_places if path == finished.path]
        if places:
            gallery |= _draw_cohort(context, finished, sorted(places))
    return gallery


def _draw_cohort(context: SweepContext, finished: FinishedCohort, trials: list[int]) -> Gallery:
    """Draws some trials of a cohort, by their numbers within it."""
    cohort = finished.cohort
    programs = context.programs(cohort.config, len(finished.state.alive), batches.execution_mode(context))
    state = cohort_files.load(finished.path, finished.cohort, programs.like, context.progress.say)
    draw_trial = _drawing_function(cohort.config, programs)
    if state is None or draw_trial is None or not processes.is_primary():
        return {}
    gallery: Gallery = {}
    for i in trials:
        trial, (own, hparams) = cohort.trials[i], cohorts.final_state(cohort, state, i)
        samples = np.asarray(draw_trial(own, hparams, jax.random.key(trial.config.seed)))
        gallery[trial.number] = np.clip(samples, 0, 1) if samples.ndim == 4 else samples
    return gallery


def _drawing_function(
    config: ConfigDict, programs: CohortPrograms
) -> Callable[[TrainState, Hparams, Array], Array] | None:
    """`(state, hparams, key) -> images or points` of a trial, compiled; None where the model draws neither."""
    spec, model = programs.spec, programs.model(configs.active(config), jnp.int32(0))
    images = len(spec.shape) == 3
    if model.sample is not None and (images or spec.shape == (2,)):
        return jax.jit(partial(_sample, programs, SHOWN if images else POINTS))
    if model.reconstruct is not None and images:
        stored = stored_batch(programs.dataset, programs.dataset.validation, reads_labels(config))
        return jax.jit(partial(_reconstruct, programs, select_examples(stored, SHOWN)))
    return None


def _sample(programs: CohortPrograms, count: int, state: TrainState, hparams: Hparams, rng: Key) -> Array:
    model = programs.model(hparams, state.step)
    assert model.sample is not None
    return model.sample(averaged_params(state), stream(rng, "picture"), count)


def _reconstruct(programs: CohortPrograms, stored: Batch, state: TrainState, hparams: Hparams, rng: Key) -> Array:
    model = programs.model(hparams, state.step)
    assert model.reconstruct is not None
    inputs = prepare(programs.spec, stream(rng, "binarise"), stored)
    return model.reconstruct(averaged_params(state), inputs, stream(rng, "reconstruct"))


def load(path: Path) -> Gallery:
    """Reads what `save` wrote.

    Raises:
      InputError: it cannot be read.
    """
    arrays = read_arrays(path)
    if not all(name.isdecimal() for name in arrays):
        raise InputError(f"{path} cannot be read: its names are not the numbers of trials")
    return {int(name): a / np.float32(255) if a.dtype == np.uint8 else a for name, a in arrays.items()}


def save(path: Path, gallery: Gallery) -> None:
    """Writes a gallery: images as uint8, points as they are."""
    arrays = {str(number): to_uint8(samples) if samples.ndim == 4 else samples for number, samples in gallery.items()}
    np.savez_compressed(buffer := io.BytesIO(), **arrays)  # pyright: ignore[reportArgumentType]
    write_atomically(path, buffer.getvalue())
