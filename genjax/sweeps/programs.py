"""The compiled functions of a group of trials: over all devices, as many trials at a time as memory holds."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.data import Dataset, describe, stored_batch
from genjax.runs.programs import check_fit, reads_labels
from genjax.sweeps.memory import bytes_on_device
from genjax.sweeps.plan import Trial
from genjax.system.compiler import compiled
from genjax.training import sharding, trials
from genjax.training.scan import Train, make_train
from genjax.types import Array, Batch, DataSpec, Hparams, InputError, Model, TrainState

MODES: dict[str, trials.Over] = {
    "map": trials.sequential,
    "vmap": trials.vectorised,
    "vmap_products": trials.vectorised_products,
}

Resident = Callable[[np.ndarray, Mesh], Array]


class CohortPrograms(NamedTuple):
    """Compiled functions over a fixed number of trials.

    Attributes:
      count: how many trials the programs are for.
      devices: how many share them.
      put: `[T, ...]` from the host to the devices, with copies of the last trial up to a multiple of the devices.
      keys: `(seeds) -> [T]`, each trial's root key, on the devices.
      initial: `(hparams, rngs) -> states`.
      advance: `(states, hparams, rngs, length) -> (states, {name: [T, length]})`; the states are donated.
      take: `(states, trials) -> states`: the trials of these numbers, in the places of all.
      evaluate: `(states, hparams, rngs, split) -> {name: [T]}`, on the `validation` or the `test` split.
      metrics: `() -> names` of what `evaluate` measures.
      like: the shapes of the states.
      lower_chunk: `(length) -> lowered program` of states, data, hyperparameters and keys: what `advance` compiles.
      lower_evaluation: `(split) -> lowered program`: what `evaluate` compiles.
      bytes_to_train: `(length) -> bytes` on a device, of the program that advances.
      bytes_to_evaluate: `() -> bytes` on a device, of the program that evaluates.
      model: `(hparams, step) -> Model` of one trial.
      spec: of the data.
      dataset: the data.
    """

    count: int
    devices: int
    put: Callable[[Any], Any]
    keys: Callable[[np.ndarray], Array]
    initial: Callable[[Hparams, Array], TrainState]
    advance: Callable[[TrainState, Hparams, Array, int], tuple[TrainState, dict[str, Array]]]
    take: Callable[[TrainState, np.ndarray], TrainState]
    evaluate: Callable[[TrainState, Hparams, Array, str], dict[str, Array]]
    metrics: Callable[[], list[str]]
    like: TrainState
    lower_chunk: Callable[[int], Any]
    lower_evaluation: Callable[[str], Any]
    bytes_to_train: Callable[[int], int]
    bytes_to_evaluate: Callable[[], int]
    model: Callable[[Hparams, Array], Model]
    spec: DataSpec
    dataset: Dataset


def stack_traced(trials: list[Trial]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Stacks what differs between trials of one program: hyperparameters, `{name: [T]}`, and seeds, `[T]`."""
    active = [configs.active(trial.config) for trial in trials]
    hparams = {name: np.array([values[name] for values in active], np.float32) for name in active[0]}
    return hparams, np.array([trial.config.seed for trial in trials], np.uint32)


def _root_keys(seeds: Array) -> Array:
    """The keys that single runs with these seeds would have, `[T]`."""
    return jax.vmap(jax.random.key)(seeds)


