"""Names and ticks that all figures share: of latent dimensions, counts, steps and ranks."""

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axis import Axis


def latent_name(dimension: int) -> str:
    """The name of a latent dimension, numbered from 0.

    Example:
      >>> latent_name(12)
      'z₁₂'
    """
    return "z" + "".join(chr(ord("\N{SUBSCRIPT ZERO}") + int(digit)) for digit in str(dimension))


def are_counts(values: np.ndarray) -> bool:
    """Whether all finite values are whole numbers, and there is one.

    Example:
      >>> are_counts(np.array([1.0, 8.0, np.nan])), are_counts(np.array([0.5, 1.0]))
      (True, False)
    """
    finite = values[np.isfinite(values)]
    return bool(len(finite) and (finite == np.rint(finite)).all())


def tick_counts(axis: "Axis", values: np.ndarray) -> None:
    """Puts ticks on whole numbers alone where the values `[...]` of an axis are counts."""
    from matplotlib.ticker import MaxNLocator

    if are_counts(values):
        axis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))


def tick_steps(axis: "Axis") -> None:
    """Puts ticks on round numbers of steps."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axis.set_major_formatter("{x:,.0f}")


def rank_ticks(count: int) -> np.ndarray:
    """At most six ranks from 1 to `count`, all at the same distance from the next.

    Example:
      >>> rank_ticks(6).tolist(), rank_ticks(16).tolist()
      ([1, 2, 3, 4, 5, 6], [1, 4, 7, 10, 13, 16])
    """
    return np.arange(1, count + 1, max(1, math.ceil((count - 1) / 5)))
