"""The compiled functions of one run, for its data and this machine's devices."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.data import Dataset, describe, stored_batch
from genjax.models import FAMILIES
from genjax.runs import feeding
from genjax.training import sharding
from genjax.training.scan import Train, make_train
from genjax.training.step import batches_per_step
from genjax.types import Array, Batch, DataSpec, InputError, Key, Model, TrainState

# What pictures call of a model, and which of the arguments `(step, params, ...)` are plain numbers.
PICTURED = {"sample": (3,), "prior": (3,), "sample_class": (), "encode": (), "decode": (), "reconstruct": ()}


class RunPrograms(NamedTuple):
    """A run's compiled functions and what they were made from.

    Attributes:
      init: `() -> state`.
      advance: `(state, length) -> (state, {name: [length]})`; the state is donated.
      evaluate: `(state, split) -> {name: scalar}` over all examples of a split, by its name.
      model: `(state) -> Model`, bound to the run's hyperparameters; its functions that pictures call are compiled.
      replicate: puts a tree of arrays on the run's devices.
      stored: `(split) -> Batch`, a split's examples on the host as they are stored, by its name.
      examples: how many a step sees.
      spec: of the data.
      rng: the run's root key.
      devices: that the run uses.
    """

    init: Callable[[], TrainState]
    advance: feeding.Advance
    evaluate: Callable[[TrainState, str], dict[str, Array]]
    model: Callable[[TrainState], Model]
    replicate: Callable[[Any], Any]
    stored: Callable[[str], Batch]
    examples: int
    spec: DataSpec
    rng: Key
    devices: Sequence[Any]


class Placement(NamedTuple):
    """How a run lies on its devices: as it is on one; on several its batches are split, and all the rest is repeated.

    Attributes:
      devices: that the run uses.
      replicated: where everything but the batches lies.
      batches: splits `[batches, b, ...]` along b.
      indices: has every device compute all of the indices.
      replicate: puts a tree of arrays on the devices.
    """

    devices: list[Any]
    replicated: Sharding
    batches: Callable[[Batch], Batch]
    indices: Callable[[Array], Array]
    replicate: Callable[[Any], Any]


def make_run_programs(
    config: ConfigDict,
    dataset: Dataset,
    devices: Sequence[Any] | None = None,
    adapt: Callable[[Train], Train] = lambda train: train,
) -> RunPrograms:
    """Compiles nothing yet: each function compiles when it is first called.

    Args:
      config: of the run.
      dataset: that it is trained on.
      devices: that it may use; all that JAX finds if None.
      adapt: changes the functions of the training, such as where it starts.

    Raises:
      InputError: the configuration does not fit the data or the devices.
    """
    spec = describe(dataset, config.data.dynamic_binarisation)
    config = configs.resolve(config, spec)
    hparams = {name: np.float32(value) for name, value in configs.active(config).items()}
    rng = jax.random.key(config.seed)
    placement = place(config, jax.devices() if devices is None else devices)
    functions, replicate = adapt(placed_functions(config, spec, placement)), placement.replicate
    examples = check_fit(config, dataset, functions)
    labelled = reads_labels(config)

    def stored(split: str) -> Batch:
        return stored_batch(dataset, getattr(dataset, split), labelled)

    feed = feeding.resident if fits_device(config, dataset) else feeding.streamed
    init, evaluate = jax.jit(functions.init), jax.jit(functions.evaluate)
    jax.eval_shape(init, hparams, rng)  # a model that does not fit its data is refused here
    model = compiled_model(partial(functions.model, hparams))

    def on_devices(batch: Batch) -> Batch:
        return replicate(jax.tree.map(jnp.asarray, batch))

    return RunPrograms(
        init=lambda: replicate(init(hparams, rng)),
        advance=feed(functions, stored("train"), hparams, rng, replicate, placement.devices[0].platform),
        evaluate=lambda state, split: evaluate(state, on_devices(stored(split)), hparams, rng),
        model=lambda state: model(state.step),
        replicate=replicate,
        stored=stored,
        examples=examples,
        spec=spec,
        rng=rng,
        devices=placement.devices,
    )


def compiled_model(model: Callable[[Array], Model]) -> Callable[[Array], Model]:
    """Compiles the functions of a model that pictures call, once for all steps.

    Called as they are, every operation of a network would be a program of its own at each start.

    Args:
      model: `(step) -> Model`.
    """

    def call(name: str, step: Array, *arguments: Any) -> Array:
        return getattr(model(step), name)(*arguments)

    programs = {name: jax.jit(partial(call, name), static_argnums=numbers) for name, numbers in PICTURED.items()}

    def at_step(step: Array) -> Model:
        plain = model(step)
        there = {name: program for name, program in programs.items() if getattr(plain, name) is not None}
        return plain._replace(**{name: partial(program, step) for name, program in there.items()})

    return at_step


def fits_device(config: ConfigDict, dataset: Dataset) -> bool:
    """Whether the training split lies on the devices as a whole."""
    return dataset.train.x.nbytes <= config.data.resident_bytes


def reads_labels(config: ConfigDict) -> bool:
    """Whether the configuration's losses read labels."""
    return FAMILIES[config.model.family].labelled(config.model)


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
    examples = batch * batches_per_step(functions.model(configs.active(config), jnp.int32(0)))
    if examples * (n + 1) > 2**32:
        raise InputError(f"{examples} examples a step from {n}: their product must stay below 2**32")
    return examples


def place(config: ConfigDict, available: Sequence[Any]) -> Placement:
    """Places a run on as many of the available devices as its configuration says.

    Raises:
      InputError: its batches cannot be split so.
    """
    devices = select_devices(sharding.by_process(available), config.train.devices, config.train.batch_size)
    if len(devices) == 1:
        own = SingleDeviceSharding(devices[0])
        return Placement(devices, own, lambda b: b, lambda i: i, lambda tree: jax.device_put(tree, own))
    mesh = sharding.batch_mesh(devices)
    return Placement(
        devices,
        NamedSharding(mesh, PartitionSpec()),
        sharding.shard_batches(mesh),
        sharding.replicate_indices(mesh),
        partial(sharding.replicate, mesh),
    )


def placed_functions(config: ConfigDict, spec: DataSpec, placement: Placement) -> Train:
    """The training functions of a configuration without `auto`, over the devices of a placement."""
    train = make_train(config, spec, place=placement.batches)
    return train._replace(indices=lambda *arguments: placement.indices(train.indices(*arguments)))


def select_devices(by_process: list[list[Any]], count_wanted: int, batch: int) -> list[Any]:
    """Selects as many devices of each process as are wanted, or as the batch can be split over.

    Args:
      by_process: the devices of each process.
      wanted: how many devices to use in all; 0 for as many as possible.
      batch: examples, divided evenly among the devices.

    Raises:
      InputError: the devices cannot be selected so.
    """
    count, fewest = len(by_process), min(map(len, by_process))
    owners = "this machine has" if count == 1 else f"{count} processes have"
    if count_wanted > count * fewest:
        raise InputError(f"train.devices = {count_wanted}, but {owners} {count * fewest}")
    if count_wanted % count:
        raise InputError(f"train.devices = {count_wanted} cannot be shared out among {count} processes")
    if batch % (count_wanted or count):
        raise InputError(f"train.batch_size = {batch} cannot be split over {count_wanted or count} devices")
    per_process = count_wanted // count or max(n for n in range(1, fewest + 1) if batch % (n * count) == 0)
    return [device for devices in by_process for device in devices[:per_process]]
