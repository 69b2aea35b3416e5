"""A short run and a small sweep in folders, for the tests of what is made of them."""

from genjax import default_config
from genjax.runs import loop
from genjax.sweeps import default, values
from genjax.sweeps import loop as sweep_loop


def train(folder, family="vae", steps=2, evaluate_every=None, **model):
    """Trains a small model into a folder; it is evaluated at its end, or as often as is said."""
    config = default_config(family)
    config.model.update({**({"latent": 2} if "latent" in config.model else {}), **model})
    config.train.steps = steps
    for name in ("log_every", "evaluate_every", "checkpoint_every"):
        config.train[name] = evaluate_every or steps
    config.train.devices = 1
    with folder.with_name(f"{folder.name}.log").open("w") as log:
        assert loop.train(config, folder, log) == loop.FINISHED
    return folder


def sweep(folder, best=1):
    """Trains two values of beta with two seeds each into a folder, and exports the best."""
    folder.parent.mkdir(exist_ok=True)
    (folder.parent / "base.py").write_text(BASE)
    config = default(folder.parent / "base.py")
    config.axes = (values("hparams.beta", 0.5, 2.0), values("seed", 0, 1))
    config.execution = "map"
    with folder.with_name(f"{folder.name}.log").open("w") as log:
        assert sweep_loop.sweep(config, folder, best, log) == loop.FINISHED
    return folder


BASE = """
from genjax.config import default

def get_config():
    config = default("vae")
    config.model.hidden, config.model.latent = (8,), 2
    config.train.steps = config.train.log_every = config.train.evaluate_every = config.train.checkpoint_every = 2
    return config
"""
