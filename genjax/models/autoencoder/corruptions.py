"""What the encoder of a denoising autoencoder sees of an example (Vincent et al. 2008)."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.rng import coarse_uniform
from genjax.types import Key

Examples = Float[Array, "batch *shape"]
Strength = Float[Array, ""] | float


class Corruption(NamedTuple):
    """A corruption of examples.

    Attributes:
      corrupt: a function of a key, the examples x and the strength; it gives x~.
      strength: the hyperparameter that is the strength.
    """

    corrupt: Callable[[Key, Examples, Strength], Examples]
    strength: str


def add_noise(rng: Key, x: Examples, noise: Strength) -> Examples:
    """Computes x + s eps with eps ~ N(0, I) (Vincent et al. 2010, section 3.3).

    Each eps is one of 2^16 quantiles of equal probability, so that it costs half as many random bits; the largest is
    4.3, and the variance is 1 within 1e-4.

    Example:
      >>> print(add_noise(jax.random.key(0), jnp.ones((1, 2)), 0.0))
      [[1. 1.]]
    """
    u = coarse_uniform(rng, x.shape, bits=16)
    return x + noise * math.sqrt(2) * jax.lax.erf_inv(2 * u - 1)


def mask(rng: Key, x: Examples, masked: Strength) -> Examples:
    """Replaces each value by zero with the probability `masked` (Vincent et al. 2008, section 2.3).

    The probability is that of the nearest multiple of 2^-16.

    Example:
      >>> print(mask(jax.random.key(0), jnp.ones((1, 2)), 1.0))
      [[0. 0.]]
    """
    return jnp.where(coarse_uniform(rng, x.shape, bits=16) < masked, 0.0, x)


CORRUPTIONS: dict[str, Corruption | None] = {
    "none": None,
    "gaussian": Corruption(add_noise, "noise"),
    "masking": Corruption(mask, "masked"),
}
