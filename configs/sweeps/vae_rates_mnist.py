"""A learning rate for MNIST: `uv run scripts/sweep.py --config configs/sweeps/vae_rates_mnist.py`.

The one-layer VAE of Burda et al. 2016 with one draw, and with five and doubly reparameterised gradients, by five rates
that fall along a cosine, 20 epochs in batches of 100. Reached (JAX 0.10.2, CPU), validation loss in nats: `elbo` 107.9,
103.3, 100.4, 99.7, 105.4 and `dreg` 104.5, 99.8, 96.8, 95.9, 103.0, so 4e-3 is the best rate of so short a training, of
one seed. Some 16 minutes on two busy cores.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import default, together

EPOCH = 54_000 // 100


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "vae_mnist.py")
    sweep.base.train.batch_size = 100
    sweep.base.optim.elbo.schedule = "warmup_cosine"
    sweep.base.hparams.warmup = 0.01
    sweep.base.train.steps = 20 * EPOCH
    sweep.base.train.log_every = EPOCH
    sweep.base.train.evaluate_every = 5 * EPOCH
    sweep.base.train.checkpoint_every = 5 * EPOCH
    sweep.strategy = "zip"
    sweep.axes = together(
        *(
            {"model.bound": bound, "model.samples": samples, "hparams.learning_rate": rate}
            for bound, samples in (("elbo", 1), ("dreg", 5))
            for rate in (5e-4, 1e-3, 2e-3, 4e-3, 8e-3)
        )
    )
    return sweep
