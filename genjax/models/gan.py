"""The generative adversarial network (Goodfellow et al. 2014): two players, a generator G and a discriminator D.

x^ = G(h) with h ~ N(0, I); gamma(x) = sigmoid(D(x)) is the probability that x is real. The losses are named in
`adversarial.LOSSES`. The discriminator moves first, `critic_steps` times on batches of its own, then the generator.
"""

from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.losses.adversarial import LOSSES, AdversarialLoss
from genjax.losses.penalties import r1_penalty
from genjax.nn import networks
from genjax.nn.networks import forward, initial
from genjax.types import Aux, Batch, DataSpec, Family, Hparams, Key, Model, Objective, Params, Settings

DISCRIMINATOR, GENERATOR = "discriminator", "generator"


class Gan(NamedTuple):
    """The two networks and what binds them."""

    generator: nn.Module
    discriminator: nn.Module
    latent: int
    adversarial_loss: AdversarialLoss
    penalty: str
    bounded: bool
    hparams: Hparams


def make(settings: Settings, spec: DataSpec, hparams: Hparams) -> Model:
    """Binds the GAN to its data and hyperparameters.

    Args:
      settings: `generator_hidden`, `discriminator_hidden`, `latent`, those of `networks.SETTINGS`, `loss` (a name of
        `adversarial.LOSSES`), `critic_steps` (discriminator updates per generator update) and `penalty` ('none', 'r1').
      spec: of the data.
      hparams: `r1_weight`, the penalty's weight gamma in gamma/2 ||grad D||^2, where there is one. The gradient is by x
        as stored, in [0, 1] for images: one by images in [-1, 1], as many papers have it, is half as long.
    """
    gan = Gan(
        generator=networks.decoder(settings, settings["generator_hidden"], spec.shape),
        discriminator=networks.encoder(settings, settings["discriminator_hidden"], spec.shape, 1),
        latent=settings["latent"],
        adversarial_loss=LOSSES[settings["loss"]],
        penalty=settings["penalty"],
        bounded=spec.bounded,
        hparams=hparams,
    )
    return Model(
        init=partial(init, gan),
        objectives={
            DISCRIMINATOR: Objective(("discriminator",), partial(discriminator_loss, gan), settings["critic_steps"]),
            GENERATOR: Objective(("generator",), partial(generator_loss, gan)),
        },
        evaluate=partial(evaluate, gan),
        monitor="sliced_wasserstein",
        sample=partial(sample, gan),
        decode=partial(decode, gan),
        latent=gan.latent,
        prior=partial(prior, gan),
        averaged=("generator",),
        sample_metrics=("sliced_wasserstein",),
    )


def init(gan: Gan, rng: Key, batch: Batch) -> Params:
    """`{"generator", "discriminator"}`."""
    generator_key, discriminator_key = jax.random.split(rng)
    noise = jnp.zeros((batch.x.shape[0], gan.latent))
    return {
        "generator": initial(gan.generator, generator_key, noise),
        "discriminator": initial(gan.discriminator, discriminator_key, batch.x),
    }


def decode(gan: Gan, params: Params, z: Float[Array, "n latent"]) -> Float[Array, "n *shape"]:
    """Computes G(z): in [0, 1] for images, anywhere for points."""
    x = forward(gan.generator, params["generator"], z)
    return jax.nn.sigmoid(x) if gan.bounded else x


def sample(gan: Gan, params: Params, rng: Key, n: int) -> Float[Array, "{n} *shape"]:
    """Computes G(h) at h ~ N(0, I)."""
    return decode(gan, params, prior(gan, params, rng, n))


def prior(gan: Gan, params: Params, rng: Key, n: int) -> Float[Array, "{n} latent"]:
    """Draws h ~ N(0, I)."""
    return jax.random.normal(rng, (n, gan.latent))


def logits(gan: Gan, params: Params, x: Float[Array, "batch *shape"]) -> Float[Array, " batch"]:
    """Computes D(x), whose sigmoid is the probability that x is real. Images are moved to [-1, 1] first."""
    centred = 2 * x - 1 if gan.bounded else x
    return forward(gan.discriminator, params["discriminator"], centred)[:, 0]


