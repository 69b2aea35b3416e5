"""The variational autoencoder (Kingma & Welling 2014; Rezende et al. 2014).

Prior p(z) = N(0, I), posterior q(z|x) = N(mu(x), diag sigma^2(x)), decoder p(x|z) Bernoulli or Gaussian. The cost is
KL(q(z|x) || p(z)) - E_q[log p(x|z)], in nats per example: summed over dimensions, averaged over the batch, with one
draw z = mu + sigma * eps per example. Reported as

  recon = -log p(x|z), kl = KL(q || p) >= 0, elbo = -(recon + kl), whose mean over z is at most log p(x),

and loss = recon + beta kl (Higgins et al. 2017), which is -elbo at beta = 1.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from genjax.losses import likelihoods
from genjax.losses.divergences import standard_normal_kl
from genjax.nn import networks
from genjax.nn.networks import forward, initial, logit, start_at
from genjax.types import (
    Aux,
    Batch,
    DataSpec,
    Family,
    Hparams,
    InputError,
    Key,
    Likelihood,
    Model,
    Objective,
    Params,
    Settings,
)

# A learned variance cannot fall below that of rounding to one of 256 grey levels, 1 / (12 * 255^2), or for points below
# that share of the data's own: where a dimension never changes, a density would otherwise grow without bound.
LOG_VAR_FLOOR = -math.log(12 * 255**2)

# A learned variance starts at this share of the data's own. From above it the cheapest first move is to ignore z, and
# the posterior collapses before the variance has come down.
VARIANCE_START = 0.1


OBJECTIVE = "elbo"

Codes = Float[Array, "batch latent"]
PerExample = Float[Array, " batch"]


class Vae(NamedTuple):
    """The networks and what binds them."""

    encoder: nn.Module
    decoder: nn.Module
    latent: int
    likelihood: str
    bounded: bool
    log_var_floor: float
    log_var_start: float
    hparams: Hparams


def make(settings: Settings, spec: DataSpec, hparams: Hparams) -> Model:
    """Binds the VAE to its data and hyperparameters.

    Args:
      settings: `hidden`, `latent`, those of `networks.SETTINGS`, and `likelihood`: 'bernoulli', or a Gaussian whose
        variance is each dimension's function of z ('gaussian_pixel'), one learned scalar ('gaussian_shared') or
        'gaussian_fixed'.
      spec: of the data.
      hparams: `beta`, and `decoder_variance` where the variance is fixed.

    Raises:
      InputError: a Bernoulli likelihood with data outside [0, 1].
    """
    if settings["likelihood"] == "bernoulli" and not spec.bounded:
        raise InputError("model.likelihood 'bernoulli' needs data in [0, 1]; use a Gaussian for points")
    vae = Vae(
        encoder=networks.encoder(settings, settings["hidden"], spec.shape, 2 * settings["latent"]),
        decoder=_decoder(settings, spec),
        latent=settings["latent"],
        likelihood=settings["likelihood"],
        bounded=spec.bounded,
        log_var_floor=_log_var_floor(spec),
        log_var_start=_log_var_start(spec),
        hparams=hparams,
    )
    trains = ("encoder", "decoder", "noise") if vae.likelihood == "gaussian_shared" else ("encoder", "decoder")
    return Model(
        init=partial(init, vae),
        objectives={OBJECTIVE: Objective(trains, partial(loss, vae))},
        evaluate=partial(evaluate, vae),
        monitor="loss",
        sample=partial(sample, vae),
        encode=partial(encode, vae),
        decode=partial(decode, vae),
        latent=vae.latent,
        reconstruct=lambda params, batch, rng: decode(vae, params, encode(vae, params, batch)),
        prior=partial(prior, vae),
        infer=partial(infer, vae),
        log_weights=partial(log_weights, vae),
        rates=lambda params, batch, rng: standard_normal_kl(*posterior(vae, params, batch)),
        likelihood=_likelihood(vae.likelihood, spec),
        sample_metrics=("sliced_wasserstein",),
    )


def init(vae: Vae, rng: Key, batch: Batch) -> Params:
    """`{"encoder", "decoder"}`, and `"noise"`, one log-variance, where all dimensions share it."""
    encoder_key, decoder_key = jax.random.split(rng)
    codes = jnp.zeros((batch.x.shape[0], vae.latent))
    noise = {"noise": {"log_var": jnp.float32(vae.log_var_start)}} if vae.likelihood == "gaussian_shared" else {}
    return {
        "encoder": initial(vae.encoder, encoder_key, batch.x),
        "decoder": initial(vae.decoder, decoder_key, codes),
        **noise,
    }


def posterior(vae: Vae, params: Params, batch: Batch) -> tuple[Codes, Codes]:
    """Computes mu(x) and log sigma^2(x) of q(z|x)."""
    mean, log_var = jnp.split(forward(vae.encoder, params["encoder"], batch.x), 2, axis=-1)
    return mean, log_var


def likelihood(vae: Vae, params: Params, z: Codes) -> tuple[Float[Array, "batch *shape"], Float[Array, "..."]]:
    """Computes the mean of p(x|z), of a Bernoulli its logits, and the log-variance, which broadcasts to it."""
    out = forward(vae.decoder, params["decoder"], z)
    if vae.likelihood == "gaussian_pixel":
        return out[..., 0], _bounded_below(out[..., 1], vae.log_var_floor)
    if vae.likelihood == "gaussian_shared":
        return out, _bounded_below(params["noise"]["log_var"], vae.log_var_floor)
    if vae.likelihood == "gaussian_fixed":
        return out, jnp.log(vae.hparams["decoder_variance"])
    return out, jnp.zeros(())  # a Bernoulli has no variance of its own


def log_prob(
    vae: Vae,
    params: Params,
    z: Codes,
    x: Float[Array, "batch *shape"],
    bernoulli: Callable[[Array, Array], Array] = likelihoods.bernoulli_log_prob,
) -> PerExample:
    """Computes log p(x|z) in nats; `bernoulli` is the function of logits and x to use."""
    mean, log_var = likelihood(vae, params, z)
    if vae.likelihood == "bernoulli":
        return bernoulli(mean, x)
    return likelihoods.gaussian_log_prob(mean, log_var, x)


def draw(mean: Codes, log_var: Codes, rng: Key) -> Codes:
    """Draws z = mu + sigma * eps with eps ~ N(0, I), whose gradient passes to mu and sigma."""
    return mean + jnp.exp(0.5 * log_var) * jax.random.normal(rng, mean.shape)


def terms(vae: Vae, params: Params, batch: Batch, rng: Key) -> tuple[PerExample, PerExample]:
    """Computes recon = -log p(x|z) at one z = mu + sigma * eps, and KL(q(z|x) || p(z)), in nats."""
    mean, log_var = posterior(vae, params, batch)
    z = draw(mean, log_var, rng)
    return -log_prob(vae, params, z, batch.x), jnp.sum(standard_normal_kl(mean, log_var), axis=-1)


def log_weights(vae: Vae, params: Params, batch: Batch, rng: Key, k: int) -> Float[Array, "{k} batch"]:
    """Computes log w = log p(x|z) + log p(z) - log q(z|x) at k draws z = mu + sigma eps for each example, in nats.

    With them log p(x) >= E log 1/k sum w, for every k (Burda et al. 2016, equation 8). Of both normal densities, with
    eps = (z - mu) / sigma, there remains log p(z) - log q(z|x) = 1/2 sum_j [eps_j^2 + log sigma_j^2 - z_j^2].
    """
    mean, log_var = (part[None] for part in posterior(vae, params, batch))  # [1, b, latent]
    eps = jax.random.normal(rng, (k, *mean.shape[1:]))  # [k, b, latent]
    z = mean + jnp.exp(0.5 * log_var) * eps
    log_ratio = 0.5 * jnp.sum(jnp.square(eps) + log_var - jnp.square(z), axis=-1)  # [k, b]
    rows = jnp.broadcast_to(batch.x, (k, *batch.x.shape)).reshape(-1, *batch.x.shape[1:])  # [k b, *shape]
    of_rows = log_prob(vae, params, z.reshape(-1, vae.latent), rows, likelihoods.bernoulli_log_prob_forward)
    return of_rows.reshape(log_ratio.shape) + log_ratio


def loss(vae: Vae, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes recon + beta kl; a schedule of beta is the configuration's (`schedules.beta`)."""
    recon, kl = (jnp.mean(term) for term in terms(vae, params, batch, rng))
    total = recon + vae.hparams["beta"] * kl
    return total, Aux({"loss": total, "recon": recon, "kl": kl, "elbo": -(recon + kl)})


