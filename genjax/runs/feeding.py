"""How examples reach the device: all at once, or chunk by chunk from the host. Both train on the same examples."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax.system.compiler import compiled
from genjax.training.scan import Train, advance
from genjax.types import Array, Batch, Hparams, Key, TrainState

Advance = Callable[[TrainState, int], tuple[TrainState, dict[str, Array]]]


def resident_chunk(functions: Train, platform: str) -> Any:
    """`(state, data, hparams, rng, length) -> (state, metrics)`, compiled; `data` is the whole split."""

    def chunk(state: TrainState, data: Batch, hparams: Hparams, rng: Key, length: int):
        return advance(functions, state, data, hparams, rng, length)

    return compiled(chunk, platform, static_argnames="length", donate_argnames="state")


def streamed_chunk(functions: Train, platform: str) -> Any:
    """`(state, examples, places, hparams, rng) -> (state, metrics)`, compiled; `examples` are those of the chunk."""
    return compiled(functions.chunk, platform, donate_argnames="state")


def resident(
    functions: Train, data: Batch, hparams: Hparams, rng: Key, replicate: Callable[[Any], Any], platform: str
) -> Advance:
    """`(state, length) -> (state, metrics)` with the whole split on the device, as stored.

    Args:
      functions: of `make_train`.
      data: the training split on the host, `[n, ...]` as stored.
      hparams: traced scalars.
      rng: the run's root key.
      replicate: puts a tree of arrays on the devices.
      platform: of the devices.
    """
    on_device, chunk = replicate(jax.tree.map(jnp.asarray, data)), resident_chunk(functions, platform)
    return lambda state, length: chunk(state, on_device, hparams, rng, length)


def streamed(
    functions: Train, data: Batch, hparams: Hparams, rng: Key, replicate: Callable[[Any], Any], platform: str
) -> Advance:
    """The same for a split that the device cannot hold: the host gathers each chunk's examples and sends them."""

    @partial(jax.jit, static_argnames="length")
    def order(step: Array, hparams: Hparams, rng: Key, length: int) -> Array:
        return functions.indices(hparams, rng, step, length, len(data.x))

    chunk = streamed_chunk(functions, platform)

    def step_on(state: TrainState, length: int) -> tuple[TrainState, dict[str, Array]]:
        indices = np.asarray(order(state.step, hparams, rng, length))  # [length, batches, b]
        examples = replicate(jax.tree.map(lambda leaf: jnp.asarray(leaf[indices.reshape(-1)]), data))
        places = jnp.arange(indices.size, dtype=jnp.uint32).reshape(indices.shape)
        return chunk(state, examples, replicate(places), hparams, rng)

    return step_on


def means(prefix: str, metrics: Mapping[str, Array]) -> dict[str, float]:
    """`{prefix/name: mean}`, added up in double precision on the host."""
    return {f"{prefix}/{name}": float(np.mean(np.asarray(v), dtype=np.float64)) for name, v in metrics.items()}
