"""Losses of the two players of a GAN, per example, from the discriminator's logits.

With gamma = sigmoid(logit): -log gamma = softplus(-logit) and -log(1 - gamma) = softplus(logit), which stay finite
where the logarithm of a rounded sigmoid does not.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax

from genjax.types import Array


class AdversarialLoss(NamedTuple):
    """A game: `discriminator(real [b], fake [b]) -> [b]` and `generator(fake [b]) -> [b]` of logits, both minimised."""

    discriminator: Callable[[Array, Array], Array]
    generator: Callable[[Array], Array]


def cross_entropy_discriminator(real: Array, fake: Array) -> Array:
    """-log gamma(x) - log(1 - gamma(x^)): Goodfellow et al. 2014, equation 1; `[b], [b] -> [b]`, nats."""
    return jax.nn.softplus(-real) + jax.nn.softplus(fake)


def log_difference_discriminator(real: Array, fake: Array) -> Array:
    """-log gamma(x) - [1 - log gamma(x^)], a misprint of the cross-entropy that is kept so that it can be run.

    Its second term is -1 - softplus(-fake): it falls without bound as the fake logit falls, where the cross-entropy's
    softplus(fake) stops at zero. `[b], [b] -> [b]`.
    """
    return jax.nn.softplus(-real) - 1 - jax.nn.softplus(-fake)


def nonsaturating_generator(fake: Array) -> Array:
    """-log gamma(x^): steep while the discriminator wins (Goodfellow et al. 2014, section 3); `[b] -> [b]`."""
    return jax.nn.softplus(-fake)


def minimax_generator(fake: Array) -> Array:
    """log(1 - gamma(x^)), the zero-sum game's own loss; `[b] -> [b]`."""
    return -jax.nn.softplus(fake)


LOSSES = {
    "nonsaturating": AdversarialLoss(cross_entropy_discriminator, nonsaturating_generator),
    "minimax": AdversarialLoss(cross_entropy_discriminator, minimax_generator),
    "log_difference": AdversarialLoss(log_difference_discriminator, nonsaturating_generator),
}
