"""The sliced Wasserstein distance between two sets of samples."""

import jax
import jax.numpy as jnp

from genjax.types import Array, Key


def sliced_wasserstein(rng: Key, x: Array, y: Array, projections: int = 128) -> Array:
    """sqrt of the mean over random directions of W_2^2 between the projected samples (Rabin et al. 2011).

    In one dimension W_2^2 is the mean squared difference of the sorted samples, so both sets must be of one size.

    Args:
      rng: of the directions, uniform on the sphere.
      x, y: `[n, ...]` of one shape.
      projections: how many directions.

    Returns:
      A scalar in the data's own unit.
    """
    x, y = x.reshape(x.shape[0], -1), y.reshape(y.shape[0], -1)  # [n, d]
    directions = jax.random.normal(rng, (x.shape[1], projections))
    directions /= jnp.linalg.norm(directions, axis=0, keepdims=True)
    gap = jnp.sort(x @ directions, axis=0) - jnp.sort(y @ directions, axis=0)  # [n, projections]
    return jnp.sqrt(jnp.mean(jnp.square(gap)))
