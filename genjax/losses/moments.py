"""Statistics of a batch of codes: their covariance, and codes whose dimensions are made independent."""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

Codes = Float[Array, "batch latent"]


def dip_penalty_parts(
    mean: Codes, log_var: Codes, kind: Literal["i", "ii"] | str
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Computes the parts of the penalty of DIP-VAE (Kumar et al. 2018, equations 6 and 7).

    C is the covariance over the batch of mu, for kind 'i'; for kind 'ii' the mean of diag sigma^2 is added, which makes
    it the covariance of z. Both parts are statistics of the batch.

    Args:
      mean: mu of each example's posterior.
      log_var: the logarithm of its variance.
      kind: 'i' or 'ii'.

    Returns:
      The sum of the squares of C's entries off the diagonal, and the sum of (C_dd - 1)^2.

    Example:
      >>> mean = jnp.array([[1.0, 1.0], [-1.0, -1.0]])
      >>> [float(part) for part in dip_penalty_parts(mean, jnp.zeros((2, 2)), "i")]
      [2.0, 0.0]
    """
    centred = mean - jnp.mean(mean, axis=0, keepdims=True)
    covariance = jnp.matmul(centred.T, centred, precision="highest") / len(mean)  # [latent, latent]
    diagonal = jnp.diagonal(covariance)
    off_diagonal = jnp.sum(jnp.square(covariance - jnp.diag(diagonal)))
    if kind == "ii":
        diagonal = diagonal + jnp.mean(jnp.exp(log_var), axis=0)
    return off_diagonal, jnp.sum(jnp.square(diagonal - 1))


def permute_dimensions(rng: Key[Array, ""], z: Codes) -> Codes:
    """Permutes each dimension over the batch by itself, which keeps the marginals (Kim & Mnih 2018, algorithm 1).

    Example:
      >>> z = permute_dimensions(jax.random.key(0), jnp.arange(8.0).reshape(4, 2))
      >>> sorted(z[:, 0].tolist())
      [0.0, 2.0, 4.0, 6.0]
    """
    return jax.random.permutation(rng, z, axis=0, independent=True)
