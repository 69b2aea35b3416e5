"""The functions of a VAE: its networks, its draws and densities, its loss, and what evaluation asks for.

One batch goes through `loss`: encoder -> q(z|x) -> z -> decoder -> log p(x|z), log p(z) - log q(z|x) -> a bound.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genjax.losses.bounds import Bound, LogWeights
from genjax.models.vae.outputs import Output
from genjax.models.vae.posteriors import Posterior, moments
from genjax.models.vae.priors import Given, Prior
from genjax.models.vae.regularisers import Inferred, Regulariser
from genjax.nn.blocks import map_rows
from genjax.nn.networks import forward, initial
from genjax.rng import stream
from genjax.types import Aux, Batch, DataSpec, Hparams, Key, Params, Settings

Codes = Float[Array, "n latent"]
Draws = Float[Array, "draws batch latent"]
PerDraw = Float[Array, "draws batch"]
PerExample = Float[Array, " batch"]
Label = Int[Array, " n"] | None


class Vae(NamedTuple):
    """The networks and what binds them.

    Attributes:
      encoder, decoder: networks between examples and codes; a conditional one sees the class too.
      discriminator: the second player, of codes in FactorVAE and of examples in the VAE-GAN, if there is one.
      posterior, prior, output: the three distributions.
      bound, regulariser: what is minimised.
      draws: the groups of draws of z for each example, and the draws of a group.
      beta: the weight of the rate, or 1 where another term stands for it.
      conditional: whether the networks see labels.
      settings, spec, hparams: as they were given to `make`.
    """

    encoder: nn.Module
    decoder: nn.Module
    discriminator: nn.Module | None
    posterior: Posterior
    prior: Prior
    output: Output
    bound: Bound
    regulariser: Regulariser
    draws: tuple[int, int]
    beta: Array | float
    conditional: bool
    settings: Settings
    spec: DataSpec
    hparams: Hparams


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


def init(vae: Vae, rng: Key, batch: Batch) -> Params:
    """Draws `{"encoder", "decoder"}` and the parts of the prior, of the noise and of the discriminator, if any."""
    encoder_key, decoder_key = jax.random.split(rng)
    codes = jnp.zeros((batch.x.shape[0], vae.posterior.latent))
    params = {
        "encoder": initial(vae.encoder, encoder_key, _encoder_input(vae, batch)),
        "decoder": initial(vae.decoder, decoder_key, _decoder_input(vae, codes, batch.label)),
        **({"noise": vae.output.shared} if vae.output.shared else {}),
        **vae.prior.init(stream(rng, "prior")),
    }
    if vae.discriminator is None:
        return params
    judged = codes if vae.regulariser.adversarial else batch.x
    return {**params, "discriminator": initial(vae.discriminator, stream(rng, "discriminator"), judged)}


def infer_output(vae: Vae, params: Params, batch: Batch) -> Float[Array, "batch features"]:
    """Computes the encoder's output, the parameters of q(z|x)."""
    return forward(vae.encoder, params["encoder"], _encoder_input(vae, batch))


def decode_output(vae: Vae, params: Params, z: Codes, label: Label = None) -> Float[Array, "n ..."]:
    """Computes the decoder's output, the parameters of p(x|z)."""
    return forward(vae.decoder, params["decoder"], _decoder_input(vae, z, label))


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


def infer(vae: Vae, params: Params, batch: Batch, rng: Key) -> Codes:
    """Draws z from q(z|x)."""
    z = vae.posterior.draw_exact(params, infer_output(vae, params, batch), rng, 1)[0]
    return z[:, : vae.posterior.latent]


def prior(vae: Vae, params: Params, rng: Key, n: int) -> Float[Array, "{n} latent"]:
    """Draws codes from the prior; of a conditional model with classes that are equally likely."""
    return draw_prior(vae, params, rng, n, _any_label(vae, rng, n))


def draw_prior(vae: Vae, params: Params, rng: Key, n: int, label: Label) -> Float[Array, "{n} latent"]:
    """Draws codes from the prior of each label."""
    return vae.prior.sample(params, rng, n, label)[:, : vae.posterior.latent]


