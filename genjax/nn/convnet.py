"""Convolutional networks for square images.

Strided convolutions as in DCGAN (Radford et al. 2016), alone, or with residual blocks (He et al. 2016) between them.
An image is halved until at most 7 pixels a side are left (28, 14, 7; 64, 32, 16, 8, 4; 27, 14, 7), while the channels
double from `channels` on. A decoder takes the same sizes the other way and cuts off a row where a size is odd.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype, Initializer

from genjax.nn.layers import ACTIVATIONS, NORMS, PRECISIONS, UPSAMPLINGS, Conv, add_bias
from genjax.types import Array, InputError, Settings

LARGEST_CODE = 7  # pixels a side, where halving ends
LEAST_SIZE = 8


def encoder(settings: Settings, hidden: Sequence[int], shape: tuple[int, ...], features: int, blocks: int) -> nn.Module:
    """As `networks.encoder`, with residual blocks."""
    del hidden  # convolutions have channels
    _check(settings, shape)
    return Encoder(features, blocks, **_style(settings))


def decoder(
    settings: Settings, hidden: Sequence[int], shape: tuple[int, ...], bias_init: Initializer, blocks: int
) -> nn.Module:
    """As `networks.decoder`, with residual blocks."""
    del hidden
    _check(settings, shape)
    return Decoder(shape, blocks, **_style(settings), upsampling=settings["upsampling"], bias_init=bias_init)


def sizes(size: int) -> list[int]:
    """The sides of an image on its way down: 28 gives `[28, 14, 7]`."""
    sides = [size]
    while sides[-1] > LARGEST_CODE:
        sides.append(-(-sides[-1] // 2))
    return sides


class Encoder(nn.Module):
    """From images `[b, h, h, c]` to vectors `[b, features]`; no activation after the last layer.

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
    def __call__(self, x: Array) -> Array:
        norm_activation = _norm_activation(self.activation, self.norm, self.dtype)
        for level in range(len(sizes(x.shape[1])) - 1):
            x = norm_activation(
                Conv(self.channels * 2**level, (4, 4), (2, 2), dtype=self.dtype)(x)
            )  # [b, h/2, h/2, 2c]
            for _ in range(self.blocks):
                x = residual(x, norm_activation, self.dtype)
        return nn.Dense(self.features, dtype=self.dtype)(x.reshape(x.shape[0], -1)).astype(jnp.float32)


class Decoder(nn.Module):
    """From vectors `[b, k]` to data `[b, h, h, ...]`; no activation after the last layer, whose bias is per value.

    Attributes:
      shape: of one output, `(h, h, ...)`.
      blocks: residual blocks before each doubling.
      channels: of the last hidden layer.
      activation, norm: after each hidden layer, names of `layers.ACTIVATIONS` and `layers.NORMS`.
      dtype: of the computation; parameters and output are float32.
      upsampling: a name of `layers.UPSAMPLINGS`.
      bias_init: where the bias of the output starts, `[*shape]`.
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
    def __call__(self, z: Array) -> Array:
        norm_activation, up = _norm_activation(self.activation, self.norm, self.dtype), UPSAMPLINGS[self.upsampling]
        *larger, least = sizes(self.shape[0])  # [28, 14], 7
        width = self.channels * 2 ** (len(larger) - 1)
        x = nn.Dense(least * least * width, dtype=self.dtype)(z).reshape(-1, least, least, width)
        for level, size in reversed(list(enumerate(larger))):
            x = norm_activation(x)
            for _ in range(self.blocks):
                x = residual(x, norm_activation, self.dtype)
            width = self.channels * 2 ** (level - 1) if level else math.prod(self.shape[2:])
            x = up(x, width, level > 0, self.dtype)[:, :size, :size]  # [b, 2h, 2h, c/2]
        bias = self.param("bias", self.bias_init, self.shape)
        return add_bias(x.reshape(-1, *self.shape).astype(jnp.float32), bias)


def residual(x: Array, norm_activation: Callable[[Array], Array], dtype: Dtype) -> Array:
    """x + f(x) with f two 3x3 convolutions, the last of which starts at zero: at first the block passes x on."""
    channels = x.shape[-1]
    h = norm_activation(Conv(channels, (3, 3), dtype=dtype)(x))
    return x + Conv(channels, (3, 3), dtype=dtype, kernel_init=nn.initializers.zeros)(h)


def _norm_activation(activation: str, norm: str, dtype: Dtype) -> Callable[[Array], Array]:
    return lambda x: ACTIVATIONS[activation](NORMS[norm](x, dtype))


def _style(settings: Settings) -> dict[str, Any]:
    """What an encoder and a decoder take alike from the settings."""
    return {name: settings[name] for name in ("channels", "activation", "norm")} | {
        "dtype": PRECISIONS[settings["precision"]]
    }


def _check(settings: Settings, shape: tuple[int, ...]) -> None:
    if len(shape) < 3 or shape[0] != shape[1] or shape[0] < LEAST_SIZE:
        raise InputError(
            f"model.network {settings['network']!r} needs square images of {LEAST_SIZE} pixels a side or more, "
            f"not data of shape {shape}"
        )
