"""Regularisers and their weights: `uv run scripts/sweep.py --config configs/sweeps/vae_regularisers_sprites32.py`.

What separates the factors of the sprites: eight regularisers, three weights of each, three seeds. Reached (JAX 0.10.2,
CPU): the greatest MIG in the median is that of beta-TC with 10 (0.19 at a distortion of 52 nats), then beta = 8 (0.15
at 56) and FactorVAE with 30 (0.13 at 39); docs/results.md has the table and the picture.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import default, together, values

WEIGHTS = {  # of the setting that each regulariser is known for
    "beta": ({}, "hparams.beta", (1.0, 4.0, 8.0)),
    "capacity": ({"model.regulariser": "capacity"}, "hparams.capacity", (5.0, 10.0, 15.0)),
    "tc": ({"model.regulariser": "tc"}, "hparams.tc_weight", (2.0, 6.0, 10.0)),
    "factor": ({"model.regulariser": "factor"}, "hparams.tc_weight", (5.0, 10.0, 30.0)),
    "dip_i": ({"model.regulariser": "dip", "model.dip": "i"}, "hparams.dip_diagonal", (10.0, 100.0, 300.0)),
    "dip_ii": ({"model.regulariser": "dip", "model.dip": "ii"}, "hparams.dip_off_diagonal", (3.0, 10.0, 30.0)),
    "mmd": ({"model.regulariser": "mmd", "hparams.beta": 0.0}, "hparams.mmd_weight", (10.0, 100.0, 500.0)),
    "free_bits": ({"model.regulariser": "free_bits"}, "hparams.free_bits", (0.25, 1.0, 2.0)),
}


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "vae_tc_sprites32.py")
    sweep.base.model.regulariser = "none"
    sweep.base.train.steps = 2000
    sweep.strategy = "zip"
    cases = [{**settings, name: weight} for settings, name, weights in WEIGHTS.values() for weight in weights]
    sweep.axes = (*together(*cases), values("seed", 0, 1, 2))
    return sweep
