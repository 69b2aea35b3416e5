"""Penalties on a discriminator's gradient, per example."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def r1_penalty(
    logits: Callable[[Float[Array, "batch *event"]], Float[Array, " batch"]], x: Float[Array, "batch *event"]
) -> Float[Array, " batch"]:
    """Computes 1/2 ||grad_x D(x)||^2 at real data, the norm over all of an example's dimensions.

    Its unit is that of a squared logit, nats^2, over the squared unit of the data (Mescheder et al. 2018, equation 9).

    Args:
      logits: the discriminator D; each logit is a function of its own example alone.
      x: real data.

    Example:
      >>> print(r1_penalty(lambda x: x @ jnp.array([3.0, 4.0]), jnp.zeros((1, 2))))
      [12.5]
    """
    # Each logit depends on one example, so the gradient of their sum holds the gradient of every example.
    gradient = jax.grad(lambda real: jnp.sum(logits(real)))(x)
    return 0.5 * jnp.sum(jnp.square(gradient), axis=tuple(range(1, x.ndim)))
