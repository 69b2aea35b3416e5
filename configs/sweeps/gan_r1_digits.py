"""How strong R1 and R2 should be: `uv run scripts/sweep.py --config configs/sweeps/gan_r1_digits.py`.

Seven weights, the same of both penalties, and four seeds of `gan_digits` with a third of its steps, as one program: the
weights are traced. Reached (JAX 0.10.2, CPU), validation sliced Wasserstein, mean over the seeds: 0.050 with a weight
of 1 (spread over seeds 0.003), 0.052 with 0.3, 0.054 with 3, 0.055 to 0.058 from 0.01 to 0.1, and 0.063 without. The
unit is that of images in [0, 1]: a weight of 1 is 4 by images in [-1, 1]. `axes.png` shows it. 147 s on two cores.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import default, together, values


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "gan_digits.py")
    sweep.base.train.steps = 3000
    sweep.strategy = "zip"  # R1 and R2 have the same weight
    weights = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
    sweep.axes = (
        *together(*({"hparams.r1_weight": weight, "hparams.r2_weight": weight} for weight in weights)),
        values("seed", *range(4)),
    )
    sweep.objective.metric = "sliced_wasserstein"
    return sweep
