"""Discrete codes of 8x8 digits: `uv run scripts/train.py --config configs/ae_fsq_digits.py`.

Eight codes out of 27, each of three rounded numbers (Mentzer et al. 2024). `autoregressive_codes_digits` learns how
they are distributed.
Reached (seed 0, JAX 0.10.2, CPU): test recon 16.57 nats; samples by `--sampler mixture:10` have a Fréchet distance of
0.32 and a coverage of 0.97 in 64 principal components; 30 s on two busy cores, compilation included.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("autoencoder")
    config.data.source = "digits"
    config.model.hidden = (256, 128)
    config.model.bottleneck = "fsq"
    config.model.levels = (3, 3, 3)
    config.model.positions = 8
    config.hparams.lambda_w = 1e-5
    config.train.steps = 5000
    return config
