"""The networks of a VAE: what binds them, where they start, what they see and what they return."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genjax.losses.bounds import Bound
from genjax.models.vae.outputs import Output
from genjax.models.vae.posteriors import Posterior
from genjax.models.vae.priors import Prior
from genjax.models.vae.regularisers import Regulariser
from genjax.nn.networks import forward, initial
from genjax.rng import stream
from genjax.types import Batch, DataSpec, Hparams, Key, Params, Settings

Codes = Float[Array, "n latent"]
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


def init(vae: Vae, rng: Key, batch: Batch) -> Params:
    """Draws `{"encoder", "decoder"}` and the parts of prior, posterior, noise and discriminator, if any."""
    encoder_key, decoder_key = jax.random.split(rng)
    codes = jnp.zeros((batch.x.shape[0], vae.posterior.latent))
    params = {
        "encoder": initial(vae.encoder, encoder_key, _encoder_input(vae, batch)),
        "decoder": initial(vae.decoder, decoder_key, _decoder_input(vae, codes, batch.label)),
        **({"noise": vae.output.shared} if vae.output.shared else {}),
        **vae.prior.init(stream(rng, "prior")),
        **vae.posterior.init(stream(rng, "posterior")),
    }
    if vae.discriminator is None:
        return params
    discriminated = codes if vae.regulariser.adversarial else batch.x
    return {**params, "discriminator": initial(vae.discriminator, stream(rng, "discriminator"), discriminated)}


def infer_output(vae: Vae, params: Params, batch: Batch) -> Float[Array, "batch features"]:
    """Computes the encoder's output, the parameters of q(z|x)."""
    return forward(vae.encoder, params["encoder"], _encoder_input(vae, batch))


def decode_output(vae: Vae, params: Params, z: Codes, label: Label = None) -> Float[Array, "n ..."]:
    """Computes the decoder's output, the parameters of p(x|z)."""
    return forward(vae.decoder, params["decoder"], _decoder_input(vae, z, label))


def discriminator_logits(vae: Vae, params: Params, x: Float[Array, "n ..."]) -> Float[Array, " n"]:
    """Computes the second player's logits: of codes in FactorVAE, of examples in the VAE-GAN."""
    assert vae.discriminator is not None, "this model has one player"
    return forward(vae.discriminator, params["discriminator"], x)[:, 0]


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
