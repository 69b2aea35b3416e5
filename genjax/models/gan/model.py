"""The functions of a GAN: its players, their losses, and what evaluation asks for.

One batch goes through `discriminator_loss`: h, y -> G -> x^; x, x^ -> augmentation -> packs -> D -> loss + penalties.
"""

from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from genjax.losses.adversarial import LOSSES
from genjax.models.gan.conditions import CONDITIONS, Condition, class_loss, logits
from genjax.models.gan.penalties import PENALTIES, PenaltyInputs, penalise
from genjax.models.gan.priors import PRIORS, Draw
from genjax.nn.augmentation import augment, next_probability
from genjax.nn.blocks import map_rows
from genjax.nn.networks import forward, initial
from genjax.nn.spectral import draw_zero_kernels, initial_vectors, spectral_normalise
from genjax.rng import stream
from genjax.types import Aux, Batch, DataSpec, Hparams, InputError, Key, Params, Settings

Codes = Float[Array, "n latent"]
Examples = Float[Array, "batch *shape"]
Packs = Float[Array, "packs ..."]
PerPack = Float[Array, " packs"]
PerExample = Float[Array, " batch"]
Outputs = Float[Array, "packs outputs"]
Label = Int[Array, " n"] | None


class Gan(NamedTuple):
    """The two networks and what binds them.

    Attributes:
      generator: from codes z = (h, one-hot class) to examples.
      discriminator: from packs of examples to a logit, and to an entry for each class where the condition says so.
      settings, spec, hparams: as they were given to `make`.
    """

    generator: nn.Module
    discriminator: nn.Module
    settings: Settings
    spec: DataSpec
    hparams: Hparams

    @property
    def condition(self) -> Condition:
        """How both players see a class."""
        return CONDITIONS[self.settings["condition"]]

    @property
    def classes(self) -> int:
        """How many classes or codes the generator sees; 0 where it sees none."""
        return count_classes(self.settings, self.spec)


def count_classes(settings: Settings, spec: DataSpec) -> int:
    """Counts the classes or codes that a generator sees."""
    if settings["condition"] == "none":
        return 0
    return spec.classes if CONDITIONS[settings["condition"]].labelled else settings["codes"]


def init(gan: Gan, rng: Key, batch: Batch) -> Params:
    """Draws `generator`, `discriminator` and the parts that are state: `power_vectors`, `augmentation`, `logits`."""
    generator_key, discriminator_key = jax.random.split(rng)
    settings = gan.settings
    packed = jnp.zeros((settings["packing"], *batch.x.shape[1:]))
    label = jnp.zeros(len(packed), jnp.int32)
    discriminator = initial(gan.discriminator, discriminator_key, _input(gan, _pack(gan, packed), label))
    state = {}
    if settings["spectral_norm"]:
        discriminator = draw_zero_kernels(stream(rng, "kernels"), discriminator)
        state["power_vectors"] = initial_vectors(stream(rng, "power_vectors"), discriminator)
    if settings["augmentation"] == "ada":
        state["augmentation"] = {"probability": jnp.float32(0)}
    if any(PENALTIES[name].averaged for name in settings["penalties"]):
        state["logits"] = {"real": jnp.float32(0), "fake": jnp.float32(0)}
    codes = jnp.zeros((batch.x.shape[0], settings["latent"] + gan.classes))
    return {"generator": initial(gan.generator, generator_key, codes), "discriminator": discriminator, **state}


def decode(gan: Gan, params: Params, z: Codes) -> Float[Array, "n *shape"]:
    """Computes G(z): in [0, 1] for images, anywhere for points."""
    x = forward(gan.generator, params["generator"], z)
    return jax.nn.sigmoid(x) if gan.spec.bounded else x


def prior(gan: Gan, params: Params, rng: Key, n: int) -> Float[Array, "{n} latent"]:
    """Draws z, with classes that are equally likely."""
    del params
    return _codes(gan, rng, n, _any_label(gan, rng, n), PRIORS[gan.settings["prior"]].sample)


def sample(gan: Gan, params: Params, rng: Key, n: int) -> Float[Array, "{n} *shape"]:
    """Computes G(z) at draws of z, with classes that are equally likely."""
    return map_rows(partial(decode, gan, params), prior(gan, params, rng, n))


def sample_class(gan: Gan, params: Params, rng: Key, label: Int[Array, " n"]) -> Float[Array, "n *shape"]:
    """Computes G(h, y) for labels y."""
    return decode(gan, params, _codes(gan, rng, len(label), label, PRIORS[gan.settings["prior"]].sample))


