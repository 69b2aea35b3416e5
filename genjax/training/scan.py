"""Training as a function: a chunk of steps is one scan, so that it can be compiled whole, mapped and sharded.

Nothing here reads or writes. Between chunks the host does (`run`).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from genjax.metrics.means import dataset_means
from genjax.metrics.mixtures import mode_coverage
from genjax.metrics.wasserstein import sliced_wasserstein
from genjax.models import FAMILIES
from genjax.rng import batch_indices, evenly_spaced, stream
from genjax.training import step as steps
from genjax.types import Array, DataSpec, Family, Hparams, Key, Model, Settings, TrainState

SAMPLES = 2500


class Train(NamedTuple):
    """A configuration's training, as pure functions to jit, vmap or shard.

    Attributes:
      init: `(hparams, rng) -> state`.
      indices: `(hparams, rng, first, length, n) -> [length, repeats, b]`, the examples that steps `first ...` see;
        `length` and the data set's size `n` are static.
      chunk: `(state, data, indices, hparams, rng) -> (state, {name: [length]})`, one scan over `indices`, which point
        into `data: [n, *shape]` as stored.
      evaluate: `(state, data, hparams, rng) -> {name: scalar}`, on every example of `data`.
      model: `(hparams, step) -> Model`.
    """

    init: Callable[[Hparams, Key], TrainState]
    indices: Callable[[Hparams, Key, Array, int, int], Array]
    chunk: Callable[[TrainState, Array, Array, Hparams, Key], tuple[TrainState, dict[str, Array]]]
    evaluate: Callable[[TrainState, Array, Hparams, Key], dict[str, Array]]
    model: Callable[[Hparams, Array], Model]


def make_train(
    config: Settings,
    spec: DataSpec,
    family: Family | None = None,
    place: Callable[[Array], Array] = lambda batches: batches,
) -> Train:
    """The training functions of a configuration on data of one description.

    Args:
      config: `model`, `optim`, `train.batch_size`, `train.steps`, `train.evaluate_batch_size` are read, all static.
      spec: of the data.
      family: of the model; the one that `config.model.family` names if None.
      place: applied to each step's `[repeats, b, *shape]`, to shard it over devices (`mesh.shard_batches`).
    """
    family = FAMILIES[config["model"]["family"]] if family is None else family
    settings, optimisers, total = config["model"], config["optim"], config["train"]["steps"]
    batch_size = config["train"]["batch_size"]

    def model(hparams: Hparams, step: Array) -> Model:
        return family.make(settings, spec, {**hparams, "step": step})

    def init(hparams: Hparams, rng: Key) -> TrainState:
        batch = jnp.zeros((1, *spec.shape))
        return steps.init_state(model(hparams, jnp.int32(0)), optimisers, hparams, rng, batch)

    def indices(hparams: Hparams, rng: Key, first: Array, length: int, n: int) -> Array:
        updates = max(objective.updates for objective in model(hparams, first).objectives.values())
        numbers = first + jnp.arange(length)
        flat = batch_indices(stream(rng, "shuffle"), numbers, updates * batch_size, n)
        return flat.reshape(length, updates, batch_size)

    def chunk(
        state: TrainState, data: Array, indices: Array, hparams: Hparams, rng: Key
    ) -> tuple[TrainState, dict[str, Array]]:
        def body(state: TrainState, drawn: tuple[Array, Key]) -> tuple[TrainState, dict[str, Array]]:
            index, key = drawn
            batches = steps.prepare(spec, stream(key, "binarise"), place(data[index]))  # [repeats, b, *shape]
            bound = model(hparams, state.step)
            return steps.train_step(bound, optimisers, state, batches, hparams, key, state.step / total)

        numbers = state.step + jnp.arange(indices.shape[0])
        keys = jax.vmap(jax.random.fold_in, (None, 0))(stream(rng, "step"), numbers)  # [length]
        return jax.lax.scan(body, state, (indices, keys))

    def evaluate(state: TrainState, data: Array, hparams: Hparams, rng: Key) -> dict[str, Array]:
        batch = config["train"]["evaluate_batch_size"]
        return _evaluate(model(hparams, state.step), spec, state, data, batch, stream(rng, "evaluate"))

    return Train(init, indices, chunk, evaluate, model)


def advance(
    train: Train, state: TrainState, data: Array, hparams: Hparams, rng: Key, length: int
) -> tuple[TrainState, dict[str, Array]]:
    """The next `length` steps (static) on data that lies on the device: the state after, and `{name: [length]}`."""
    indices = train.indices(hparams, rng, state.step, length, data.shape[0])
    return train.chunk(state, data, indices, hparams, rng)


def _evaluate(model: Model, spec: DataSpec, state: TrainState, data: Array, batch: int, rng: Key) -> dict[str, Array]:
    """The means of the model's per-example values over all of the data, and what its samples tell."""
    params = steps.averaged_params(state)

    def per_example(examples: Array, key: Key) -> dict[str, Array]:
        prepared = steps.prepare(spec, stream(key, "binarise"), examples)
        return model.evaluate(params, prepared, stream(key, "noise"))

    return dataset_means(per_example, data, batch, rng) | _sample_metrics(model, params, spec, data, rng)


def _sample_metrics(model: Model, params, spec: DataSpec, data: Array, rng: Key) -> dict[str, Array]:
    """What samples alone tell: their distance to as many examples, and the modes they find where those are known.

    A VAE's samples of images are means of p(x|z): beside binary examples they stay at a distance even at the optimum.
    """
    if model.sample is None:
        return {}
    n = min(SAMPLES, data.shape[0])
    samples = model.sample(params, stream(rng, "sample"), n)  # [n, *shape]
    real = steps.prepare(spec, stream(rng, "real"), data[evenly_spaced(n, data.shape[0])])
    named = {"sliced_wasserstein": sliced_wasserstein(stream(rng, "directions"), samples, real)}
    if spec.modes is None:
        return named
    more = model.sample(params, stream(rng, "modes"), SAMPLES)
    return named | mode_coverage(more, jnp.asarray(spec.modes.centres), spec.modes.sigma)
