"""The search of Lucic et al. 2018 on MNIST: `uv run scripts/sweep.py --config configs/sweeps/gan_lucic_mnist.py`.

Their space: the learning rate from 1e-5 to 1e-2 evenly in its logarithm, Adam's beta1 from 0 to 1, one or five critic
steps; 100 trials of 20 epochs, batches of 64. Here the net is the DCGAN of `configs/gan_conv_mnist.py`, without its
penalty and its dense layers, and the figure the sliced Wasserstein distance: it ranks these trials and does not compare
with their FIDs.

Meant for an accelerator. A part of it, `--config.points=4 --config.base.train.steps=250` with evaluations and
checkpoints every 250 steps, took 126 s of training on two busy cores (JAX 0.10.2): 17 s for each trial with one
critic step and 46 s with five. The whole would take about 59 hours there; it was not run.
"""

from pathlib import Path

from ml_collections import ConfigDict

from genjax.sweeps import choice, default, log_uniform, uniform


def get_config() -> ConfigDict:
    sweep = default(Path(__file__).parents[1] / "gan_conv_mnist.py")
    sweep.base.model.penalties, sweep.base.model.penalty_every, sweep.base.model.dense = (), 1, ()
    sweep.base.optim.discriminator.schedule = sweep.base.optim.generator.schedule = "constant"
    sweep.base.train.steps = 16875  # 20 epochs of 54,000 images
    sweep.base.train.log_every = 125
    sweep.base.train.evaluate_every = sweep.base.train.checkpoint_every = 3375
    sweep.strategy = "random"
    sweep.points = 100
    sweep.axes = (
        log_uniform("hparams.learning_rate", 1e-5, 1e-2),
        uniform("hparams.b1", 0.0, 0.999),  # at 1 the mean of gradients never moves
        choice("model.critic_steps", 1, 5),
    )
    sweep.objective.metric = "sliced_wasserstein"
    return sweep
