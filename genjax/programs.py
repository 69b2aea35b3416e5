"""A configuration and its data, compiled for this machine's devices."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax import feed, mesh
from genjax.data import Dataset, describe
from genjax.train import make_train
from genjax.types import Array, DataSpec, InputError, Key, Model, TrainState


class Programs(NamedTuple):
    """A run's compiled functions and what they were made from.

    Attributes:
      init: `() -> state`.
      advance: `(state, length) -> (state, {name: [length]})`; the state is donated.
      evaluate: `(state, x) -> {name: scalar}` over stored examples `[n, *shape]`.
      model: `(state) -> Model`, bound to the run's hyperparameters.
      spread: puts a tree of arrays on the run's devices.
      examples: how many a step sees.
      spec: of the data.
      rng: the run's root key.
    """

    init: Callable[[], TrainState]
    advance: feed.Advance
    evaluate: Callable[[TrainState, np.ndarray], dict[str, Array]]
    model: Callable[[TrainState], Model]
    spread: Callable[[Any], Any]
    examples: int
    spec: DataSpec
    rng: Key


def make_programs(config: ConfigDict, dataset: Dataset) -> Programs:
    """Compiles nothing yet: each function compiles when it is first called.

    Raises:
      InputError: the configuration does not fit the data or the devices.
    """
    _check_fit(config, dataset)
    spec = describe(dataset, config.data.dynamic_binarisation)
    hparams = {name: np.float32(value) for name, value in configs.active(config).items()}
    rng = jax.random.key(config.seed)
    place, spread = _placement(config)
    functions = make_train(config, spec, place=place)
    source = feed.resident if dataset.train.x.nbytes <= config.data.resident_bytes else feed.streamed
    init, evaluate = jax.jit(functions.init), jax.jit(functions.evaluate)
    objectives = functions.model(hparams, jnp.int32(0)).objectives.values()
    examples = config.train.batch_size * max(objective.repeats for objective in objectives)
    if examples * (len(dataset.train.x) + 1) > 2**32:
        raise InputError(f"{examples} examples a step from {len(dataset.train.x)}: their product must stay below 2**32")
    return Programs(
        init=lambda: spread(init(hparams, rng)),
        advance=source(functions, dataset.train.x, hparams, rng, spread),
        evaluate=lambda state, x: evaluate(state, spread(jnp.asarray(x)), hparams, rng),
        model=lambda state: functions.model(hparams, state.step),
        spread=spread,
        examples=examples,
        spec=spec,
        rng=rng,
    )


def _check_fit(config: ConfigDict, dataset: Dataset) -> None:
    n, batch = len(dataset.train.x), config.train.batch_size
    if batch > n:
        raise InputError(
            f"train.batch_size = {batch} is larger than the training split of {dataset.name}: {n} examples"
        )
    if config.data.dynamic_binarisation and not dataset.bounded:
        raise InputError(f"data.dynamic_binarisation needs images, and {dataset.name} holds points")


def _placement(config: ConfigDict) -> tuple[Callable[[Array], Array], Callable[[Any], Any]]:
    """How a batch and how everything else lie on the devices: on one as they are, on several split and repeated."""
    devices, wanted = jax.devices(), config.train.devices
    if wanted > len(devices):
        raise InputError(f"train.devices = {wanted}, but this machine has {len(devices)}")
    batch = config.train.batch_size
    if wanted and batch % wanted:
        raise InputError(f"train.batch_size = {batch} cannot be split over {wanted} devices")
    used = devices[: wanted or max(n for n in range(1, len(devices) + 1) if batch % n == 0)]
    if len(used) == 1:
        return lambda batches: batches, lambda tree: tree
    grid = mesh.batch_mesh(used)
    return mesh.shard_batches(grid), partial(mesh.replicate, grid)
