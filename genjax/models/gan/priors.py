"""Distributions of h, the generator's input, in training and for samples."""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jaxtyping import Array, Float

from genjax.types import Hparams, Key

Draw = Callable[[Key, tuple[int, int], Hparams], Float[Array, "n latent"]]


class Prior(NamedTuple):
    """A distribution of h.

    Attributes:
      train: `(rng, shape, hparams) -> h`, what both players see in training.
      sample: the same for samples and evaluation.
      hparams: that it reads.
    """

    train: Draw
    sample: Draw
    hparams: tuple[str, ...] = ()


def normal(rng: Key, shape: tuple[int, int], hparams: Hparams) -> Float[Array, "n latent"]:
    """Draws h ~ N(0, I)."""
    del hparams
    return jax.random.normal(rng, shape)


def uniform(rng: Key, shape: tuple[int, int], hparams: Hparams) -> Float[Array, "n latent"]:
    """Draws h from the cube [-1, 1]^latent."""
    del hparams
    return jax.random.uniform(rng, shape, minval=-1.0)


def truncated_normal(rng: Key, shape: tuple[int, int], hparams: Hparams) -> Float[Array, "n latent"]:
    """Draws h from N(0, I) without what lies beyond `truncation` in any dimension (Brock et al. 2019, section 3.1)."""
    return jax.random.truncated_normal(rng, -hparams["truncation"], hparams["truncation"], shape)


PRIORS = {
    "normal": Prior(normal, normal),
    "uniform": Prior(uniform, uniform),
    "truncated": Prior(normal, truncated_normal, ("truncation",)),
}
