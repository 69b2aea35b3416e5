"""Which GANs find all eight modes: `scripts/sweep.py --config configs/sweeps/gan_ring8.py`.

The loss is static, a program for each; the weight of the R1 penalty and both players' learning rate are traced.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.search import default, values


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "gan_ring8.py")
    sweep.base.train.steps = 5000
    sweep.axes = (
        values("model.loss", "nonsaturating", "minimax", "log_difference"),
        values("hparams.r1_weight", 0.0, 0.03, 0.3, 3.0),
        values("hparams.learning_rate", 3e-4, 1e-3, 3e-3),
        values("seed", 0, 1, 2),
    )
    sweep.objective.metric = "modes_found"
    sweep.objective.goal = "max"
    return sweep
