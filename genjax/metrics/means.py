"""Means of per-example values over a whole data set."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer, Key

from genjax.types import Batch


def dataset_means(
    per_example: Callable[[Batch, Key[Array, ""]], dict[str, Float[Array, " batch"]]],
    data: Batch,
    batch: int,
    rng: Key[Array, ""],
) -> dict[str, Float[Array, ""]]:
    """Computes the mean of each value over all examples; each counts once, also in a last batch that is not full.

    Args:
      per_example: a function of a batch and a key, whose result maps a name to a value for each example.
      data: all examples.
      batch: examples at a time.
      rng: key; batch i uses it folded with i.

    Returns:
      The mean under each name.

    Example:
      >>> means = dataset_means(lambda batch, rng: {"square": batch.x**2}, Batch(jnp.arange(3.0)), 2, jax.random.key(0))
      >>> print(means["square"].round(3))
      1.667
    """
    n = data.x.shape[0]
    batch = min(batch, n)
    count = -(-n // batch)
    indices = jnp.arange(count * batch).reshape(count, batch)

    def sums(numbered_batch: tuple[Integer[Array, ""], Integer[Array, " batch"]]) -> dict[str, Float[Array, ""]]:
        number, index = numbered_batch
        examples = jax.tree.map(lambda leaf: leaf[jnp.minimum(index, n - 1)], data)
        values = per_example(examples, jax.random.fold_in(rng, number))
        return {name: jnp.sum(jnp.where(index < n, value, 0.0)) for name, value in values.items()}

    totals = jax.lax.map(sums, (jnp.arange(count), indices))  # {name: [count]}
    return {name: jnp.sum(total) / n for name, total in totals.items()}
