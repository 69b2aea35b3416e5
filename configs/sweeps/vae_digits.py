"""Beta and learning rate of a VAE on 8x8 digits: `scripts/sweep.py --config configs/sweeps/vae_digits.py`."""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.search import default, values


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "vae_digits.py")
    sweep.base.train.steps = 1500
    sweep.axes = (
        values("hparams.beta", 0.25, 0.5, 1.0, 2.0),
        values("hparams.learning_rate", 3e-4, 1e-3, 3e-3, 1e-2),
        values("seed", 0, 1, 2),
    )
    sweep.objective.metric = "elbo"
    sweep.objective.goal = "max"
    return sweep
