"""Penalties on a discriminator's gradient, per example."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from genjax.types import Array


def r1_penalty(logits: Callable[[Array], Array], x: Array) -> Array:
    """1/2 ||grad_x D(x)||^2 at real data, the norm over all of an example's dimensions (Mescheder et al. 2018).

    Args:
      logits: `[b, ...] -> [b]`, each logit a function of its own example alone.
      x: `[b, ...]`, real data.

    Returns:
      `[b]`.
    """
    # Each logit depends on one example, so the gradient of their sum holds every example's own gradient.
    slope = jax.grad(lambda real: jnp.sum(logits(real)))(x)
    return 0.5 * jnp.sum(jnp.square(slope), axis=tuple(range(1, x.ndim)))
