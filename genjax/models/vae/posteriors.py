"""Kinds of posterior q(z|x): what the encoder's output says of z."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.losses.divergences import normal_log_prob
from genjax.models.vae import flows
from genjax.nn import networks
from genjax.nn.networks import forward
from genjax.types import Hparams, Key, Params, Settings

Output = Float[Array, "batch features"]
Codes = Float[Array, "batch latent"]
Draws = Float[Array, "draws batch latent"]
Moments = tuple[Float[Array, "*rows latent"], Float[Array, "*rows latent"]]


class Posterior(NamedTuple):
    """A kind of q(z|x), as functions of the encoder's output `out: [b, features]`.

    A draw holds the code and, where the posterior draws them too, the latent variables above it: d numbers, of which
    the first `latent` are the code.

    Attributes:
      features: width of the encoder's output.
      latent: how many numbers a code has.
      draw: `(params, out, rng, k) -> [k, b, d]`, draws whose gradient passes to `out`.
      draw_exact: the same, from q itself where `draw` is a relaxation of it.
      log_prob: `(params, out, z) -> [k, b]`, log q(z|x) in nats.
      mode: `(params, out) -> [b, latent]`, the code without chance.
      parts: the names of the trained parts of params that are its own.
      init: `(rng) -> {part: parameters}`.
    """

    features: int
    latent: int
    draw: Callable[[Params, Output, Key, int], Draws]
    draw_exact: Callable[[Params, Output, Key, int], Draws]
    log_prob: Callable[[Params, Output, Draws], Float[Array, "draws batch"]]
    mode: Callable[[Params, Output], Codes]
    parts: tuple[str, ...] = ()
    init: Callable[[Key], Params] = lambda rng: {}


def gaussian(settings: Settings, hparams: Hparams) -> Posterior:
    """Makes N(mu(x), diag sigma^2(x)); the encoder's output is mu and log sigma^2."""
    del hparams
    latent = settings["latent"]

    def log_prob(out: Output, z: Draws) -> Float[Array, "draws batch"]:
        return normal_log_prob(z, *moments(out))

    return _of_output(2 * latent, latent, draw_gaussian, draw_gaussian, log_prob, lambda out: moments(out)[0])


def moments(out: Float[Array, "*rows features"]) -> Moments:
    """Splits a network's output into mu and log sigma^2."""
    mean, log_var = jnp.split(out, 2, axis=-1)
    return mean, log_var


def draw_gaussian(out: Output, rng: Key, k: int) -> Draws:
    """Draws z = mu + sigma * eps with eps ~ N(0, I), whose gradient passes to mu and sigma."""
    mean, log_var = moments(out[None])  # [1, b, latent]
    return mean + jnp.exp(0.5 * log_var) * jax.random.normal(rng, (k, *mean.shape[1:]))


class LayerNetworks(NamedTuple):
    """The networks between a code z and the layer z2 above it: from z to moments of z2, and back."""

    encoder: nn.Module
    decoder: nn.Module


def layer_networks(settings: Settings) -> LayerNetworks:
    """Makes the networks between two layers, of widths `upper_hidden`, beginning at z."""
    latent, upper, hidden = settings["latent"], settings["upper_latent"], settings["upper_hidden"]
    of_vectors = {**settings, "network": "mlp"}
    encoder = networks.encoder(of_vectors, hidden, (latent,), 2 * upper)
    return LayerNetworks(encoder, networks.decoder(of_vectors, hidden[::-1], (2 * latent,)))


def moments_at(module: nn.Module, params: Params, z: Float[Array, "*rows dimensions"]) -> Moments:
    """Computes the moments that a network between two layers gives at draws of one of them."""
    rows = forward(module, params, z.reshape(-1, z.shape[-1]))
    return moments(rows.reshape(*z.shape[:-1], -1))


