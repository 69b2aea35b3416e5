"""A configuration and its data, compiled for this machine's devices."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.data import Dataset, describe
from genjax.runs import feeding
from genjax.training import sharding
from genjax.training.scan import Train, make_train
from genjax.types import Array, DataSpec, InputError, Key, Model, TrainState


class RunPrograms(NamedTuple):
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
    advance: feeding.Advance
    evaluate: Callable[[TrainState, np.ndarray], dict[str, Array]]
    model: Callable[[TrainState], Model]
    replicate: Callable[[Any], Any]
    examples: int
    spec: DataSpec
    rng: Key


def make_run_programs(config: ConfigDict, dataset: Dataset) -> RunPrograms:
    """Compiles nothing yet: each function compiles when it is first called.

    Raises:
      InputError: the configuration does not fit the data or the devices.
    """
    spec = describe(dataset, config.data.dynamic_binarisation)
    hparams = {name: np.float32(value) for name, value in configs.active(config).items()}
    rng = jax.random.key(config.seed)
    place, repeat, replicate = _placement(config)
    train = make_train(config, spec, place=place)
    functions = train._replace(indices=lambda *drawn: repeat(train.indices(*drawn)))
    examples = check_fit(config, dataset, functions)
    source = feeding.resident if dataset.train.x.nbytes <= config.data.resident_bytes else feeding.streamed
    init, evaluate = jax.jit(functions.init), jax.jit(functions.evaluate)
    return RunPrograms(
        init=lambda: replicate(init(hparams, rng)),
        advance=source(functions, dataset.train.x, hparams, rng, replicate),
        evaluate=lambda state, x: evaluate(state, replicate(jnp.asarray(x)), hparams, rng),
        model=lambda state: functions.model(hparams, state.step),
        replicate=replicate,
        examples=examples,
        spec=spec,
        rng=rng,
    )


def check_fit(config: ConfigDict, dataset: Dataset, functions: Train) -> int:
    """How many examples a step sees.

    Raises:
      InputError: the configuration does not fit the data.
    """
    n, batch = len(dataset.train.x), config.train.batch_size
    if batch > n:
        raise InputError(
            f"train.batch_size = {batch} is larger than the training split of {dataset.name}: {n} examples"
        )
    if config.data.dynamic_binarisation and not dataset.bounded:
        raise InputError(f"data.dynamic_binarisation needs images, and {dataset.name} holds points")
    objectives = functions.model(configs.active(config), jnp.int32(0)).objectives.values()
    examples = batch * max(objective.updates for objective in objectives)
    if examples * (n + 1) > 2**32:
        raise InputError(f"{examples} examples a step from {n}: their product must stay below 2**32")
    return examples


def _placement(config: ConfigDict) -> tuple[Callable[[Array], Array], Callable[[Array], Array], Callable[[Any], Any]]:
    """How batches, indices and all the rest lie on the devices: as they are on one; on several split, or repeated."""
    used = share_out(sharding.by_process(jax.devices()), config.train.devices, config.train.batch_size)
    if len(used) == 1:
        return lambda batches: batches, lambda indices: indices, lambda tree: tree
    grid = sharding.batch_mesh(used)
    return sharding.shard_batches(grid), sharding.repeat_indices(grid), partial(sharding.replicate, grid)


def share_out(processes: list[list[Any]], wanted: int, batch: int) -> list[Any]:
    """As many devices of each process as are wanted, or as the batch can be split over."""
    many, most = len(processes), min(map(len, processes))
    owners = "this machine has" if many == 1 else f"{many} processes have"
    if wanted > many * most:
        raise InputError(f"train.devices = {wanted}, but {owners} {many * most}")
    if wanted % many:
        raise InputError(f"train.devices = {wanted} cannot be shared out among {many} processes")
    if batch % (wanted or many):
        raise InputError(f"train.batch_size = {batch} cannot be split over {wanted or many} devices")
    each = wanted // many or max(n for n in range(1, most + 1) if batch % (n * many) == 0)
    return [device for devices in processes for device in devices[:each]]
