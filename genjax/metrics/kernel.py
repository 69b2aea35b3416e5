"""The kernel distance KID: an unbiased estimate of a squared maximum mean discrepancy, with its standard error."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class KernelDistance(NamedTuple):
    """The estimate, which may be negative where the distributions are equal, and its standard error."""

    value: float
    error: float


def kernel_sums(
    rows: Float[Array, "rows features"], columns: Float[Array, "columns features"]
) -> Float[Array, " rows"]:
    """Computes sum_j k(x_i, y_j) of the kernel k(x, y) = (x . y / F + 1)^3 over F features (Binkowski et al. 2018).

    Args:
      rows: x.
      columns: y.

    Example:
      >>> print(kernel_sums(jnp.ones((1, 4)), jnp.zeros((3, 4))))
      [3.]
    """
    kernel = (jnp.matmul(rows, columns.T, precision="highest") / rows.shape[1] + 1) ** 3  # [n, m]
    return jnp.matmul(kernel, jnp.ones(columns.shape[0]), precision="highest")


def self_kernel(rows: Float[Array, "rows features"]) -> Float[Array, " rows"]:
    """Computes k(x_i, x_i), with the kernel of `kernel_sums`.

    Example:
      >>> print(self_kernel(jnp.ones((1, 4))))
      [8.]
    """
    return (jnp.sum(jnp.square(rows), axis=1) / rows.shape[1] + 1) ** 3


def kernel_distance(
    xx: Float[np.ndarray, " n"],
    yy: Float[np.ndarray, " m"],
    xy: Float[np.ndarray, " n"],
    yx: Float[np.ndarray, " m"],
) -> KernelDistance:
    """Computes the U-statistic of MMD^2 and its error, from sums of the kernel.

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y), where each mean is over distinct pairs (Gretton et al. 2012,
    equation 3). The error is that of the first terms of Hoeffding's decomposition: with h(x) = E k(x, x') - E k(x, y)
    and likewise h(y), the variance is 4 var h(x) / n + 4 var h(y) / m. Where the distributions are equal it is an upper
    bound.

    Args:
      xx, yy: for each sample, the sum over all other samples of its own set.
      xy, yx: for each sample, the sum over the other set.

    Raises:
      ValueError: a set has fewer than two samples.

    Example:
      >>> kernel_distance(np.full(2, 8.0), np.full(2, 1.0), np.full(2, 2.0), np.full(2, 2.0))
      KernelDistance(value=7.0, error=0.0)
    """
    n, m = len(xx), len(yy)
    if min(n, m) < 2:
        raise ValueError(f"the kernel distance needs two samples or more of each set, not {min(n, m)}")
    within_x, within_y = (np.asarray(s, np.float64) / (len(s) - 1) for s in (xx, yy))
    across_x, across_y = np.asarray(xy, np.float64) / m, np.asarray(yx, np.float64) / n
    value = within_x.mean() + within_y.mean() - 2 * across_x.mean()
    variance = np.var(within_x - across_x, ddof=1) / n + np.var(within_y - across_y, ddof=1) / m
    return KernelDistance(float(value), float(2 * np.sqrt(variance)))
