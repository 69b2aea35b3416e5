"""What a feature map is, and how it is applied to a whole data set."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from genjax.types import Array


class Features(NamedTuple):
    """A fixed map from examples to the vectors that distances between distributions are measured in.

    Attributes:
      name: as the user wrote it: `pixels`, `pca:64` or `classifier:mnist`.
      digest: 16 hex digits of a SHA-256 that tell two maps of one name apart; empty for `pixels`.
      size: of a vector.
      extract: `(images [b, *shape], float32 in [0, 1], or points [b, D]) -> [b, size]`, pure.
      classify: `(images) -> logits [b, C]`, or None.
    """

    name: str
    digest: str
    size: int
    extract: Callable[[Array], Array]
    classify: Callable[[Array], Array] | None = None


def extract_all(features: Features, x: np.ndarray, batch: int = 500) -> np.ndarray:
    """The features of all examples: `[n, *shape]` -> `[n, size]`."""
    return over_batches(features.extract, x, batch)


def over_batches(function: Callable[[Array], Array], x: np.ndarray, batch: int = 500) -> np.ndarray:
    """A pure function of a batch applied to all examples, by one program: the last batch repeats its last example.

    Args:
      function: `[b, *shape] -> [b, ...]`, each row of its own example alone.
      x: `[n, *shape]`, n at least 1.
      batch: examples at a time.

    Returns:
      `[n, ...]`.
    """
    n, run = len(x), jax.jit(function)
    places = np.minimum(np.arange(-(-n // batch) * batch), n - 1).reshape(-1, batch)
    return np.concatenate([np.asarray(run(x[place])) for place in places])[:n]
