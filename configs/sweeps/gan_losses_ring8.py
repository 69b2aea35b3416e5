"""Losses against penalties on the ring: `uv run scripts/sweep.py --config configs/sweeps/gan_losses_ring8.py`.

Six losses, five sets of penalties, ten seeds, on `gan_ring8` with smaller players.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import default, values

PENALTIES = ((), ("r1",), ("r1", "r2"), ("zero_centred",), ("wgan_gp",))


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "gan_ring8.py")
    sweep.base.model.generator_hidden = (64, 64, 64)
    sweep.base.model.discriminator_hidden = (64, 64, 64)
    sweep.base.train.steps = 5000
    sweep.base.train.evaluate_every = 5000
    sweep.base.train.checkpoint_every = 5000
    sweep.base.hparams.update(r1_weight=0.01, r2_weight=0.01, zero_centred_weight=0.01, wgan_gp_weight=0.1)
    losses = ("nonsaturating", "minimax", "least_squares", "hinge", "wasserstein", "relativistic")
    sweep.axes = (values("model.loss", *losses), values("model.penalties", *PENALTIES), values("seed", *range(10)))
    sweep.objective.metric = "good_samples"
    sweep.objective.goal = "max"
    return sweep
