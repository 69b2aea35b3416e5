"""Penalties on a discriminator, per example.

Those on its gradient take the norm over all of an example's dimensions. Their unit is that of the discriminator's
squared output over the squared unit of the data: by images in [0, 1] the squared gradient is four times as great as by
the same images in [-1, 1].
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.types import Key

Examples = Float[Array, "batch *event"]
PerExample = Float[Array, " batch"]
Critic = Callable[[Examples], PerExample]

# Under the root: the norm's own gradient is infinite where the norm is zero.
SMALLEST_SQUARE = 1e-12


def r1_penalty(logits: Critic, x: Examples) -> PerExample:
    """Computes 1/2 ||grad_x D(x)||^2: R1 at real data, R2 at samples (Mescheder et al. 2018, equations 9 and 10).

    Args:
      logits: the discriminator D; each logit is a function of its own example alone.
      x: real data, or samples.

    Example:
      >>> print(r1_penalty(lambda x: x @ jnp.array([3.0, 4.0]), jnp.zeros((1, 2))))
      [12.5]
    """
    return 0.5 * _squared_norm(_gradient(logits, x))


def gradient_norm_penalty(logits: Critic, x: Examples, target: float = 1.0) -> PerExample:
    """Computes (||grad_x D(x)|| - target)^2.

    At `mix` of data and samples with target 1 it is WGAN-GP's (Gulrajani et al. 2017, equation 3), with target 0 the
    zero-centred one (Thanh-Tung et al. 2019, section 5), and at `perturb` of data with target 1 DRAGAN's (Kodali et al.
    2017, section 2.3).

    Args:
      logits: the discriminator D; each logit is a function of its own example alone.
      x: the points at which its gradient is taken.
      target: of the norm.

    Example:
      >>> print(gradient_norm_penalty(lambda x: x @ jnp.array([3.0, 4.0]), jnp.zeros((1, 2))))
      [16.]
    """
    squared = _squared_norm(_gradient(logits, x))
    return squared if target == 0 else jnp.square(jnp.sqrt(squared + SMALLEST_SQUARE) - target)


def mix(rng: Key, real: Examples, fake: Examples) -> Examples:
    """Draws a point on the line between each real example and its sample, with one uniform weight per pair.

    Example:
      >>> mixed = mix(jax.random.key(0), jnp.zeros((1, 2)), jnp.ones((1, 2)))
      >>> bool(mixed[0, 0] == mixed[0, 1]), bool((mixed > 0).all()), bool((mixed < 1).all())
      (True, True, True)
    """
    weight = jax.random.uniform(rng, (real.shape[0], *[1] * (real.ndim - 1)))
    return real + weight * (fake - real)


def perturb(rng: Key, x: Examples, size: float = 0.5) -> Examples:
    """Adds uniform noise of up to `size` standard deviations of the batch to each value.

    Example:
      >>> noise = perturb(jax.random.key(0), jnp.array([[0.0], [2.0]])) - jnp.array([[0.0], [2.0]])
      >>> bool((noise >= 0).all()), bool((noise <= 0.5).all())
      (True, True)
    """
    return x + size * jnp.std(x) * jax.random.uniform(rng, x.shape)


def lecam_penalty(
    real: PerExample, fake: PerExample, mean_real: Float[Array, ""], mean_fake: Float[Array, ""]
) -> PerExample:
    """Computes (D(x) - a_F)^2 + (D(x^) - a_R)^2 with moving averages a of both (Tseng et al. 2021, equation 4).

    Args:
      real, fake: the discriminator's outputs for real data and for samples.
      mean_real, mean_fake: a_R and a_F, their moving averages over the steps.

    Example:
      >>> print(lecam_penalty(jnp.array([2.0]), jnp.array([-2.0]), jnp.float32(1.0), jnp.float32(-1.0)))
      [18.]
    """
    return jnp.square(real - mean_fake) + jnp.square(fake - mean_real)


def _gradient(logits: Critic, x: Examples) -> Examples:
    # Each logit depends on one example, so the gradient of their sum holds the gradient of every example.
    return jax.grad(lambda examples: jnp.sum(logits(examples)))(x)


def _squared_norm(gradient: Examples) -> PerExample:
    return jnp.sum(jnp.square(gradient), axis=tuple(range(1, gradient.ndim)))
