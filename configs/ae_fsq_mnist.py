"""An autoencoder with discrete codes on MNIST: `uv run scripts/train.py --config configs/ae_fsq_mnist.py`.

A map of 7x7 codes out of 240, each of three rounded numbers. `autoregressive_codes_mnist` learns how they are
distributed, and `evaluate.py --sampler run:<workdir>` draws digits from that.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("autoencoder")
    config.data.source = "tfds:mnist"
    config.model.network = "dcgan"
    config.model.bottleneck = "fsq"
    config.model.levels = (8, 6, 5)
    config.hparams.lambda_w = 0.0
    config.optim.autoencoder.schedule = "warmup_cosine"
    config.hparams.learning_rate = 2e-3
    config.train.batch_size = 128
    config.train.steps = 5000
    return config
