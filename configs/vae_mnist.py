"""The one-layer VAE of Burda et al. 2016 on MNIST: `uv run scripts/train.py --config configs/vae_mnist.py`.

784-200-200-50 with tanh, dynamic binarisation, Adam (beta1 .9, beta2 .999, epsilon 1e-4), batches of 20, and the
eight stages of the learning rate from 1e-3 to 1e-4, here over 100 epochs of 54,000 images where the paper has 3,280
of 60,000; the output's bias starts at the logit of the training mean.

Reached (seed 0, JAX 0.10.2, CPU): test elbo -97.00 nats (recon 70.30, kl 26.70), validation -98.19; after 40 epochs
of the 100, validation -100.91. About 8 minutes on two busy cores.
"""

from ml_collections import ConfigDict

from genjax.config import default

EPOCH = 54_000 // 20


def get_config() -> ConfigDict:
    config = default("vae")
    config.data.source = "tfds:mnist"
    config.data.dynamic_binarisation = True
    config.model.hidden = (200, 200)
    config.model.latent = 50
    config.model.activation = "tanh"
    config.optim.elbo.schedule = "burda"
    config.hparams.learning_rate = 1e-3
    config.hparams.eps = 1e-4
    config.train.batch_size = 20
    config.train.steps = 100 * EPOCH
    config.train.log_every = EPOCH // 10
    config.train.evaluate_every = EPOCH
    config.train.checkpoint_every = EPOCH
    return config
