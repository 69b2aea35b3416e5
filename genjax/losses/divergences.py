"""Divergences between distributions, per example and per dimension, in nats."""

import jax.numpy as jnp

from genjax.types import Array


def standard_normal_kl(mean: Array, log_var: Array) -> Array:
    """KL(N(mean, exp(log_var)) || N(0, 1)) = 1/2 [mean^2 + exp(log_var) - 1 - log_var], each dimension by itself.

    Kingma & Welling 2014, appendix B. Never negative; zero where the posterior is the prior.

    Args:
      mean, log_var: `[b, k]`.

    Returns:
      `[b, k]`, nats; the sum over k is the divergence of the diagonal Gaussian.
    """
    return 0.5 * (jnp.square(mean) + jnp.expm1(log_var) - log_var)
