"""Kinds of pseudo-inputs u_1 ... u_K of a VampPrior: learned, training examples, or learned from these on.

A model is made before it sees an example. Training examples therefore come with the first batches, the first b of the
places with the first batch of b, and lie in a part of params that training overwrites.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.nn.networks import logit
from genjax.types import Batch, DataSpec, Key, Params

PART, EXAMPLES = "prior", "pseudo_inputs"  # of params: trained, and overwritten


class PseudoInputs(NamedTuple):
    """A kind of pseudo-inputs.

    Attributes:
      parts: the names of its trained parts of params.
      init: `(rng) -> {part: parameters}`.
      values: `(params) -> [K, *shape]`, as an encoder sees them.
      state: `(params, batch, step) -> {part: tree}`, the parts that training overwrites, if there are any.
    """

    parts: tuple[str, ...]
    init: Callable[[Key], Params]
    values: Callable[[Params], Float[Array, "count *shape"]]
    state: Callable[[Params, Batch, Array], Params] | None = None


def learned(count: int, spec: DataSpec) -> PseudoInputs:
    """Makes parameters, of images before a sigmoid, that start at the training mean plus noise."""

    def init(rng: Key) -> Params:
        start = logit(spec.mean) if spec.bounded else spec.mean
        scale = 1.0 if spec.bounded else math.sqrt(spec.variance)
        return {PART: {"inputs": start[None] + scale * jax.random.normal(rng, (count, *spec.shape))}}

    def values(params: Params) -> Float[Array, "count *shape"]:
        inputs = params[PART]["inputs"]
        return jax.nn.sigmoid(inputs) if spec.bounded else inputs

    return PseudoInputs((PART,), init, values)


def examples(count: int, spec: DataSpec) -> PseudoInputs:
    """Makes training examples, which stay as they are."""

    def init(rng: Key) -> Params:
        del rng
        return {EXAMPLES: {"examples": jnp.broadcast_to(jnp.asarray(spec.mean, jnp.float32), (count, *spec.shape))}}

    def stored(params: Params) -> Float[Array, "count *shape"]:
        return params[EXAMPLES]["examples"]

    def state(params: Params, batch: Batch, step: Array) -> Params:
        b = len(batch.x)
        place = jnp.arange(count) - b * jnp.minimum(step, count)  # of each pseudo-input in this batch
        comes = ((place >= 0) & (place < b)).reshape(count, *[1] * len(spec.shape))
        return {EXAMPLES: {"examples": jnp.where(comes, batch.x[jnp.clip(place, 0, b - 1)], stored(params))}}

    return PseudoInputs((), init, stored, state)


def from_examples(count: int, spec: DataSpec) -> PseudoInputs:
    """Makes training examples plus learned offsets, which start at zero; of images both are added before a sigmoid."""
    fixed = examples(count, spec)

    def init(rng: Key) -> Params:
        return {**fixed.init(rng), PART: {"offsets": jnp.zeros((count, *spec.shape))}}

    def values(params: Params) -> Float[Array, "count *shape"]:
        start, offsets = fixed.values(params), params[PART]["offsets"]
        if not spec.bounded:
            return start + offsets
        return jax.nn.sigmoid(jax.scipy.special.logit(jnp.clip(start, 0.001, 0.999)) + offsets)

    return PseudoInputs((PART,), init, values, fixed.state)


PSEUDO_INPUTS = {"learned": learned, "examples": examples, "from_examples": from_examples}
