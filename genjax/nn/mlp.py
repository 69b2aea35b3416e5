"""Networks of fully connected layers, for data of any shape."""

import math
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype, Initializer

from genjax.nn.layers import ACTIVATIONS, PRECISIONS
from genjax.types import Array, Settings

IDLE = ("channels", "norm", "upsampling")  # the settings that act on other networks only


def encoder(settings: Settings, hidden: Sequence[int], shape: tuple[int, ...], features: int) -> nn.Module:
    """As `networks.encoder`."""
    del shape  # any will do
    return Encoder(tuple(hidden), features, settings["activation"], PRECISIONS[settings["precision"]])


def decoder(settings: Settings, hidden: Sequence[int], shape: tuple[int, ...], bias_init: Initializer) -> nn.Module:
    """As `networks.decoder`."""
    return Decoder(tuple(hidden), shape, settings["activation"], bias_init, PRECISIONS[settings["precision"]])


class Encoder(nn.Module):
    """From examples `[b, *shape]` to vectors `[b, features]`; no activation after the last layer.

    Attributes:
      hidden: widths of the hidden layers, from the data on.
      features: width of the output.
      activation: of the hidden layers, a name of `layers.ACTIVATIONS`.
      dtype: of the computation; parameters and output are float32.
    """

    hidden: Sequence[int]
    features: int
    activation: str
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        h = x.reshape(x.shape[0], -1)  # [b, d]
        for width in self.hidden:
            h = ACTIVATIONS[self.activation](nn.Dense(width, dtype=self.dtype)(h))
        return nn.Dense(self.features, dtype=self.dtype)(h).astype(jnp.float32)


class Decoder(nn.Module):
    """From vectors `[b, k]` to data `[b, *shape]`; no activation after the last layer.

    Attributes:
      hidden: widths of the hidden layers, from the code on.
      shape: of one output.
      activation: of the hidden layers, a name of `layers.ACTIVATIONS`.
      bias_init: where the bias of the output starts.
      dtype: of the computation; parameters and output are float32.
    """

    hidden: Sequence[int]
    shape: tuple[int, ...]
    activation: str
    bias_init: Initializer = nn.initializers.zeros
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, z: Array) -> Array:
        h = z
        for width in self.hidden:
            h = ACTIVATIONS[self.activation](nn.Dense(width, dtype=self.dtype)(h))
        out = nn.Dense(math.prod(self.shape), bias_init=self.bias_init, dtype=self.dtype)(h)
        return out.reshape(-1, *self.shape).astype(jnp.float32)
