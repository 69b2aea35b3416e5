"""A GAN on 8x8 digits: `uv run scripts/train.py --config configs/gan_digits.py`.

A relativistic pair with R1 and R2 (Huang et al. 2024), and a code of ten values that a classifier recovers (InfoGAN).
Chosen among losses, penalties and sizes of h. Reached (seed 0, JAX 0.10.2, CPU): of 1,000 samples 93.1% are recognised
(`--metrics recognition`; of the examples 96.6%), coverage 0.994, precision 1.00, recall 0.88, test sliced Wasserstein
0.045; 35 s on two cores, compilation included.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("gan")
    config.data.source = "digits"
    config.model.loss = "relativistic"
    config.model.penalties = ("r1", "r2")
    config.hparams.r1_weight = config.hparams.r2_weight = 0.1
    config.model.condition = "information"
    config.model.generator_hidden = (256, 256)
    config.model.discriminator_hidden = (256, 256)
    config.model.latent = 4
    config.hparams.discriminator_learning_rate = 5e-4
    config.hparams.generator_learning_rate = 5e-4
    config.train.batch_size = 64
    config.train.steps = 10000
    return config
