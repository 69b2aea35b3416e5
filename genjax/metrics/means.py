"""Means of per-example values over a whole data set."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from genjax.types import Array, Batch, Key


def dataset_means(
    per_example: Callable[[Batch, Key], dict[str, Array]], data: Batch, batch: int, rng: Key
) -> dict[str, Array]:
    """The mean of each value over every example exactly once, whatever is left for the last batch.

    Args:
      per_example: `(batch of [b, ...], rng) -> {name: [b]}`.
      data: `[n, ...]`.
      batch: examples at a time.
      rng: batch i sees it folded with i.

    Returns:
      `{name: scalar}`.
    """
    n = data.x.shape[0]
    batch = min(batch, n)
    count = -(-n // batch)
    indices = jnp.arange(count * batch).reshape(count, batch)

    def sums(numbered: tuple[Array, Array]) -> dict[str, Array]:
        number, index = numbered
        examples = jax.tree.map(lambda leaf: leaf[jnp.minimum(index, n - 1)], data)
        values = per_example(examples, jax.random.fold_in(rng, number))
        return {name: jnp.sum(jnp.where(index < n, value, 0.0)) for name, value in values.items()}

    totals = jax.lax.map(sums, (jnp.arange(count), indices))  # {name: [count]}
    return {name: jnp.sum(total) / n for name, total in totals.items()}
