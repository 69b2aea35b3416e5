"""Small configurations of every family, for the tests that hold for all of them."""

from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.models import FAMILIES
from genjax.training.scan import Train, make_train
from genjax.types import Batch, DataSpec, Family

SHAPE, N, BATCH, CLASSES = (8, 8, 1), 24, 8, 3

SMALL = {
    "autoencoder": {"model.hidden": (6,), "model.latent": 3},
    "vae": {"model.hidden": (6,), "model.latent": 3, "model.likelihood": "bernoulli"},
    "gan": {"model.generator_hidden": (6,), "model.discriminator_hidden": (6,), "model.latent": 3},
    "autoregressive": {"model.hidden": (6,)},
}
TRANSFORMER = {"model.network": "transformer", "model.width": 4, "model.depth": 1, "model.heads": 2}
DCGAN = {"model.network": "dcgan", "model.channels": 4, "model.latent": 3}
RESNET = {"model.network": "resnet", "model.channels": 4, "model.latent": 3, "model.norm": "group"}

# Each factor of a VAE, with what it needs of the others.
SAMPLES, COMPONENTS, LABEL = {"model.samples": 3}, {"model.components": 3}, {"model.condition": "label"}
FACTORS_OF_VAES = (
    ({"bound": "iwae"}, SAMPLES),
    ({"bound": "dreg"}, SAMPLES),
    ({"bound": "stl"}, {}),
    ({"bound": "miwae"}, {**SAMPLES, "model.groups": 2}),
    ({"bound": "piwae"}, {**SAMPLES, "model.groups": 2}),
    ({"bound": "ciwae"}, SAMPLES),
    ({"bound": "renyi"}, SAMPLES),
    ({"prior": "mixture"}, COMPONENTS),
    ({"prior": "vamp"}, COMPONENTS),
    ({"prior": "vamp", "pseudo_inputs": "examples"}, COMPONENTS),
    ({"prior": "vamp", "pseudo_inputs": "from_examples"}, COMPONENTS),
    ({"prior": "flow"}, {"model.couplings": 2, "model.coupling_hidden": 5}),
    ({"prior": "class"}, LABEL),
    ({"likelihood": "continuous_bernoulli"}, {}),
    ({"likelihood": "logistic"}, {}),
    ({"likelihood": "logistic_mixture"}, {"model.logistics": 2}),
    ({"likelihood": "categorical"}, {}),
    ({"likelihood": "features"}, {"model.discriminator_hidden": (5,)}),
    ({"posterior": "flow", "bound": "dreg"}, {**SAMPLES, "model.couplings": 2, "model.coupling_hidden": 5}),
    ({"posterior": "ladder"}, {"model.layers": 2}),
    ({"posterior": "gumbel"}, {"model.categories": 4}),
    ({"regulariser": "capacity"}, {}),
    ({"regulariser": "free_bits"}, {"hparams.free_bits": 0.01}),
    ({"regulariser": "tc"}, {}),
    ({"regulariser": "tc", "tc_estimator": "stratified"}, {}),
    ({"regulariser": "factor"}, {"model.discriminator_hidden": (5,)}),
    ({"regulariser": "dip"}, {}),
    ({"regulariser": "mmd"}, {}),
    ({"condition": "label"}, {}),
    ({"bound": "iwae", "prior": "mixture"}, {**SAMPLES, **COMPONENTS, "model.layers": 2, **LABEL}),
)
VAE_FACTORS = {
    f"vae_{'_'.join(factor.values())}": ("vae", {f"model.{name}": value for name, value in factor.items()} | beside)
    for factor, beside in FACTORS_OF_VAES
}

