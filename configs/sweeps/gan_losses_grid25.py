"""Losses against penalties on the grid: `uv run scripts/sweep.py --config configs/sweeps/gan_losses_grid25.py`.

Five losses, four sets of penalties, ten seeds, on `gan_grid25` with smaller players and a shorter run. Reached (JAX
0.10.2, CPU): 25 of 25 modes in the median with most penalties, 7 to 16 without one; docs/results.md has every figure.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import default, values

PENALTIES = ((), ("r1",), ("r1", "r2"), ("wgan_gp",))


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "gan_grid25.py")
    sweep.base.model.generator_hidden = (64, 64, 64)
    sweep.base.model.discriminator_hidden = (64, 64, 64)
    sweep.base.hparams.update(r1_weight=0.1, r2_weight=0.1, wgan_gp_weight=0.1)
    sweep.base.train.steps = 8000
    sweep.base.train.evaluate_every = 8000
    sweep.base.train.checkpoint_every = 8000
    losses = ("nonsaturating", "least_squares", "hinge", "wasserstein", "relativistic")
    sweep.axes = (values("model.loss", *losses), values("model.penalties", *PENALTIES), values("seed", *range(10)))
    sweep.objective.metric = "modes_found"
    sweep.objective.goal = "max"
    return sweep