def discriminator_loss(gan: Gan, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes the discriminator's loss, plus its penalties and, with an auxiliary classifier, the classes' loss."""
    condition, label = gan.condition, _label(gan, batch, rng)
    weights, state = _discriminator_weights(gan, params, iterate=True)
    codes = _train_codes(gan, batch, rng, label)
    fake = decode(gan, params, codes)
    # Two passes: convolutions of half as many images fit a CPU's caches (docs/performance.md).
    real_out = _discriminate_augmented(gan, params, weights, batch.x, label, stream(rng, "real"))
    fake_out = _discriminate_augmented(gan, params, weights, fake, label, stream(rng, "fake"))
    real_logit, fake_logit = logits(condition, real_out, label), logits(condition, fake_out, label)
    loss = jnp.mean(LOSSES[gan.settings["loss"]].discriminator(real_logit, fake_logit))
    metrics = {"discriminator_loss": loss, "real_logit": jnp.mean(real_logit), "fake_logit": jnp.mean(fake_logit)}
    inputs = _penalty_inputs(gan, params, weights, (batch.x, fake), codes, label, (real_logit, fake_logit), rng)
    penalty, means = _penalise(gan, "discriminator", inputs)
    classes = _class_loss(gan, {"real": real_out, "fake": fake_out}, label)
    return loss + penalty + classes, Aux(metrics | means, {**state, **_next_state(gan, params, real_logit, fake_logit)})


def generator_loss(gan: Gan, params: Params, batch: Batch, rng: Key) -> tuple[Float[Array, ""], Aux]:
    """Computes the generator's loss, on as many samples as the batch has examples."""
    loss, condition, label = LOSSES[gan.settings["loss"]], gan.condition, _label(gan, batch, rng)
    weights, _ = _discriminator_weights(gan, params)
    codes = _train_codes(gan, batch, rng, label)
    samples = decode(gan, params, codes)
    out = _discriminate_augmented(gan, params, weights, samples, label, stream(rng, "fake"))
    fake = real = logits(condition, out, label)
    if loss.paired:
        real_out = _discriminate_augmented(gan, params, weights, batch.x, label, stream(rng, "real"))
        real = logits(condition, real_out, label)
    value = jnp.mean(loss.generator(real, fake))
    inputs = _penalty_inputs(gan, params, weights, (batch.x, samples), codes, label, (real, fake), rng)
    penalty, means = _penalise(gan, "generator", inputs)
    classes = _class_loss(gan, {"fake": out}, label)
    metrics = {} if condition.weight is None else {"class_loss": jnp.mean(class_loss(out, label))}
    return value + penalty + classes, Aux({"generator_loss": value, **means, **metrics})


def evaluate(gan: Gan, params: Params, batch: Batch, rng: Key) -> dict[str, PerExample]:
    """Computes both players' losses and logits per pair of a real example and a sample, without augmentation.

    `discriminator_accuracy` is 1 where the discriminator prefers the real one of the pair.
    """
    loss, condition, label = LOSSES[gan.settings["loss"]], gan.condition, _label(gan, batch, rng)
    weights, _ = _discriminator_weights(gan, params)
    fake_x = decode(gan, params, _train_codes(gan, batch, rng, label))
    real, fake = (
        logits(condition, _discriminate(gan, weights, _neighbours(gan, _centred(gan, x)), label), label)
        for x in (batch.x, fake_x)
    )
    return {
        "discriminator_loss": loss.discriminator(real, fake),
        "generator_loss": loss.generator(real, fake),
        "real_logit": real,
        "fake_logit": fake,
        "discriminator_accuracy": (real > fake) + 0.5 * (real == fake),
    }


def clip_weights(limit: Float[Array, ""], params: Params) -> Params:
    """Moves every weight into [-limit, limit] (Arjovsky et al. 2017, algorithm 1)."""
    return jax.tree.map(lambda weight: jnp.clip(weight, -limit, limit), params)


def _discriminator_weights(gan: Gan, params: Params, iterate: bool = False) -> tuple[Params, Params]:
    """The discriminator's parameters as they are used, and the state that comes of it."""
    if not gan.settings["spectral_norm"]:
        return params["discriminator"], {}
    normalised, vectors = spectral_normalise(params["discriminator"], params["power_vectors"], iterate)
    return normalised, {"power_vectors": vectors}


def _next_state(gan: Gan, params: Params, real: PerPack, fake: PerPack) -> Params:
    """The adaptive augmentation's probability, and LeCam's moving averages, after this update."""
    state, hparams = {}, gan.hparams
    if gan.settings["augmentation"] == "ada":
        step = len(real) * gan.settings["packing"] / hparams["ada_images"]
        sign = jnp.mean(jnp.sign(real))
        probability = next_probability(params["augmentation"]["probability"], sign, hparams["ada_target"], step)
        state["augmentation"] = {"probability": probability}
    if "logits" in params:
        decay = hparams["lecam_decay"]
        means = {"real": jnp.mean(real), "fake": jnp.mean(fake)}
        state["logits"] = {name: decay * params["logits"][name] + (1 - decay) * mean for name, mean in means.items()}
    return jax.lax.stop_gradient(state)


def _class_loss(gan: Gan, outputs: dict[str, Outputs], label: Label) -> Float[Array, ""]:
    """The weighted loss of the classifier on those outputs that the condition classifies."""
    condition = gan.condition
    if condition.weight is None:
        return jnp.float32(0)
    classified = [out for name, out in outputs.items() if condition.classified == "both" or name == "fake"]
    return gan.hparams[condition.weight] * sum(jnp.mean(class_loss(out, label)) for out in classified)


def _penalty_inputs(
    gan: Gan,
    params: Params,
    weights: Params,
    real_and_fake: tuple[Examples, Examples],
    codes: Codes,
    label: Label,
    both_logits: tuple[PerPack, PerPack],
    rng: Key,
) -> PenaltyInputs:
    """What penalties see: packs of images as the setting `pixel_range` says, and of points as they are."""
    stored = gan.spec.bounded and gan.settings["pixel_range"] == "unit"
    centre = (lambda x: 2 * x - 1) if stored else (lambda x: x)

    def critic(x: Packs) -> PerPack:
        return logits(gan.condition, _discriminate(gan, weights, centre(x), label), label)

    def augmented(key: Key, x: Packs) -> Packs:
        moved = augment(key, centre(x))
        return (moved + 1) / 2 if stored else moved

    def pack(x: Examples) -> Packs:
        return _pack(gan, x if stored else _centred(gan, x))

    def moved(key: Key, deviation: Float[Array, ""] | float) -> Packs:
        noise = deviation * jax.random.normal(key, (len(codes), gan.settings["latent"]))
        return pack(decode(gan, params, codes + jnp.pad(noise, ((0, 0), (0, gan.classes)))))

    real, fake = map(pack, real_and_fake)
    averages = params.get("logits", {})
    return PenaltyInputs(critic, real, fake, *both_logits, averages, augmented, moved, stream(rng, "penalties"))


def _penalise(gan: Gan, player: str, inputs: PenaltyInputs) -> tuple[Float[Array, ""], dict[str, Array]]:
    return penalise(gan.settings["penalties"], player, inputs, gan.hparams, gan.settings["penalty_every"])


def _discriminate_augmented(gan: Gan, params: Params, weights: Params, x: Examples, label: Label, rng: Key) -> Outputs:
    """D's outputs for packs of augmented examples."""
    x = _centred(gan, x)
    if gan.settings["augmentation"] != "none":
        probability = params["augmentation"]["probability"] if gan.settings["augmentation"] == "ada" else 1.0
        x = augment(rng, x, probability)
    return _discriminate(gan, weights, _pack(gan, x), label)


def _discriminate(gan: Gan, weights: Params, packs: Packs, label: Label) -> Outputs:
    return forward(gan.discriminator, weights, _input(gan, packs, label))


def _input(gan: Gan, x: Packs, label: Label) -> Packs:
    """Examples, with the class behind them where the discriminator sees it: of images one channel more for each."""
    if not gan.condition.seen:
        return x
    one_hot = jax.nn.one_hot(label, gan.classes)
    if x.ndim == 2 or gan.settings["network"] == "mlp":
        return jnp.concatenate([x.reshape(x.shape[0], -1), one_hot], axis=-1)
    planes = jnp.broadcast_to(one_hot[:, None, None, :], (*x.shape[:-1], gan.classes))
    return jnp.concatenate([x, planes], axis=-1)


def _centred(gan: Gan, x: Examples) -> Examples:
    """Images in [-1, 1]; points as they are."""
    return 2 * x - 1 if gan.spec.bounded else x


def _pack(gan: Gan, x: Examples) -> Packs:
    """Puts every `packing` examples side by side in the last axis (Lin et al. 2018, section 3)."""
    packing = gan.settings["packing"]
    if packing == 1:
        return x
    if len(x) % packing:
        raise InputError(f"train.batch_size = {len(x)} is no multiple of model.packing = {packing}")
    packs = jnp.moveaxis(x.reshape(-1, packing, *x.shape[1:]), 1, -2)  # [b / packing, ..., packing, channels]
    return packs.reshape(*packs.shape[:-2], -1)


def _neighbours(gan: Gan, x: Examples) -> Packs:
    """Packs each example with the next ones of its batch, so that there is a logit for each."""
    return jnp.concatenate([jnp.roll(x, -i, axis=0) for i in range(gan.settings["packing"])], axis=-1)


def _train_codes(gan: Gan, batch: Batch, rng: Key, label: Label) -> Codes:
    return _codes(gan, rng, batch.x.shape[0], label, PRIORS[gan.settings["prior"]].train)


def _codes(gan: Gan, rng: Key, n: int, label: Label, draw: Draw) -> Codes:
    h = draw(rng, (n, gan.settings["latent"]), gan.hparams)
    return h if label is None else jnp.concatenate([h, jax.nn.one_hot(label, gan.classes)], axis=-1)


def _label(gan: Gan, batch: Batch, rng: Key) -> Label:
    """The classes of the samples of an update: those of its examples, or codes."""
    return batch.label if gan.condition.labelled else _any_label(gan, rng, batch.x.shape[0])


def _any_label(gan: Gan, rng: Key, n: int) -> Label:
    return jax.random.randint(stream(rng, "label"), (n,), 0, gan.classes) if gan.classes else None
