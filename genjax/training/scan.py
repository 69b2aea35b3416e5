"""Training as a function: a chunk of steps is one scan, so that it can be compiled whole, mapped and sharded.

Nothing here reads or writes. Between chunks the host does (`genjax.runs`).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from genjax.metrics.means import dataset_means
from genjax.metrics.samples import SAMPLE_METRICS
from genjax.models import FAMILIES
from genjax.rng import batch_indices, evenly_spaced, stream
from genjax.training import step as steps
from genjax.training.precision import at_precision, model_at_precision
from genjax.training.schedules import scheduled
from genjax.types import Array, Batch, DataSpec, Family, Hparams, Key, Model, Settings, TrainState


class Train(NamedTuple):
    """A configuration's training, as pure functions to jit, vmap or shard.

    Attributes:
      init: `(hparams, rng) -> state`.
      indices: `(hparams, rng, first, length, n) -> [length, batches, b]`, the examples that steps `first ...` see;
        `length` and the data set's size `n` are static.
      chunk: `(state, data, indices, hparams, rng) -> (state, {name: [length]})`, one scan over `indices`, which point
        into `data`, a `Batch` of `[n, ...]` as stored.
      evaluate: `(state, data, hparams, rng) -> {name: scalar}`, on every example of `data`, every weight at its full
        value.
      model: `(hparams, step) -> Model`, every weight at its full value.
    """

    init: Callable[[Hparams, Key], TrainState]
    indices: Callable[[Hparams, Key, Array, int, int], Array]
    chunk: Callable[[TrainState, Batch, Array, Hparams, Key], tuple[TrainState, dict[str, Array]]]
    evaluate: Callable[[TrainState, Batch, Hparams, Key], dict[str, Array]]
    model: Callable[[Hparams, Array], Model]


def make_train(
    config: Settings,
    spec: DataSpec,
    family: Family | None = None,
    place: Callable[[Batch], Batch] = lambda batches: batches,
) -> Train:
    """The training functions of a configuration on data of one description.

    Args:
      config: `model`, `optim`, `schedules` (none if absent), `train.batch_size`, `train.steps`,
        `train.evaluate_batch_size`, `train.matmul_precision` (JAX's default if absent) and `train.gradient_norms`
        (no if absent) are read, all static. A setting of `model` may say `auto`.
      spec: of the data.
      family: of the model; the one that `config.model.family` names if None.
      place: applied to each step's `[batches, b, ...]`, to shard it over devices (`sharding.shard_batches`).

    Example:
      >>> import numpy as np
      >>> from genjax.config import active, default
      >>> config = default("gan")
      >>> config.train.batch_size, config.model.generator_hidden, config.model.discriminator_hidden = 8, (4,), (4,)
      >>> train = make_train(config, DataSpec((2,), False, 1.0, np.zeros(2)))
      >>> hparams, rng, points = active(config), jax.random.key(0), Batch(jnp.ones((16, 2)))
      >>> state, metrics = jax.jit(lambda: advance(train, train.init(hparams, rng), points, hparams, rng, length=3))()
      >>> int(state.step), metrics["generator_loss"].shape
      (3, (3,))
    """
    family = FAMILIES[config["model"]["family"]] if family is None else family
    settings, optimisers, total = family.resolve(config["model"], spec), config["optim"], config["train"]["steps"]
    batch_size, schedules = config["train"]["batch_size"], dict(config.get("schedules") or {})
    precision = config["train"].get("matmul_precision", "default")
    gradient_norms = config["train"].get("gradient_norms", False)

    def model(hparams: Hparams, step: Array) -> Model:
        bound = family.make(settings, spec, {**hparams, "step": step, "progress": step / total})
        return model_at_precision(bound, precision)

    def init(hparams: Hparams, rng: Key) -> TrainState:
        label = jnp.zeros(1, jnp.int32) if family.labelled(settings) else None
        batch = Batch(jnp.zeros((1, *spec.shape)), label)
        return steps.init_state(model(hparams, jnp.int32(0)), optimisers, hparams, rng, batch)

    def indices(hparams: Hparams, rng: Key, first: Array, length: int, n: int) -> Array:
        batches, numbers = steps.batches_per_step(model(hparams, first)), first + jnp.arange(length)
        flat = batch_indices(stream(rng, "shuffle"), numbers, batches * batch_size, n)
        return flat.reshape(length, batches, batch_size)

    def chunk(
        state: TrainState, data: Batch, indices: Array, hparams: Hparams, rng: Key
    ) -> tuple[TrainState, dict[str, Array]]:
        def body(state: TrainState, index_and_key: tuple[Array, Key]) -> tuple[TrainState, dict[str, Array]]:
            index, key = index_and_key
            stored = place(jax.tree.map(lambda leaf: leaf[index], data))  # [batches, b, ...]
            batches = steps.prepare(spec, stream(key, "binarise"), stored)
            progress = state.step / total
            current = scheduled(schedules, hparams, progress)
            bound = model(current, state.step)
            return steps.train_step(bound, optimisers, state, batches, current, key, progress, gradient_norms)

        numbers = state.step + jnp.arange(indices.shape[0])
        keys = jax.vmap(jax.random.fold_in, (None, 0))(stream(rng, "step"), numbers)  # [length]
        return jax.lax.scan(body, state, (indices, keys))

    def evaluate(state: TrainState, data: Batch, hparams: Hparams, rng: Key) -> dict[str, Array]:
        batch = config["train"]["evaluate_batch_size"]
        return _evaluate(model(hparams, state.step), spec, state, data, batch, stream(rng, "evaluate"))

    return Train(init, indices, at_precision(chunk, precision), at_precision(evaluate, precision), model)


def advance(
    train: Train, state: TrainState, data: Batch, hparams: Hparams, rng: Key, length: int
) -> tuple[TrainState, dict[str, Array]]:
    """Trains for the next `length` steps (static) on data that lies on the device.

    Returns:
      The state after them, and every step's metrics, `{name: [length]}`.

    Example:
      >>> import numpy as np
      >>> from genjax.config import active, default
      >>> config = default("autoencoder")
      >>> config.train.batch_size, config.model.hidden = 4, (3,)
      >>> train = make_train(config, DataSpec((8, 8, 1), True, 1 / 255, np.full((8, 8, 1), 0.5)))
      >>> hparams, rng, images = active(config), jax.random.key(0), Batch(jnp.zeros((16, 8, 8, 1), jnp.uint8))
      >>> state, metrics = advance(train, train.init(hparams, rng), images, hparams, rng, length=2)
      >>> metrics["recon"].shape
      (2,)
    """
    data = jax.tree.map(jnp.asarray, data)  # a NumPy array has no traced indices
    indices = train.indices(hparams, rng, state.step, length, data.x.shape[0])
    return train.chunk(state, data, indices, hparams, rng)


def _evaluate(model: Model, spec: DataSpec, state: TrainState, data: Batch, batch: int, rng: Key) -> dict[str, Array]:
    """The means of the model's per-example values over all of the data, and what its samples tell."""
    params = steps.averaged_params(state)

    def per_example(examples: Batch, key: Key) -> dict[str, Array]:
        prepared = steps.prepare(spec, stream(key, "binarise"), examples)
        return model.evaluate(params, prepared, stream(key, "noise"))

    return dataset_means(per_example, data, batch, rng) | _sample_metrics(model, params, spec, data, rng)


def _sample_metrics(model: Model, params, spec: DataSpec, data: Batch, rng: Key) -> dict[str, Array]:
    """The metrics of samples that the model and the data name."""
    draw = model.sample
    if draw is None:
        return {}

    def sample(key: Key, n: int) -> Array:
        return draw(params, key, n)

    def examples(key: Key, n: int) -> Array:
        index = evenly_spaced(n, data.x.shape[0])  # from all over the data, whose order may be by class
        return steps.prepare(spec, key, Batch(data.x[index])).x

    values = {}
    for name in dict.fromkeys((*model.sample_metrics, *spec.sample_metrics)):
        values |= SAMPLE_METRICS[name](sample, examples, spec, rng)
    return values
