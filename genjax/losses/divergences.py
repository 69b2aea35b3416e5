"""Divergences between distributions, per example and per dimension, in nats."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def standard_normal_kl(
    mean: Float[Array, "batch latent"], log_var: Float[Array, "batch latent"]
) -> Float[Array, "batch latent"]:
    """Computes KL(N(mean, exp(log_var)) || N(0, 1)) = 1/2 [mean^2 + exp(log_var) - 1 - log_var] in each dimension.

    The divergence is never negative, and it is zero where the posterior is the prior (Kingma & Welling 2014,
    appendix B).

    Args:
      mean: means of the Gaussians.
      log_var: logarithms of their variances.

    Returns:
      Values in nats. Their sum over the dimensions is the divergence of the diagonal Gaussian.

    Example:
      >>> print(standard_normal_kl(jnp.array([[0.0, 2.0]]), jnp.zeros((1, 2))))
      [[0. 2.]]
    """
    return 0.5 * (jnp.square(mean) + jnp.expm1(log_var) - log_var)