def make_cohort_programs(
    config: ConfigDict,
    dataset: Dataset,
    count: int,
    mode: str,
    resident: Resident,
    devices: Sequence[Any] | None = None,
    adapt: Callable[[Train], Train] = lambda train: train,
) -> CohortPrograms:
    """Makes the programs of a group for so many trials; each compiles when it is first called.

    Args:
      config: of any trial of the group.
      dataset: that the trials are trained on.
      count: of trials.
      mode: a name of `MODES`: how trials share a device.
      resident: of `residence`.
      devices: that the trials may share; all that JAX finds if None.
      adapt: changes the functions of the training, such as where it starts.

    Raises:
      InputError: the configuration does not fit the data or the devices.
    """
    spec = describe(dataset, config.data.dynamic_binarisation)
    train = adapt(make_train(config, spec))
    _check_fit(config, dataset, train)
    mesh = trials.trial_mesh(select_devices(config, count, jax.devices() if devices is None else devices))
    width = -(-count // mesh.size) * mesh.size  # the least multiple of the devices
    over, sharding_of_trials = trials.sharded(mesh, MODES[mode]), NamedSharding(mesh, PartitionSpec(trials.TRIALS))
    labelled = reads_labels(config)

    def split(name: str) -> Batch:
        stored = stored_batch(dataset, getattr(dataset, name), labelled)
        return jax.tree.map(lambda leaf: resident(leaf, mesh), stored)

    def put(tree: Any) -> Any:
        return trials.placed(mesh, jax.tree.map(lambda leaf: _pad(leaf, width), tree))

    like = _shapes(train, configs.active(config), width, sharding_of_trials)
    root_keys = jax.jit(_root_keys, out_shardings=sharding_of_trials)
    select = jax.jit(trials.select_trials, out_shardings=sharding_of_trials)
    lower_chunk, lower_evaluation = _lower_later(train, over, like, split, mesh.devices.flat[0].platform)
    chunk = cache(lambda length: lower_chunk(length).compile())
    evaluation = cache(lambda name: lower_evaluation(name).compile())
    return CohortPrograms(
        count=count,
        devices=mesh.size,
        put=put,
        keys=lambda seeds: root_keys(put(seeds)),
        initial=jax.jit(partial(trials.initial, train, over=over)),
        advance=lambda states, hparams, rngs, length: chunk(length)(states, split("train"), hparams, rngs),
        take=lambda states, numbers: select(states, _pad(numbers, width)),
        evaluate=lambda states, hparams, rngs, name: evaluation(name)(states, split(name), hparams, rngs),
        metrics=lambda: list(jax.eval_shape(partial(trials.evaluate, train), like[0], split("validation"), *like[1:])),
        like=like[0],
        lower_chunk=lower_chunk,
        lower_evaluation=lower_evaluation,
        bytes_to_train=lambda length: bytes_on_device(chunk(length)),
        bytes_to_evaluate=lambda: bytes_on_device(evaluation("validation")),
        model=train.model,
        spec=spec,
        dataset=dataset,
    )


def _check_fit(config: ConfigDict, dataset: Dataset, train: Train) -> None:
    check_fit(config, dataset, train)
    if dataset.train.x.nbytes > config.data.resident_bytes:
        raise InputError(f"a sweep keeps its data on the device, and {dataset.name} is larger than data.resident_bytes")


def _lower_later(
    train: Train, over: trials.Over, like: tuple[Any, ...], split: Callable[[str], Batch], platform: str
) -> tuple[Callable[[int], Any], Callable[[str], Any]]:
    """`(length) -> lowered program` that trains, and `(split) -> lowered program` that evaluates."""
    states, *rest = like

    def train_chunk(states: TrainState, data: Batch, hparams: Hparams, rngs: Array, length: int) -> Any:
        return trials.sweep(train, hparams, rngs, data, length, states, over)

    def evaluate(states: TrainState, data: Batch, hparams: Hparams, rngs: Array) -> dict[str, Array]:
        return trials.evaluate(train, states, data, hparams, rngs, over)

    jitted = compiled(train_chunk, platform, donate_argnums=0, static_argnums=4)
    return (
        lambda length: jitted.lower(states, split("train"), *rest, length),
        lambda name: jax.jit(evaluate).lower(states, split(name), *rest),
    )


def _shapes(train: Train, names: Iterable[str], width: int, placement: NamedSharding) -> tuple[Any, ...]:
    """The shapes of states, hyperparameters and keys, and where they lie."""
    hparams = {name: jax.ShapeDtypeStruct((width,), np.float32) for name in names}
    rngs = jax.eval_shape(_root_keys, jax.ShapeDtypeStruct((width,), np.uint32))
    states = jax.eval_shape(partial(trials.initial, train), hparams, rngs)
    everything = (states, hparams, rngs)
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=placement), everything)


def residence() -> Resident:
    """Returns a function that puts a split on every device of a mesh, and does so once."""
    placed: dict[tuple[int, Mesh], tuple[np.ndarray, Array]] = {}

    def resident(x: np.ndarray, mesh: Mesh) -> Array:
        if (id(x), mesh) not in placed:
            placed[id(x), mesh] = (x, sharding.replicate(mesh, x))  # with x itself, so that its id stays its own
        return placed[id(x), mesh][1]

    return resident


def select_devices(config: ConfigDict, count: int, devices: Sequence[Any]) -> list[Any]:
    """Selects as many devices as share the trials evenly: 48 trials are 2 on each of 24 of 32. On many hosts, all.

    Raises:
      InputError: `train.devices` asks for more than there are.
    """
    count_wanted = config.train.devices
    if count_wanted > len(devices):
        raise InputError(f"train.devices = {count_wanted}, but this machine has {len(devices)}")
    if jax.process_count() > 1:
        return list(devices)
    limit = count_wanted or len(devices)
    return list(devices)[: math.ceil(count / math.ceil(count / limit))]


def _pad(leaf: Any, width: int) -> Any:
    """Copies of the last row behind the others, up to `width` rows."""
    missing = width - leaf.shape[0]
    return leaf if missing == 0 else leaf[np.minimum(np.arange(width), leaf.shape[0] - 1)]
