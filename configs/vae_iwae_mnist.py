"""A VAE trained by the DReG estimator with 50 draws: `uv run scripts/train.py --config configs/vae_iwae_mnist.py`.

The networks and the data of configs/vae_mnist.py, in batches of 100 with a cosine from 2e-3, for 270 epochs.
`--config.model.bound=iwae` is the estimator of Burda et al. 2016; it reaches -86.10.

Reached (seed 0, JAX 0.11.2, one NVIDIA H200): test log p(x) -85.59 nats, by 5,000 importance samples of
`evaluate.py --metrics likelihood --importance-samples 5000 --checkpoint best`; 130 s. A CPU of two cores takes hours.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("vae")
    config.data.source = "tfds:mnist"
    config.data.dynamic_binarisation = True
    config.model.bound = "dreg"
    config.model.samples = 50
    config.model.hidden = (200, 200)
    config.model.latent = 50
    config.model.activation = "tanh"
    config.optim.elbo.schedule = "warmup_cosine"
    config.hparams.learning_rate = 2e-3
    config.hparams.eps = 1e-4
    config.hparams.warmup = 0.01
    config.train.batch_size = 100
    config.train.steps = 145_800
    config.train.log_every = 2700
    config.train.evaluate_every = 16_200
    config.train.checkpoint_every = 16_200
    return config
