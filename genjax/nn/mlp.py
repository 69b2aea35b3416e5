"""Multilayer perceptrons: networks of fully connected layers, for data of any shape."""

import math
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype, Initializer
from jaxtyping import Array, Float

from genjax.nn.layers import PRECISIONS, append_batch_deviation, dense_layers
from genjax.types import Settings


def encoder(
    settings: Settings, hidden: Sequence[int], shape: tuple[int, ...], features: int, batch_deviation: bool, grid: bool
) -> nn.Module:
    """Builds an encoder; see `networks.encoder`."""
    del shape, grid  # the first layer takes any number of inputs, and the last has no positions
    return Encoder(tuple(hidden), features, settings["activation"], PRECISIONS[settings["precision"]], batch_deviation)


def decoder(
    settings: Settings,
    hidden: Sequence[int],
    shape: tuple[int, ...],
    bias_init: Initializer,
    modulators: int,
    grid: bool,
) -> nn.Module:
    """Builds a decoder; see `networks.decoder`."""
    del modulators, grid  # there is no norm, and the first layer has no positions
    return Decoder(tuple(hidden), shape, settings["activation"], bias_init, PRECISIONS[settings["precision"]])


class Encoder(nn.Module):
    """A network from examples to vectors, without an activation after the last layer.

    Attributes:
      hidden: widths of the hidden layers, beginning at the data.
      features: width of the output.
      activation: of the hidden layers, a name of `layers.ACTIVATIONS`.
      dtype: of the computation; parameters and output are float32.
      batch_deviation: whether the last layer sees how much the examples of a batch differ.
    """

    hidden: Sequence[int]
    features: int
    activation: str
    dtype: Dtype = jnp.float32
    batch_deviation: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "batch ..."]) -> Float[Array, "batch {self.features}"]:
        h = dense_layers(x.reshape(x.shape[0], -1), self.hidden, self.activation, self.dtype)
        self.sow("intermediates", "features", h)
        h = append_batch_deviation(h) if self.batch_deviation else h
        return nn.Dense(self.features, dtype=self.dtype)(h).astype(jnp.float32)


class Decoder(nn.Module):
    """A network from vectors to examples, without an activation after the last layer.

    Attributes:
      hidden: widths of the hidden layers, beginning at the code.
      shape: of one example.
      activation: of the hidden layers, a name of `layers.ACTIVATIONS`.
      bias_init: initialiser of the output's bias, one per value.
      dtype: of the computation; parameters and output are float32.
    """

    hidden: Sequence[int]
    shape: tuple[int, ...]
    activation: str
    bias_init: Initializer = nn.initializers.zeros
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Float[Array, "batch latent"]) -> Float[Array, "batch ..."]:
        h = dense_layers(z, self.hidden, self.activation, self.dtype)
        out = nn.Dense(math.prod(self.shape), bias_init=self.bias_init, dtype=self.dtype)(h)
        return out.reshape(-1, *self.shape).astype(jnp.float32)
