"""An autoencoder with a codebook on MNIST: `uv run scripts/train.py --config configs/ae_vq_mnist.py`.

A map of 7x7 codes out of 256, whose entries follow them by moving averages.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("autoencoder")
    config.data.source = "tfds:mnist"
    config.model.network = "dcgan"
    config.model.bottleneck = "vq"
    config.model.codes = 256
    config.model.latent = 16
    config.hparams.lambda_w = 0.0
    config.optim.autoencoder.schedule = "warmup_cosine"
    config.hparams.learning_rate = 2e-3
    config.train.batch_size = 128
    config.train.steps = 5000
    return config
