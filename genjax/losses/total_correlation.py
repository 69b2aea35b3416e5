"""The parts of the rate: mutual information, total correlation and dimension-wise divergence (Chen et al. 2018).

With q(z) = 1/N sum_n q(z|x_n) over the N training examples, the mean rate is

  E KL(q(z|x) || p(z)) = I(x; z) + KL(q(z) || prod_d q(z_d)) + sum_d KL(q(z_d) || p(z_d)).

log q(z) and log prod_d q(z_d) are estimated from a batch: their values are statistics of the batch.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Pairwise = Float[Array, "latent batch batch"]
PerExample = Float[Array, " batch"]


class Decomposition(NamedTuple):
    """The parts of log q(z|x) - log p(z), whose sum they are, in nats per example."""

    mutual_information: PerExample
    total_correlation: PerExample
    dimension_kl: PerExample


def log_pairwise(
    z: Float[Array, "batch latent"], mean: Float[Array, "batch latent"], log_var: Float[Array, "batch latent"]
) -> Pairwise:
    """Computes log q(z_id | x_j) for every dimension d, draw i and example j, in nats.

    Args:
      z: one draw for each example.
      mean: of each example's posterior.
      log_var: the logarithm of its variance.

    Example:
      >>> print(log_pairwise(jnp.zeros((1, 1)), jnp.zeros((1, 1)), jnp.zeros((1, 1))).round(3))
      [[[-0.919]]]
    """
    z, mean, log_var, precision = (_turn(values) for values in (z, mean, log_var, jnp.exp(-log_var)))  # [latent, batch]
    squares = jnp.square(z[:, :, None] - mean[:, None]) * precision[:, None]
    return -0.5 * (math.log(2 * math.pi) + log_var[:, None] + squares)


def minibatch_weighted(pairwise: Pairwise, examples: float) -> tuple[PerExample, PerExample]:
    """Estimates log q(z) and log prod_d q(z_d) by minibatch-weighted sampling (Chen et al. 2018, section 3.1).

    Both take log(N B) off a logarithm of a sum over the batch of B: q(z) once, the product once in each dimension.

    The estimate is biased: every example of the batch has the weight 1 / (N B), but without bias the draw's own example
    has 1/N and each of the others about 1/B. Where many posteriors cover a draw, log q(z) is therefore too small by
    log N, the logarithm of the product by log N in each dimension, and the total correlation is too large by
    (latent - 1) log N. Such a constant has no gradient. `minibatch_stratified` has no such bias.

    Args:
      pairwise: from `log_pairwise`.
      examples: N, of the training split.

    Example:
      >>> log_q, log_product = minibatch_weighted(jnp.zeros((3, 2, 2)), 10.0)
      >>> round(float(log_q[0]), 3), round(float(log_product[0]), 3)  # log 2/20, and three times that
      (-2.303, -6.908)
    """
    total = math.log(pairwise.shape[1] * examples)
    log_q = jax.nn.logsumexp(jnp.sum(pairwise, axis=0), axis=1) - total
    return log_q, jnp.sum(_log_sum_exp(pairwise) - total, axis=0)


def minibatch_stratified(pairwise: Pairwise, examples: float) -> tuple[PerExample, PerExample]:
    """Estimates log q(z) and log prod_d q(z_d) by minibatch-stratified sampling (Chen et al. 2018, appendix C.2).

    The draw's own example, on the diagonal, has the weight 1/N of its stratum; the B - 1 others share the remaining
    (N - 1) / N. The paper gives one of the others a weight of its own, so that the weights have the same sum; this is
    its mean over which one it is: q(z) is estimated without bias too, with less variance, and exactly where B = N.

    Args:
      pairwise: from `log_pairwise`, of at least two examples.
      examples: N, of the training split.

    Example:
      >>> log_q, log_product = minibatch_stratified(jnp.zeros((3, 2, 2)), 10.0)
      >>> print(abs(log_q.round(3)), abs(log_product.round(3)))  # the weights sum to one
      [0. 0.] [0. 0.]
    """
    b = pairwise.shape[1]
    others = math.log((examples - 1) / (examples * max(b - 1, 1))) if examples > 1 else -math.inf
    log_weights = jnp.where(jnp.eye(b, dtype=bool), -math.log(examples), others)  # [b, b]
    log_q = jax.nn.logsumexp(log_weights + jnp.sum(pairwise, axis=0), axis=1)
    return log_q, jnp.sum(_log_sum_exp(log_weights[None] + pairwise), axis=0)


def decompose(
    log_posterior: PerExample, log_q: PerExample, log_product: PerExample, log_prior: PerExample
) -> Decomposition:
    """Computes the parts of log q(z|x) - log p(z) at one draw for each example (Chen et al. 2018, equation 2).

    Args:
      log_posterior: log q(z|x).
      log_q: log q(z).
      log_product: log prod_d q(z_d).
      log_prior: log p(z).

    Example:
      >>> parts = decompose(*(jnp.array([value]) for value in (6.0, 3.0, 2.0, 0.0)))
      >>> [float(part[0]) for part in parts]
      [3.0, 1.0, 2.0]
    """
    return Decomposition(log_posterior - log_q, log_q - log_product, log_product - log_prior)


def _log_sum_exp(pairwise: Pairwise) -> Float[Array, "latent batch"]:
    """Computes log sum_j exp of each dimension d and draw i, without the pass over all that finds the greatest.

    The draw's own example stands for the greatest: in one dimension no other density is e^88 times as great.
    """
    own = jax.lax.stop_gradient(jnp.diagonal(pairwise, axis1=1, axis2=2))  # [latent, b]
    densities = jnp.exp(pairwise - own[..., None])
    return own + jnp.log(jnp.matmul(densities, jnp.ones(pairwise.shape[1]), precision="highest"))


def _turn(values: Float[Array, "batch latent"]) -> Float[Array, "latent batch"]:
    """Transposes by a product with the identity, so that the result lies in memory as it is read.

    A transpose of its own is fused into the loop over all pairs, which then reads with strides and is not vectorised.
    """
    return jnp.matmul(jnp.eye(values.shape[1]), values.T, precision="highest")
