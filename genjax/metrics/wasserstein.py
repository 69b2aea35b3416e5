"""The sliced Wasserstein distance between two sets of samples."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


def sliced_wasserstein(
    rng: Key[Array, ""], x: Float[Array, "n *event"], y: Float[Array, "n *event"], projections: int = 128
) -> Float[Array, ""]:
    """Computes the root of the mean over random directions of W_2^2 between projected samples (Rabin et al. 2011).

    Args:
      rng: key of the directions, which are uniform on the sphere.
      x, y: the two sets of samples.
      projections: number of directions.

    Returns:
      A value in the unit of the data.

    Example:
      >>> print(sliced_wasserstein(jax.random.key(0), jnp.zeros((5, 1)), jnp.full((5, 1), 2.0)))
      2.0
    """
    return jnp.sqrt(squared_sliced_wasserstein(rng, x, y, projections))


def squared_sliced_wasserstein(
    rng: Key[Array, ""], x: Float[Array, "n *event"], y: Float[Array, "n *event"], projections: int = 128
) -> Float[Array, ""]:
    """Computes the square of `sliced_wasserstein`, whose gradient is finite at zero too (Kolouri et al. 2019).

    In one dimension W_2^2 is the mean squared difference of the sorted samples, so both sets must have equal sizes.

    Args and unit: those of `sliced_wasserstein`, squared.

    Example:
      >>> print(squared_sliced_wasserstein(jax.random.key(0), jnp.zeros((5, 1)), jnp.full((5, 1), 2.0)))
      4.0
    """
    x, y = x.reshape(x.shape[0], -1), y.reshape(y.shape[0], -1)  # [n, d]
    directions = jax.random.normal(rng, (x.shape[1], projections))
    directions /= jnp.linalg.norm(directions, axis=0, keepdims=True)
    x, y = (jnp.matmul(samples, directions, precision="highest") for samples in (x, y))  # [n, projections]
    gap = jnp.sort(x, axis=0) - jnp.sort(y, axis=0)
    return jnp.mean(jnp.square(gap))
