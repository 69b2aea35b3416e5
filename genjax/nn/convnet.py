"""Convolutional networks for images.

The layers are strided convolutions as in DCGAN (Radford et al. 2016), alone or with blocks of further convolutions
between. An encoder halves an image until its longer side has no more than `code_size` pixels: with 7 of them 28, 14, 7
and 64, 32, 16, 8, 4. Its first convolution has `channels` channels, and each further one has twice as many. A decoder
takes the same sizes in the other order; where a size is odd, it cuts off a row or a column.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from flax.typing import Dtype, Initializer
from jaxtyping import Array, Float

from genjax.nn.layers import (
    ACTIVATIONS,
    NORMS,
    PRECISIONS,
    UPSAMPLINGS,
    Conv,
    add_bias,
    append_batch_deviation,
    dense_layers,
    group_count,
)
from genjax.types import InputError, Settings

LEAST_SIZE = 8  # pixels of the shorter side of the smallest images
SETTINGS = ("channels", "code_size", "dense", "norm", "upsampling")  # the settings that no other network reads

Images = Float[Array, "batch height width channels"]


class NormActivation(NamedTuple):
    """What follows a hidden convolution.

    Attributes:
      apply: `images -> images`, the norm and then the activation.
      bias: `channels -> bool`, whether a bias before it acts; a group of one channel has its mean, and the bias in it,
        taken away, and what has no gradient would only drift by rounding.
    """

    apply: Callable[[Float[Array, "..."]], Float[Array, "..."]]
    bias: Callable[[int], bool]

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.apply(x)


class Blocks(NamedTuple):
    """The convolutions at each size.

    Attributes:
      block: `(x, norm_activation, dtype, depth) -> x` of the same shape, called inside a module; `depth` is the number
        of blocks in the whole network.
      count: how many follow each halving, or come before each doubling.
    """

    block: Callable[[Images, NormActivation, Dtype, int], Images]
    count: int


def encoder(
    settings: Settings,
    hidden: Sequence[int],
    shape: tuple[int, ...],
    features: int,
    batch_deviation: bool,
    grid: bool,
    blocks: Blocks | None,
) -> nn.Module:
    """Builds an encoder; see `networks.encoder`."""
    del hidden  # convolutions have channels instead
    _require_images(settings, shape)
    dense = () if grid else tuple(settings["dense"])
    return Encoder(
        features, blocks, **_shared_attributes(settings), dense=dense, batch_deviation=batch_deviation, grid=grid
    )


def decoder(
    settings: Settings,
    hidden: Sequence[int],
    shape: tuple[int, ...],
    bias_init: Initializer,
    modulators: int,
    grid: bool,
    blocks: Blocks | None,
) -> nn.Module:
    """Builds a decoder; see `networks.decoder`."""
    del hidden
    _require_images(settings, shape)
    return Decoder(
        shape,
        blocks,
        **_shared_attributes(settings),
        dense=() if grid else tuple(settings["dense"])[::-1],
        upsampling=settings["upsampling"],
        bias_init=bias_init,
        modulators=modulators,
        grid=grid,
    )


def sizes(size: tuple[int, ...], code_size: int) -> list[tuple[int, ...]]:
    """Lists the sizes, `(height, width)`, of an image as it is halved to at most `code_size` pixels a side.

    Example:
      >>> sizes((28, 20), 7)
      [(28, 20), (14, 10), (7, 5)]
    """
    levels = [size]
    while max(levels[-1]) > code_size:
        levels.append(tuple(-(-side // 2) for side in levels[-1]))
    return levels


class Encoder(nn.Module):
    """A network from images to vectors, without an activation after the last layer.

    Attributes:
      features: width of the output.
      blocks: that follow each convolution that halves.
      channels: of the first convolution.
      code_size: at most so many pixels has the longer side of the smallest size.
      dense: widths of fully connected layers behind the smallest size.
      activation, norm: after each hidden convolution, names of `layers.ACTIVATIONS` and `layers.NORMS`.
      dtype: of the computation; parameters and output are float32.
      batch_deviation: whether the last layer sees how much the examples of a batch differ.
      grid: whether the last layer is a 1x1 convolution, whose map is flattened, instead of a fully connected one.
    """

    features: int
    blocks: Blocks | None
    channels: int
    code_size: int
    activation: str
    norm: str
    dtype: Dtype
    dense: tuple[int, ...] = ()
    batch_deviation: bool = False
    grid: bool = False

    @nn.compact
    def __call__(self, x: Images) -> Float[Array, "batch {self.features}"]:
        norm_activation = _norm_activation(self.activation, self.norm, self.dtype)
        levels = len(sizes(x.shape[1:3], self.code_size)) - 1
        for level in range(levels):
            width = self.channels * 2**level
            halved = Conv(width, (4, 4), (2, 2), use_bias=norm_activation.bias(width), dtype=self.dtype)(x)
            x = norm_activation(halved)  # [b, h/2, w/2, 2c]
            x = _apply_blocks(self.blocks, x, norm_activation, self.dtype, levels)
        if self.dense:
            x = dense_layers(x.reshape(x.shape[0], -1), self.dense, self.activation, self.dtype)
        self.sow("intermediates", "features", x)
        x = append_batch_deviation(x) if self.batch_deviation else x
        if self.grid:
            codes = Conv(self.features // math.prod(x.shape[1:3]), (1, 1), dtype=self.dtype)(x)
            return codes.reshape(x.shape[0], -1).astype(jnp.float32)
        return nn.Dense(self.features, dtype=self.dtype)(x.reshape(x.shape[0], -1)).astype(jnp.float32)


class Decoder(nn.Module):
    """A network from vectors to images, without an activation after the last layer.

    Attributes:
      shape: of one image, `(height, width, ...)`.
      blocks: that come before each doubling.
      channels: of the last hidden layer.
      code_size: at most so many pixels has the longer side of the smallest size.
      dense: widths of fully connected layers before the smallest size; they have an activation and no norm.
      activation, norm: after each hidden layer, names of `layers.ACTIVATIONS` and `layers.NORMS`.
      dtype: of the computation; parameters and output are float32.
      upsampling: a name of `layers.UPSAMPLINGS`.
      bias_init: initialiser of the output's bias, one per value.
      modulators: how many of a vector's last entries set the gain and the offset after each norm.
      grid: whether a vector is a flattened map of the smallest size, which a 1x1 convolution takes.
    """

    shape: tuple[int, ...]
    blocks: Blocks | None
    channels: int
    code_size: int
    activation: str
    norm: str
    dtype: Dtype
    upsampling: str
    bias_init: Initializer
    dense: tuple[int, ...] = ()
    modulators: int = 0
    grid: bool = False

    @nn.compact
    def __call__(self, z: Float[Array, "batch latent"]) -> Float[Array, "batch height width ..."]:
        modulators = z[:, z.shape[1] - self.modulators :] if self.modulators else None
        norm_activation = _norm_activation(self.activation, self.norm, self.dtype, modulators)
        up = UPSAMPLINGS[self.upsampling]
        *larger, smallest = sizes(self.shape[:2], self.code_size)  # for example [(28, 28), (14, 14)], (7, 7)
        width = self.channels * 2 ** (len(larger) - 1)
        if self.grid:
            x = Conv(width, (1, 1), dtype=self.dtype)(z.reshape(z.shape[0], *smallest, -1))
        else:
            h = dense_layers(z, self.dense, self.activation, self.dtype)
            x = nn.Dense(math.prod(smallest) * width, dtype=self.dtype)(h).reshape(-1, *smallest, width)
        for level, (h, w) in reversed(list(enumerate(larger))):
            x = norm_activation(x)
            x = _apply_blocks(self.blocks, x, norm_activation, self.dtype, len(larger))
            width = self.channels * 2 ** (level - 1) if level else math.prod(self.shape[2:])
            # A subpixel convolution has four biases for each channel of the image that it makes.
            use_bias = level > 0 and (self.upsampling == "subpixel" or norm_activation.bias(width))
            x = up(x, width, use_bias, self.dtype)[:, :h, :w]  # [b, 2h, 2w, c/2]
        bias = self.param("bias", self.bias_init, self.shape)
        return add_bias(x.reshape(-1, *self.shape).astype(jnp.float32), bias)


def plain_block(x: Images, norm_activation: NormActivation, dtype: Dtype, depth: int) -> Images:
    """Computes one 3x3 convolution, its norm and its activation (Miyato et al. 2018, table 3)."""
    del depth
    channels = x.shape[-1]
    return norm_activation(Conv(channels, (3, 3), use_bias=norm_activation.bias(channels), dtype=dtype)(x))


def residual_block(x: Images, norm_activation: NormActivation, dtype: Dtype, depth: int) -> Images:
    """Computes x + f(x), where f is two 3x3 convolutions.

    The kernel of the last convolution starts at zero, so the block is the identity before training.
    """
    del depth
    channels = x.shape[-1]
    h = norm_activation(Conv(channels, (3, 3), use_bias=norm_activation.bias(channels), dtype=dtype)(x))
    return x + Conv(channels, (3, 3), dtype=dtype, kernel_init=nn.initializers.zeros)(h)


def bottleneck_block(x: Images, norm_activation: NormActivation, dtype: Dtype, depth: int) -> Images:
    """Computes x + f(x), where f is a 1x1, a 3x3 and a 1x1 convolution, with the starts of a network without norms.

    Of L blocks of three layers, the first two layers start L^(-1/4) times as large as usual and the last one at zero
    (Zhang et al. 2019, section 3; Huang et al. 2024, section 3).
    """
    channels = x.shape[-1]
    scaled = nn.initializers.variance_scaling(depth**-0.5, "fan_in", "truncated_normal")  # the variance, not the std
    scaled_conv = partial(Conv, channels, use_bias=norm_activation.bias(channels), dtype=dtype, kernel_init=scaled)
    h = norm_activation(scaled_conv((1, 1))(x))
    h = norm_activation(scaled_conv((3, 3))(h))
    return x + Conv(channels, (1, 1), dtype=dtype, kernel_init=nn.initializers.zeros)(h)


def _apply_blocks(
    blocks: Blocks | None, x: Images, norm_activation: NormActivation, dtype: Dtype, levels: int
) -> Images:
    if blocks is not None:
        for _ in range(blocks.count):
            x = blocks.block(x, norm_activation, dtype, blocks.count * levels)
    return x


def _norm_activation(
    activation: str, norm: str, dtype: Dtype, modulators: Float[Array, "batch n"] | None = None
) -> NormActivation:
    """The norm and then the activation, as one function; it must be called inside a module.

    With modulators y the norm's output h becomes (1 + gamma(y)) h + beta(y), gamma and beta linear and zero at the
    start (de Vries et al. 2017).
    """

    def normalise(x: Images) -> Images:
        h = NORMS[norm](x, dtype)
        if modulators is None:
            return h
        zeros = nn.initializers.zeros
        gain, offset = (nn.Dense(x.shape[-1], dtype=dtype, kernel_init=zeros)(modulators) for _ in range(2))
        return (1 + gain[:, None, None]) * h + offset[:, None, None]

    return NormActivation(
        apply=lambda x: ACTIVATIONS[activation](normalise(x)),
        bias=lambda channels: norm != "group" or group_count(channels) < channels,
    )


def _shared_attributes(settings: Settings) -> dict[str, Any]:
    """The attributes that an encoder and a decoder both take from the settings."""
    return {name: settings[name] for name in ("channels", "code_size", "activation", "norm")} | {
        "dtype": PRECISIONS[settings["precision"]]
    }


def _require_images(settings: Settings, shape: tuple[int, ...]) -> None:
    if len(shape) < 3 or min(shape[:2]) < LEAST_SIZE:
        raise InputError(
            f"model.network {settings['network']!r} needs images of {LEAST_SIZE} pixels a side or more, "
            f"not data of shape {shape}"
        )
    if max(shape[:2]) <= settings["code_size"]:
        raise InputError(
            f"model.code_size = {settings['code_size']} leaves nothing to halve of images of {shape[0]}x{shape[1]}"
        )
