"""Kinds of prior p(z): what z is drawn from, and its density.

A prior with an upper stochastic layer is p(z) = E_{z2 ~ p(z2)} p(z|z2), a VAE of its own whose data are z. Its density
has no closed form. log p(z, z2) - log q(z2|z) at a draw of z2 ~ q(z2|z) takes the density's place in every bound, and
the bounds stay bounds, because the mean of its exponential is p(z).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genjax.losses.divergences import mixture_log_prob, normal_kl, normal_log_prob, standard_normal_kl
from genjax.models.vae import flows
from genjax.models.vae.posteriors import (
    Codes,
    Draws,
    Output,
    draw_gaussian,
    layer_networks,
    log_shares,
    moments,
    moments_at,
)
from genjax.models.vae.pseudo_inputs import PSEUDO_INPUTS
from genjax.nn.networks import forward, initial
from genjax.types import Batch, DataSpec, Key, Params, Settings

Label = Int[Array, "..."] | None


class Given(NamedTuple):
    """What an estimate of log p(z) depends on beside z.

    Attributes:
      model: the parameters of the generative model.
      posterior: the parameters of the posterior.
      label: `[b]`, of a conditional model.
      rng: of the draws of upper layers.
      path: whether posterior densities are evaluated at constant parameters (`bounds.Bound.path`).
    """

    model: Params
    posterior: Params
    label: Label
    rng: Key
    path: bool = False


class Prior(NamedTuple):
    """A kind of p(z), or of p(z|y) in a conditional model.

    Attributes:
      parts: the names of its trained parts of params, of which `upper_encoder` belongs to the posterior.
      init: `(rng) -> {part: parameters}`.
      sample: `(params, rng, n, label) -> [n, d]`, draws of all latent variables; the first `latent` are the code z.
      log_prob: `(params, z, label) -> [...]`, the log-density of all latent variables `z: [..., d]`, in nats.
      estimate: `(given, z) -> [k, b]`, of the posterior's draws `z`: their log-density, or an estimate of it.
      kl: `(params, out, label) -> [b, groups]`, KL(q(z|x) || p(z)) in closed form from the encoder's output.
      state: `(params, batch, step) -> {part: tree}`, parts of params that training overwrites, where there are any.
    """

    parts: tuple[str, ...]
    init: Callable[[Key], Params]
    sample: Callable[[Params, Key, int, Label], Codes]
    log_prob: Callable[[Params, Array, Label], Array]
    estimate: Callable[[Given, Draws], Float[Array, "draws batch"]]
    kl: Callable[[Params, Output, Label], Float[Array, "batch groups"]] | None = None
    state: Callable[[Params, Batch, Array], Params] | None = None


def make_prior(settings: Settings, spec: DataSpec, encoder: nn.Module) -> Prior:
    """Makes the prior that the settings ask for; `encoder` is that of the posterior.

    With two layers it is the prior of the upper layer, and the code's is built on top of it.
    """
    if settings["posterior"] == "gumbel":
        return uniform(settings["latent"], settings["categories"])
    if settings["layers"] == 1:
        prior = PRIORS[settings["prior"]](settings, spec, encoder)
        return prior._replace(kl=None) if settings["posterior"] == "flow" else prior  # no rate in closed form
    upper_settings = {**settings, "latent": settings["upper_latent"]}
    return upper_layer(settings, PRIORS[settings["prior"]](upper_settings, spec, encoder))


def standard_normal(settings: Settings, spec: DataSpec, encoder: nn.Module) -> Prior:
    """Makes N(0, I), which has no parameters."""
    del spec, encoder
    latent = settings["latent"]
    return _with_density(
        parts=(),
        init=lambda rng: {},
        sample=lambda params, rng, n, label: jax.random.normal(rng, (n, latent)),
        log_prob=lambda params, z, label: normal_log_prob(z, jnp.zeros_like(z), jnp.zeros_like(z)),
        kl=lambda params, out, label: standard_normal_kl(*moments(out)),
    )


def of_class(settings: Settings, spec: DataSpec, encoder: nn.Module) -> Prior:
    """Makes p(z|y) = N(mu_y, diag sigma_y^2) with the parameters of each class learned."""
    del encoder
    latent, classes = settings["latent"], spec.classes

    def moments_of(params: Params, label: Label) -> tuple[Array, Array]:
        return params["prior"]["mean"][label], params["prior"]["log_var"][label]

    def sample(params: Params, rng: Key, n: int, label: Label) -> Codes:
        mean, log_var = moments_of(params, label)
        return mean + jnp.exp(0.5 * log_var) * jax.random.normal(rng, (n, latent))

    return _with_density(
        parts=("prior",),
        init=lambda rng: {"prior": _components(rng, classes, latent)},
        sample=sample,
        log_prob=lambda params, z, label: normal_log_prob(z, *moments_of(params, label)),
        kl=lambda params, out, label: normal_kl(*moments(out), *moments_of(params, label)),
    )


def mixture(settings: Settings, spec: DataSpec, encoder: nn.Module) -> Prior:
    """Makes a mixture of `components` Gaussians with learned weights, means and variances."""
    del spec, encoder
    latent, components = settings["latent"], settings["components"]

    def init(rng: Key) -> Params:
        return {"prior": {**_components(rng, components, latent), "logits": jnp.zeros(components)}}

    def sample(params: Params, rng: Key, n: int, label: Label) -> Codes:
        prior, (which, noise) = params["prior"], jax.random.split(rng)
        component = jax.random.categorical(which, prior["logits"], shape=(n,))
        std = jnp.exp(0.5 * prior["log_var"][component])
        return prior["mean"][component] + std * jax.random.normal(noise, (n, latent))

    def log_prob(params: Params, z: Array, label: Label) -> Array:
        prior = params["prior"]
        return mixture_log_prob(z, jax.nn.log_softmax(prior["logits"]), prior["mean"], prior["log_var"])

    return _with_density(("prior",), init, sample, log_prob)


def vamp(settings: Settings, spec: DataSpec, encoder: nn.Module) -> Prior:
    """Makes the mixture of the posteriors of `components` pseudo-inputs (Tomczak & Welling 2018, equation 9)."""
    components = settings["components"]
    inputs = PSEUDO_INPUTS[settings["pseudo_inputs"]](components, spec)

    def posteriors(params: Params) -> tuple[Codes, Codes]:
        return moments(forward(encoder, params["encoder"], inputs.values(params)))

    def sample(params: Params, rng: Key, n: int, label: Label) -> Codes:
        which, noise = jax.random.split(rng)
        component = jax.random.randint(which, (n,), 0, components)
        mean, log_var = (values[component] for values in posteriors(params))
        return mean + jnp.exp(0.5 * log_var) * jax.random.normal(noise, mean.shape)

    def log_prob(params: Params, z: Array, label: Label) -> Array:
        return mixture_log_prob(z, jnp.full(components, -math.log(components)), *posteriors(params))

    return _with_density(inputs.parts, inputs.init, sample, log_prob)._replace(state=inputs.state)


def flow(settings: Settings, spec: DataSpec, encoder: nn.Module) -> Prior:
    """Makes the distribution of f(u), u ~ N(0, I), with a chain f of `couplings` (Dinh et al. 2017, equation 2)."""
    del spec, encoder
    latent, couplings = settings["latent"], flows.make_couplings(settings)

    def sample(params: Params, rng: Key, n: int, label: Label) -> Codes:
        return flows.forward(couplings, params["prior"], jax.random.normal(rng, (n, latent))).point

    def log_prob(params: Params, z: Array, label: Label) -> Array:
        u, log_det = flows.inverse(couplings, params["prior"], z)
        return normal_log_prob(u, jnp.zeros_like(u), jnp.zeros_like(u)) + log_det

    return _with_density(("prior",), lambda rng: {"prior": flows.initial(couplings, rng, latent)}, sample, log_prob)


def uniform(variables: int, categories: int) -> Prior:
    """Makes the uniform distribution of one-hot vectors, the prior of categorical variables."""

    def sample(params: Params, rng: Key, n: int, label: Label) -> Codes:
        return jax.nn.one_hot(jax.random.randint(rng, (n, variables), 0, categories), categories).reshape(n, -1)

    def kl(params: Params, out: Output, label: Label) -> Float[Array, "batch groups"]:
        log_q = log_shares(out, categories)  # [b, variables, categories]
        return jnp.sum(jnp.exp(log_q) * (log_q + math.log(categories)), axis=-1)

    def log_prob(params: Params, z: Array, label: Label) -> Array:
        return jnp.full(z.shape[:-1], -variables * math.log(categories))

    return _with_density((), lambda rng: {}, sample, log_prob, kl)


def upper_layer(settings: Settings, top: Prior) -> Prior:
    """Makes p(z) = E_{z2 ~ p(z2)} p(z|z2) with Gaussians p(z|z2) and q(z2|z) (Burda et al. 2016, section 5).

    Where the posterior draws z2 too, the density of z and z2 together is known, and no estimate is needed.

    Args:
      settings: those of `layer_networks`, and the posterior.
      top: p(z2).
    """
    latent, upper, layers = settings["latent"], settings["upper_latent"], layer_networks(settings)

    def init(rng: Key) -> Params:
        keys = jax.random.split(rng, 3)
        return {
            **top.init(keys[0]),
            "upper_encoder": initial(layers.encoder, keys[1], jnp.zeros((1, latent))),
            "upper_decoder": initial(layers.decoder, keys[2], jnp.zeros((1, upper))),
        }

    def sample(params: Params, rng: Key, n: int, label: Label) -> Codes:
        upper_key, key = jax.random.split(rng)
        z2 = top.sample(params, upper_key, n, label)
        z = draw_gaussian(forward(layers.decoder, params["upper_decoder"], z2), key, 1)[0]
        return jnp.concatenate([z, z2], axis=-1)

    def log_prob(params: Params, z: Array, label: Label) -> Array:
        code, z2 = z[..., :latent], z[..., latent:]
        log_p_code = normal_log_prob(code, *moments_at(layers.decoder, params["upper_decoder"], z2))
        return log_p_code + top.log_prob(params, z2, label)

    def estimate(given: Given, z: Draws) -> Float[Array, "draws batch"]:
        out = forward(layers.encoder, given.posterior["upper_encoder"], z.reshape(-1, latent))  # [k b, 2 upper]
        z2 = draw_gaussian(out, given.rng, 1)[0]
        constant = jax.lax.stop_gradient(out) if given.path else out
        log_q = normal_log_prob(z2, *moments(constant)).reshape(z.shape[:-1])
        all_layers = jnp.concatenate([z, z2.reshape(*z.shape[:-1], upper)], axis=-1)
        return log_prob(given.model, all_layers, given.label) - log_q

    prior = _with_density((*top.parts, "upper_encoder", "upper_decoder"), init, sample, log_prob)
    return prior if settings["posterior"] == "ladder" else prior._replace(estimate=estimate)


def _with_density(
    parts: tuple[str, ...],
    init: Callable[[Key], Params],
    sample: Callable[[Params, Key, int, Label], Codes],
    log_prob: Callable[[Params, Array, Label], Array],
    kl: Callable[[Params, Output, Label], Float[Array, "batch groups"]] | None = None,
) -> Prior:
    """A prior whose density is known, so that no estimate is needed."""
    return Prior(parts, init, sample, log_prob, lambda given, z: log_prob(given.model, z, given.label), kl)


def _components(rng: Key, count: int, latent: int) -> dict[str, Array]:
    """Gaussians of variance one whose means are drawn from N(0, I): together they begin near N(0, 2 I)."""
    return {"mean": jax.random.normal(rng, (count, latent)), "log_var": jnp.zeros((count, latent))}


PRIORS: dict[str, Callable[[Settings, DataSpec, nn.Module], Prior]] = {
    "normal": standard_normal,
    "class": of_class,
    "mixture": mixture,
    "vamp": vamp,
    "flow": flow,
}
