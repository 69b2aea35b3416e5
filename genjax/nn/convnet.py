"""Convolutional networks for square images.

The layers are strided convolutions as in DCGAN (Radford et al. 2016), alone or with residual blocks (He et al. 2016)
between. An encoder halves an image until at most 7 pixels a side are left (28, 14, 7; 64, 32, 16, 8, 4; 27, 14, 7).
Its first convolution has `channels` channels, and each further one has twice as many. A decoder takes the same sizes in
the other order; where a size is odd, it cuts off a row and a column.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype, Initializer
from jaxtyping import Array, Float

from genjax.nn.layers import ACTIVATIONS, NORMS, PRECISIONS, UPSAMPLINGS, Conv, add_bias
from genjax.types import InputError, Settings

LARGEST_CODE = 7  # pixels a side at which halving ends
LEAST_SIZE = 8  # pixels a side of the smallest images
SETTINGS = ("channels", "norm", "upsampling")  # the settings that no other network reads


def encoder(settings: Settings, hidden: Sequence[int], shape: tuple[int, ...], features: int, blocks: int) -> nn.Module:
    """Builds an encoder with residual blocks; see `networks.encoder`."""
    del hidden  # convolutions have channels instead
    _require_square_images(settings, shape)
    return Encoder(features, blocks, **_shared_attributes(settings))


def decoder(
    settings: Settings, hidden: Sequence[int], shape: tuple[int, ...], bias_init: Initializer, blocks: int
) -> nn.Module:
    """Builds a decoder with residual blocks; see `networks.decoder`."""
    del hidden
    _require_square_images(settings, shape)
    return Decoder(
        shape, blocks, **_shared_attributes(settings), upsampling=settings["upsampling"], bias_init=bias_init
    )


def sizes(size: int) -> list[int]:
    """Lists the sides of an image as it is halved.

    Example:
      >>> sizes(28)
      [28, 14, 7]
    """
    sides = [size]
    while sides[-1] > LARGEST_CODE:
        sides.append(-(-sides[-1] // 2))
    return sides


class Encoder(nn.Module):
    """A network from square images to vectors, without an activation after the last layer.

    Attributes:
      features: width of the output.
      blocks: residual blocks after each convolution that halves.
      channels: of the first convolution.
      activation, norm: after each hidden convolution, names of `layers.ACTIVATIONS` and `layers.NORMS`.
      dtype: of the computation; parameters and output are float32.
    """

    features: int
    blocks: int
    channels: int
    activation: str
    norm: str
    dtype: Dtype

    @nn.compact
    def __call__(self, x: Float[Array, "batch side side channels"]) -> Float[Array, "batch {self.features}"]:
        norm_activation = _norm_activation(self.activation, self.norm, self.dtype)
        for level in range(len(sizes(x.shape[1])) - 1):
            x = norm_activation(
                Conv(self.channels * 2**level, (4, 4), (2, 2), dtype=self.dtype)(x)
            )  # [b, h/2, h/2, 2c]
            for _ in range(self.blocks):
                x = residual_block(x, norm_activation, self.dtype)
        return nn.Dense(self.features, dtype=self.dtype)(x.reshape(x.shape[0], -1)).astype(jnp.float32)


class Decoder(nn.Module):
    """A network from vectors to square images, without an activation after the last layer.

    Attributes:
      shape: of one image, `(h, h, ...)`.
      blocks: residual blocks before each doubling.
      channels: of the last hidden layer.
      activation, norm: after each hidden layer, names of `layers.ACTIVATIONS` and `layers.NORMS`.
      dtype: of the computation; parameters and output are float32.
      upsampling: a name of `layers.UPSAMPLINGS`.
      bias_init: initialiser of the output's bias, one per value.
    """

    shape: tuple[int, ...]
    blocks: int
    channels: int
    activation: str
    norm: str
    dtype: Dtype
    upsampling: str
    bias_init: Initializer

    @nn.compact
    def __call__(self, z: Float[Array, "batch latent"]) -> Float[Array, "batch side side ..."]:
        norm_activation, up = _norm_activation(self.activation, self.norm, self.dtype), UPSAMPLINGS[self.upsampling]
        *larger, smallest = sizes(self.shape[0])  # for example [28, 14], 7
        width = self.channels * 2 ** (len(larger) - 1)
        x = nn.Dense(smallest * smallest * width, dtype=self.dtype)(z).reshape(-1, smallest, smallest, width)
        for level, size in reversed(list(enumerate(larger))):
            x = norm_activation(x)
            for _ in range(self.blocks):
                x = residual_block(x, norm_activation, self.dtype)
            width = self.channels * 2 ** (level - 1) if level else math.prod(self.shape[2:])
            x = up(x, width, level > 0, self.dtype)[:, :size, :size]  # [b, 2h, 2h, c/2]
        bias = self.param("bias", self.bias_init, self.shape)
        return add_bias(x.reshape(-1, *self.shape).astype(jnp.float32), bias)


def residual_block(
    x: Float[Array, "batch side side channels"],
    norm_activation: Callable[[Float[Array, "..."]], Float[Array, "..."]],
    dtype: Dtype,
) -> Float[Array, "batch side side channels"]:
    """Computes x + f(x), where f is two 3x3 convolutions.

    The kernel of the last convolution starts at zero, so the block is the identity before training.
    """
    channels = x.shape[-1]
    h = norm_activation(Conv(channels, (3, 3), dtype=dtype)(x))
    return x + Conv(channels, (3, 3), dtype=dtype, kernel_init=nn.initializers.zeros)(h)


def _norm_activation(activation: str, norm: str, dtype: Dtype) -> Callable[[Float[Array, "..."]], Float[Array, "..."]]:
    """The norm and then the activation, as one function; it must be called inside a module."""
    return lambda x: ACTIVATIONS[activation](NORMS[norm](x, dtype))


def _shared_attributes(settings: Settings) -> dict[str, Any]:
    """The attributes that an encoder and a decoder both take from the settings."""
    return {name: settings[name] for name in ("channels", "activation", "norm")} | {
        "dtype": PRECISIONS[settings["precision"]]
    }


def _require_square_images(settings: Settings, shape: tuple[int, ...]) -> None:
    if len(shape) < 3 or shape[0] != shape[1] or shape[0] < LEAST_SIZE:
        raise InputError(
            f"model.network {settings['network']!r} needs square images of {LEAST_SIZE} pixels a side or more, "
            f"not data of shape {shape}"
        )
