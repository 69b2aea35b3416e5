"""Building blocks of networks: activations by name, convolutions, up-sampling, norms, and sums over parameters."""

import math
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.typing import Dtype, Initializer

from genjax.nn.convolution import Padding, Pair, conv, conv_transpose
from genjax.types import Array

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
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

# Of the computation: parameters, their updates and losses are float32 whatever it is.
PRECISIONS: dict[str, Dtype] = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


class Conv(nn.Module):
    """`[b, h, w, c]` -> `[b, h', w', features]`, with the parameters of Flax's own layer: `kernel` (HWIO) and `bias`.

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
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", self.kernel_init, (*self.kernel_size, x.shape[-1], self.features))
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        y = conv(x, kernel, self.strides, self.padding, self.kernel_dilation)
        return add_bias(y, self.param("bias", nn.initializers.zeros, (self.features,))) if self.use_bias else y


class ConvTranspose(nn.Module):
    """`[b, h, w, c]` -> `[b, h', w', features]`; with strides s and 'SAME', h' = s h. Attributes as `Conv`'s."""

    features: int
    kernel_size: Pair
    strides: Pair = (1, 1)
    padding: Padding = "SAME"
    use_bias: bool = True
    dtype: Dtype = jnp.float32
    kernel_init: Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", self.kernel_init, (*self.kernel_size, x.shape[-1], self.features))
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        y = conv_transpose(x, kernel, self.strides, self.padding)
        return add_bias(y, self.param("bias", nn.initializers.zeros, (self.features,))) if self.use_bias else y


def add_bias(y: Array, bias: Array) -> Array:
    """y plus a bias of its last axes, `[b, *shape]` and `[*shape]` or shorter, in y's type.

    The sum is taken in the bias's type, and so is the sum over positions that is its gradient.
    """
    wide = bias.reshape((1,) * (y.ndim - bias.ndim) + bias.shape)
    return (y.astype(bias.dtype) + wide).astype(y.dtype)


def transposed(x: Array, features: int, use_bias: bool, dtype: Dtype) -> Array:
    """Twice the size by a transposed convolution, 4x4 of stride 2 (Radford et al. 2016)."""
    return ConvTranspose(features, (4, 4), (2, 2), use_bias=use_bias, dtype=dtype)(x)


def nearest(x: Array, features: int, use_bias: bool, dtype: Dtype) -> Array:
    """Each pixel four times, then a 3x3 convolution: no tap is favoured, so no checkerboard (Odena et al. 2016)."""
    b, h, w, c = x.shape
    wide = jnp.broadcast_to(x[:, :, None, :, None], (b, h, 2, w, 2, c)).reshape(b, 2 * h, 2 * w, c)
    return Conv(features, (3, 3), use_bias=use_bias, dtype=dtype)(wide)


def subpixel(x: Array, features: int, use_bias: bool, dtype: Dtype) -> Array:
    """A 3x3 convolution to four times the channels, which become 2x2 pixels (Shi et al. 2016)."""
    b, h, w, _ = x.shape
    quarters = Conv(4 * features, (3, 3), use_bias=use_bias, dtype=dtype)(x)  # [b, h, w, 4 features]
    return quarters.reshape(b, h, w, 2, 2, features).swapaxes(2, 3).reshape(b, 2 * h, 2 * w, features)


# `(x [b, h, w, c], features, use_bias, dtype) -> [b, 2 h, 2 w, features]`, inside a module.
UPSAMPLINGS = {"transposed": transposed, "nearest": nearest, "subpixel": subpixel}

# Statistics of one example alone, over eight groups of its channels or all of them (Wu & He 2018):
# a batch's statistics would make one example's loss depend on the others.
NORMS: dict[str, Callable[[Array, Dtype], Array]] = {
    "none": lambda x, dtype: x,
    "group": lambda x, dtype: nn.GroupNorm(math.gcd(x.shape[-1], 8), dtype=dtype)(x),
    "layer": lambda x, dtype: nn.GroupNorm(1, dtype=dtype)(x),
}
