"""Functions of a batch's mean rate, in nats per example: the mean is theirs, and not that of single examples."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def capacity_penalty(rate: Float[Array, ""], capacity: Float[Array, ""] | float) -> Float[Array, ""]:
    """Computes |KL - C| of the batch's mean KL (Burgess et al. 2018, equation 8).

    Args:
      rate: KL(q(z|x) || p(z)), averaged over the batch, in nats.
      capacity: C, in nats.

    Example:
      >>> print(capacity_penalty(jnp.float32(3.0), 5.0))
      2.0
    """
    return jnp.abs(rate - capacity)


def free_bits(rates: Float[Array, "batch latent"], floor: Float[Array, ""] | float, group: int = 1) -> Float[Array, ""]:
    """Computes sum_g max(E KL_g, floor) over groups of dimensions (Kingma et al. 2016, equation 15).

    Below the floor a group's rate costs nothing, and its gradient is zero.

    Args:
      rates: KL of each dimension, in nats.
      floor: of a group, in nats.
      group: how many dimensions that follow one another make a group; a divisor of their number.

    Example:
      >>> print(free_bits(jnp.array([[0.0, 1.0, 2.0, 3.0]]), 2.0), free_bits(jnp.array([[0.0, 1.0, 2.0, 3.0]]), 2.0, 2))
      9.0 7.0
    """
    of_groups = jnp.mean(rates, axis=0).reshape(-1, group).sum(axis=1)
    return jnp.sum(jnp.maximum(of_groups, floor))
