"""What is timed: a configuration, its data, and how many steps make one round."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from genjax import data
from genjax.config import default
from genjax.data import Dataset

EXAMPLES = 20_000


class Case(NamedTuple):
    """A title, the steps of a round, the configuration, and the contestants beside genjax and the limit."""

    title: str
    steps: int
    config: Callable[[], ConfigDict]
    against: tuple[str, ...] = ("flax_loop", "torch_eager", "torch_tuned", "torch_loader", "torch_compile")

    @property
    def contestants(self) -> tuple[str, ...]:
        return ("genjax", "limit", *self.against)


def _mlp_vae(batch: int) -> ConfigDict:
    config = default("vae")  # 784-512-20
    config.train.batch_size = batch
    return config


def _burda() -> ConfigDict:
    config = default("vae")
    config.model.hidden, config.model.latent, config.model.activation = (200, 200), 50, "tanh"
    config.data.dynamic_binarisation = True
    config.train.batch_size = 100
    return config


def _dcgan() -> ConfigDict:
    config = default("gan")
    config.model.network = "dcgan"
    config.train.batch_size = 64
    return config


def _conv_vae() -> ConfigDict:
    config = default("vae")
    config.model.network = "dcgan"
    return config


def _one_layer() -> ConfigDict:
    config = default("autoencoder")
    config.data.source = "digits"
    config.model.hidden, config.model.latent, config.model.phi = (), 32, "sigmoid"
    return config


CASES = {
    "mlp_vae_32": Case("MLP VAE 784-512-20, batch 32", 200, lambda: _mlp_vae(32)),
    "mlp_vae_100": Case("MLP VAE 784-512-20, batch 100", 100, lambda: _mlp_vae(100), ("torch_eager", "pythae")),
    "mlp_vae_128": Case("MLP VAE 784-512-20, batch 128", 100, lambda: _mlp_vae(128)),
    "mlp_vae_512": Case("MLP VAE 784-512-20, batch 512", 30, lambda: _mlp_vae(512)),
    "burda_vae": Case("Burda VAE 784-200-200-50, binarised anew, batch 100", 200, _burda),
    "dcgan": Case("DCGAN-like pair at 28x28, 32 base channels, batch 64", 15, _dcgan),
    "conv_vae": Case("Convolutional VAE at 28x28, 32 base channels, batch 128", 15, _conv_vae),
    "one_layer": Case("One-layer autoencoder on digits, 64-32, batch 128", 1000, _one_layer),
}


def noise() -> np.ndarray:
    """Grey images without a content, `[EXAMPLES, 28, 28, 1]` uint8."""
    return np.random.default_rng(0).integers(0, 256, (EXAMPLES, 28, 28, 1)).astype(np.uint8)


def dataset(config: ConfigDict) -> Dataset:
    """The digits, or as many grey images of 28x28 as make memory matter: their values do not change a time."""
    digits = data.load("digits")
    if config.data.source == "digits" and config.model.family == "autoencoder":
        return digits
    split = digits.train._replace(x=noise(), y=None)
    return digits._replace(name="noise", shape=(28, 28, 1), scale=1 / 255, train=split, validation=split, test=split)
