"""The log-likelihood of latent-variable models by importance sampling, in bounded memory for any number of samples."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from genjax.types import Array, Batch, Key


class Importance(NamedTuple):
    """Of each example, `[b]`, nats.

    Attributes:
      log_likelihood: log 1/k sum_i w_i, which is at most log p(x) in expectation, and grows with k towards it.
      elbo: 1/k sum_i log w_i, never above it.
      relative_variance: of 1/k sum_i w_i over its square; half of it is about what `log_likelihood` falls short by.
    """

    log_likelihood: Array
    elbo: Array
    relative_variance: Array


def importance(
    log_weights: Callable[[Batch, Key, int], Array], batch: Batch, rng: Key, k: int, block: int
) -> Importance:
    """log p(x) from k importance weights (Burda et al. 2016, section 3), summed block by block as they are drawn.

    With m the greatest log-weight so far, the sums of w exp(-m) and w^2 exp(-2m) are carried and scaled down when a
    greater one comes, so nothing overflows and no weight is kept.

    Args:
      log_weights: `(batch, rng, k) -> [k, b]`, log p(x, z) - log q(z|x) at k draws.
      batch: `[b, ...]`, as a model sees it.
      rng: block i sees it folded with i.
      k: samples an example.
      block: samples at a time; the last block may be drawn in part only.
    """
    block = min(block, k)
    zero = jnp.zeros(batch.x.shape[0])

    def add(sums: tuple[Array, ...], number: Array) -> tuple[tuple[Array, ...], None]:
        top, total, squares, logs = sums
        log_w = log_weights(batch, jax.random.fold_in(rng, number), block)  # [block, b]
        counts = (number * block + jnp.arange(block) < k)[:, None]  # [block, 1]
        higher = jnp.maximum(top, jnp.max(jnp.where(counts, log_w, -jnp.inf), axis=0))  # [b]
        w = jnp.where(counts, jnp.exp(log_w - higher[None]), 0.0)
        shrink = jnp.exp(top - higher)
        total = total * shrink + jnp.sum(w, axis=0)
        squares = squares * jnp.square(shrink) + jnp.sum(jnp.square(w), axis=0)
        return (higher, total, squares, logs + jnp.sum(jnp.where(counts, log_w / k, 0.0), axis=0)), None

    first = (zero - jnp.inf, zero, zero, zero)
    (top, total, squares, logs), _ = jax.lax.scan(add, first, jnp.arange(-(-k // block)))
    return Importance(top + jnp.log(total / k), logs, squares / jnp.square(total) - 1 / k)
