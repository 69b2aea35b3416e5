"""Networks from data to vectors and from vectors to data. Every family builds its players from these two."""

import math
from collections.abc import Sequence
from typing import cast

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from flax.typing import Initializer

from genjax.layers import ACTIVATIONS
from genjax.types import Array, Key, Params


class Encoder(nn.Module):
    """An MLP from examples `[b, *shape]` to vectors `[b, features]`; no activation after the last layer.

    Attributes:
      hidden: widths of the hidden layers, from the data on.
      features: width of the output.
      activation: of the hidden layers, a name of `layers.ACTIVATIONS`.
    """

    hidden: Sequence[int]
    features: int
    activation: str

    @nn.compact
    def __call__(self, x: Array) -> Array:
        h = x.reshape(x.shape[0], -1)  # [b, d]
        for width in self.hidden:
            h = ACTIVATIONS[self.activation](nn.Dense(width)(h))
        return nn.Dense(self.features)(h)


class Decoder(nn.Module):
    """An MLP from vectors `[b, k]` to data `[b, *shape]`; no activation after the last layer.

    Attributes:
      hidden: widths of the hidden layers, from the code on.
      shape: of one output.
      activation: of the hidden layers, a name of `layers.ACTIVATIONS`.
      bias_init: where the bias of the output starts.
    """

    hidden: Sequence[int]
    shape: tuple[int, ...]
    activation: str
    bias_init: Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(self, z: Array) -> Array:
        h = z
        for width in self.hidden:
            h = ACTIVATIONS[self.activation](nn.Dense(width)(h))
        out = nn.Dense(math.prod(self.shape), bias_init=self.bias_init)(h)
        return out.reshape(-1, *self.shape)


def initial(module: nn.Module, rng: Key, x: Array) -> Params:
    """A module's parameters before training, for inputs like x."""
    return module.init(rng, x)["params"]


def forward(module: nn.Module, params: Params, x: Array) -> Array:
    """A module's output at x."""
    return cast(Array, module.apply({"params": params}, x))


def start_at(values: np.ndarray) -> Initializer:
    """An initialiser of a bias whose values are given; their shape is flattened to the bias's own."""
    return lambda key, shape, dtype=jnp.float32: jnp.asarray(values, dtype).reshape(shape)


def logit(mean: np.ndarray) -> np.ndarray:
    """The logit of a mean clipped to [.001, .999] (Burda et al. 2016), so that sigmoid(logit) is the mean."""
    p = np.clip(mean, 0.001, 0.999)
    return np.log(p / (1 - p))
