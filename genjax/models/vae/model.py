"""The functions of a VAE: its densities, its loss, and what evaluation asks for.

One batch goes through `loss`: encoder -> q(z|x) -> z -> decoder -> log p(x|z), log p(z) - log q(z|x) -> a bound.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.losses.bounds import LogWeights
from genjax.models.vae.networks import Codes, Vae, decode_output, discriminator_logits, infer_output
from genjax.models.vae.posteriors import moments
from genjax.models.vae.priors import Given
from genjax.models.vae.regularisers import Inferred
from genjax.models.vae.sampling import decode, draw_prior
from genjax.rng import stream
from genjax.types import Aux, Batch, Key, Params

Draws = Float[Array, "draws batch latent"]
PerDraw = Float[Array, "draws batch"]
PerExample = Float[Array, " batch"]


class Sampled(NamedTuple):
    """The encoder's output for a batch, and draws of z from it."""

    out: Float[Array, "batch features"]
    z: Draws


class Terms(NamedTuple):
    """What a bound is made of, in nats, at `draws` draws of z for each example.

    Attributes:
      out: the encoder's output.
      z: the draws.
      log_likelihood: log p(x|z).
      log_ratio: log p(z) - log q(z|x).
    """

    out: Float[Array, "batch features"]
    z: Draws
    log_likelihood: PerDraw
    log_ratio: PerDraw


def log_likelihood(vae: Vae, params: Params, batch: Batch, z: Draws, gradient: bool = True) -> PerDraw:
    """Computes log p(x|z) at every draw, in nats; without a gradient there may be a faster form."""
    k, b = z.shape[:2]
    label = None if batch.label is None else jnp.broadcast_to(batch.label, (k, b)).reshape(-1)
    out = decode_output(vae, params, z.reshape(k * b, -1)[:, : vae.posterior.latent], label)
    x = jnp.broadcast_to(batch.x, (k, *batch.x.shape)).reshape(-1, *batch.x.shape[1:])  # [k b, *shape]
    log_prob = vae.output.log_prob if gradient else vae.output.log_prob_forward or vae.output.log_prob
    return log_prob(out, params.get(vae.output.part, {}), x).reshape(k, b)


def terms(vae: Vae, model: Params, posterior: Params, batch: Batch, inferred: Sampled, rng: Key) -> Terms:
    """Computes the terms of a bound at the draws of z for each example.

    Where the bound is the mean of log w, a rate in closed form stands for log q(z|x) - log p(z).

    Args:
      vae: its networks.
      model: the parameters that p(x, z) depends on.
      posterior: the parameters that q depends on.
      batch: examples.
      inferred: the encoder's output and the draws.
      rng: of the draws of upper layers.
    """
    out, z = inferred
    log_p_x = log_likelihood(vae, model, batch, z)
    if vae.bound.linear and vae.prior.kl is not None:
        rate = jnp.sum(vae.prior.kl(model, out, batch.label), axis=-1)
        return Terms(out, z, log_p_x, jnp.broadcast_to(-rate, log_p_x.shape))
    of_posterior = jax.lax.stop_gradient((posterior, out)) if vae.bound.path else (posterior, out)
    context = Given(model, posterior, batch.label, stream(rng, "upper"), vae.bound.path)
    log_ratio = vae.prior.estimate(context, z) - vae.posterior.log_prob(*of_posterior, z)
    return Terms(out, z, log_p_x, log_ratio)


def bound(vae: Vae, params: Params, batch: Batch, rng: Key) -> tuple[PerExample, Terms]:
    """Computes the bound of log p(x), in nats, with its own estimator of the gradient, and the terms of it.

    With beta, log w = log p(x|z) + beta [log p(z) - log q(z|x)].
    """
    groups, samples = vae.draws
    out = infer_output(vae, params, batch)
    inferred = Sampled(out, vae.posterior.draw(params, out, rng, groups * samples))

    def weights(model: Params, posterior: Params, inferred: Sampled) -> tuple[LogWeights, Terms]:
        parts = terms(vae, model, posterior, batch, inferred, rng)
        log_w = parts.log_likelihood + vae.beta * parts.log_ratio
        return log_w.reshape(groups, samples, -1), parts

    if vae.bound.posterior is None:
        log_w, parts = weights(params, params, inferred)
        return vae.bound.value(log_w, vae.hparams), parts
    # Two estimators. The compiler sees the forward pass of the decoder twice and computes it once.
    constant = jax.lax.stop_gradient(params)
    log_w, parts = weights(params, constant, jax.lax.stop_gradient(inferred))
    of_posterior = vae.bound.posterior(weights(constant, params, inferred)[0], vae.hparams)
    return vae.bound.value(log_w, vae.hparams) + of_posterior - jax.lax.stop_gradient(of_posterior), parts


