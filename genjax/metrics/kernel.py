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


def pair_variance(rows: Float[np.ndarray, "rows features"], columns: Float[np.ndarray, "columns features"]) -> float:
    """Estimates the variance of what a pair adds to its two points, with the kernel of `kernel_sums`.

    That is the second term of Hoeffding's decomposition, E r(x, y)^2 of r(x, y) = k - E[k | x] - E[k | y] + E k: the
    matrix of the kernel, with the means of its rows and columns taken away.

    Args:
      rows: x, at least 2.
      columns: y, at least 2, none of which is one of the rows.

    Example:
      >>> pair_variance(np.array([[0.0], [1.0]]), np.array([[0.0], [1.0]]))
      12.25
    """
    kernel = (rows.astype(np.float64) @ columns.astype(np.float64).T / rows.shape[1] + 1) ** 3  # [n, m]
    rest = kernel - kernel.mean(axis=0) - kernel.mean(axis=1, keepdims=True) + kernel.mean()
    return float(np.square(rest).sum() / ((len(rows) - 1) * (len(columns) - 1)))


def kernel_distance(
    xx: Float[np.ndarray, " n"],
    yy: Float[np.ndarray, " m"],
    xy: Float[np.ndarray, " n"],
    yx: Float[np.ndarray, " m"],
    pairs: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> KernelDistance:
    """Computes the U-statistic of MMD^2 and its error, from sums of the kernel.

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y), where each mean is over distinct pairs (Gretton et al. 2012,
    equation 3). By Hoeffding's decomposition its variance has two terms. The first, with h(x) = E k(x, x') - E k(x, y)
    and likewise h(y), is 4 var h(x) / n + 4 var h(y) / m; the second is P = 2 v(x, x') / (n (n - 1)) + 2 v(y, y') /
    (m (m - 1)) + 4 v(x, y) / (n m), where v is `pair_variance`. h is known from finite sums, which adds 2 P to the
    first term, so P is subtracted once. Where the distributions are equal the first term is zero, and P is all.

    Args:
      xx, yy: for each sample, the sum over all other samples of its own set.
      xy, yx: for each sample, the sum over the other set.
      pairs: v(x, x'), v(y, y') and v(x, y). With zeros the error is an upper bound, by a factor of at most sqrt(2).

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
    first = 4 * np.var(within_x - across_x, ddof=1) / n + 4 * np.var(within_y - across_y, ddof=1) / m
    second = 2 * pairs[0] / (n * (n - 1)) + 2 * pairs[1] / (m * (m - 1)) + 4 * pairs[2] / (n * m)
    return KernelDistance(float(value), float(np.sqrt(max(first - second, second))))
