"""Losses of the two players of a GAN, per example, from the discriminator's logits.

With gamma = sigmoid(logit): -log gamma = softplus(-logit) and -log(1 - gamma) = softplus(logit). Both stay finite
where the logarithm of a rounded sigmoid does not.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
from jaxtyping import Array, Float


class AdversarialLoss(NamedTuple):
    """The losses of both players, which both players minimise, in nats per example.

    Attributes:
      discriminator: a function of the logits of real and of generated examples.
      generator: a function of the logits of generated examples.
    """

    discriminator: Callable[[Float[Array, " batch"], Float[Array, " batch"]], Float[Array, " batch"]]
    generator: Callable[[Float[Array, " batch"]], Float[Array, " batch"]]


def cross_entropy_discriminator(real: Float[Array, " batch"], fake: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """Computes -log gamma(x) - log(1 - gamma(x^)), in nats per example (Goodfellow et al. 2014, equation 1).

    Args:
      real: logits of real examples x.
      fake: logits of generated examples x^.

    Example:
      >>> import jax.numpy as jnp
      >>> print(cross_entropy_discriminator(jnp.array([0.0, 16.0]), jnp.array([0.0, -16.0])).round(3))
      [1.386 0.   ]
    """
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)


def log_difference_discriminator(real: Float[Array, " batch"], fake: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """Computes -log gamma(x) - [1 - log gamma(x^)], in nats per example.

    This is a misprint of the cross-entropy, which is kept so that it can be run. Its second term is
    -1 - softplus(-fake): it falls without bound as the logit of x^ falls. The cross-entropy's softplus(fake) has the
    lower bound zero instead.

    Args:
      real: logits of real examples x.
      fake: logits of generated examples x^.

    Example:
      >>> import jax.numpy as jnp
      >>> print(log_difference_discriminator(jnp.array([0.0, 16.0]), jnp.array([0.0, -16.0])).round(3))
      [ -1. -17.]
    """
    return jax.nn.softplus(-real) - 1 - jax.nn.softplus(-fake)


def nonsaturating_generator(fake: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """Computes -log gamma(x^), in nats per example (Goodfellow et al. 2014, section 3).

    Its derivative by the logit tends to -1 where the discriminator is sure that x^ is generated.

    Args:
      fake: logits of generated examples x^.

    Example:
      >>> import jax.numpy as jnp
      >>> print(nonsaturating_generator(jnp.array([0.0, -16.0])).round(3))
      [ 0.693 16.   ]
    """
    return jax.nn.softplus(-fake)


def minimax_generator(fake: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """Computes log(1 - gamma(x^)), the loss of the zero-sum game (Goodfellow et al. 2014, equation 1).

    Its derivative by the logit vanishes where the discriminator is sure that x^ is generated.

    Args:
      fake: logits of generated examples x^.

    Returns:
      A value in nats per example.

    Example:
      >>> import jax.numpy as jnp
      >>> print(minimax_generator(jnp.array([0.0, 16.0])).round(3))
      [ -0.693 -16.   ]
    """
    return -jax.nn.softplus(fake)


LOSSES = {
    "nonsaturating": AdversarialLoss(cross_entropy_discriminator, nonsaturating_generator),
    "minimax": AdversarialLoss(cross_entropy_discriminator, minimax_generator),
    "log_difference": AdversarialLoss(log_difference_discriminator, nonsaturating_generator),
}
