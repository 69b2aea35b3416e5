"""Three small families that need more of the contract than the shipped ones: state and labels."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from documents import page_module

from genjax.losses.adversarial import cross_entropy_discriminator, nonsaturating_generator
from genjax.losses.divergences import standard_normal_kl
from genjax.losses.likelihoods import squared_error
from genjax.types import Array, Aux, Batch, DataSpec, Family, Hparams, Key, Model, Objective, Params, Settings


def dense(params: Params, x: Array) -> Array:
    """`[b, d] -> [b, k]`: x W + b."""
    return x @ params["kernel"] + params["bias"][None]


def init_dense(rng: Key, d: int, k: int) -> Params:
    """W drawn, b zero."""
    return {"kernel": nn.initializers.lecun_normal()(rng, (d, k)), "bias": jnp.zeros(k)}


def spectral_normalise(params: Params, vector: Array) -> tuple[Params, Array]:
    """A layer whose kernel has spectral norm one, by one power iteration from `vector`, which is returned moved."""
    kernel = params["kernel"]
    left = vector @ kernel.T
    left /= jnp.linalg.norm(left)
    right = left @ kernel
    right /= jnp.linalg.norm(right)
    left, right = jax.lax.stop_gradient((left, right))
    return {**params, "kernel": kernel / (left @ kernel @ right)}, right


def make_spectral_gan(settings: Settings, spec: DataSpec, hparams: Hparams) -> Model:
    """A GAN whose discriminator's first layer is spectrally normalised (Miyato et al. 2018)."""
    d, latent = spec.shape[0], settings["latent"]

    def init(rng: Key, batch: Batch) -> Params:
        keys = jax.random.split(rng, 4)
        return {
            "generator": init_dense(keys[0], latent, d),
            "discriminator": {"hidden": init_dense(keys[1], d, 8), "out": init_dense(keys[2], 8, 1)},
            "vectors": {"hidden": jax.random.normal(keys[3], (8,))},
        }

    def sample(params: Params, rng: Key, n: int) -> Array:
        return dense(params["generator"], jax.random.normal(rng, (n, latent)))

    def logits(params: Params, x: Array) -> tuple[Array, Params]:
        hidden, vector = spectral_normalise(params["discriminator"]["hidden"], params["vectors"]["hidden"])
        return dense(params["discriminator"]["out"], jnp.tanh(dense(hidden, x)))[:, 0], {"hidden": vector}

    def discriminator_loss(params: Params, batch: Batch, rng: Key) -> tuple[Array, Aux]:
        real, vectors = logits(params, batch.x)
        fake, _ = logits(params, sample(params, rng, batch.x.shape[0]))
        loss = jnp.mean(cross_entropy_discriminator(real, fake))
        return loss, Aux({"discriminator_loss": loss}, {"vectors": vectors})

    def generator_loss(params: Params, batch: Batch, rng: Key) -> tuple[Array, Aux]:
        loss = jnp.mean(nonsaturating_generator(logits(params, sample(params, rng, batch.x.shape[0]))[0]))
        return loss, Aux({"generator_loss": loss})

    def evaluate(params: Params, batch: Batch, rng: Key) -> dict[str, Array]:
        return {"real_logit": logits(params, batch.x)[0]}

    players = {
        "discriminator": Objective(("discriminator",), discriminator_loss, updates=2),
        "generator": Objective(("generator",), generator_loss),
    }
    return Model(init, players, evaluate, "real_logit", sample=sample, sample_metrics=("sliced_wasserstein",))


def make_conditional_vae(settings: Settings, spec: DataSpec, hparams: Hparams) -> Model:
    """A VAE whose encoder and decoder see the label of an example (Sohn et al. 2015)."""
    d, latent = spec.shape[0], settings["latent"]

    def init(rng: Key, batch: Batch) -> Params:
        keys = jax.random.split(rng)
        return {
            "encoder": init_dense(keys[0], d + spec.classes, 2 * latent),
            "decoder": init_dense(keys[1], latent + spec.classes, d),
        }

    def with_label(values: Array, label: Array) -> Array:
        return jnp.concatenate([values, jax.nn.one_hot(label, spec.classes)], axis=-1)

    def terms(params: Params, batch: Batch, rng: Key) -> tuple[Array, Array]:
        mean, log_var = jnp.split(dense(params["encoder"], with_label(batch.x, batch.label)), 2, axis=-1)
        z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(rng, mean.shape)
        recon = squared_error(dense(params["decoder"], with_label(z, batch.label)), batch.x)
        return recon, jnp.sum(standard_normal_kl(mean, log_var), axis=-1)

    def loss(params: Params, batch: Batch, rng: Key) -> tuple[Array, Aux]:
        recon, kl = (jnp.mean(term) for term in terms(params, batch, rng))
        return recon + hparams["beta"] * kl, Aux({"recon": recon, "kl": kl})

    def evaluate(params: Params, batch: Batch, rng: Key) -> dict[str, Array]:
        recon, kl = terms(params, batch, rng)
        return {"recon": recon, "kl": kl}

    def sample(params: Params, rng: Key, n: int) -> Array:
        label_key, z_key = jax.random.split(rng)
        label = jax.random.randint(label_key, (n,), 0, spec.classes)
        return dense(params["decoder"], with_label(jax.random.normal(z_key, (n, latent)), label))

    return Model(init, {"elbo": Objective(("encoder", "decoder"), loss)}, evaluate, "recon", sample=sample)


def family(make, objectives: tuple[str, ...], hparams: dict[str, float], labelled: bool = False) -> Family:
    """A family with one setting, the size of a code."""
    return Family(
        settings={"latent": 2},
        choices={},
        hparams=hparams,
        objectives=objectives,
        active_hparams=lambda settings: set(hparams),
        make=make,
        labelled=lambda settings: labelled,
    )


FAMILIES = {
    "codebook": page_module("extending", "codebook").FAMILY,
    "spectral_gan": family(make_spectral_gan, ("discriminator", "generator"), {}),
    "conditional_vae": family(make_conditional_vae, ("elbo",), {"beta": 1.0}, labelled=True),
}
STATE = {"codebook": "codebook", "spectral_gan": "vectors", "conditional_vae": None}
