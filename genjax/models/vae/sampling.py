"""What a VAE draws: codes from its prior, and examples from them."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.models.vae.networks import Codes, Label, Vae, decode_output
from genjax.nn.blocks import map_rows
from genjax.rng import stream
from genjax.types import Batch, Key, Params


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


def _any_label(vae: Vae, rng: Key, n: int) -> Label:
    if not vae.conditional:
        return None
    return jax.random.randint(stream(rng, "label"), (n,), 0, vae.spec.classes)
