"""The programs that a command would compile, lowered for devices that need not be there."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.data import Dataset, Split, describe, stored_batch
from genjax.data.assemble import assemble
from genjax.evaluation import likelihood
from genjax.evaluation.options import Options
from genjax.evaluation.rows import ROWS, rows_program
from genjax.runs import feeding
from genjax.runs.load import LoadedRun
from genjax.runs.pictures import SAMPLES
from genjax.runs.programs import Placement, check_fit, fits_device, place, placed_functions, reads_labels
from genjax.sweeps.programs import CohortPrograms, make_cohort_programs
from genjax.training.scan import Train
from genjax.training.step import averaged_params, batches_per_step
from genjax.types import Array, Batch, DataSpec, Hparams, Key, TrainState

CLASSES = 10  # of examples of which only the shape is given


class Program(NamedTuple):
    """A program to compile.

    Attributes:
      name: what it does.
      lower: lowers it for its devices.
      length: the steps of a chunk; 0 for a program that is no chunk.
      trials: that it trains or evaluates.
      devices: that share the work.
    """

    name: str
    lower: Callable[[], Any]
    length: int = 0
    trials: int = 1
    devices: int = 1


def shaped_dataset(name: str, shape: tuple[int, ...], examples: int) -> Dataset:
    """A data set of one shape without its values, in no memory; validation and test have a tenth of the examples each.

    Args:
      name: of the source.
      shape: of an example: `(height, width, channels)` of grey or coloured images in bytes, `(dimensions,)` of points.
      examples: of the training split.

    Example:
      >>> dataset = shaped_dataset("photographs", (64, 64, 3), 1000)
      >>> dataset.train.x.shape, dataset.test.x.dtype
      ((1000, 64, 64, 3), dtype('uint8'))
    """
    value = np.uint8(128) if len(shape) == 3 else np.float32(0.5)

    def split(count: int) -> Split:
        return Split(np.broadcast_to(value, (count, *shape)), np.arange(count, dtype=np.int32) % CLASSES)

    held_out = max(CLASSES, examples // 10)
    splits = {"train": split(examples), "validation": split(held_out), "test": split(held_out)}
    return assemble(name, splits, scale=1 / 255 if len(shape) == 3 else 1.0)


def run_programs(config: ConfigDict, dataset: Dataset, devices: list[Any]) -> Iterator[Program]:
    """The programs of a single run: the chunk, the evaluation, samples, and the evaluator's log p(x).

    Args:
      config: of the run.
      dataset: that it is trained on.
      devices: that it may use.

    Raises:
      InputError: they do not fit one another.
    """
    spec = describe(dataset, config.data.dynamic_binarisation)
    config = configs.resolve(config, spec)
    placement = place(config, devices)
    functions = placed_functions(config, spec, placement)
    check_fit(config, dataset, functions)
    hparams = {name: jax.ShapeDtypeStruct((), np.float32) for name in configs.active(config)}
    rng = jax.eval_shape(jax.random.key, config.seed)
    state = _lying(placement.replicated, jax.eval_shape(functions.init, hparams, rng))
    labelled = reads_labels(config)

    def split(name: str) -> Batch:
        return _lying(placement.replicated, stored_batch(dataset, getattr(dataset, name), labelled))

    count, lower_chunk = len(placement.devices), _chunk(config, functions, placement, fits_device(config, dataset))
    chunk = partial(lower_chunk, state, split("train"), hparams, rng)
    yield Program("train", chunk, config.train.log_every, devices=count)
    evaluate = jax.jit(functions.evaluate)
    yield Program("evaluate", lambda: evaluate.lower(state, split("validation"), hparams, rng), devices=count)
    model = functions.model(configs.active(config), jnp.int32(0))
    if model.sample is not None:
        sample = jax.jit(_sampler(functions))
        yield Program(f"{SAMPLES} samples", lambda: sample.lower(state, hparams, rng), devices=count)
    if model.log_weights is not None:
        subject = LoadedRun(Path(), config, dataset, spec, model, averaged_params(state), 0)
        yield Program("log p(x)", lambda: _lower_likelihood(subject, placement.devices), devices=count)


def _chunk(config: ConfigDict, functions: Train, placement: Placement, resident: bool) -> Callable[..., Any]:
    """`(state, data, hparams, rng) -> lowered chunk`, of data on the devices or of examples that the host sends."""
    platform, length = placement.devices[0].platform, config.train.log_every
    if resident:
        return partial(feeding.resident_chunk(functions, platform).lower, length=length)
    batches = batches_per_step(functions.model(configs.active(config), jnp.int32(0)))
    places = jax.ShapeDtypeStruct((length, batches, config.train.batch_size), jnp.uint32)

    def lower(state: TrainState, data: Batch, hparams: Hparams, rng: Key) -> Any:
        sent = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((places.size, *leaf.shape[1:]), leaf.dtype), data)
        examples = _lying(placement.replicated, (sent, places))
        return feeding.streamed_chunk(functions, platform).lower(state, *examples, hparams, rng)

    return lower


def _sampler(functions: Train) -> Callable[[TrainState, Hparams, Key], Array]:
    def sample(state: TrainState, hparams: Hparams, rng: Key) -> Array:
        draw = functions.model(hparams, state.step).sample
        assert draw is not None
        return draw(averaged_params(state), rng, SAMPLES)

    return sample


def _lower_likelihood(subject: LoadedRun, devices: list[Any]) -> Any:
    """The evaluator's program of one block of images."""
    function = likelihood.per_example(subject, Options())
    mesh, program = rows_program(function, tuple(devices))
    rows = likelihood.rows_of_block(devices[0].platform) * len(devices)
    stored = stored_batch(subject.dataset, subject.dataset.test, reads_labels(subject.config))
    block = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((rows, *leaf.shape[1:]), leaf.dtype), stored)
    numbers = jax.ShapeDtypeStruct((rows,), np.int32)
    divided, replicated = NamedSharding(mesh, PartitionSpec(ROWS)), NamedSharding(mesh, PartitionSpec())
    return program.lower(_lying(divided, (block, numbers)), _lying(replicated, subject.params))


def cohort_programs(config: ConfigDict, dataset: Dataset, count: int, mode: str, devices: list[Any]) -> CohortPrograms:
    """The programs of so many trials in a mode, to be lowered alone: no data lies on a device."""

    def resident(x: np.ndarray, mesh: Mesh) -> Any:
        return _lying(NamedSharding(mesh, PartitionSpec()), x)

    return make_cohort_programs(config, dataset, count, mode, resident, devices)


def trial_programs(cohort: CohortPrograms, length: int) -> list[Program]:
    """The chunk and the evaluation of trials side by side."""
    return [
        Program("train", lambda: cohort.lower_chunk(length), length, cohort.count, cohort.devices),
        Program("evaluate", lambda: cohort.lower_evaluation("validation"), 0, cohort.count, cohort.devices),
    ]


def spec_of(config: ConfigDict, dataset: Dataset) -> DataSpec:
    """The description of a data set for a configuration."""
    return describe(dataset, config.data.dynamic_binarisation)


def _lying(where: Sharding, tree: Any) -> Any:
    """The shapes of a tree, and where its leaves lie."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where), tree)
