"""The functions of an autoencoder: encoder and decoder, the loss and its players, and what evaluation asks for.

One batch goes through `loss`: x -> corruption -> x~ -> encoder, phi -> z -> bottleneck -> decoder, psi -> x^.
"""

import math
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genjax.losses import likelihoods
from genjax.losses.adversarial import LOSSES
from genjax.losses.regularisers import kernel_norm
from genjax.models.autoencoder.bottlenecks import BOTTLENECKS, Bottleneck
from genjax.models.autoencoder.corruptions import CORRUPTIONS
from genjax.models.autoencoder.penalties import CODE_PENALTIES, CodePenalty, PenaltyInputs, penalise
from genjax.nn.blocks import map_rows
from genjax.nn.layers import ACTIVATIONS
from genjax.nn.networks import forward, initial
from genjax.nn.quantisation import perplexity
from genjax.rng import stream
from genjax.types import Aux, Batch, Hparams, Key, Params, Settings

NETWORKS = ("encoder", "decoder")  # whose kernels the penalty ||w||^2 sums
Examples = Float[Array, "batch *shape"]
Codes = Float[Array, "batch latent"]
PerExample = Float[Array, " batch"]
ADVERSARIAL_LOSS = LOSSES["nonsaturating"]


class Autoencoder(NamedTuple):
    """The networks and what binds them.

    Attributes:
      encoder: from examples to codes before phi.
      decoder: from codes to examples before psi.
      discriminator: of codes, from draws of N(0, I); None where there is no such player.
      latent: how many dimensions a code has, over all positions of its map.
      grid: shape of the map of discrete codes; `()` where codes are one vector.
      settings, hparams: as they were given to `make`.
    """

    encoder: nn.Module
    decoder: nn.Module
    discriminator: nn.Module | None
    latent: int
    grid: tuple[int, ...]
    settings: Settings
    hparams: Hparams

    @property
    def bottleneck(self) -> Bottleneck | None:
        """What makes codes discrete."""
        return BOTTLENECKS[self.settings["bottleneck"]]

    @property
    def penalty(self) -> CodePenalty:
        """What is asked of the codes."""
        return CODE_PENALTIES[self.settings["code_penalty"]]


def init(auto: Autoencoder, rng: Key, batch: Batch) -> Params:
    """Draws `encoder`, `decoder` and, where there are such, `codebook` and `discriminator`."""
    encoder_key, decoder_key = jax.random.split(rng)
    z = jnp.zeros((batch.x.shape[0], auto.latent))
    params = {
        "encoder": initial(auto.encoder, encoder_key, batch.x),
        "decoder": initial(auto.decoder, decoder_key, z),
    }
    if auto.bottleneck is not None:
        params |= auto.bottleneck.init(auto.settings, stream(rng, "codebook"))
    if auto.discriminator is not None:
        params["discriminator"] = initial(auto.discriminator, stream(rng, "discriminator"), z)
    return params


def encode(auto: Autoencoder, params: Params, batch: Batch) -> Codes:
    """Computes the code of each example as the decoder sees it: z = phi(W1 x + b1), quantised where it is discrete."""
    z = continuous_code(auto, params, batch.x)
    if auto.bottleneck is None:
        return z
    values, _ = auto.bottleneck.quantise(auto.settings, params, _vectors(auto, z))
    return values.reshape(z.shape)


def encode_numbers(auto: Autoencoder, params: Params, batch: Batch) -> Int[Array, "batch *grid"]:
    """Computes the map of the numbers of each example's discrete codes."""
    assert auto.bottleneck is not None
    z = continuous_code(auto, params, batch.x)
    _, numbers = auto.bottleneck.quantise(auto.settings, params, _vectors(auto, z))
    return numbers.reshape(-1, *auto.grid)


def decode_numbers(auto: Autoencoder, params: Params, numbers: Int[Array, "n *grid"]) -> Float[Array, "n *shape"]:
    """Computes the examples that maps of discrete codes stand for."""
    assert auto.bottleneck is not None
    values = auto.bottleneck.look_up(auto.settings, params, numbers.reshape(-1))
    return decode(auto, params, values.reshape(len(numbers), auto.latent))


def continuous_code(auto: Autoencoder, params: Params, x: Examples) -> Codes:
    """Computes phi(W1 x + b1), before any bottleneck."""
    return ACTIVATIONS[auto.settings["phi"]](forward(auto.encoder, params["encoder"], x))


def decode(auto: Autoencoder, params: Params, z: Float[Array, "n latent"]) -> Float[Array, "n *shape"]:
    """Computes x^ = psi(W2 z + b2)."""
    return ACTIVATIONS[auto.settings["psi"]](forward(auto.decoder, params["decoder"], z))


def sample(auto: Autoencoder, params: Params, rng: Key, n: int) -> Float[Array, "n *shape"]:
    """Decodes draws from N(0, I), to which a code penalty drives the codes."""
    return map_rows(partial(decode, auto, params), jax.random.normal(rng, (n, auto.latent)))