def evaluate(vae: Vae, params: Params, batch: Batch, rng: Key) -> dict[str, PerExample]:
    """Computes the loss and its parts per example, in nats."""
    recon, kl = terms(vae, params, batch, rng)
    return {"loss": recon + vae.hparams["beta"] * kl, "recon": recon, "kl": kl, "elbo": -(recon + kl)}


def infer(vae: Vae, params: Params, batch: Batch, rng: Key) -> Codes:
    """Draws z from q(z|x)."""
    return draw(*posterior(vae, params, batch), rng)


def prior(vae: Vae, params: Params, rng: Key, n: int) -> Float[Array, "{n} latent"]:
    """Draws z ~ N(0, I)."""
    return jax.random.normal(rng, (n, vae.latent))


def encode(vae: Vae, params: Params, batch: Batch) -> Codes:
    """Computes the mean of q(z|x)."""
    return posterior(vae, params, batch)[0]


def decode(vae: Vae, params: Params, z: Codes) -> Float[Array, "batch *shape"]:
    """Computes the mean of p(x|z)."""
    mean, _ = likelihood(vae, params, z)
    return jax.nn.sigmoid(mean) if vae.likelihood == "bernoulli" else mean


def sample(vae: Vae, params: Params, rng: Key, n: int) -> Float[Array, "{n} *shape"]:
    """Draws z from the prior; for images computes the mean of p(x|z), as the field shows them; for points draws x."""
    z_key, x_key = jax.random.split(rng)
    z = prior(vae, params, z_key, n)
    if vae.bounded:
        return jnp.clip(decode(vae, params, z), 0.0, 1.0)
    mean, log_var = likelihood(vae, params, z)
    return mean + jnp.exp(0.5 * log_var) * jax.random.normal(x_key, mean.shape)


