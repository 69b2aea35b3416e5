"""Beta and learning rate of a VAE on 8x8 digits: `uv run scripts/sweep.py --config configs/sweeps/vae_digits.py`.

48 trials in one program. Reached (JAX 0.10.2, CPU): the best pseudo-elbo, -23.45 nats (spread over seeds 0.10), with
beta 1 and a learning rate of 1e-3; beta 2 with 3e-3, and beta 1 or 2 with 1e-2, collapse on every seed, -27.20; 94 s
on two cores, compilation included.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import default, values


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "vae_normal_digits.py")
    sweep.base.train.steps = 1500
    sweep.axes = (
        values("hparams.beta", 0.25, 0.5, 1.0, 2.0),
        values("hparams.learning_rate", 3e-4, 1e-3, 3e-3, 1e-2),
        values("seed", 0, 1, 2),
    )
    sweep.objective.metric = "elbo"
    sweep.objective.goal = "max"
    return sweep
