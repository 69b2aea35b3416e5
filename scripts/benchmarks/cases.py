"""What is timed: a configuration, its data, how many trials of it, and how many steps make one round."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from genjax import data
from genjax.config import default, load
from genjax.data import Dataset
from genjax.sweeps.plan import Trial

CONFIGS = Path(__file__).parents[2] / "configs"
NOISE = "noise:"  # and examples x pixels of a side: the source of what `noise` makes
SWEPT = 16  # trials of a sweep


class Case(NamedTuple):
    """A title, the steps of a round, the configuration, the contestants beside genjax's own, and how many trials."""

    title: str
    steps: int
    config: Callable[[], ConfigDict]
    against: tuple[str, ...] = ("flax_loop", "torch_eager", "torch_tuned", "torch_loader", "torch_compile")
    trials: int = 1

    @property
    def contestants(self) -> tuple[str, ...]:
        own = ("genjax", "limit") if self.trials == 1 else ("genjax_sweep", "genjax_in_a_row")
        return (*own, *self.against)

    @property
    def ours(self) -> str:
        """The contestant by whose time the others' are divided."""
        return self.contestants[0]


def planned(case: Case) -> list[Trial]:
    """Its trials: the first has the case's configuration, each of the others a learning rate and a seed of its own."""
    return [_trial(case, number, factor) for number, factor in enumerate(np.geomspace(1, 0.1, case.trials))]


def _trial(case: Case, number: int, factor: float) -> Trial:
    config = case.config()
    config.seed += number
    for name, value in config.hparams.items():
        if name.endswith("learning_rate"):
            config.hparams[name] = float(factor * value)
    return Trial(number, number, {}, config)


def of_noise(family: str, examples: int = 20_000, pixels: int = 28) -> ConfigDict:
    """A family's defaults on grey images without a content."""
    config = default(family)
    config.data.source = f"{NOISE}{examples}x{pixels}"
    if family == "vae":
        config.model.likelihood = "bernoulli"  # of grey noise, as the other contestants have it
    return config


def _mlp_vae(batch: int, hidden: int = 512) -> ConfigDict:
    config = of_noise("vae")
    config.model.hidden = (hidden,)
    config.train.batch_size = batch
    return config


def _burda() -> ConfigDict:
    config = of_noise("vae")
    config.model.hidden, config.model.latent, config.model.activation = (200, 200), 50, "tanh"
    config.data.dynamic_binarisation = True
    config.train.batch_size = 100
    return config


def _dcgan() -> ConfigDict:
    config = of_noise("gan")
    config.model.network = "dcgan"
    config.train.batch_size = 64
    return config


def _dcgan_r1() -> ConfigDict:
    config = _dcgan()
    config.model.penalties = ("r1",)
    return config


def _conv_vae(network: str = "dcgan") -> ConfigDict:
    config = of_noise("vae")
    config.model.network = network
    return config


def _one_layer() -> ConfigDict:
    config = default("autoencoder")  # of the digits
    config.model.hidden, config.model.latent, config.model.phi = (), 32, "sigmoid"
    return config


def _mlp_autoencoder() -> ConfigDict:
    config = of_noise("autoencoder")
    config.model.hidden, config.model.latent = (512,), 20
    return config


def _conv_autoencoder() -> ConfigDict:
    config = of_noise("autoencoder")
    config.model.network = "dcgan"
    return config


CASES = {
    "mlp_vae_32": Case("MLP VAE 784-512-20, batch 32", 200, lambda: _mlp_vae(32)),
    "mlp_vae_100": Case("MLP VAE 784-512-20, batch 100", 100, lambda: _mlp_vae(100), ("torch_eager", "pythae")),
    "mlp_vae_128": Case("MLP VAE 784-512-20, batch 128", 100, lambda: _mlp_vae(128)),
    "mlp_vae_512": Case("MLP VAE 784-512-20, batch 512", 30, lambda: _mlp_vae(512)),
    "burda_vae": Case("Burda VAE 784-200-200-50, binarised anew, batch 100", 200, _burda),
    "dcgan": Case("DCGAN-like pair at 28x28, 32 base channels, batch 64", 15, _dcgan),
    "dcgan_r1": Case("The same pair with R1, a gradient of a gradient", 15, _dcgan_r1, ("torch_eager", "torch_tuned")),
    "conv_vae": Case("Convolutional VAE at 28x28, 32 base channels, batch 128", 15, _conv_vae),
    "residual_vae": Case(
        "Residual VAE at 28x28, 32 base channels, batch 128",
        3,
        lambda: _conv_vae("resnet"),
        ("torch_eager", "torch_tuned"),
    ),
    "mlp_autoencoder": Case("MLP autoencoder 784-512-20, batch 128", 100, _mlp_autoencoder, ()),
    "conv_autoencoder": Case(
        "Convolutional autoencoder at 28x28, 32 base channels, batch 128", 15, _conv_autoencoder, ()
    ),
    "one_layer": Case("One-layer autoencoder on digits, 64-32, batch 128", 1000, _one_layer),
    "sweep_mlp_vae": Case(
        "16 MLP VAEs 784-256-20, batch 128", 20, lambda: _mlp_vae(128, 256), ("torch_eager", "torch_tuned"), SWEPT
    ),
    "sweep_digits_vae": Case(
        "16 VAEs on digits, 64-256-256-8, batch 128",
        40,
        lambda: load(CONFIGS / "vae_normal_digits.py"),
        ("torch_eager",),
        SWEPT,
    ),
    "sweep_conv_vae": Case(
        "16 convolutional VAEs at 28x28, 32 base channels, batch 128", 3, _conv_vae, ("torch_eager",), SWEPT
    ),
}


def noise(examples: int = 20_000, pixels: int = 28) -> np.ndarray:
    """Grey images without a content, `[examples, pixels, pixels, 1]` uint8."""
    return np.random.default_rng(0).integers(0, 256, (examples, pixels, pixels, 1), np.uint8)


def dataset(config: ConfigDict) -> Dataset:
    """The digits, or noise, of which there can be enough to make memory matter: its values do not change a time."""
    digits = data.load("digits")
    if not config.data.source.startswith(NOISE):
        return digits
    examples, pixels = map(int, config.data.source.removeprefix(NOISE).split("x"))
    split = digits.train._replace(x=noise(examples, pixels), y=None)
    shape = (pixels, pixels, 1)
    return digits._replace(name="noise", shape=shape, scale=1 / 255, train=split, validation=split, test=split)
