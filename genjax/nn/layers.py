"""Building blocks of networks: activations, norms and upsampling by name, and convolutional layers."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.typing import Dtype, Initializer
from jaxtyping import Array, Float

from genjax.nn.convolution import Padding, Pair, conv, conv_transpose

ACTIVATIONS: dict[str, Callable[[Float[Array, "..."]], Float[Array, "..."]]] = {
    "identity": lambda x: x,
    "relu": jax.nn.relu,
    "leaky_relu": lambda x: jax.nn.leaky_relu(x, 0.2),
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
}

# Types of the computation. Parameters, their updates and losses are float32 under all of them.
PRECISIONS: dict[str, Dtype] = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


class Conv(nn.Module):
    """A convolution with the parameters of Flax's own layer: `kernel` (height, width, input, output) and `bias`.

    Attributes:
      features: output channels.
      kernel_size, strides, kernel_dilation: per axis.
      padding: 'SAME', 'VALID', or a pair (before, after) for each axis.
      use_bias: whether a bias per channel is added.
      dtype: of the computation; the parameters are float32.
      kernel_init: of the kernel.
    """

    features: int
    kernel_size: Pair
    strides: Pair = (1, 1)
    padding: Padding = "SAME"
    kernel_dilation: Pair = (1, 1)
    use_bias: bool = True
    dtype: Dtype = jnp.float32
    kernel_init: Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"]
    ) -> Float[Array, "batch new_height new_width {self.features}"]:
        kernel = self.param("kernel", self.kernel_init, (*self.kernel_size, x.shape[-1], self.features))
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        y = conv(x, kernel, self.strides, self.padding, self.kernel_dilation)
        return add_bias(y, self.param("bias", nn.initializers.zeros, (self.features,))) if self.use_bias else y


class ConvTranspose(nn.Module):
    """A transposed convolution; with strides s and 'SAME' padding its output is s times as large as its input.

    Attributes:
      features: output channels.
      kernel_size, strides: per axis.
      padding: 'SAME', 'VALID', or a pair of zeros around the spread-out input for each axis.
      use_bias: whether a bias per channel is added.
      dtype: of the computation; the parameters are float32.
      kernel_init: of the kernel.
    """

    features: int
    kernel_size: Pair
    strides: Pair = (1, 1)
    padding: Padding = "SAME"
    use_bias: bool = True
    dtype: Dtype = jnp.float32
    kernel_init: Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"]
    ) -> Float[Array, "batch new_height new_width {self.features}"]:
        kernel = self.param("kernel", self.kernel_init, (*self.kernel_size, x.shape[-1], self.features))
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        y = conv_transpose(x, kernel, self.strides, self.padding)
        return add_bias(y, self.param("bias", nn.initializers.zeros, (self.features,))) if self.use_bias else y


def add_bias(y: Float[Array, "*shape"], bias: Float[Array, "..."]) -> Float[Array, "*shape"]:
    """Adds a bias to the last axes of y and returns y's type.

    The sum is computed in the bias's type. So is the bias's gradient, which is a sum over positions.
    """
    wide = bias.reshape((1,) * (y.ndim - bias.ndim) + bias.shape)
    return (y.astype(bias.dtype) + wide).astype(y.dtype)


def dense_layers(
    h: Float[Array, "batch inputs"], widths: Sequence[int], activation: str, dtype: Dtype
) -> Float[Array, "batch features"]:
    """Applies fully connected layers, each with its activation, inside a module."""
    for width in widths:
        h = ACTIVATIONS[activation](nn.Dense(width, dtype=dtype)(h))
    return h


def append_batch_deviation(x: Float[Array, "batch *inner channels"]) -> Float[Array, "batch *inner channels+1"]:
    """Appends a channel that says how much the examples of a group differ (Karras et al. 2018, section 3).

    It is the standard deviation over a group of at most four examples, averaged over all positions and channels. A
    batch that four does not divide has the next smaller groups that divide it.

    Example:
      >>> print(append_batch_deviation(jnp.array([[0.0], [2.0]])).round(3))
      [[0. 1.]
       [2. 1.]]
    """
    group = math.gcd(x.shape[0], 4)
    members = x.reshape(group, -1, *x.shape[1:]).astype(jnp.float32)  # [group, b / group, ...]
    # Products with small matrices: a CPU would compute sums over so few members anew wherever they are used.
    multiply = partial(jnp.einsum, precision="highest")
    centred = multiply("ij,j...->i...", jnp.eye(group) - 1 / group, members)
    variance = multiply("i,i...->...", jnp.full(group, 1 / group), jnp.square(centred))  # [b / group, ...]
    deviation = jnp.mean(jnp.sqrt(variance + 1e-8), axis=tuple(range(1, x.ndim)))  # the root's slope at 0 is infinite
    channel = jnp.tile(deviation, group).reshape(-1, *[1] * (x.ndim - 1))
    return jnp.concatenate([x, jnp.broadcast_to(channel, (*x.shape[:-1], 1)).astype(x.dtype)], axis=-1)


def transposed(
    x: Float[Array, "batch height width channels"], features: int, use_bias: bool, dtype: Dtype
) -> Float[Array, "batch 2*height 2*width {features}"]:
    """Doubles the size by a transposed convolution, 4x4 of stride 2 (Radford et al. 2016)."""
    return ConvTranspose(features, (4, 4), (2, 2), use_bias=use_bias, dtype=dtype)(x)


def nearest(
    x: Float[Array, "batch height width channels"], features: int, use_bias: bool, dtype: Dtype
) -> Float[Array, "batch 2*height 2*width {features}"]:
    """Repeats each pixel four times and applies a 3x3 convolution (Odena et al. 2016).

    All pixels of the output see equally many taps, so no checkerboard pattern arises.
    """
    b, h, w, c = x.shape
    wide = jnp.broadcast_to(x[:, :, None, :, None], (b, h, 2, w, 2, c)).reshape(b, 2 * h, 2 * w, c)
    return Conv(features, (3, 3), use_bias=use_bias, dtype=dtype)(wide)


def subpixel(
    x: Float[Array, "batch height width channels"], features: int, use_bias: bool, dtype: Dtype
) -> Float[Array, "batch 2*height 2*width {features}"]:
    """Applies a 3x3 convolution to four times the channels, which become 2x2 pixels (Shi et al. 2016)."""
    b, h, w, _ = x.shape
    quarters = Conv(4 * features, (3, 3), use_bias=use_bias, dtype=dtype)(x)  # [b, h, w, 4 features]
    return quarters.reshape(b, h, w, 2, 2, features).swapaxes(2, 3).reshape(b, 2 * h, 2 * w, features)


# Functions that double an image's size. They create layers, so they must be called inside a module.
UPSAMPLINGS = {"transposed": transposed, "nearest": nearest, "subpixel": subpixel}


def group_count(channels: int) -> int:
    """The number of groups of a group norm: eight, or what divides both eight and the number of channels.

    Example:
      >>> [group_count(channels) for channels in (32, 8, 4, 12)]
      [8, 8, 4, 4]
    """
    return math.gcd(channels, 8)


# The statistics are those of one example, over eight groups of its channels or over all of them (Wu & He 2018).
# With the statistics of a batch the loss of one example would depend on the others.
NORMS: dict[str, Callable[[Float[Array, "..."], Dtype], Float[Array, "..."]]] = {
    "none": lambda x, dtype: x,
    "group": lambda x, dtype: nn.GroupNorm(group_count(x.shape[-1]), dtype=dtype)(x),
    "layer": lambda x, dtype: nn.GroupNorm(1, dtype=dtype)(x),
}
