"""Functions of many rows in the memory of a few."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Values of a result that are computed at a time. Layers before the last hold several times as many: 2,500 samples of
# 64x64 pixels took 0.9 GB of scratch at once, and as much again for each trial beside them.
VALUES = 2**18


def map_rows(function: Callable[[Any], Float[Array, "n ..."]], rows: Any) -> Float[Array, "n ..."]:
    """Computes `function(rows)`, where that is large block by block.

    Args:
      function: of a tree of `[b, ...]`; it returns `[b, ...]`, in which a row depends on its own row alone.
      rows: a tree of `[n, ...]`.

    Example:
      >>> map_rows(lambda z: jnp.ones((len(z), 512, 512)) * z[:, None, None], jnp.arange(3.0)).shape
      (3, 512, 512)
    """
    n, *event = jax.eval_shape(function, rows).shape
    block = max(1, VALUES // max(1, math.prod(event)))
    if n <= block:
        return function(rows)
    count = -(-n // block)
    index = jnp.minimum(jnp.arange(count * block), n - 1).reshape(count, block)  # the last block repeats the last row
    results = jax.lax.map(lambda part: function(jax.tree.map(lambda leaf: leaf[part], rows)), index)
    return results.reshape(count * block, *event)[:n]
