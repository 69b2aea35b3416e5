"""Losses against penalties on the ring: `uv run scripts/sweep.py --config configs/sweeps/gan_losses_ring8.py`.

Six losses, five sets of penalties, ten seeds, on `gan_ring8` with smaller players. Reached (JAX 0.10.2, CPU): without a
penalty `minimax` finds 6.5 of 8 modes (median; reverse KL 0.32 nats) and `least_squares` 7 (0.24); with any of the four
sets every loss but `wasserstein` finds 8 on nearly all seeds, with a reverse KL below 0.01. `wasserstein` needs
`wgan_gp`: with any other set it finds none on most seeds. docs/results.md has the table, `heat.png` the means; 1,000 s
on two busy cores.
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
