"""Nearest neighbours among features: what precision, recall, density and coverage are made of."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from genjax.types import Array

FEW = 8
GROUPS = (128, *range(127, 63, -1), *range(129, 257))  # of columns, the first that divides them


class Near(NamedTuple):
    """How rows and columns lie to one another.

    Attributes:
      inside: in how many of the columns' balls each row lies, `[n]`.
      held: whether each column lies in the ball of some row, `[1, m]`.
      least: the squared distance from each column to the nearest row, `[1, m]`.
    """

    inside: Array
    covered: Array
    least: Array


def squared_distances(rows: Array, columns: Array) -> Array:
    """||x_i - y_j||^2, `[n, F], [m, F] -> [n, m]`; equal points are at distance zero.

    In few dimensions from the differences, in many from one matrix product, where what is nothing but rounding is zero:
    its error grows with ||x||^2 + ||y||^2, so both should be centred.
    """
    if rows.shape[1] <= FEW:
        by_dimension = zip(rows.T, columns.T, strict=True)
        return functools.reduce(jnp.add, (jnp.square(x[:, None] - y[None, :]) for x, y in by_dimension))
    norms = jnp.sum(jnp.square(rows), axis=1)[:, None] + jnp.sum(jnp.square(columns), axis=1)[None, :]
    squared = norms - 2 * jnp.matmul(rows, columns.T, precision="highest")
    return jnp.where(squared > 1e-6 * norms, squared, 0.0)


def radii(rows: Array, columns: Array, k: int) -> Array:
    """The squared distance of each row, one of the columns, to its k-th nearest column beside itself, `[n]`."""
    return _least(squared_distances(rows, columns), k + 1)[:, k]


def near(rows: Array, row_radius: Array, columns: Array, column_radius: Array) -> Near:
    """All of it from one matrix of distances, with balls of squared radii `[n]` and `[m]` around rows and columns."""
    squared = squared_distances(rows, columns)  # [n, m]
    inside = jnp.matmul((squared < column_radius[None, :]).astype(jnp.float32), jnp.ones(columns.shape[0]))
    covered = jnp.any(squared < row_radius[:, None], axis=0, keepdims=True)
    return Near(inside, covered, jnp.min(squared, axis=0, keepdims=True))


def nearest(rows: Array, columns: Array) -> tuple[Array, Array]:
    """The number of each row's nearest column and the distance to it, `[n]` each."""
    squared = squared_distances(rows, columns)
    return jnp.argmin(squared, axis=1), jnp.sqrt(jnp.min(squared, axis=1))


def _least(values: Array, count: int) -> Array:
    """The least `count` of each row in rising order, `[n, m] -> [n, count]`.

    They lie in the `count` groups of columns with the least minima, so that only those need to be sorted.
    """
    n, m = values.shape
    even = [number for number in GROUPS if m % number == 0]  # padding would copy all of the distances
    number = even[0] if even else GROUPS[0]
    wide = -(-m // number)
    if wide < 4 * count or number <= count:
        return -jax.lax.top_k(-values, count)[0]
    padded = values if even else jnp.pad(values, ((0, 0), (0, wide * number - m)), constant_values=jnp.inf)
    groups = padded.reshape(n, wide, number)
    chosen = jax.lax.top_k(-jnp.min(groups, axis=1), count)[1]  # [n, count]
    members = jnp.take_along_axis(groups, chosen[:, None, :], axis=2)  # [n, wide, count]
    return -jax.lax.top_k(-members.reshape(n, -1), count)[0]
