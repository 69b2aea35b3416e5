"""How the codes of `ae_fsq_mnist` are distributed; train it first, into `runs/ae_fsq_mnist`.

`uv run scripts/train.py --config configs/autoregressive_codes_mnist.py --workdir runs/codes_mnist`, and then
`uv run scripts/evaluate.py --workdir runs/ae_fsq_mnist --sampler run:runs/codes_mnist`.
Reached (seed 0, JAX 0.10.2, CPU): test log p of the 16 codes -49.2 nats; samples have a Fréchet distance of 18.9 in the
features of the frozen classifier, precision 0.87, recall 0.91, coverage 0.86. 4 minutes on two busy cores.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("autoregressive")
    config.data.source = "codes:runs/ae_fsq_mnist"
    config.model.network = "transformer"
    config.model.activation = "gelu"
    config.optim.autoregressive.schedule = "warmup_cosine"
    config.hparams.learning_rate = 1e-3
    config.train.batch_size = 64
    config.train.steps = 10000
    return config
