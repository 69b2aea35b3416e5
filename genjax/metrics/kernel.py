"""The kernel distance KID: an unbiased estimate of a squared maximum mean discrepancy, with its standard error."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from genjax.types import Array


class KernelDistance(NamedTuple):
    """The estimate and its standard error; it may be negative where the distributions are equal."""

    value: float
    error: float


def kernel_sums(rows: Array, columns: Array) -> Array:
    """sum_j k(x_i, y_j) of the kernel k(x, y) = (x . y / F + 1)^3 (Binkowski et al. 2018), `[n, F], [m, F] -> [n]`."""
    kernel = (jnp.matmul(rows, columns.T, precision="highest") / rows.shape[1] + 1) ** 3  # [n, m]
    return jnp.matmul(kernel, jnp.ones(columns.shape[0]), precision="highest")


def self_kernel(rows: Array) -> Array:
    """k(x_i, x_i), `[n, F] -> [n]`."""
    return (jnp.sum(jnp.square(rows), axis=1) / rows.shape[1] + 1) ** 3


def kernel_distance(xx: np.ndarray, yy: np.ndarray, xy: np.ndarray, yx: np.ndarray) -> KernelDistance:
    """The U-statistic of MMD^2 and its error, from sums of the kernel.

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y), each mean over distinct pairs (Gretton et al. 2012, equation 3). Its
    variance is that of the first terms of Hoeffding's decomposition, h(x) = E k(x, x') - E k(x, y) and likewise of y:
    4 var h(x) / n + 4 var h(y) / m. Where the distributions are equal that is an upper bound.

    Args:
      xx, yy: sums over all other members of the own set, `[n]`, `[m]`.
      xy, yx: sums over the other set, `[n]`, `[m]`.

    Raises:
      ValueError: fewer than two samples in a set.
    """
    n, m = len(xx), len(yy)
    if min(n, m) < 2:
        raise ValueError(f"the kernel distance needs two samples or more of each set, not {min(n, m)}")
    within_x, within_y = (np.asarray(s, np.float64) / (len(s) - 1) for s in (xx, yy))
    across_x, across_y = np.asarray(xy, np.float64) / m, np.asarray(yx, np.float64) / n
    value = within_x.mean() + within_y.mean() - 2 * across_x.mean()
    variance = np.var(within_x - across_x, ddof=1) / n + np.var(within_y - across_y, ddof=1) / m
    return KernelDistance(float(value), float(2 * np.sqrt(variance)))
