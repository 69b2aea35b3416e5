"""A compiled function over any number of rows, in blocks of two sizes: so it is compiled at most twice."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

FEW, MANY = 16, 256  # rows of a block


def in_blocks(program: Callable[[Any], Any], rows: Any) -> Any:
    """`program(rows)` for any number of rows, on the host.

    Args:
      program: `(tree of [b, ...]) -> tree of [b, ...]`; its result for a row may depend on no other row.
      rows: a tree of `[n, ...]` arrays on the host.

    Example:
      >>> in_blocks(lambda x: 2 * x, np.arange(3))
      array([0, 2, 4])
    """
    n = len(jax.tree.leaves(rows)[0])
    block = FEW if n <= FEW else MANY
    if not n:  # the shapes of the results are those of one row
        rows = jax.tree.map(lambda leaf: np.zeros((1, *leaf.shape[1:]), leaf.dtype), rows)
    results = []
    for start in range(0, max(n, 1), block):
        index = np.minimum(np.arange(start, start + block), max(n, 1) - 1)  # the last block repeats the last row
        results.append(jax.tree.map(np.asarray, program(jax.tree.map(lambda leaf, index=index: leaf[index], rows))))
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *results)
