"""How strong the R1 penalty should be: `uv run scripts/sweep.py --config configs/sweeps/gan_r1_digits.py`.

Seven weights and four seeds of `gan_digits` with a third of its steps, as one program: the weight is traced. Reached
(JAX 0.10.2, CPU), validation sliced Wasserstein, mean over the seeds: 0.047 with a weight of 1 (spread over seeds
0.007), 3 and 10, 0.048 with 0.3, 0.050 with 0.1, 0.055 with 0.01 and 0.066 without the penalty. The unit is that of
images in [0, 1]: a weight of 1 is 4 by images in [-1, 1]. `axes.png` shows it. 330 s on two cores that were busy.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import default, values


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "gan_digits.py")
    sweep.base.train.steps = 3000
    sweep.axes = (
        values("hparams.r1_weight", 0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0),
        values("seed", *range(4)),
    )
    sweep.objective.metric = "sliced_wasserstein"
    return sweep
