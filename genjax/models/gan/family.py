"""The settings of a GAN, which of them act together, and the model that they make."""

from collections.abc import Iterator
from functools import partial

import jax.numpy as jnp

from genjax.losses.adversarial import LOSSES
from genjax.models.gan import model
from genjax.models.gan.about import ABOUT
from genjax.models.gan.conditions import CONDITIONS
from genjax.models.gan.model import Gan, count_classes
from genjax.models.gan.penalties import PENALTIES
from genjax.models.gan.priors import PRIORS
from genjax.nn import networks
from genjax.nn.layers import NORMS
from genjax.ranges import DECAY, POSITIVE, SIGN
from genjax.types import Array, DataSpec, Family, Hparams, InputError, Model, Objective, Settings, Watch

DISCRIMINATOR, GENERATOR = "discriminator", "generator"
MONITOR = "sliced_wasserstein"
ALWAYS_RIGHT = 0.995  # the share of pairs from which on the generator learns little
MEMORISED = 0.5  # the share of the distance between data and samples that held-out data have lost


def make(settings: Settings, spec: DataSpec, hparams: Hparams) -> Model:
    """Binds the GAN to its data and hyperparameters.

    Args:
      settings: of the family; `docs/models.md` has what each does.
      spec: of the data.
      hparams: of the family.

    Raises:
      InputError: settings that have no meaning together or that do not fit the data.
    """
    check(settings, spec)
    gan = build(settings, spec, hparams)
    batches, conditional = settings["accumulate"], CONDITIONS[settings["condition"]].labelled
    project = partial(model.clip_weights, hparams["weight_clip"]) if settings["weight_clipping"] else None

    def player(name: str, loss, **attributes) -> Objective:
        return Objective((name,), partial(loss, gan), batches=batches, accumulate=batches > 1, **attributes)

    return Model(
        init=partial(model.init, gan),
        objectives={
            DISCRIMINATOR: player(
                DISCRIMINATOR, model.discriminator_loss, updates=settings["critic_steps"], project=project
            ),
            GENERATOR: player(GENERATOR, model.generator_loss),
        },
        evaluate=partial(model.evaluate, gan),
        monitor=MONITOR,
        sample=partial(model.sample, gan),
        decode=partial(model.decode, gan),
        latent=settings["latent"] + gan.classes,
        prior=partial(model.prior, gan),
        sample_class=partial(model.sample_class, gan) if conditional else None,
        watches=WATCHES,
        averaged=(GENERATOR,),
        average_decay=lambda images: AVERAGES[settings["average"]](hparams, images * batches),
        sample_metrics=(MONITOR, "precision_recall_coverage"),
    )


def build(settings: Settings, spec: DataSpec, hparams: Hparams) -> Gan:
    """Makes the two networks of checked settings."""
    condition, classes = CONDITIONS[settings["condition"]], count_classes(settings, spec)
    channels = spec.shape[-1] * settings["packing"] + (classes if condition.seen else 0)
    modulators = classes if settings["generator_condition"] == "norm" else 0
    return Gan(
        generator=networks.decoder(settings, settings["generator_hidden"], spec.shape, modulators=modulators),
        discriminator=networks.encoder(
            {
                **settings,
                "channels": settings["discriminator_channels"] or settings["channels"],
                "norm": _discriminator_norm(settings),
            },
            settings["discriminator_hidden"],
            (*spec.shape[:-1], channels),
            1 + (classes if condition.scored else 0),
            settings["batch_deviation"],
        ),
        settings=settings,
        spec=spec,
        hparams=hparams,
    )


def _discriminator_norm(settings: Settings) -> str:
    """The norm of the discriminator's convolutions; an MLP has none."""
    norm = settings["discriminator_norm"]
    return "none" if settings["network"] == "mlp" else settings["norm"] if norm == "same" else norm


