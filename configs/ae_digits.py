"""A deep autoencoder on 8x8 digits: `uv run scripts/train.py --config configs/ae_digits.py`.

Reached (seed 0, JAX 0.10.2, CPU): test recon 18.54 nats with four code dimensions; 12 s on two cores, compilation
included. Its samples are those of a mixture of 30 that is fitted to the codes: of 1,000 samples 92.9% are recognised
(`--metrics recognition fidelity --sampler mixture:30`; of the examples 96.6%), coverage 0.95, precision 0.98, recall
0.90.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("autoencoder")
    config.data.source = "digits"
    config.model.hidden = (256, 128)
    config.model.latent = 4
    config.hparams.lambda_w = 1e-5
    config.train.steps = 5000
    return config
