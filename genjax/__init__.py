"""Autoencoders, VAEs and GANs in JAX: pure functions behind one contract, one training step and one evaluator.

These names are all that a researcher needs from Python; each is imported when it is first used.

>>> import jax, genjax
>>> config = genjax.default_config("vae")  # a family's defaults, as a file in configs/ edits them
>>> config.train.steps, config.model.hidden = 20, (16,)
>>> digits = genjax.load_data("digits")
>>> train = genjax.make_train(config, genjax.describe(digits))
>>> hparams, rng = genjax.active(config), jax.random.key(0)
>>> examples = genjax.Batch(jax.numpy.asarray(digits.train.x))
>>> @jax.jit  # a function like any other: jit it, or vmap it over hyperparameters and seeds
... def fit(hparams, rng):
...     return genjax.advance(train, train.init(hparams, rng), examples, hparams, rng, length=20)
>>> state, metrics = fit(hparams, rng)
>>> int(state.step), metrics["elbo"].shape
(20, (20,))
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genjax.api.fit import fit
    from genjax.api.run import Run, load_run
    from genjax.api.sweep import Sweep, load_sweep
    from genjax.config import active
    from genjax.config import default as default_config
    from genjax.config.plugins import Entry, load_plugin
    from genjax.data import describe
    from genjax.data import load as load_data
    from genjax.models import FAMILIES
    from genjax.training.scan import advance, make_train
    from genjax.training.trials import sweep
    from genjax.types import Aux, Batch, DataSpec, Family, InputError, Likelihood, Model, Objective

__version__ = "0.1.0"
__all__ = [
    "FAMILIES",
    "Aux",
    "Batch",
    "DataSpec",
    "Entry",
    "Family",
    "InputError",
    "Likelihood",
    "Model",
    "Objective",
    "Run",
    "Sweep",
    "active",
    "advance",
    "default_config",
    "describe",
    "fit",
    "load_data",
    "load_plugin",
    "load_run",
    "load_sweep",
    "make_train",
    "sweep",
]

# Importing genjax takes no time: a command can answer before JAX is there. {name: (module, its name in it)}
_PLACES = {
    "FAMILIES": ("genjax.models", "FAMILIES"),
    "Entry": ("genjax.config.plugins", "Entry"),
    "Run": ("genjax.api.run", "Run"),
    "Sweep": ("genjax.api.sweep", "Sweep"),
    "active": ("genjax.config", "active"),
    "advance": ("genjax.training.scan", "advance"),
    "default_config": ("genjax.config", "default"),
    "describe": ("genjax.data", "describe"),
    "fit": ("genjax.api.fit", "fit"),
    "load_data": ("genjax.data", "load"),
    "load_plugin": ("genjax.config.plugins", "load_plugin"),
    "load_run": ("genjax.api.run", "load_run"),
    "load_sweep": ("genjax.api.sweep", "load_sweep"),
    "make_train": ("genjax.training.scan", "make_train"),
    "sweep": ("genjax.training.trials", "sweep"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'genjax' has no attribute {name!r}")
    module, attribute = _PLACES.get(name, ("genjax.types", name))
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
