"""Discrepancies between two sets of draws: statistics of both sets."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.types import InputError

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def rbf(squares: Float[Array, "n m"], dimensions: int) -> Float[Array, "n m"]:
    """Computes exp(-||x - y||^2 / 2d); 2d is the mean squared distance of two draws from N(0, I).

    Example:
      >>> print(rbf(jnp.zeros((1, 1)), 2))
      [[1.]]
    """
    return jnp.exp(-squares / (2 * dimensions))


def inverse_multiquadric(squares: Float[Array, "n m"], dimensions: int) -> Float[Array, "n m"]:
    """Computes sum_s C_s / (C_s + ||x - y||^2) with C_s = 2 d s over seven scales (Tolstikhin et al. 2018, section 4).

    Example:
      >>> print(inverse_multiquadric(jnp.zeros((1, 1)), 2))
      [[7.]]
    """
    constants = [2.0 * dimensions * scale for scale in SCALES]
    return sum((constant / (constant + squares) for constant in constants), start=jnp.zeros_like(squares))


KERNELS: dict[str, Callable[[Float[Array, "n m"], int], Float[Array, "n m"]]] = {
    "imq": inverse_multiquadric,
    "rbf": rbf,
}


def maximum_mean_discrepancy(
    x: Float[Array, "n dimensions"], y: Float[Array, "m dimensions"], kernel: str
) -> Float[Array, ""]:
    """Estimates MMD^2, without bias: pairs of a draw with itself are left out (Gretton et al. 2012, lemma 6).

    It is zero in expectation where both sets come from one distribution, and may be negative.

    Args:
      x: draws from one distribution, at least two.
      y: draws from the other, at least two.
      kernel: a name of `KERNELS`.

    Raises:
      InputError: a set has one draw, which makes no pair.

    Example:
      >>> x, y = jnp.zeros((4, 1)), jnp.full((4, 1), 100.0)
      >>> print(maximum_mean_discrepancy(x, y, "rbf").round(3))
      2.0
    """
    if min(len(x), len(y)) < 2:
        raise InputError("a maximum mean discrepancy needs two draws or more: raise train.batch_size")
    function, d = KERNELS[kernel], x.shape[1]
    within = [_mean_off_diagonal(function(_squared_distances(part, part), d)) for part in (x, y)]
    return within[0] + within[1] - 2 * jnp.mean(function(_squared_distances(x, y), d))


def _squared_distances(x: Float[Array, "n dimensions"], y: Float[Array, "m dimensions"]) -> Float[Array, "n m"]:
    """||x||^2 + ||y||^2 - 2 x y', whose product must not be rounded to fewer bits."""
    squares = jnp.sum(jnp.square(x), axis=1)[:, None] + jnp.sum(jnp.square(y), axis=1)[None]
    return jnp.maximum(squares - 2 * jnp.matmul(x, y.T, precision="highest"), 0.0)


def _mean_off_diagonal(values: Float[Array, "n n"]) -> Float[Array, ""]:
    n = len(values)
    return (jnp.sum(values) - jnp.trace(values)) / (n * (n - 1))
