"""A DCGAN of Fashion-MNIST given the class, with a projection discriminator.

`uv run scripts/train.py --config configs/gan_conditional_fashion.py`. `classes.png` has a row for each class.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("gan")
    config.data.source = "tfds:fashion_mnist"
    config.model.network = "dcgan"
    config.model.condition = "projection"
    config.model.loss = "relativistic"
    config.model.penalties = ("r1", "r2")
    config.hparams.r1_weight = config.hparams.r2_weight = 0.05
    config.model.latent = 64
    config.hparams.discriminator_learning_rate = 5e-4
    config.hparams.generator_learning_rate = 5e-4
    config.train.batch_size = 64
    config.train.steps = 5000
    return config