def ladder(settings: Settings, hparams: Hparams) -> Posterior:
    """Makes q(z2|x) q(z|x, z2), where the upper layer is the first to be drawn (Sønderby et al. 2016).

    The encoder's output is a Gaussian of z. Its mean goes on to q(z2|x), and q(z|x, z2) is its product with p(z|z2).
    """
    del hparams
    latent, layers = settings["latent"], layer_networks(settings)

    def upper(params: Params, out: Output) -> Float[Array, "batch upper_features"]:
        return forward(layers.encoder, params["upper_encoder"], moments(out)[0])

    def lower(params: Params, out: Output, z2: Float[Array, "draws batch upper"]) -> Moments:
        from_below = moments(jnp.broadcast_to(out, (len(z2), *out.shape)))  # [k, b, latent]
        return gaussian_product(*from_below, *moments_at(layers.decoder, params["upper_decoder"], z2))

    def draw(params: Params, out: Output, rng: Key, k: int) -> Draws:
        upper_key, key = jax.random.split(rng)
        z2 = draw_gaussian(upper(params, out), upper_key, k)
        mean, log_var = lower(params, out, z2)
        z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, mean.shape)
        return jnp.concatenate([z, z2], axis=-1)

    def log_prob(params: Params, out: Output, z: Draws) -> Float[Array, "draws batch"]:
        code, z2 = z[..., :latent], z[..., latent:]
        return normal_log_prob(code, *lower(params, out, z2)) + normal_log_prob(z2, *moments(upper(params, out)))

    def mode(params: Params, out: Output) -> Codes:
        z2, _ = moments(upper(params, out))
        return lower(params, out, z2[None])[0][0]

    return Posterior(2 * latent, latent, draw, draw, log_prob, mode)


def gaussian_product(
    mean: Float[Array, "*rows latent"],
    log_var: Float[Array, "*rows latent"],
    other_mean: Float[Array, "*rows latent"],
    other_log_var: Float[Array, "*rows latent"],
) -> Moments:
    """Computes the mean and the log variance of the normalised product of two Gaussians in each dimension.

    Precisions add, and the mean is that of both means, weighed by their precisions.

    Example:
      >>> mean, log_var = gaussian_product(*(jnp.array([value]) for value in (0.0, 0.0, 4.0, jnp.log(1 / 3))))
      >>> print(mean, jnp.exp(-log_var))  # precisions 1 and 3
      [3.] [4.]
    """
    share = jax.nn.sigmoid(other_log_var - log_var)  # of the first precision in the sum of both
    return other_mean + share * (mean - other_mean), -jnp.logaddexp(-log_var, -other_log_var)


def flow(settings: Settings, hparams: Hparams) -> Posterior:
    """Makes the distribution of f(u; x) with u ~ N(mu(x), diag sigma^2(x)) and a chain f of `couplings`.

    The encoder's output is mu, log sigma^2 and a context of `coupling_hidden` numbers, which each coupling sees.
    """
    del hparams
    latent, width, couplings = settings["latent"], settings["coupling_hidden"], flows.make_couplings(settings)

    def draw(params: Params, out: Output, rng: Key, k: int) -> Draws:
        u = draw_gaussian(out[:, : 2 * latent], rng, k)
        return flows.forward(couplings, params["posterior"], u, out[:, 2 * latent :]).point

    def log_prob(params: Params, out: Output, z: Draws) -> Float[Array, "draws batch"]:
        u, log_det = flows.inverse(couplings, params["posterior"], z, out[:, 2 * latent :])
        return normal_log_prob(u, *moments(out[:, : 2 * latent])) + log_det

    def mode(params: Params, out: Output) -> Codes:
        mean, _ = moments(out[:, : 2 * latent])
        return flows.forward(couplings, params["posterior"], mean, out[:, 2 * latent :]).point

    def init(rng: Key) -> Params:
        return {"posterior": flows.initial(couplings, rng, latent, width)}

    return Posterior(2 * latent + width, latent, draw, draw, log_prob, mode, ("posterior",), init)


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
    return _of_output(size, size, relaxed, partial(_draw_categories, categories), log_prob, mode)


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


def _of_output(
    features: int,
    latent: int,
    draw: Callable[[Output, Key, int], Draws],
    draw_exact: Callable[[Output, Key, int], Draws],
    log_prob: Callable[[Output, Draws], Float[Array, "draws batch"]],
    mode: Callable[[Output], Codes],
) -> Posterior:
    """A posterior that depends on no parameters but through the encoder's output."""
    return Posterior(
        features,
        latent,
        lambda params, out, rng, k: draw(out, rng, k),
        lambda params, out, rng, k: draw_exact(out, rng, k),
        lambda params, out, z: log_prob(out, z),
        lambda params, out: mode(out),
    )


POSTERIORS = {"gaussian": gaussian, "flow": flow, "ladder": ladder, "gumbel": gumbel}