def check(settings: Settings, spec: DataSpec) -> None:
    """Refuses settings that have no meaning together, and those that do not fit the data.

    Raises:
      InputError: why, in one line.
    """
    for problem in (*_contradictions(settings), *_misfits(settings, spec)):
        raise InputError(problem)


def _contradictions(settings: Settings) -> Iterator[str]:
    """Names what has no meaning together."""
    loss, penalties, condition = settings["loss"], settings["penalties"], settings["condition"]
    repeated = [name for name in penalties if penalties.count(name) > 1]
    if repeated:
        yield f"model.penalties names {repeated[0]!r} more than once: raise hparams.{repeated[0]}_weight"
    if settings["spectral_norm"] and settings["weight_clipping"]:
        yield "model.weight_clipping acts on weights that model.spectral_norm scales again: set one of them"
    if settings["spectral_norm"] and (norm := _discriminator_norm(settings)) != "none":
        yield f"model.spectral_norm bounds slopes, the norm {norm!r} does not: set model.discriminator_norm to 'none'"
    if settings["augmentation"] == "ada" and loss not in ("nonsaturating", "minimax", "hinge"):
        yield f"model.augmentation 'ada' reads the sign of D at data, which says nothing under the loss {loss!r}"
    if settings["packing"] > 1:
        if condition != "none":
            yield "model.packing judges examples of several classes together: set model.condition to 'none'"
        if "consistency" in penalties:
            yield "the penalty 'consistency' compares single images: set model.packing to 1"


def _misfits(settings: Settings, spec: DataSpec) -> Iterator[str]:
    """Names what the data do not allow."""
    images = spec.bounded and len(spec.shape) == 3
    condition = settings["condition"]
    if CONDITIONS[condition].labelled and not spec.classes:
        yield f"model.condition {condition!r} needs data with one label for each example"
    if settings["augmentation"] != "none" and not images:
        yield f"model.augmentation {settings['augmentation']!r} needs images"
    for name in settings["penalties"]:
        if PENALTIES[name].of_images and not images:
            yield f"the penalty {name!r} needs images"
    if settings["pixel_range"] != "unit" and not spec.bounded:
        yield f"model.pixel_range {settings['pixel_range']!r} needs images: points have their own unit"


def constant_decay(hparams: Hparams, images: int) -> Array:
    """Computes min(ema_decay, (1 + t) / (10 + t)): early averages forget the start."""
    del images
    return jnp.minimum(hparams["ema_decay"], (1.0 + hparams["step"]) / (10.0 + hparams["step"]))


def half_life_decay(hparams: Hparams, images: int) -> Array:
    """Computes the decay at which weights count half after `ema_half_life` images (Karras et al. 2020a).

    Where it is less, the half-life is the share `ema_ramp` of the images seen so far.
    """
    seen = (hparams["step"] + 1) * images
    return 0.5 ** (images / jnp.minimum(hparams["ema_half_life"], hparams["ema_ramp"] * seen))


AVERAGES = {"decay": constant_decay, "half_life": half_life_decay}

WATCHES = (
    Watch(
        "discriminator always right",
        lambda metrics: metrics["discriminator_accuracy"] > ALWAYS_RIGHT,
        "it prefers the data in more than 99.5% of the pairs, so the generator learns little: add 'r1' to "
        "model.penalties, raise its weight, or lower hparams.discriminator_learning_rate",
    ),
    Watch(
        "discriminator memorises",
        lambda metrics: (
            metrics["train/real_logit"] - metrics["real_logit"]
            > MEMORISED * max(0.0, metrics["train/real_logit"] - metrics["train/fake_logit"])
            and metrics["train/real_logit"] - metrics["train/fake_logit"] > 0.5
        ),
        "held-out data look to it more like samples than like its training data: set model.augmentation to 'ada' or "
        "'diffaugment', or raise the penalty's weight",
    ),
)


