"""A DCGAN on stacked MNIST, whose thousand modes it should find.

`uv run scripts/train.py --config configs/gan_stacked_mnist.py`, then `uv run scripts/evaluate.py --workdir <folder>
--metrics modes`. docs/results.md compares losses, penalties, packs and sizes of the discriminator.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("gan")
    config.data.source = "stacked:tfds:mnist"
    config.model.network = "dcgan"
    config.model.latent = 100
    config.train.batch_size = 64
    config.train.steps = 10000
    config.train.log_every = 500
    config.train.evaluate_every = config.train.checkpoint_every = 5000
    return config