def loss(vae: Vae, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes the negative bound plus the regulariser; a schedule of a weight is the configuration's.

    Of the ELBO it is distortion + beta rate, and a regulariser may take the place of beta times the rate.
    """
    state = {} if vae.prior.state is None else vae.prior.state(params, batch, vae.hparams["step"])
    params = {**params, **state}
    value, parts = bound(vae, params, batch, rng)
    recon, kl = -jnp.mean(parts.log_likelihood), -jnp.mean(parts.log_ratio)
    distortion_and_rate = recon if vae.regulariser.of_rate else recon + vae.beta * kl
    total = distortion_and_rate if vae.bound.linear else -jnp.mean(value)
    metrics = {}
    if vae.regulariser.value is not None:
        penalty, metrics = vae.regulariser.value(_inferred(vae, params, batch, parts, rng), vae.settings, vae.hparams)
        total += penalty
    return total, Aux({"loss": total, "recon": recon, "kl": kl, "elbo": -(recon + kl), **metrics}, state)


def evaluate(vae: Vae, params: Params, batch: Batch, rng: Key) -> dict[str, PerExample]:
    """Computes the negative bound and its parts per example, in nats; what belongs to a whole batch is left out."""
    groups, samples = vae.draws
    out = infer_output(vae, params, batch)
    inferred = Sampled(out, vae.posterior.draw_exact(params, out, rng, groups * samples))
    parts = terms(vae, params, params, batch, inferred, rng)
    recon, kl = -jnp.mean(parts.log_likelihood, axis=0), -jnp.mean(parts.log_ratio, axis=0)
    log_w = parts.log_likelihood + vae.beta * parts.log_ratio
    value = recon + vae.beta * kl
    if not vae.bound.linear:
        value = -vae.bound.value(log_w.reshape(groups, samples, -1), vae.hparams)
    metrics = {"loss": value, "recon": recon, "kl": kl, "elbo": -(recon + kl)}
    if vae.output.variance is None:
        return metrics
    return {**metrics, "variance": jnp.broadcast_to(vae.output.variance(params["noise"]), recon.shape)}


def log_weights(vae: Vae, params: Params, batch: Batch, rng: Key, k: int) -> Float[Array, "{k} batch"]:
    """Computes log w = log p(x|z) + log p(z) - log q(z|x) at k draws of z for each example, in nats.

    With them log p(x) >= E log 1/k sum w, for every k (Burda et al. 2016, equation 8).
    """
    out = infer_output(vae, params, batch)
    z = vae.posterior.draw_exact(params, out, rng, k)
    log_p_z = vae.prior.estimate(Given(params, params, batch.label, stream(rng, "upper")), z)
    return log_likelihood(vae, params, batch, z, gradient=False) + log_p_z - vae.posterior.log_prob(params, out, z)


def rates(vae: Vae, params: Params, batch: Batch, rng: Key) -> Float[Array, "batch groups"]:
    """Computes KL(q(z|x) || p(z)) of each group in closed form, or all of it in one group at one draw, in nats."""
    out = infer_output(vae, params, batch)
    if vae.prior.kl is not None:
        return vae.prior.kl(params, out, batch.label)
    z = vae.posterior.draw_exact(params, out, rng, 1)
    context = Given(params, params, batch.label, stream(rng, "upper"))
    return (vae.posterior.log_prob(params, out, z) - vae.prior.estimate(context, z))[0, :, None]


def encode(vae: Vae, params: Params, batch: Batch) -> Codes:
    """Computes the code without chance: of a Gaussian q(z|x) the mean."""
    return vae.posterior.mode(params, infer_output(vae, params, batch))


def reconstruct(vae: Vae, params: Params, batch: Batch, rng: Key) -> Float[Array, "batch *shape"]:
    """Computes the mean of p(x|z) at each example's code."""
    del rng
    return decode(vae, params, encode(vae, params, batch), batch.label)


def infer(vae: Vae, params: Params, batch: Batch, rng: Key) -> Codes:
    """Draws z from q(z|x)."""
    z = vae.posterior.draw_exact(params, infer_output(vae, params, batch), rng, 1)[0]
    return z[:, : vae.posterior.latent]


def log_densities(
    vae: Vae, params: Params, batch: Batch, z: Float[Array, "batch all"]
) -> tuple[PerExample, PerExample]:
    """Computes log p(z) and log p(x|z) of all latent variables, in nats."""
    return vae.prior.log_prob(params, z, batch.label), log_likelihood(vae, params, batch, z[None])[0]


def _inferred(vae: Vae, params: Params, batch: Batch, parts: Terms, rng: Key) -> Inferred:
    b = batch.x.shape[0]
    mean, log_var = moments(parts.out) if vae.regulariser.moments else (parts.out, parts.out)
    kl = vae.prior.kl
    of_groups = -jnp.mean(parts.log_ratio, axis=0)[:, None] if kl is None else kl(params, parts.out, batch.label)
    return Inferred(
        rates=of_groups,
        z=parts.z[0, :, : vae.posterior.latent],
        mean=mean,
        log_var=log_var,
        prior=lambda: draw_prior(vae, params, stream(rng, "mmd"), b, batch.label),
        logits=lambda codes: discriminator_logits(vae, params, codes),
        examples=vae.spec.examples,
    )
