"""The log-likelihood of latent-variable models by importance sampling, in bounded memory for any number of samples."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, Key

from genjax.types import Batch


class Importance(NamedTuple):
    """Estimates for each example, in nats.

    Attributes:
      log_likelihood: log 1/k sum_i w_i. Its expectation is at most log p(x) and grows with k towards it.
      elbo: 1/k sum_i log w_i, which is never above `log_likelihood`.
      relative_variance: the variance of 1/k sum_i w_i over its square. In expectation `log_likelihood` lies below
        log p(x) by about half of it.
    """

    log_likelihood: Float[Array, " batch"]
    elbo: Float[Array, " batch"]
    relative_variance: Float[Array, " batch"]


def importance(
    log_weights: Callable[[Batch, Key[Array, ""], int], Float[Array, "k batch"]],
    batch: Batch,
    rng: Key[Array, ""],
    k: int,
    block: int,
) -> Importance:
    """Estimates log p(x) from k importance weights (Burda et al. 2016, equation 8), summed block by block.

    Let m be the greatest log-weight so far. The sums of w exp(-m) and of w^2 exp(-2m) are carried from block to block,
    and they are scaled down where a block has a greater log-weight. So nothing overflows and no weight is kept.

    Args:
      log_weights: a function of a batch, a key and k; it returns log p(x, z) - log q(z|x) at k draws of z for each
        example.
      batch: examples, as a model sees them.
      rng: key; block i uses it folded with i.
      k: samples for each example.
      block: samples at a time. Where it does not divide k, the surplus of the last block does not count.

    Example:
      >>> batch = Batch(jnp.zeros(1))
      >>> estimate = importance(lambda batch, rng, k: jnp.full((k, 1), -2.0), batch, jax.random.key(0), 8, 4)
      >>> print(estimate.log_likelihood, estimate.elbo)
      [-2.] [-2.]
    """
    block = min(block, k)
    zero = jnp.zeros(batch.x.shape[0])

    def add(sums: tuple[Array, ...], number: Integer[Array, ""]) -> tuple[tuple[Array, ...], None]:
        greatest, total, squares, logs = sums
        log_w = log_weights(batch, jax.random.fold_in(rng, number), block)  # [block, b]
        within_k = (number * block + jnp.arange(block) < k)[:, None]  # [block, 1]
        new_greatest = jnp.maximum(greatest, jnp.max(jnp.where(within_k, log_w, -jnp.inf), axis=0))  # [b]
        w = jnp.where(within_k, jnp.exp(log_w - new_greatest[None]), 0.0)
        rescaling = jnp.exp(greatest - new_greatest)
        total = total * rescaling + jnp.sum(w, axis=0)
        squares = squares * jnp.square(rescaling) + jnp.sum(jnp.square(w), axis=0)
        return (new_greatest, total, squares, logs + jnp.sum(jnp.where(within_k, log_w / k, 0.0), axis=0)), None

    empty = (zero - jnp.inf, zero, zero, zero)
    (greatest, total, squares, logs), _ = jax.lax.scan(add, empty, jnp.arange(-(-k // block)))
    return Importance(greatest + jnp.log(total / k), logs, squares / jnp.square(total) - 1 / k)
