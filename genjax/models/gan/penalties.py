"""The terms that a GAN's players may have beside their losses. Each is multiplied by `<name>_weight`."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from genjax.losses.penalties import gradient_norm_penalty, lecam_penalty, mix, perturb, r1_penalty
from genjax.rng import stream
from genjax.types import Hparams, Key, Params

Examples = Float[Array, "batch ..."]
PerExample = Float[Array, " batch"]


class PenaltyInputs(NamedTuple):
    """The examples of an update, as penalties see them: without augmentation, images in the setting `pixel_range`.

    Attributes:
      critic: D, of such examples.
      real, fake: data, and as many samples.
      real_logit, fake_logit: D at both, with augmentation.
      averages: moving averages `real` and `fake` of the logits, where a penalty asks for them.
      augmented: `(rng, examples) -> examples` with a random augmentation.
      moved: `(rng, deviation) -> examples`, the samples `fake` at codes to which Gaussian noise is added.
      rng: a key of the update.
    """

    critic: Callable[[Examples], PerExample]
    real: Examples
    fake: Examples
    real_logit: PerExample
    fake_logit: PerExample
    averages: Params
    augmented: Callable[[Key, Examples], Examples]
    moved: Callable[[Key, Float[Array, ""] | float], Examples]
    rng: Key


class Penalty(NamedTuple):
    """A term of a player's loss.

    Attributes:
      value: `(inputs, hparams) -> [b]`.
      of_gradient: whether its value depends on the unit of the data, as a gradient does.
      of_images: whether it needs images.
      averaged: whether it needs moving averages of the logits.
      hparams: that it reads beside its weight.
      player: whose loss it is added to.
    """

    value: Callable[[PenaltyInputs, Hparams], PerExample]
    of_gradient: bool = True
    of_images: bool = False
    averaged: bool = False
    hparams: tuple[str, ...] = ()
    player: Literal["discriminator", "generator"] = "discriminator"


def wgan_gp(inputs: PenaltyInputs, hparams: Hparams) -> PerExample:
    """Computes (||grad D|| - 1)^2 between data and samples (Gulrajani et al. 2017, equation 3)."""
    del hparams
    return gradient_norm_penalty(inputs.critic, mix(stream(inputs.rng, "mix"), inputs.real, inputs.fake))


def zero_centred(inputs: PenaltyInputs, hparams: Hparams) -> PerExample:
    """Computes ||grad D||^2 between data and samples (Thanh-Tung et al. 2019)."""
    del hparams
    return gradient_norm_penalty(inputs.critic, mix(stream(inputs.rng, "mix"), inputs.real, inputs.fake), target=0.0)


def dragan(inputs: PenaltyInputs, hparams: Hparams) -> PerExample:
    """Computes (||grad D|| - 1)^2 around data (Kodali et al. 2017)."""
    del hparams
    return gradient_norm_penalty(inputs.critic, perturb(stream(inputs.rng, "perturb"), inputs.real))


def lecam(inputs: PenaltyInputs, hparams: Hparams) -> PerExample:
    """Computes the squared distances of either logit from the other's moving average, from `lecam_start` steps on."""
    averages = inputs.averages
    value = lecam_penalty(inputs.real_logit, inputs.fake_logit, averages["real"], averages["fake"])
    return jnp.where(hparams["step"] >= hparams["lecam_start"], value, 0.0)


def consistency(inputs: PenaltyInputs, hparams: Hparams) -> PerExample:
    """Computes (D(x) - D(T(x)))^2 + (D(x^) - D(T(x^)))^2 for random augmentations T (Zhao et al. 2021, equation 3)."""
    del hparams
    total = jnp.float32(0)
    for name, examples in (("real", inputs.real), ("fake", inputs.fake)):
        augmented = inputs.augmented(stream(inputs.rng, f"consistency {name}"), examples)
        total += jnp.square(inputs.critic(examples) - inputs.critic(augmented))
    return total


def latent_consistency(inputs: PenaltyInputs, hparams: Hparams) -> PerExample:
    """Computes (D(G(z)) - D(G(z + e)))^2 for noise e of deviation `code_noise` (zCR, Zhao et al. 2021)."""
    moved = inputs.moved(stream(inputs.rng, "codes"), hparams["code_noise"])
    return jnp.square(inputs.critic(inputs.fake) - inputs.critic(moved))


def latent_diversity(inputs: PenaltyInputs, hparams: Hparams) -> PerExample:
    """Computes -||G(z) - G(z + e)||^2 for noise e of deviation `code_noise` (zCR, Zhao et al. 2021)."""
    difference = inputs.fake - inputs.moved(stream(inputs.rng, "codes"), hparams["code_noise"])
    return -jnp.sum(jnp.square(difference), axis=tuple(range(1, difference.ndim)))


PENALTIES = {
    "r1": Penalty(lambda inputs, hparams: r1_penalty(inputs.critic, inputs.real)),
    "r2": Penalty(lambda inputs, hparams: r1_penalty(inputs.critic, inputs.fake)),
    "wgan_gp": Penalty(wgan_gp),
    "zero_centred": Penalty(zero_centred),
    "dragan": Penalty(dragan),
    "lecam": Penalty(lecam, of_gradient=False, averaged=True, hparams=("lecam_decay", "lecam_start")),
    "consistency": Penalty(consistency, of_gradient=False, of_images=True),
    "latent_consistency": Penalty(latent_consistency, of_gradient=False, hparams=("code_noise",)),
    "latent_diversity": Penalty(latent_diversity, hparams=("code_noise",), player="generator"),
}


def penalise(
    names: Sequence[str], player: str, inputs: PenaltyInputs, hparams: Hparams, every: int = 1
) -> tuple[Float[Array, ""], dict[str, Array]]:
    """Computes the weighted sum of a player's penalties, and the mean of each, `{name: scalar}`.

    With `every` = k > 1 they are computed at every k-th step alone, and multiplied by k (Karras et al. 2020b, appendix
    B). Loss and penalties share one update, so the number of updates stays as it is and Adam's rates need no
    correction; the paper's, by k / (k + 1), is for penalties that have an update of their own.
    """

    def compute() -> dict[str, Array]:
        return {name: every * jnp.mean(PENALTIES[name].value(inputs, hparams)) for name in names}

    def skip() -> dict[str, Array]:
        return {name: jnp.float32(0) for name in names}

    names = [name for name in names if PENALTIES[name].player == player]
    if not names:
        return jnp.float32(0), {}
    means = compute() if every == 1 else jax.lax.cond(jnp.int32(hparams["step"]) % every == 0, compute, skip)
    return jnp.sum(jnp.stack([hparams[f"{name}_weight"] * means[name] for name in names])), means
