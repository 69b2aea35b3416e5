"""An exact likelihood on binarised MNIST: `uv run scripts/train.py --config configs/autoregressive_mnist.py`.

A masked MLP of one hidden layer with direct connections (Germain et al. 2015). `evaluate.py --metrics likelihood`
measures log p(x) of all test images, without an estimate.
Reached (seed 0, JAX 0.10.2, CPU): test log p(x) -90.03 nats (+- 0.24) at the best checkpoint; 8 minutes on two cores
that also did other work. A single order of pixels: the paper's best averages over 32 (Germain et al. 2015).
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("autoregressive")
    config.data.source = "tfds:binarized_mnist"
    config.model.hidden = (1000,)
    config.optim.autoregressive.schedule = "warmup_cosine"
    config.hparams.learning_rate = 1e-3
    config.train.batch_size = 100
    config.train.steps = 20000
    return config