def discriminator_logits(
    gan: Gan, params: Params, batch: Batch, rng: Key
) -> tuple[Float[Array, " batch"], Float[Array, " batch"]]:
    """Computes the logits of a batch and of as many samples."""
    # Two passes: convolutions of half as many images fit a CPU's caches (docs/performance.md).
    return logits(gan, params, batch.x), logits(gan, params, sample(gan, params, rng, batch.x.shape[0]))


def discriminator_loss(gan: Gan, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes the discriminator's loss, plus gamma/2 E||grad_x D(x)||^2 with the penalty 'r1'."""
    real, fake = discriminator_logits(gan, params, batch, rng)
    loss = jnp.mean(gan.adversarial_loss.discriminator(real, fake))
    metrics = {"discriminator_loss": loss, "real_logit": jnp.mean(real), "fake_logit": jnp.mean(fake)}
    if gan.penalty == "none":
        return loss, Aux(metrics)
    r1 = jnp.mean(r1_penalty(partial(logits, gan, params), batch.x))
    return loss + gan.hparams["r1_weight"] * r1, Aux(metrics | {"r1": r1})


def generator_loss(gan: Gan, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes the generator's loss, on as many samples as the batch has examples."""
    fake = logits(gan, params, sample(gan, params, rng, batch.x.shape[0]))
    loss = jnp.mean(gan.adversarial_loss.generator(fake))
    return loss, Aux({"generator_loss": loss})


def evaluate(gan: Gan, params: Params, batch: Batch, rng: Key) -> dict[str, Float[Array, " batch"]]:
    """Computes both players' losses and logits per pair of a real example and a sample."""
    real, fake = discriminator_logits(gan, params, batch, rng)
    return {
        "discriminator_loss": gan.adversarial_loss.discriminator(real, fake),
        "generator_loss": gan.adversarial_loss.generator(fake),
        "real_logit": real,
        "fake_logit": fake,
    }


FAMILY = Family(
    settings={
        **networks.SETTINGS,
        "activation": "leaky_relu",
        "generator_hidden": (256, 256),
        "discriminator_hidden": (256, 256),
        "latent": 64,
        "loss": "nonsaturating",
        "critic_steps": 1,
        "penalty": "none",
    },
    choices={**networks.CHOICES, "loss": LOSSES, "penalty": ("none", "r1")},
    hparams={
        "discriminator_learning_rate": 2e-4,
        "generator_learning_rate": 2e-4,
        "b1": 0.5,
        "r1_weight": 1.0,
        "ema_decay": 0.999,
    },
    objectives=(DISCRIMINATOR, GENERATOR),
    active_hparams=lambda settings: {"ema_decay"} | ({"r1_weight"} if settings["penalty"] == "r1" else set()),
    make=make,
    unused_settings=lambda settings: networks.unused_settings(settings, "generator_hidden", "discriminator_hidden"),
    about={
        **networks.ABOUT,
        "generator_hidden": "widths of an MLP generator, beginning at h",
        "discriminator_hidden": "widths of an MLP discriminator, beginning at the data",
        "latent": "dimensions of h ~ N(0, I)",
        "loss": "of both players, from logits D; gamma = sigmoid(D)",
        "loss=nonsaturating": "-log gamma(x) - log(1 - gamma(x^)) against -log gamma(x^) (Goodfellow et al. 2014)",
        "loss=minimax": "the same discriminator against log(1 - gamma(x^)) (Goodfellow et al. 2014)",
        "loss=log_difference": "a misprint, -log gamma(x) - [1 - log gamma(x^)], which has no lower bound",
        "critic_steps": "updates of the discriminator for each of the generator",
        "penalty": "on the discriminator",
        "penalty=none": "nothing",
        "penalty=r1": "r1_weight / 2 E ||grad_x D(x)||^2 at real data, by x in [0, 1] (Mescheder et al. 2018)",
        "discriminator_learning_rate": "of the discriminator's optimiser",
        "generator_learning_rate": "of the generator's optimiser",
        "b1": "of both players' Adam",
        "r1_weight": "of `r1`; a weight that a paper gives for images in [-1, 1] is divided by 4",
        "ema_decay": "of the generator's moving average, which evaluation and sampling use",
    },
)
