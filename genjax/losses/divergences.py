"""Divergences between Gaussians and densities of Gaussians, in nats."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def standard_normal_kl(
    mean: Float[Array, "*rows latent"], log_var: Float[Array, "*rows latent"]
) -> Float[Array, "*rows latent"]:
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


def normal_kl(
    mean: Float[Array, "*rows latent"],
    log_var: Float[Array, "*rows latent"],
    prior_mean: Float[Array, "*rows latent"],
    prior_log_var: Float[Array, "*rows latent"],
) -> Float[Array, "*rows latent"]:
    """Computes KL(N(mean, exp(log_var)) || N(prior_mean, exp(prior_log_var))) in each dimension, in nats.

    It is the divergence from N(0, 1) after both are moved and scaled by the second Gaussian.

    Example:
      >>> print(normal_kl(jnp.ones((1, 1)), jnp.zeros((1, 1)), jnp.ones((1, 1)), jnp.zeros((1, 1))))
      [[0.]]
    """
    return standard_normal_kl((mean - prior_mean) * jnp.exp(-0.5 * prior_log_var), log_var - prior_log_var)


def normal_log_prob(
    z: Float[Array, "*rows latent"], mean: Float[Array, "*_ latent"], log_var: Float[Array, "*_ latent"]
) -> Float[Array, "*rows"]:
    """Computes log N(z; mean, diag exp(log_var)), summed over the latent dimensions, in nats.

    Args:
      z: points.
      mean: means of the Gaussians; it broadcasts to z.
      log_var: logarithms of their variances; it broadcasts to z.

    Example:
      >>> print(normal_log_prob(jnp.zeros((1, 2)), jnp.zeros((1, 2)), jnp.zeros((1, 2))).round(3))
      [-1.838]
    """
    mean, log_var = (jnp.broadcast_to(values, z.shape) for values in (mean, log_var))
    terms = math.log(2 * math.pi) + log_var + jnp.square(z - mean) * jnp.exp(-log_var)
    return -0.5 * jnp.sum(terms, axis=-1)


def mixture_log_prob(
    z: Float[Array, "*rows latent"],
    log_weights: Float[Array, " components"],
    mean: Float[Array, "components latent"],
    log_var: Float[Array, "components latent"],
) -> Float[Array, "*rows"]:
    """Computes log sum_c w_c N(z; mean_c, diag exp(log_var_c)), in nats.

    Args:
      z: points.
      log_weights: log w_c, whose exponentials sum to one.
      mean: means of the components.
      log_var: logarithms of their variances.

    Example:
      >>> half = jnp.log(jnp.array([0.5, 0.5]))
      >>> print(mixture_log_prob(jnp.zeros((1, 1)), half, jnp.array([[-1.0], [1.0]]), jnp.zeros((2, 1))).round(3))
      [-1.419]
    """
    shape = (*z.shape[:-1], *mean.shape)  # [..., components, latent]
    of_components = normal_log_prob(jnp.broadcast_to(z[..., None, :], shape), mean, log_var)
    return jax.nn.logsumexp(jnp.broadcast_to(log_weights, of_components.shape) + of_components, axis=-1)
