"""Which GANs find all eight modes: `uv run scripts/sweep.py --config configs/sweeps/gan_ring8.py`.

The loss is static, a program for each; the weight of the R1 penalty and both players' learning rate are traced.
Reached (JAX 0.10.2, CPU): the non-saturating loss finds all eight modes on every seed of every setting, minimax on all
but the highest rate without a penalty (6.7 on average), log_difference with weights of 0.3 and 3 alone: without a
penalty it finds 0 to 0.3. 108 trials, 570 s on two busy cores; `heat.png` shows which settings collapse.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import default, values


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