def error(auto: Autoencoder, params: Params, z: Codes, x: Examples) -> PerExample:
    """Computes L(x, x^) per example: the cross-entropy in nats, from the output's logits, or the squared error."""
    if auto.settings["likelihood"] == "bernoulli":
        return -likelihoods.bernoulli_log_prob(forward(auto.decoder, params["decoder"], z), x)
    return likelihoods.squared_error(decode(auto, params, z), x)


def corrupt(auto: Autoencoder, rng: Key, x: Examples) -> Examples:
    """Draws what the encoder sees of x while it is trained."""
    corruption = CORRUPTIONS[auto.settings["corruption"]]
    return x if corruption is None else corruption.corrupt(rng, x, auto.hparams[corruption.strength])


def loss(auto: Autoencoder, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes E_x[L(x, x^)] + lambda ||w||^2, and what the code penalty and the bottleneck add."""
    corrupted = corrupt(auto, stream(rng, "corruption"), batch.x)
    z = continuous_code(auto, params, corrupted)
    code, added, metrics, state = _quantise_for_training(auto, params, z, stream(rng, "codebook"))
    penalty, terms = penalise(auto.penalty, _penalty_inputs(auto, params, corrupted, z, stream(rng, "penalty")))
    reconstruction = jnp.mean(error(auto, params, code, batch.x))
    norm = kernel_norm({part: params[part] for part in NETWORKS})
    total = reconstruction + auto.hparams["lambda_w"] * norm + penalty + added
    measured = {"loss": total, monitor(auto.settings): reconstruction, "kernel_norm": norm, **terms, **metrics}
    return total, Aux(measured, jax.lax.stop_gradient(state))


def discriminate(auto: Autoencoder, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes the discriminator's loss: draws of N(0, I) are real, codes are fake (Makhzani et al. 2015)."""
    z = continuous_code(auto, params, corrupt(auto, stream(rng, "corruption"), batch.x))
    real = _logits(auto, params, jax.random.normal(stream(rng, "prior"), z.shape))
    value = jnp.mean(ADVERSARIAL_LOSS.discriminator(real, _logits(auto, params, z)))
    return value, Aux({"discriminator_loss": value})


def deceive(auto: Autoencoder, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes the encoder's loss against the discriminator of codes."""
    z = continuous_code(auto, params, corrupt(auto, stream(rng, "corruption"), batch.x))
    logits = _logits(auto, params, z)
    value = jnp.mean(ADVERSARIAL_LOSS.generator(logits, logits))
    return value, Aux({"generator_loss": value})


def monitor(settings: Settings) -> str:
    """Names the reconstruction error that training minimises."""
    return "recon" if settings["corruption"] == "none" else "denoised"


def evaluate(auto: Autoencoder, params: Params, batch: Batch, rng: Key) -> dict[str, PerExample]:
    """Computes L(x, x^) per example, from x and, where training corrupts it, from a corrupted x as well."""
    values = {"recon": error(auto, params, encode(auto, params, batch), batch.x)}
    if monitor(auto.settings) == "denoised":
        seen = batch._replace(x=corrupt(auto, rng, batch.x))
        values["denoised"] = error(auto, params, encode(auto, params, seen), batch.x)
    return values


def _quantise_for_training(
    auto: Autoencoder, params: Params, z: Codes, rng: Key
) -> tuple[Codes, Float[Array, ""], dict[str, Array], Params]:
    """The code that the decoder sees, what is added to the loss, metrics, and parts that are overwritten.

    A loss per vector is summed over the positions of an example, as the error is over its pixels.
    """
    if auto.bottleneck is None:
        return z, jnp.zeros(()), {}, {}
    learned = auto.bottleneck.learn(auto.settings, auto.hparams, params, _vectors(auto, z), rng)
    losses = {name: jnp.sum(values) / len(z) for name, values in learned.losses.items()}
    added = sum((auto.hparams[f"{name}_weight"] * value for name, value in losses.items()), start=jnp.zeros(()))
    losses["perplexity"] = perplexity(learned.numbers, auto.bottleneck.size(auto.settings))
    return learned.values.reshape(z.shape), added, losses, learned.state


def _vectors(auto: Autoencoder, z: Codes) -> Float[Array, "n dimensions"]:
    """One row for each position of each example's map."""
    return z.reshape(z.shape[0] * math.prod(auto.grid), -1)


def _penalty_inputs(auto: Autoencoder, params: Params, x: Examples, z: Codes, rng: Key) -> PenaltyInputs:
    return PenaltyInputs(
        encode=lambda x: continuous_code(auto, params, x),
        decode=lambda z: decode(auto, params, z),
        encoder=params["encoder"],
        x=x,
        z=z,
        settings=auto.settings,
        hparams=auto.hparams,
        rng=rng,
    )


def _logits(auto: Autoencoder, params: Params, z: Codes) -> PerExample:
    assert auto.discriminator is not None
    return forward(auto.discriminator, params["discriminator"], z)[:, 0]