def _active_hparams(settings: Settings) -> set[str]:
    penalties, weight = settings["penalties"], CONDITIONS[settings["condition"]].weight
    return {
        *(f"{name}_weight" for name in penalties),
        *(hparam for name in penalties for hparam in PENALTIES[name].hparams),
        *({"decay": ("ema_decay",), "half_life": ("ema_half_life", "ema_ramp")}[settings["average"]]),
        *(("weight_clip",) if settings["weight_clipping"] else ()),
        *(("ada_target", "ada_images") if settings["augmentation"] == "ada" else ()),
        *((weight,) if weight else ()),
        *PRIORS[settings["prior"]].hparams,
    }


def _unused_settings(settings: Settings) -> set[str]:
    penalties = [PENALTIES[name] for name in settings["penalties"]]
    conditions = {
        "penalty_every": bool(penalties),
        "pixel_range": any(penalty.of_gradient for penalty in penalties),
        "discriminator_channels": settings["network"] != "mlp",
        "discriminator_norm": settings["network"] != "mlp",
        "codes": settings["condition"] == "information",
        "generator_condition": settings["condition"] != "none" and settings["network"] != "mlp",
    }
    unused = networks.unused_settings(settings, "generator_hidden", "discriminator_hidden")
    return unused | {name for name, acts in conditions.items() if not acts}


FAMILY = Family(
    settings={
        **networks.SETTINGS,
        "activation": "leaky_relu",
        "generator_hidden": (256, 256),
        "discriminator_hidden": (256, 256),
        "discriminator_channels": 0,
        "discriminator_norm": "same",
        "latent": 64,
        "loss": "nonsaturating",
        "penalties": (),
        "penalty_every": 1,
        "pixel_range": "unit",
        "spectral_norm": False,
        "weight_clipping": False,
        "augmentation": "none",
        "packing": 1,
        "batch_deviation": False,
        "condition": "none",
        "generator_condition": "concatenation",
        "codes": 10,
        "prior": "normal",
        "critic_steps": 1,
        "accumulate": 1,
        "average": "decay",
    },
    choices={
        **networks.CHOICES,
        "discriminator_norm": ("same", *NORMS),
        "loss": LOSSES,
        "penalties": PENALTIES,
        "pixel_range": ("unit", "symmetric"),
        "augmentation": ("none", "diffaugment", "ada"),
        "condition": CONDITIONS,
        "generator_condition": ("concatenation", "norm"),
        "prior": PRIORS,
        "average": AVERAGES,
    },
    hparams={
        "discriminator_learning_rate": 2e-4,
        "generator_learning_rate": 2e-4,
        "b1": 0.5,
        "r1_weight": 1.0,
        "r2_weight": 1.0,
        "wgan_gp_weight": 10.0,
        "zero_centred_weight": 10.0,
        "dragan_weight": 10.0,
        "lecam_weight": 0.3,
        "lecam_decay": 0.99,
        "lecam_start": 1000.0,
        "consistency_weight": 10.0,
        "latent_consistency_weight": 5.0,
        "latent_diversity_weight": 0.5,
        "code_noise": 0.03,
        "weight_clip": 0.01,
        "ada_target": 0.6,
        "ada_images": 500e3,
        "class_weight": 1.0,
        "information_weight": 1.0,
        "truncation": 1.0,
        "ema_decay": 0.999,
        "ema_half_life": 10e3,
        "ema_ramp": 0.05,
    },
    objectives=(DISCRIMINATOR, GENERATOR),
    active_hparams=_active_hparams,
    make=make,
    unused_settings=_unused_settings,
    minimums={"discriminator_channels": 0},
    ranges={
        "lecam_decay": DECAY,
        "ema_decay": DECAY,
        "ada_target": SIGN,
        "ada_images": POSITIVE,
        "truncation": POSITIVE,
    },
    labelled=lambda settings: CONDITIONS[settings["condition"]].labelled,
    about=ABOUT,
    monitor=lambda settings: MONITOR,
)
