"""Packing on the grid: `uv run scripts/sweep.py --config configs/sweeps/gan_packing_grid25.py`.

Discriminators that judge one to four examples together, ten seeds each, without a penalty. Reached (JAX 0.10.2, CPU),
medians: 10.5, 17, 21 and 18 modes, with fewer and fewer samples near one (0.87, 0.17, 0.02, 0.02): packs of these small
players spread their samples, and the run is short.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import default, values


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "gan_grid25.py")
    sweep.base.model.generator_hidden = (64, 64, 64)
    sweep.base.model.discriminator_hidden = (64, 64, 64)
    sweep.base.model.penalties = ()
    sweep.base.hparams.r1_weight = 1.0
    sweep.base.train.batch_size = 120
    sweep.base.train.steps = 8000
    sweep.base.train.evaluate_every = 8000
    sweep.base.train.checkpoint_every = 8000
    sweep.axes = (values("model.packing", 1, 2, 3, 4), values("seed", *range(10)))
    sweep.objective.metric = "modes_found"
    sweep.objective.goal = "max"
    return sweep