# Each factor of a GAN, with what it needs of the others.
CONVOLUTIONAL = {"model.network": "dcgan", "model.channels": 2, "model.latent": 3}
FACTORS_OF_GANS = (
    ({"loss": "minimax"}, {"optim.generator.optimiser": "rmsprop"}),
    ({"loss": "log_difference"}, {"optim.generator.schedule": "exponential"}),
    ({"loss": "least_squares"}, {"model.accumulate": 2}),
    ({"loss": "hinge"}, {"model.spectral_norm": True}),
    ({"loss": "wasserstein"}, {"model.weight_clipping": True}),
    ({"loss": "relativistic", "penalties": ("r1", "r2")}, {"model.penalty_every": 2, "model.average": "half_life"}),
    ({"penalties": ("wgan_gp",)}, {"model.pixel_range": "symmetric"}),
    ({"penalties": ("zero_centred", "lecam")}, {"hparams.lecam_start": 1.0}),
    ({"penalties": ("dragan",)}, {}),
    ({"penalties": ("consistency",)}, {}),
    ({"penalties": ("latent_consistency", "latent_diversity")}, {}),
    ({"augmentation": "diffaugment"}, CONVOLUTIONAL),
    (
        {"augmentation": "ada"},
        {"hparams.ada_images": 64.0, "hparams.ada_target": 0.0, "hparams.discriminator_learning_rate": 0.1},
    ),
    ({"packing": 2}, {"model.batch_deviation": True}),
    ({"condition": "concatenation"}, CONVOLUTIONAL),
    ({"condition": "projection"}, {**CONVOLUTIONAL, "model.generator_condition": "norm", "model.norm": "layer"}),
    ({"condition": "auxiliary"}, {}),
    ({"condition": "information"}, {"model.codes": 4}),
    ({"prior": "uniform"}, {}),
    ({"prior": "truncated"}, {}),
    ({"network": "r3gan"}, {**CONVOLUTIONAL, "model.network": "r3gan"}),
    ({"network": "sndcgan"}, {**CONVOLUTIONAL, "model.network": "sndcgan", "model.spectral_norm": True}),
)


def _name(factor: dict) -> str:
    parts = ("_".join(value) if isinstance(value, tuple) else str(value) for value in factor.values())
    return "gan_" + "_".join(parts)


GAN_FACTORS = {
    _name(factor): ("gan", {f"model.{name}": value for name, value in factor.items()} | beside)
    for factor, beside in FACTORS_OF_GANS
}

# Each factor of an autoencoder, with what it needs of the others.
FACTORS_OF_AUTOENCODERS = (
    ({"corruption": "gaussian"}, {}),
    ({"corruption": "masking"}, {}),
    ({"code_penalty": "l1"}, {}),
    ({"code_penalty": "sparse"}, {"model.phi": "sigmoid"}),
    ({"code_penalty": "contractive"}, {}),
    ({"code_penalty": "l2"}, {}),
    ({"code_penalty": "gradient"}, {}),
    ({"code_penalty": "mmd"}, {}),
    ({"code_penalty": "sliced"}, {"model.projections": 5}),
    ({"code_penalty": "adversarial"}, {"model.discriminator_hidden": (5,)}),
    ({"bottleneck": "vq"}, {"model.codes": 6, "model.positions": 2, "hparams.codebook_start": 2.0}),
    ({"bottleneck": "vq", "codebook": "gradient"}, {"model.codes": 6, "model.positions": 2}),
    ({"bottleneck": "fsq"}, {"model.latent": 16, "model.levels": (3, 4), "model.positions": 2}),
    ({"bottleneck": "lfq"}, {"model.latent": 3, "model.positions": 2}),
)
AUTOENCODER_FACTORS = {
    "_".join(["autoencoder", *(part for entry in factor.items() for part in entry)]): (
        "autoencoder",
        {f"model.{name}": value for name, value in factor.items()} | beside,
    )
    for factor, beside in FACTORS_OF_AUTOENCODERS
}

