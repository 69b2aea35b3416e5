"""A GAN on a ring of eight Gaussians: `uv run scripts/train.py --config configs/gan_ring8.py`.

Reached (seed 0, JAX 0.10.2, CPU): 8 of 8 modes, 96.4% of 2,500 samples within 3 sigma of one (a perfect sampler:
98.9%); 38 s on two cores, compilation included.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("gan")
    config.data.source = "ring8"
    config.model.generator_hidden = (128, 128)
    config.model.discriminator_hidden = (128, 128)
    config.model.latent = 2
    config.model.activation = "relu"
    config.model.penalties = ("r1",)
    for player in ("discriminator", "generator"):
        config.optim[player].schedule = "warmup_cosine"
        config.hparams[f"{player}_learning_rate"] = 3e-3
    config.hparams.r1_weight = 0.03
    config.train.batch_size = 128
    config.train.steps = 15000
    config.train.log_every = 500
    return config
