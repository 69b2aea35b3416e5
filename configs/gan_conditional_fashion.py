"""A convolutional GAN of Fashion-MNIST given the class, with a projection discriminator.

`uv run scripts/train.py --config configs/gan_conditional_fashion.py`. `classes.png` has a row for each class. Reached
(seed 0, JAX 0.10.2, CPU): the frozen classifier gives 86.1% of 1,000 samples the class that they were drawn for (shirts
58%, trousers 99%), test sliced Wasserstein 0.018; 7 epochs of 54,000 images in 9 minutes on two busy cores.
"""

from ml_collections import ConfigDict

from genjax.config import default


def get_config() -> ConfigDict:
    config = default("gan")
    config.data.source = "tfds:fashion_mnist"
    config.model.network = "dcgan"
    config.model.dense = (256,)
    config.model.condition = "projection"
    config.model.penalties = ("r1",)
    config.model.penalty_every = 4
    config.model.latent = 32
    config.hparams.r1_weight = 1.0
    config.hparams.discriminator_learning_rate = 5e-4
    config.hparams.generator_learning_rate = 5e-4
    config.optim.discriminator.schedule = config.optim.generator.schedule = "warmup_cosine"
    config.train.batch_size = 64
    config.train.steps = 6000
    return config