def _decoder(settings: Settings, spec: DataSpec) -> nn.Module:
    """A decoder whose output starts at the training mean; with a variance per pixel it ends in pairs, `[*shape, 2]`."""
    start = logit(spec.mean) if settings["likelihood"] == "bernoulli" else spec.mean
    shape = spec.shape
    if settings["likelihood"] == "gaussian_pixel":
        start, shape = np.stack([start, np.full_like(start, _log_var_start(spec))], axis=-1), (*shape, 2)
    return networks.decoder(settings, settings["hidden"][::-1], shape, start_at(start))


def _likelihood(name: str, spec: DataSpec) -> Likelihood:
    """What log p(x|z) is: of pixels that are not binary a Bernoulli gives a cross-entropy and no likelihood."""
    if name != "bernoulli":
        return Likelihood(name, "nats", density=True)
    binary = spec.binary or spec.dynamic_binarisation
    return Likelihood(name, "nats" if binary else "nats (cross-entropy)", density=False)


def _log_var_floor(spec: DataSpec) -> float:
    return LOG_VAR_FLOOR + (0.0 if spec.bounded else math.log(spec.variance or 1.0))


def _log_var_start(spec: DataSpec) -> float:
    floor = _log_var_floor(spec)
    return max(floor, math.log(VARIANCE_START * spec.variance)) if spec.variance > 0 else floor


def _bounded_below(log_var: Float[Array, "*shape"], floor: float) -> Float[Array, "*shape"]:
    return floor + jax.nn.softplus(log_var - floor)


def _active_hparams(settings: Settings) -> set[str]:
    fixed = {"decoder_variance"} if settings["likelihood"] == "gaussian_fixed" else set()
    return {"beta"} | fixed


FAMILY = Family(
    settings={
        **networks.SETTINGS,
        "hidden": (512,),
        "latent": 20,
        "likelihood": "bernoulli",
    },
    choices={
        **networks.CHOICES,
        "likelihood": ("bernoulli", "gaussian_pixel", "gaussian_shared", "gaussian_fixed"),
    },
    hparams={"beta": 1.0, "decoder_variance": 0.1},
    objectives=(OBJECTIVE,),
    active_hparams=_active_hparams,
    make=make,
    unused_settings=lambda settings: networks.unused_settings(settings, "hidden"),
)
