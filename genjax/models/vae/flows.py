"""A flow: z = f(u) with u of a Gaussian and an invertible f, so that the density of z is exact.

f is a chain of affine couplings (Dinh et al. 2017, equations 7 and 8). Each leaves one half of the dimensions as it is,
and scales and shifts the other half by functions of the first. The halves change places from one coupling to the next.
Of a posterior these functions see a context as well, which the encoder computes from x (Kingma et al. 2016, section 4).
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.typing import Dtype
from jaxtyping import Array, Float

from genjax.nn.layers import ACTIVATIONS, PRECISIONS
from genjax.types import Settings

# A coupling scales by at most e^2, and by at least e^-2: a chain of them stays invertible in float32.
LARGEST_LOG_SCALE = 2.0

Codes = Float[Array, "*batch latent"]
Context = Float[Array, "rows context"] | None  # of each of the last but one axis of the points


class Image(NamedTuple):
    """A point that a chain of couplings leads to.

    Attributes:
      point: where z, or u, is sent.
      log_det: the logarithm of the volume that the map multiplies by there.
    """

    point: Codes
    log_det: Float[Array, "*batch"]


class Couplings(nn.Module):
    """A chain of affine couplings, which is the identity before training.

    Attributes:
      count: of the couplings.
      hidden: width of the hidden layer that computes scales and shifts.
      activation: of that layer, a name of `layers.ACTIVATIONS`.
      dtype: of the hidden layer; points and volumes are float32.
    """

    count: int
    hidden: int
    activation: str
    dtype: Dtype = jnp.float32

    @nn.compact
    def __call__(self, points: Codes, context: Context = None, inverse: bool = False) -> Image:
        """Computes f(u), or the inverse of z."""
        latent = points.shape[-1]
        log_det = jnp.zeros(points.shape[:-1])
        order = range(self.count)
        for number in reversed(order) if inverse else order:
            mask = (jnp.arange(latent) % 2 == number % 2).astype(jnp.float32)  # of what this coupling leaves as it is
            mask = jnp.broadcast_to(mask, points.shape)
            log_scale, shift = self._scale_and_shift(number, points * mask, context)
            log_scale, shift = log_scale * (1 - mask), shift * (1 - mask)
            points = (points - shift) * jnp.exp(-log_scale) if inverse else points * jnp.exp(log_scale) + shift
            log_det += (-1 if inverse else 1) * jnp.sum(log_scale, axis=-1)
        return Image(points, log_det)

    def _scale_and_shift(self, number: int, half: Codes, context: Context) -> tuple[Codes, Codes]:
        inputs = half
        if context is not None:
            inputs = jnp.concatenate([half, jnp.broadcast_to(context, (*half.shape[:-1], context.shape[-1]))], axis=-1)
        hidden = nn.Dense(self.hidden, dtype=self.dtype, name=f"hidden_{number}")(inputs)
        zeros = nn.initializers.zeros
        out = nn.Dense(2 * half.shape[-1], dtype=self.dtype, kernel_init=zeros, name=f"out_{number}")(
            ACTIVATIONS[self.activation](hidden)
        ).astype(jnp.float32)
        raw, shift = jnp.split(out, 2, axis=-1)
        return LARGEST_LOG_SCALE * jnp.tanh(raw / LARGEST_LOG_SCALE), shift


def make_couplings(settings: Settings) -> Couplings:
    """Makes the chain that the settings ask for."""
    precision = PRECISIONS[settings["precision"]]
    return Couplings(settings["couplings"], settings["coupling_hidden"], settings["activation"], precision)


def forward(flow: Couplings, params, u: Codes, context: Context = None) -> Image:
    """Computes f(u), the point z that u becomes."""
    return flow.apply({"params": params}, u, context)  # pyright: ignore[reportReturnType]


def inverse(flow: Couplings, params, z: Codes, context: Context = None) -> Image:
    """Computes the u that becomes z."""
    return flow.apply({"params": params}, z, context, inverse=True)  # pyright: ignore[reportReturnType]


def initial(flow: Couplings, rng: jax.Array, latent: int, context: int = 0):
    """Draws the parameters of a flow, which sees a context of so many numbers."""
    return flow.init(rng, jnp.zeros((1, latent)), jnp.zeros((1, context)) if context else None)["params"]
