"""Many trials as one program: a single run's functions mapped over an axis of trials, [T].

Trials differ in their hyperparameters and in their keys, and share the program and the data. Nothing here knows how
trials are chosen or ranked, and no trial reads another's numbers but through `select_trials`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from genjax.nn import convolution
from genjax.training.scan import Train, advance
from genjax.training.sharding import device_mesh
from genjax.types import Array, Batch, Hparams, Key, TrainState

TRIALS = "trials"

# Maps `function(data, *one trial's)` over the leading axis of everything but the data.
Over = Callable[[Callable[..., Any]], Callable[..., Any]]


def vectorised(function: Callable[..., Any]) -> Callable[..., Any]:
    """Every trial at once: `jax.vmap`."""

    def mapped(data: Batch, *trials: Any) -> Any:
        return jax.vmap(partial(function, data))(*trials)

    return mapped


def vectorised_products(function: Callable[..., Any]) -> Callable[..., Any]:
    """Every trial at once, with convolutions as batched matrix products on every platform."""

    def mapped(data: Batch, *trials: Any) -> Any:
        with convolution.form("products"):
            return vectorised(function)(data, *trials)

    return mapped


def sequential(function: Callable[..., Any]) -> Callable[..., Any]:
    """One trial after another inside the program: `jax.lax.map`. A trial trains to the bits of its single run."""

    def mapped(data: Batch, *trials: Any) -> Any:
        return jax.lax.map(lambda trial: function(data, *trial), trials)

    return mapped


def sharded(mesh: Mesh, over: Over) -> Over:
    """Over a mesh, each device with its share of the trials, mapped by `over`; T is a multiple of their number."""

    def map_over(function: Callable[..., Any]) -> Callable[..., Any]:
        def mapped(data: Batch, *trials: Any) -> Any:
            over_trials = PartitionSpec(TRIALS)
            on_each_device = jax.shard_map(
                over(function),
                mesh=mesh,
                in_specs=(PartitionSpec(), *(over_trials for _ in trials)),
                out_specs=over_trials,
                check_vma=False,  # nothing is exchanged between devices
            )
            return on_each_device(data, *trials)

        return mapped

    return map_over


def trial_mesh(devices: Any) -> Mesh:
    """A mesh of one axis, the trials', over the devices."""
    return device_mesh(devices, TRIALS)


def placed(mesh: Mesh, tree: Any) -> Any:
    """A tree of NumPy arrays `[T, ...]`, each device with its own trials, whichever process it belongs to."""
    share = NamedSharding(mesh, PartitionSpec(TRIALS))
    return jax.tree.map(lambda leaf: jax.make_array_from_callback(leaf.shape, share, leaf.__getitem__), tree)


def sweep(
    train: Train,
    hparams: Hparams,
    rngs: Key,
    data: Batch,
    length: int,
    states: TrainState | None = None,
    over: Over = vectorised,
) -> tuple[TrainState, dict[str, Array]]:
    """Trains every trial for `length` steps, as one program to jit.

    A trial whose gradients stop being finite is frozen at its last finite state; the others keep their bits.

    Args:
      train: of `make_train`.
      hparams: `{name: [T]}`; a single number is that of all trials.
      rngs: `[T]`, each trial's root key.
      data: `[n, *shape]` as stored, one for all trials.
      length: static.
      states: `[T, ...]` to go on from; the first ones if None.
      over: how trials share the machine: `vectorised`, `sequential`, or either of them `sharded` over devices.

    Returns:
      The states `[T, ...]`, and `{name: [T, length]}`.

    Example:
      >>> import numpy as np
      >>> from genjax.config import active, default
      >>> from genjax.training.scan import make_train
      >>> from genjax.types import DataSpec
      >>> config = default("gan")
      >>> config.train.batch_size, config.model.generator_hidden, config.model.discriminator_hidden = 4, (3,), (3,)
      >>> train, points = make_train(config, DataSpec((2,), False, 1.0, np.zeros(2))), Batch(jnp.ones((8, 2)))
      >>> hparams = {name: jnp.full(3, value) for name, value in active(config).items()}
      >>> hparams["generator_learning_rate"] = jnp.array([1e-4, 1e-3, 1e-2])
      >>> states, metrics = sweep(train, hparams, jax.random.split(jax.random.key(0), 3), points, length=2)
      >>> metrics["generator_loss"].shape  # trials, steps
      (3, 2)
    """
    hparams = _of_all_trials(hparams, len(rngs))
    states = initial(train, hparams, rngs, over) if states is None else states

    def train_trial(data: Batch, state: TrainState, hparams: Hparams, rng: Key) -> tuple[TrainState, dict[str, Array]]:
        return advance(train, state, data, hparams, rng, length)

    return over(train_trial)(data, states, hparams, rngs)


def initial(train: Train, hparams: Hparams, rngs: Key, over: Over = vectorised) -> TrainState:
    """Every trial's state before its first step, `[T, ...]`."""
    hparams = _of_all_trials(hparams, len(rngs))
    return over(lambda _, hparams, rng: train.init(hparams, rng))(Batch(jnp.zeros(())), hparams, rngs)


def _of_all_trials(hparams: Hparams, count: int) -> Hparams:
    """Arrays of `[count]`; a single number is every trial's."""
    return {name: jnp.broadcast_to(jnp.asarray(value), (count,)) for name, value in hparams.items()}


def evaluate(
    train: Train, states: TrainState, data: Batch, hparams: Hparams, rngs: Key, over: Over = vectorised
) -> dict[str, Array]:
    """`{name: [T]}` on every example of `data`."""

    def evaluate_trial(data: Batch, state: TrainState, hparams: Hparams, rng: Key) -> dict[str, Array]:
        return train.evaluate(state, data, hparams, rng)

    return over(evaluate_trial)(data, states, hparams, rngs)


def select_trials(tree: Any, trials: Array | np.ndarray | int) -> Any:
    """The trials of these numbers: survivors, moved together, or copies of the best in the place of the worst."""
    return jax.tree.map(lambda leaf: leaf[trials], tree)
