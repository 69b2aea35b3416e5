"""A GAN on a ring of eight Gaussians: `scripts/train.py --config configs/gan_ring8.py`."""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("gan")
    config.data.source = "ring8"
    config.model.generator_hidden = (128, 128)
    config.model.discriminator_hidden = (128, 128)
    config.model.latent = 2
    config.model.penalty = "r1"
    config.hparams.r1_weight = 0.1
    config.hparams.discriminator_learning_rate = 1e-3
    config.hparams.generator_learning_rate = 1e-3
    config.train.batch_size = 256
    config.train.steps = 10000
    return config
