"""GANs of images: on stacked MNIST, whose thousand modes are counted, and beside the other families."""

from collections.abc import Mapping
from typing import Any

from results.kinds import Column, Experiment, Row, Run

STACKED = {
    "data.source": "stacked:tfds:mnist",
    "model.latent": "100",
    "model.penalties": "()",
    "model.penalty_every": "1",
    "optim.discriminator.schedule": "constant",
    "optim.generator.schedule": "constant",
    "hparams.discriminator_learning_rate": "2e-4",
    "hparams.generator_learning_rate": "2e-4",
    "train.log_every": "500",
    "train.evaluate_every": "5000",
    "train.checkpoint_every": "5000",
}
GRADIENTS = {"hparams.r1_weight": "0.25", "hparams.r2_weight": "0.25"}  # a gamma of 1 by images in [-1, 1]
RELATIVISTIC = {"model.loss": "relativistic"}
QUARTER = {"model.discriminator_channels": "8"}  # of the generator's 32
PACKED = {"model.packing": "2"}

# What the GANs beside the other families change of `gan_conv_mnist`.
DENSE = {"train.evaluate_every": "5000", "train.checkpoint_every": "5000"}
DCGAN = {
    **DENSE,
    "model.dense": "()",
    "model.penalty_every": "1",
    "optim.discriminator.schedule": "constant",
    "optim.generator.schedule": "constant",
}


def rows(source: str, folder: str, protocol: Mapping[str, Any]) -> tuple[Row, ...]:
    """Returns the rows of two networks on a source."""
    gans = {"GAN (DCGAN, R1)": (folder, DCGAN), "GAN (DCGAN with dense layers, R1)": (f"{folder}_dense", DENSE)}
    evaluations = ("--metrics fidelity --sampler prior",)
    return tuple(
        Row(label, {name: Run("gan_conv_mnist", {"data.source": source, **changes}, evaluations)}, protocol=protocol)
        for label, (name, changes) in gans.items()
    )


def modes() -> Experiment:
    """Returns the table of losses, penalties, packs and sizes of the discriminator."""
    gradients = {**GRADIENTS, "model.penalties": "r1,r2"}
    r1 = {"hparams.r1_weight": GRADIENTS["hparams.r1_weight"], "model.penalties": "r1"}
    return Experiment(
        "Modes of stacked MNIST",
        "Modes of 1,000 in 26,000 samples, and KL(classes of the samples || uniform) in nats, by the frozen MNIST "
        "classifier channel by channel; a perfect sampler has about 0.019. A DCGAN of 32 channels with a hidden layer "
        "of 256 units behind its 7x7 map, 10,000 steps of 64, a shorter training than the papers'. Without a "
        "penalty this discriminator wins, its loss falls below 0.03, and the generator shows one or two images, in "
        "packs or not; the papers' nets have batch norms and nothing hidden behind the map. A quarter: the "
        "discriminator has 8 channels.",
        (Column("modes found", "modes_found"), Column("KL, nats", "kl_to_uniform")),
        (
            Row("DCGAN", _run("plain", {}), "99, 3.40 (Srivastava et al. 2017)"),
            Row("DCGAN, packs of 2", _run("packs", PACKED), "1000, 0.06 (Lin et al. 2018)"),
            Row("R1 + R2", _run("r1_r2", gradients), "693, 0.927 (Huang et al. 2024)"),
            Row(
                "relativistic, R1 + R2",
                _run("relativistic_r1_r2", {**RELATIVISTIC, **gradients}),
                "1000, 0.0781 (Huang et al. 2024)",
            ),
            Row("relativistic, R1", _run("relativistic_r1", {**RELATIVISTIC, **r1}), "diverges (Huang et al. 2024)"),
            Row("DCGAN, a quarter", _run("quarter", QUARTER), "78.5, 5.21 (Lin et al. 2018)"),
            Row(
                "DCGAN, a quarter, packs of 2",
                _run("quarter_packs", {**QUARTER, **PACKED}),
                "484.5 modes (Lin et al. 2018)",
            ),
        ),
    )


def _run(name: str, settings: Mapping[str, str]) -> dict[str, Run]:
    return {f"gan_stacked_{name}": Run("gan_conv_mnist", {**STACKED, **settings}, ("--metrics modes",))}
