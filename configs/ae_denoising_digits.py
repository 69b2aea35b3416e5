"""A denoising autoencoder on 8x8 digits: `uv run scripts/train.py --config configs/ae_denoising_digits.py`.

The encoder sees each digit with a quarter of its pixels at zero and is asked for the whole (Vincent et al. 2008).
Reached (seed 0, JAX 0.10.2, CPU): test error 16.96 nats from corrupted digits, 16.41 from clean ones; 42 s on two busy
cores, compilation included.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("autoencoder")
    config.data.source = "digits"
    config.model.hidden = (256, 128)
    config.model.latent = 8
    config.model.corruption = "masking"
    config.hparams.lambda_w = 1e-5
    config.train.steps = 5000
    return config
