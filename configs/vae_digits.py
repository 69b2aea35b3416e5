"""A VAE on 8x8 digits: `scripts/train.py --config configs/vae_digits.py`."""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("vae")
    config.data.source = "digits"
    config.model.hidden = (256, 256)
    config.model.latent = 8
    config.train.steps = 5000
    return config