def decode(vae: Vae, params: Params, z: Codes, label: Label = None) -> Float[Array, "n *shape"]:
    """Computes the mean of p(x|z)."""
    return vae.output.mean(decode_output(vae, params, z, label))


def sample(vae: Vae, params: Params, rng: Key, n: int) -> Float[Array, "{n} *shape"]:
    """Draws z from the prior; for images computes the mean of p(x|z), as the field shows them; for points draws x."""
    return sample_class(vae, params, rng, _any_label(vae, rng, n), n)


def sample_class(vae: Vae, params: Params, rng: Key, label: Label, n: int) -> Float[Array, "{n} *shape"]:
    """Draws z from the prior of each label, and what `sample` draws from it."""
    z_key, x_key = jax.random.split(rng)
    z = draw_prior(vae, params, z_key, n, label)
    if vae.spec.bounded:
        return map_rows(lambda rows: jnp.clip(decode(vae, params, *rows), 0.0, 1.0), (z, label))
    out = decode_output(vae, params, z, label)
    return vae.output.draw(out, params.get(vae.output.part, {}), x_key)


def simulate(vae: Vae, params: Params, rng: Key, n: int) -> tuple[Batch, Float[Array, "{n} all"]]:
    """Draws all latent variables from the prior and x from p(x|z)."""
    label = _any_label(vae, rng, n)
    z_key, x_key = jax.random.split(rng)
    z = vae.prior.sample(params, z_key, n, label)
    out = decode_output(vae, params, z[:, : vae.posterior.latent], label)
    return Batch(vae.output.draw(out, params.get(vae.output.part, {}), x_key), label), z


def log_densities(
    vae: Vae, params: Params, batch: Batch, z: Float[Array, "batch all"]
) -> tuple[PerExample, PerExample]:
    """Computes log p(z) and log p(x|z) of all latent variables, in nats."""
    return vae.prior.log_prob(params, z, batch.label), log_likelihood(vae, params, batch, z[None])[0]


def _inferred(vae: Vae, params: Params, batch: Batch, parts: Terms, rng: Key) -> Inferred:
    b = batch.x.shape[0]
    mean, log_var = moments(parts.out) if vae.settings["posterior"] != "gumbel" else (parts.out, parts.out)
    kl = vae.prior.kl
    of_groups = -jnp.mean(parts.log_ratio, axis=0)[:, None] if kl is None else kl(params, parts.out, batch.label)
    return Inferred(
        rates=of_groups,
        z=parts.z[0, :, : vae.posterior.latent],
        mean=mean,
        log_var=log_var,
        prior=lambda: draw_prior(vae, params, stream(rng, "mmd"), b, batch.label),
        logits=lambda codes: judge(vae, params, codes),
        examples=vae.spec.examples,
    )


def judge(vae: Vae, params: Params, x: Float[Array, "n ..."]) -> Float[Array, " n"]:
    """Computes the second player's logits: of codes in FactorVAE, of examples in the VAE-GAN."""
    assert vae.discriminator is not None, "this model has one player"
    return forward(vae.discriminator, params["discriminator"], x)[:, 0]


def _any_label(vae: Vae, rng: Key, n: int) -> Label:
    if not vae.conditional:
        return None
    return jax.random.randint(stream(rng, "label"), (n,), 0, vae.spec.classes)


def _encoder_input(vae: Vae, batch: Batch) -> Float[Array, "batch ..."]:
    """The examples; of a conditional model with the class: one number more for each, or one channel more for images."""
    x = batch.x
    if not vae.conditional:
        return x
    one_hot = jax.nn.one_hot(batch.label, vae.spec.classes)
    if vae.settings["network"] == "mlp":
        return jnp.concatenate([x.reshape(x.shape[0], -1), one_hot], axis=-1)
    planes = jnp.broadcast_to(one_hot[:, None, None, :], (*x.shape[:-1], vae.spec.classes))
    return jnp.concatenate([x, planes], axis=-1)


def _decoder_input(vae: Vae, z: Codes, label: Label) -> Float[Array, "n width"]:
    if not vae.conditional:
        return z
    return jnp.concatenate([z, jax.nn.one_hot(label, vae.spec.classes)], axis=-1)
