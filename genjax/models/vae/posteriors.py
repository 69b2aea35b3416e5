"""Kinds of posterior q(z|x): what the encoder's output says of z."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.losses.divergences import normal_log_prob
from genjax.types import Hparams, Key, Settings

Output = Float[Array, "batch features"]
Codes = Float[Array, "batch latent"]
Draws = Float[Array, "draws batch latent"]


class Posterior(NamedTuple):
    """A kind of q(z|x), as functions of the encoder's output `out: [b, features]`.

    Attributes:
      features: width of the encoder's output.
      latent: how many numbers a code has.
      draw: `(out, rng, k) -> [k, b, latent]`, draws whose gradient passes to `out`.
      draw_exact: the same, from q itself where `draw` is a relaxation of it.
      log_prob: `(out, z) -> [k, b]`, log q(z|x) in nats.
      mode: `(out) -> [b, latent]`, the code without chance.
    """

    features: int
    latent: int
    draw: Callable[[Output, Key, int], Draws]
    draw_exact: Callable[[Output, Key, int], Draws]
    log_prob: Callable[[Output, Draws], Float[Array, "draws batch"]]
    mode: Callable[[Output], Codes]


def gaussian(settings: Settings, hparams: Hparams) -> Posterior:
    """Makes N(mu(x), diag sigma^2(x)); the encoder's output is mu and log sigma^2."""
    del hparams
    latent = settings["latent"]

    def log_prob(out: Output, z: Draws) -> Float[Array, "draws batch"]:
        return normal_log_prob(z, *moments(out))

    return Posterior(2 * latent, latent, draw_gaussian, draw_gaussian, log_prob, lambda out: moments(out)[0])


def moments(
    out: Float[Array, "*rows features"],
) -> tuple[Float[Array, "*rows latent"], Float[Array, "*rows latent"]]:
    """Splits the encoder's output into mu and log sigma^2."""
    mean, log_var = jnp.split(out, 2, axis=-1)
    return mean, log_var


def draw_gaussian(out: Output, rng: Key, k: int) -> Draws:
    """Draws z = mu + sigma * eps with eps ~ N(0, I), whose gradient passes to mu and sigma."""
    mean, log_var = moments(out[None])  # [1, b, latent]
    return mean + jnp.exp(0.5 * log_var) * jax.random.normal(rng, (k, *mean.shape[1:]))


def gumbel(settings: Settings, hparams: Hparams) -> Posterior:
    """Makes `latent` categorical variables of `categories` values each; the encoder's output is their logits.

    A code is the variables' one-hot vectors, one after another. While the model trains they are relaxed to
    softmax((logits + g) / temperature) with g of the Gumbel distribution (Jang et al. 2017, equation 2).
    """
    variables, categories = settings["latent"], settings["categories"]
    size = variables * categories

    def log_prob(out: Output, z: Draws) -> Float[Array, "draws batch"]:
        return jnp.sum(z * log_shares(out, categories).reshape(1, *out.shape), axis=-1)

    def mode(out: Output) -> Codes:
        return _one_hot(jnp.argmax(log_shares(out, categories), axis=-1), categories)

    relaxed = partial(_draw_relaxed, categories, hparams["temperature"])
    return Posterior(size, size, relaxed, partial(_draw_categories, categories), log_prob, mode)


def log_shares(out: Output, categories: int) -> Float[Array, "batch variables categories"]:
    """Computes the log-probability of each value of each categorical variable."""
    return jax.nn.log_softmax(out.reshape(out.shape[0], -1, categories), axis=-1)


def _draw_relaxed(categories: int, temperature: Float[Array, ""], out: Output, rng: Key, k: int) -> Draws:
    logits = out.reshape(1, out.shape[0], -1, categories)  # [1, b, variables, categories]
    noise = jax.random.gumbel(rng, (k, *logits.shape[1:]))
    return jax.nn.softmax((logits + noise) / temperature, axis=-1).reshape(k, *out.shape)


def _draw_categories(categories: int, out: Output, rng: Key, k: int) -> Draws:
    logits = out.reshape(out.shape[0], -1, categories)
    return _one_hot(jax.random.categorical(rng, logits, shape=(k, *logits.shape[:2])), categories)


def _one_hot(values: Array, categories: int) -> Float[Array, "... latent"]:
    return jax.nn.one_hot(values, categories).reshape(*values.shape[:-1], -1)


POSTERIORS = {"gaussian": gaussian, "gumbel": gumbel}
