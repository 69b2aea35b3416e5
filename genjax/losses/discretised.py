"""Likelihoods of grey levels, in nats per example.

A value x in [0, 1] is one of `levels` grey levels, x = level / (levels - 1). Each distribution gives the level a
probability, and the probabilities of all levels sum to one.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from genjax.losses.likelihoods import sum_event

LOG_SCALES = (-15.0, 15.0)  # beyond these a logistic distribution is one level, or flat, in float32


def logistic_log_prob(
    mean: Float[Array, "batch *event"],
    log_scale: Float[Array, "batch *event"],
    x: Float[Array, "batch *event"],
    levels: int,
) -> Float[Array, " batch"]:
    """Computes the log-probability of a logistic distribution's bins (Kingma et al. 2016; Salimans et al. 2017).

    The bin of a level is as wide as the distance of two levels; those of the first and the last level are open.

    Args:
      mean: of the logistic distribution, in the unit of x.
      log_scale: the logarithm of its scale.
      x: grey levels in [0, 1].
      levels: how many there are.

    Example:
      >>> zero = jnp.zeros((1, 1))
      >>> print(abs(logistic_log_prob(zero, zero - 9, zero, 256).round(3)))  # all of its mass lies in the first bin
      [0.]
    """
    return sum_event(_log_bin(mean, log_scale, x, levels))


def logistic_mean(mean: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Clips the mean of the logistic distribution to [0, 1], where the levels are.

    It is not exactly the mean level: the open bins cut the tails, and not both of them equally.

    Example:
      >>> print(logistic_mean(jnp.array([-0.5, 0.5])))
      [0.  0.5]
    """
    return jnp.clip(mean, 0.0, 1.0)


def logistic_draw(
    rng: Key[Array, ""], mean: Float[Array, "*shape"], log_scale: Float[Array, "*shape"], levels: int
) -> Float[Array, "*shape"]:
    """Draws grey levels in [0, 1]: a logistic variable, moved to the nearest level.

    Example:
      >>> print(logistic_draw(jax.random.key(0), jnp.full(3, 0.4), jnp.full(3, -12.0), 3))
      [0.5 0.5 0.5]
    """
    x = mean + jnp.exp(jnp.clip(log_scale, *LOG_SCALES)) * jax.random.logistic(rng, mean.shape)
    return jnp.round(jnp.clip(x, 0.0, 1.0) * (levels - 1)) / (levels - 1)


def logistic_mixture_log_prob(
    weights: Float[Array, "batch *event components"],
    mean: Float[Array, "batch *event components"],
    log_scale: Float[Array, "batch *event components"],
    x: Float[Array, "batch *event"],
    levels: int,
) -> Float[Array, " batch"]:
    """Computes the log-probability of a mixture of binned logistic distributions (Salimans et al. 2017, equation 2).

    Args:
      weights: logits of the components' weights.
      mean: of each component.
      log_scale: the logarithm of each component's scale.
      x: grey levels in [0, 1].
      levels: how many there are.

    Example:
      >>> one = jnp.zeros((1, 1, 1))
      >>> print(abs(logistic_mixture_log_prob(one, one, one - 9, jnp.zeros((1, 1)), 256).round(3)))
      [0.]
    """
    bins = _log_bin(mean, log_scale, x[..., None], levels)
    return sum_event(jax.nn.logsumexp(jax.nn.log_softmax(weights) + bins, axis=-1))


def logistic_mixture_mean(
    weights: Float[Array, "*shape components"], mean: Float[Array, "*shape components"]
) -> Float[Array, "*shape"]:
    """Computes the mean of the components' means, each clipped to [0, 1].

    Example:
      >>> print(logistic_mixture_mean(jnp.zeros((1, 2)), jnp.array([[0.0, 3.0]])))
      [0.5]
    """
    return jnp.sum(jax.nn.softmax(weights) * logistic_mean(mean), axis=-1)


def logistic_mixture_draw(
    rng: Key[Array, ""],
    weights: Float[Array, "*shape components"],
    mean: Float[Array, "*shape components"],
    log_scale: Float[Array, "*shape components"],
    levels: int,
) -> Float[Array, "*shape"]:
    """Draws grey levels in [0, 1] from one component of each value.

    Example:
      >>> one = jnp.zeros((3, 1))
      >>> print(logistic_mixture_draw(jax.random.key(0), one, one + 1, one - 12, 256))
      [1. 1. 1.]
    """
    which, noise = jax.random.split(rng)
    component = jax.random.categorical(which, weights)[..., None]
    mean, log_scale = (jnp.take_along_axis(values, component, axis=-1)[..., 0] for values in (mean, log_scale))
    return logistic_draw(noise, mean, log_scale, levels)


def categorical_log_prob(
    logits: Float[Array, "batch *event levels"], x: Float[Array, "batch *event"]
) -> Float[Array, " batch"]:
    """Computes the log-probability of each value's level among all of them (van den Oord et al. 2016).

    Args:
      logits: one for each level.
      x: grey levels in [0, 1].

    Example:
      >>> print(categorical_log_prob(jnp.zeros((1, 1, 4)), jnp.ones((1, 1))).round(3))
      [-1.386]
    """
    level = jnp.round(x * (logits.shape[-1] - 1)).astype(jnp.int32)[..., None]
    return sum_event(jnp.take_along_axis(logits, level, axis=-1)[..., 0] - jax.nn.logsumexp(logits, axis=-1))


def categorical_mean(logits: Float[Array, "*shape levels"]) -> Float[Array, "*shape"]:
    """Computes the mean level, in [0, 1].

    Example:
      >>> print(categorical_mean(jnp.zeros((1, 3))))
      [0.5]
    """
    return jax.nn.softmax(logits) @ jnp.linspace(0.0, 1.0, logits.shape[-1])


def categorical_draw(rng: Key[Array, ""], logits: Float[Array, "*shape levels"]) -> Float[Array, "*shape"]:
    """Draws grey levels in [0, 1].

    Example:
      >>> print(categorical_draw(jax.random.key(0), jnp.array([[0.0, 99.0, 0.0]])))
      [0.5]
    """
    return jax.random.categorical(rng, logits) / jnp.float32(logits.shape[-1] - 1)


def _log_bin(
    mean: Float[Array, "..."], log_scale: Float[Array, "..."], x: Float[Array, "..."], levels: int
) -> Float[Array, "..."]:
    """Computes log(F(u) - F(l)) at the edges u and l of each value's bin, with F(v) = 1 / (1 + e^-v).

    F(u) - F(l) = F(u) F(-l) (1 - e^(l - u)), a product whose logarithm stays finite however small the scale is.
    """
    log_scale = jnp.clip(log_scale, *LOG_SCALES)
    half, inverse = 0.5 / (levels - 1), jnp.exp(-log_scale)
    upper, lower = (x + half - mean) * inverse, (x - half - mean) * inverse
    first, last = x < half, x > 1 - half
    below = jnp.where(last, 0.0, -jax.nn.softplus(-upper))  # log F(u)
    above = jnp.where(first, 0.0, -jax.nn.softplus(lower))  # log F(-l)
    between = jnp.where(first | last, 0.0, jnp.log(-jnp.expm1(-2 * half * inverse)))
    return below + above + between
