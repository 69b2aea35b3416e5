"""A beta-TC-VAE on sprites: `uv run scripts/train.py --config configs/vae_tc_sprites32.py`.

Mutual information and the dimensions' divergence have the weight 1, the total correlation has 6 (Chen et al. 2018).
`evaluate.py --metrics latent` measures how far single dimensions stand for single factors.
Reached (seed 0, JAX 0.10.2, CPU): test elbo -53.61 nats (recon 47.46, kl 6.14), MIG 0.057, FactorVAE score 0.48;
63 s on two busy cores. docs/results.md has it beside the other regularisers.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("vae")
    config.data.source = "sprites32"
    config.model.hidden = (256, 256)
    config.model.latent = 10
    config.model.regulariser = "tc"
    config.train.steps = 4000
    return config