CASES = {
    "autoencoder": ("autoencoder", {}),
    "autoencoder_one_layer": ("autoencoder", {"model.hidden": (), "model.phi": "sigmoid"}),
    "autoencoder_gaussian": (
        "autoencoder",
        {"model.likelihood": "gaussian", "model.psi": "tanh", "optim.autoencoder.optimiser": "sgd"},
    ),
    **AUTOENCODER_FACTORS,
    "autoencoder_vq_grid": ("autoencoder", {**CONVOLUTIONAL, "model.bottleneck": "vq", "model.codes": 6}),
    "autoencoder_resnet": ("autoencoder", {**RESNET, "model.upsampling": "subpixel"}),
    "vae": ("vae", {}),
    "vae_auto": ("vae", {"model.likelihood": "auto"}),
    "vae_binarised": (
        "vae",
        {"data.dynamic_binarisation": True, "model.likelihood": "auto", "optim.elbo.schedule": "burda"},
    ),
    **VAE_FACTORS,
    "vae_pixel": ("vae", {"model.likelihood": "gaussian_pixel", "optim.elbo.clip": True}),
    "vae_shared": ("vae", {"model.likelihood": "gaussian_shared", "optim.elbo.schedule": "exponential"}),
    "vae_fixed": (
        "vae",
        {"model.likelihood": "gaussian_fixed", "optim.elbo.optimiser": "adamw", "optim.elbo.schedule": "warmup_cosine"},
    ),
    "vae_resnet": ("vae", {**RESNET, "model.likelihood": "gaussian_pixel", "model.upsampling": "nearest"}),
    "gan": ("gan", {}),
    "gan_dcgan": ("gan", {**DCGAN, "model.penalties": ("r1",)}),
    "gan_critic": (
        "gan",
        {"model.penalties": ("r1",), "model.critic_steps": 2, "optim.discriminator.clip": True},
    ),
    **GAN_FACTORS,
    "autoregressive": ("autoregressive", {}),
    "autoregressive_binarised": ("autoregressive", {"data.dynamic_binarisation": True}),
    "autoregressive_label": ("autoregressive", {"data.dynamic_binarisation": True, **LABEL}),
    "autoregressive_transformer": ("autoregressive", {**TRANSFORMER, "data.dynamic_binarisation": True, **LABEL}),
}
RICHEST = {  # one case a family
    "autoencoder": "autoencoder",
    "vae": "vae_binarised",
    "gan": "gan_critic",
    "autoregressive": "autoregressive_binarised",
}


def slow(*values):
    """A case of a table that runs with the slow tests alone."""
    return pytest.param(*values, marks=pytest.mark.slow)


def few_quick(cases, count):
    """A table of single values, of which all but the first so many run with the slow tests alone."""
    return [*cases[:count], *map(slow, cases[count:])]


class Case(NamedTuple):
    """A configuration with its training functions, compiled once for all tests."""

    config: ConfigDict
    functions: Train
    hparams: dict
    init: Any
    chunk: Any


def spec_of(config: ConfigDict) -> DataSpec:
    """Of `images()`."""
    mean, binarised = (images().mean(axis=0) / 255).astype(np.float32), config.data.dynamic_binarisation
    return DataSpec(
        SHAPE,
        True,
        1 / 255,
        mean,
        0.1,
        dynamic_binarisation=binarised,
        classes=CLASSES,
        examples=N,
        levels=2 if binarised else 256,
    )


@cache
def images() -> np.ndarray:
    """`[N, *SHAPE]` uint8, all different."""
    return np.random.default_rng(0).integers(0, 256, (N, *SHAPE)).astype(np.uint8)


def stored(config: ConfigDict | None = None) -> Batch:
    """`images()` as data on the device, with labels where a configuration's losses read them."""
    labelled = config is not None and FAMILIES[config.model.family].labelled(config.model)
    return Batch(jnp.asarray(images()), jnp.arange(N, dtype=jnp.int32) % CLASSES if labelled else None)


def small_config(family: str, changes: dict) -> ConfigDict:
    """The family's default with few units, a short run and some changes."""
    config = configs.default(family)
    config.train.batch_size, config.train.steps = BATCH, 10
    with config.unlocked():
        config.update_from_flattened_dict(changes if "model.network" in changes else {**SMALL[family], **changes})
    configs.check(config)
    return config


def build(config: ConfigDict, family: Family | None = None) -> Case:
    """The case of a configuration, compiled lazily."""
    functions = make_train(config, spec_of(config), family)
    hparams = {name: jnp.float32(value) for name, value in configs.active(config).items()}

    def chunk(state, hparams, rng, length):
        indices = functions.indices(hparams, rng, state.step, length, N)
        return functions.chunk(state, stored(config), indices, hparams, rng)

    return Case(config, functions, hparams, jax.jit(functions.init), jax.jit(chunk, static_argnames="length"))


@cache
def case(name: str) -> Case:
    """A case of the table, built once."""
    return build(small_config(*CASES[name]))
