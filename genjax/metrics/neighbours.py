"""Nearest neighbours among features, from which precision, recall, density and coverage are computed."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer

Rows = Float[Array, "rows features"]
Columns = Float[Array, "columns features"]

FEW_DIMENSIONS = 8
GROUP_COUNTS = (128, *range(127, 63, -1), *range(129, 257))  # in order of preference


class Neighbourhoods(NamedTuple):
    """What balls around rows and columns contain.

    Attributes:
      inside: for each row, the number of columns in whose ball it lies.
      covered: for each column, whether it lies in the ball of a row.
      nearest_squared: for each column, the squared distance to the nearest row.
    """

    inside: Float[Array, " rows"]
    covered: Bool[Array, "1 columns"]
    nearest_squared: Float[Array, "1 columns"]


def squared_distances(rows: Rows, columns: Columns) -> Float[Array, "rows columns"]:
    """Computes ||x_i - y_j||^2; equal points have distance zero.

    In few dimensions the distances are sums of squared differences. In many they come from one matrix product, whose
    rounding error grows with ||x||^2 + ||y||^2, so both sets should be centred. Values within that error become zero.

    Args:
      rows: x.
      columns: y.

    Example:
      >>> print(squared_distances(jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0], [0.0, 0.0]])))
      [[25.  0.]]
    """
    if rows.shape[1] <= FEW_DIMENSIONS:
        by_dimension = zip(rows.T, columns.T, strict=True)
        return functools.reduce(jnp.add, (jnp.square(x[:, None] - y[None, :]) for x, y in by_dimension))
    norms = jnp.sum(jnp.square(rows), axis=1)[:, None] + jnp.sum(jnp.square(columns), axis=1)[None, :]
    squared = norms - 2 * jnp.matmul(rows, columns.T, precision="highest")
    return jnp.where(squared > 1e-6 * norms, squared, 0.0)


def radii(rows: Rows, columns: Columns, k: int) -> Float[Array, " rows"]:
    """Computes the squared distance of each row to its k-th nearest column, where the row itself is one of the columns.

    Example:
      >>> points = jnp.array([[0.0], [1.0], [3.0]])
      >>> print(radii(points, points, 1))
      [1. 1. 4.]
    """
    return smallest_in_rows(squared_distances(rows, columns), k + 1)[:, k]


def neighbourhoods(
    rows: Rows, row_radius: Float[Array, " rows"], columns: Columns, column_radius: Float[Array, " columns"]
) -> Neighbourhoods:
    """Computes what the balls around rows and columns contain, from one matrix of distances.

    Args:
      rows: centres of the first balls.
      row_radius: their squared radii.
      columns: centres of the second balls.
      column_radius: their squared radii.

    Example:
      >>> result = neighbourhoods(jnp.zeros((1, 1)), jnp.full(1, 4.0), jnp.array([[1.0], [5.0]]), jnp.full(2, 9.0))
      >>> print(result.inside, result.covered, result.nearest_squared)
      [1.] [[ True False]] [[ 1. 25.]]
    """
    squared = squared_distances(rows, columns)  # [n, m]
    inside = jnp.matmul((squared < column_radius[None, :]).astype(jnp.float32), jnp.ones(columns.shape[0]))
    covered = jnp.any(squared < row_radius[:, None], axis=0, keepdims=True)
    return Neighbourhoods(inside, covered, jnp.min(squared, axis=0, keepdims=True))


def precision_recall_coverage(x: Columns, y: Rows, k: int) -> dict[str, Float[Array, ""]]:
    """Computes how far samples stay near the data, and how much of the data is near samples.

    A ball reaches from each point to its k-th nearest neighbour in its own set. `precision` is the share of samples in
    a ball of the data, and `recall` that of data in a ball of the samples (Kynkaanniemi et al. 2019, equation 1).
    `coverage` is the share of the data's balls that hold a sample (Naeem et al. 2020, equation 4). Samples of few modes
    have a small recall and a small coverage. Scattered samples have large balls, so a large recall, but no coverage.

    Args:
      x: data.
      y: samples.
      k: less than the number of points in either set.

    Example:
      >>> data, samples = jnp.array([[0.0], [1.0], [10.0], [11.0]]), jnp.array([[0.5], [0.7], [0.9], [1.2]])
      >>> {name: float(share) for name, share in precision_recall_coverage(data, samples, k=1).items()}
      {'precision': 1.0, 'recall': 0.25, 'coverage': 0.5}
    """
    centre = jnp.mean(x, axis=0, keepdims=True)
    x, y = x - centre, y - centre
    reach = radii(x, x, k)
    near = neighbourhoods(y, radii(y, y, k), x, reach)
    return {
        "precision": jnp.mean(near.inside > 0),
        "recall": jnp.mean(near.covered),
        "coverage": jnp.mean(near.nearest_squared[0] < reach),
    }


def nearest(rows: Rows, columns: Columns) -> tuple[Integer[Array, " rows"], Float[Array, " rows"]]:
    """Computes the index of each row's nearest column, and the distance to it.

    Example:
      >>> index, distance = nearest(jnp.array([[4.0]]), jnp.array([[0.0], [5.0]]))
      >>> print(index, distance)
      [1] [1.]
    """
    squared = squared_distances(rows, columns)
    return jnp.argmin(squared, axis=1), jnp.sqrt(jnp.min(squared, axis=1))


def smallest_in_rows(values: Float[Array, "rows columns"], count: int) -> Float[Array, "rows {count}"]:
    """Finds the `count` smallest values of each row, in rising order.

    The columns are divided into groups. The values lie in the `count` groups with the smallest minima, so only those
    groups are sorted.

    Example:
      >>> print(smallest_in_rows(jnp.array([[3.0, 1.0, 2.0]]), 2))
      [[1. 2.]]
    """
    n, m = values.shape
    divisors = [number for number in GROUP_COUNTS if m % number == 0]  # padding would copy all of the values
    groups = divisors[0] if divisors else GROUP_COUNTS[0]
    size = -(-m // groups)
    if size < 4 * count or groups <= count:
        return -jax.lax.top_k(-values, count)[0]
    padded = values if divisors else jnp.pad(values, ((0, 0), (0, size * groups - m)), constant_values=jnp.inf)
    grouped = padded.reshape(n, size, groups)
    best_groups = jax.lax.top_k(-jnp.min(grouped, axis=1), count)[1]  # [n, count]
    members = jnp.take_along_axis(grouped, best_groups[:, None, :], axis=2)  # [n, size, count]
    return -jax.lax.top_k(-members.reshape(n, -1), count)[0]
