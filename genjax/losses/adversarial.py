"""Losses of the two players of a GAN, per example, from the discriminator's outputs D, its logits.

With gamma = sigmoid(logit): -log gamma = softplus(-logit) and -log(1 - gamma) = softplus(logit). Both stay finite
where the logarithm of a rounded sigmoid does not.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Logits = Float[Array, " batch"]


class AdversarialLoss(NamedTuple):
    """The losses of both players, which both players minimise, per example.

    Attributes:
      discriminator: a function of the logits of real and of generated examples.
      generator: a function of the same two.
      paired: whether the generator's loss depends on the logits of real examples.
    """

    discriminator: Callable[[Logits, Logits], Logits]
    generator: Callable[[Logits, Logits], Logits]
    paired: bool = False


def cross_entropy_discriminator(real: Logits, fake: Logits) -> Logits:
    """Computes -log gamma(x) - log(1 - gamma(x^)), in nats per example (Goodfellow et al. 2014, equation 1).

    Args:
      real: logits of real examples x.
      fake: logits of generated examples x^.

    Example:
      >>> print(cross_entropy_discriminator(jnp.array([0.0, 16.0]), jnp.array([0.0, -16.0])).round(3))
      [1.386 0.   ]
    """
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)


def log_difference_discriminator(real: Logits, fake: Logits) -> Logits:
    """Computes -log gamma(x) - [1 - log gamma(x^)], in nats per example.

    This is a misprint of the cross-entropy, which is kept so that it can be run. Its second term is
    -1 - softplus(-fake): it falls without bound as the logit of x^ falls. The cross-entropy's softplus(fake) has the
    lower bound zero instead.

    Args:
      real: logits of real examples x.
      fake: logits of generated examples x^.

    Example:
      >>> print(log_difference_discriminator(jnp.array([0.0, 16.0]), jnp.array([0.0, -16.0])).round(3))
      [ -1. -17.]
    """
    return jax.nn.softplus(-real) - 1 - jax.nn.softplus(-fake)


def nonsaturating_generator(fake: Logits) -> Logits:
    """Computes -log gamma(x^), in nats per example (Goodfellow et al. 2014, section 3).

    Its derivative by the logit tends to -1 where the discriminator is sure that x^ is generated.

    Args:
      fake: logits of generated examples x^.

    Example:
      >>> print(nonsaturating_generator(jnp.array([0.0, -16.0])).round(3))
      [ 0.693 16.   ]
    """
    return jax.nn.softplus(-fake)


def minimax_generator(fake: Logits) -> Logits:
    """Computes log(1 - gamma(x^)), the loss of the zero-sum game (Goodfellow et al. 2014, equation 1).

    Its derivative by the logit vanishes where the discriminator is sure that x^ is generated.

    Args:
      fake: logits of generated examples x^.

    Returns:
      A value in nats per example.

    Example:
      >>> print(minimax_generator(jnp.array([0.0, 16.0])).round(3))
      [ -0.693 -16.   ]
    """
    return -jax.nn.softplus(fake)


def least_squares_discriminator(real: Logits, fake: Logits) -> Logits:
    """Computes 1/2 (D(x) - 1)^2 + 1/2 D(x^)^2 (Mao et al. 2017, equation 9: a = 0, b = c = 1).

    Args:
      real: outputs for real examples x.
      fake: outputs for generated examples x^.

    Example:
      >>> print(least_squares_discriminator(jnp.array([0.5, 1.0]), jnp.array([0.5, 0.0])))
      [0.25 0.  ]
    """
    return 0.5 * jnp.square(real - 1) + 0.5 * jnp.square(fake)


def least_squares_generator(fake: Logits) -> Logits:
    """Computes 1/2 (D(x^) - 1)^2 (Mao et al. 2017, equation 9).

    Args:
      fake: outputs for generated examples x^.

    Example:
      >>> print(least_squares_generator(jnp.array([0.0, 1.0])))
      [0.5 0. ]
    """
    return 0.5 * jnp.square(fake - 1)


def hinge_discriminator(real: Logits, fake: Logits) -> Logits:
    """Computes max(0, 1 - D(x)) + max(0, 1 + D(x^)) (Lim & Ye 2017, equation 8).

    Args:
      real: outputs for real examples x.
      fake: outputs for generated examples x^.

    Example:
      >>> print(hinge_discriminator(jnp.array([0.0, 2.0]), jnp.array([0.0, -2.0])))
      [2. 0.]
    """
    return jax.nn.relu(1 - real) + jax.nn.relu(1 + fake)


def wasserstein_discriminator(real: Logits, fake: Logits) -> Logits:
    """Computes D(x^) - D(x), for a critic D that a penalty or its weights keep Lipschitz (Arjovsky et al. 2017).

    Args:
      real: outputs for real examples x.
      fake: outputs for generated examples x^.

    Example:
      >>> print(wasserstein_discriminator(jnp.array([3.0]), jnp.array([1.0])))
      [-2.]
    """
    return fake - real


def wasserstein_generator(fake: Logits) -> Logits:
    """Computes -D(x^) (Arjovsky et al. 2017, algorithm 1; the hinge loss has the same, Lim & Ye 2017).

    Args:
      fake: outputs for generated examples x^.

    Example:
      >>> print(wasserstein_generator(jnp.array([3.0])))
      [-3.]
    """
    return -fake


def relativistic_discriminator(real: Logits, fake: Logits) -> Logits:
    """Computes softplus(-(D(x) - D(x^))), in nats: -log of the probability that x is the real one of the two.

    Jolicoeur-Martineau (2019), section 4.1; with R1 and R2 it is the loss of Huang et al. (2024), equation 2.

    Args:
      real: logits of real examples x.
      fake: logits of generated examples x^, each the partner of one x.

    Example:
      >>> print(relativistic_discriminator(jnp.array([7.0, 20.0]), jnp.array([7.0, 0.0])).round(3))
      [0.693 0.   ]
    """
    return jax.nn.softplus(fake - real)


def relativistic_generator(real: Logits, fake: Logits) -> Logits:
    """Computes softplus(-(D(x^) - D(x))), in nats: the discriminator's loss with the pair swapped.

    Args:
      real: logits of real examples x.
      fake: logits of generated examples x^, each the partner of one x.

    Example:
      >>> print(relativistic_generator(jnp.array([7.0, 20.0]), jnp.array([7.0, 0.0])).round(3))
      [ 0.693 20.   ]
    """
    return relativistic_discriminator(fake, real)


def _unpaired(generator: Callable[[Logits], Logits]) -> Callable[[Logits, Logits], Logits]:
    """The loss of a generator that does not see the logits of real examples, as `AdversarialLoss` has it."""
    return lambda real, fake: generator(fake)


LOSSES = {
    "nonsaturating": AdversarialLoss(cross_entropy_discriminator, _unpaired(nonsaturating_generator)),
    "minimax": AdversarialLoss(cross_entropy_discriminator, _unpaired(minimax_generator)),
    "log_difference": AdversarialLoss(log_difference_discriminator, _unpaired(nonsaturating_generator)),
    "least_squares": AdversarialLoss(least_squares_discriminator, _unpaired(least_squares_generator)),
    "hinge": AdversarialLoss(hinge_discriminator, _unpaired(wasserstein_generator)),
    "wasserstein": AdversarialLoss(wasserstein_discriminator, _unpaired(wasserstein_generator)),
    "relativistic": AdversarialLoss(relativistic_discriminator, relativistic_generator, paired=True),
}
