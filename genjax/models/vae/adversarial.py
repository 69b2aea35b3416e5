"""The second players of a VAE: FactorVAE's discriminator of codes, and the VAE-GAN's discriminator of examples.

In the VAE-GAN (Larsen et al. 2016) the likelihood is p(phi(x)|z) = N(phi(x^(z)), I), phi the discriminator's last
hidden layer, and the decoder is a GAN's generator besides. The encoder sees the bound alone: the game's gradient stops
at z.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.losses.adversarial import cross_entropy_discriminator, nonsaturating_generator
from genjax.losses.moments import permute_dimensions
from genjax.models.vae.model import infer, loss
from genjax.models.vae.networks import Vae, discriminator_logits
from genjax.models.vae.regularisers import discriminator_loss
from genjax.models.vae.sampling import decode, draw_prior
from genjax.rng import stream
from genjax.types import Aux, Batch, Key, Params


def discriminate_codes(vae: Vae, params: Params, batches: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes the loss of FactorVAE's discriminator: codes of one batch against permuted codes of another."""
    first, second = (jax.tree.map(lambda leaf, i=i: leaf[i], batches) for i in range(2))
    z, other = (infer(vae, params, batch, stream(rng, name)) for batch, name in ((first, "z"), (second, "other")))
    permuted = permute_dimensions(stream(rng, "permutation"), other)
    value = jnp.mean(discriminator_loss(lambda codes: discriminator_logits(vae, params, codes), z, permuted))
    return value, Aux({"discriminator_loss": value})


def discriminate_examples(vae: Vae, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes -log gamma(x) - log(1 - gamma(x^)), the second over reconstructions and samples (algorithm 1)."""
    fake = discriminator_logits(vae, params, _generated(vae, params, batch, rng))  # [2 b]
    real = jnp.tile(discriminator_logits(vae, params, batch.x), 2)
    value = jnp.mean(cross_entropy_discriminator(real, fake))
    return value, Aux({"discriminator_loss": value, "real_logit": jnp.mean(real), "fake_logit": jnp.mean(fake)})


def generator_loss(vae: Vae, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes the negative bound plus `adversarial_weight` times the generator's loss.

    The paper weighs the bound's part for the decoder by gamma; the weight here is 1/gamma on the other part.
    """
    value, aux = loss(vae, params, batch, rng)
    logits = discriminator_logits(vae, params, _generated(vae, params, batch, rng))
    generator = jnp.mean(nonsaturating_generator(logits))
    total = value + vae.hparams["adversarial_weight"] * generator
    return total, aux._replace(metrics=aux.metrics | {"loss": total, "generator_loss": generator})


def _generated(vae: Vae, params: Params, batch: Batch, rng: Key) -> Float[Array, "twice *shape"]:
    """Reconstructions of a batch, and as many samples."""
    posterior_codes = infer(vae, params, batch, stream(rng, "reconstructed"))
    prior_codes = draw_prior(vae, params, stream(rng, "sampled"), batch.x.shape[0], batch.label)
    z = jax.lax.stop_gradient(jnp.concatenate([posterior_codes, prior_codes]))
    label = None if batch.label is None else jnp.tile(batch.label, 2)
    return decode(vae, params, z, label)
