"""A learning rate for each bound: `uv run scripts/sweep.py --config configs/sweeps/vae_bounds_digits.py`.

Three bounds of five draws, four rates, two seeds, on digits whose pixels are binarised anew. The figure is the loss,
which is -L_1 of `elbo` and -L_5 of `iwae` and `dreg`: rates compare within a bound, and `iwae` with `dreg`.
Reached (JAX 0.10.2, CPU), validation loss in nats: `dreg` 21.94 and `iwae` 22.10 with a rate of 3e-3, 0.03 and 0.05
less than with 1e-3 (spread over seeds up to 0.2); `elbo` 22.47 with 1e-3, and it collapses with 1e-2, 26.99. 232 s of
processor time, compilation included.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import default, values


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "vae_normal_digits.py")
    sweep.base.data.dynamic_binarisation = True
    sweep.base.model.samples = 5
    sweep.base.train.steps = 1000
    sweep.axes = (
        values("model.bound", "elbo", "iwae", "dreg"),
        values("hparams.learning_rate", 3e-4, 1e-3, 3e-3, 1e-2),
        values("seed", 0, 1),
    )
    return sweep
