"""Optimisers and schedules from traced hyperparameters, by name.

An optimiser is rebuilt inside the step, from scalars that may be traced; only its state lives from step to step. The
learning rate at a step is `learning_rate * schedule(progress)`, so a schedule has no state of its own.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from genjax.losses.regularisers import is_kernel
from genjax.types import Array, Hparams, Params, Settings

HPARAMS = {
    "learning_rate": 1e-3,
    "b1": 0.9,
    "b2": 0.999,
    "eps": 1e-8,
    "momentum": 0.9,
    "decay": 0.9,
    "weight_decay": 1e-2,
    "clip_norm": 1.0,
    "warmup": 0.05,
    "final_factor": 0.01,
}

SETTINGS = {"optimiser": "adam", "schedule": "constant", "clip": False}


def _adam(hp: Hparams) -> optax.GradientTransformation:
    return optax.scale_by_adam(hp["b1"], hp["b2"], hp["eps"])


def _adamw(hp: Hparams) -> optax.GradientTransformation:
    return optax.chain(_adam(hp), optax.add_decayed_weights(hp["weight_decay"], _kernels))


def _sgd(hp: Hparams) -> optax.GradientTransformation:
    return optax.trace(hp["momentum"])


def _rmsprop(hp: Hparams) -> optax.GradientTransformation:
    return optax.scale_by_rms(hp["decay"], hp["eps"])


def _constant(progress: Array, hp: Hparams) -> Array:
    return jnp.ones_like(progress)


def _warmup_cosine(progress: Array, hp: Hparams) -> Array:
    """Linear over the run's first `warmup`, then a half cosine to `final_factor` (Loshchilov & Hutter 2017)."""
    rising = progress / jnp.maximum(hp["warmup"], jnp.finfo(jnp.float32).tiny)
    fall = jnp.clip((progress - hp["warmup"]) / jnp.maximum(1 - hp["warmup"], 1e-6), 0.0, 1.0)
    falling = hp["final_factor"] + (1 - hp["final_factor"]) * 0.5 * (1 + jnp.cos(jnp.pi * fall))
    return jnp.where(progress < hp["warmup"], rising, falling)


def _exponential(progress: Array, hp: Hparams) -> Array:
    """`final_factor ** progress`: from one down to `final_factor` at the end of the run."""
    return jnp.power(hp["final_factor"], progress)


def _burda(progress: Array, hp: Hparams) -> Array:
    """Eight stages; stage i = 0 ... 7 lasts 3^i of 3,280 parts of the run, at 10^(-i/7) as the authors round it.

    Burda et al. 2016, section 5: 1e-4 round(10^(1 - i/7), 1), which is 1e-3 times the factor here.
    """
    ends = np.cumsum(3.0 ** np.arange(8)) / 3280
    factors = np.round(10 ** (1 - np.arange(8) / 7), 1) / 10
    return jnp.asarray(factors, jnp.float32)[jnp.minimum(jnp.sum(progress >= ends), 7)]


# name -> (function, the hyperparameters it reads)
OPTIMISERS: dict[str, tuple[Callable[[Hparams], optax.GradientTransformation], tuple[str, ...]]] = {
    "adam": (_adam, ("b1", "b2", "eps")),
    "adamw": (_adamw, ("b1", "b2", "eps", "weight_decay")),
    "sgd": (_sgd, ("momentum",)),
    "rmsprop": (_rmsprop, ("decay", "eps")),
}

SCHEDULES: dict[str, tuple[Callable[[Array, Hparams], Array], tuple[str, ...]]] = {
    "constant": (_constant, ()),
    "warmup_cosine": (_warmup_cosine, ("warmup", "final_factor")),
    "exponential": (_exponential, ("final_factor",)),
    "burda": (_burda, ()),
}


def active_hparams(settings: Settings) -> tuple[str, ...]:
    """The names of the hyperparameters that act under an objective's settings."""
    clip = ("clip_norm",) if settings["clip"] else ()
    return ("learning_rate", *OPTIMISERS[settings["optimiser"]][1], *SCHEDULES[settings["schedule"]][1], *clip)


def own_name(objective: str, name: str, hparams: Hparams) -> str:
    """An objective's own hyperparameter, such as `generator_b1`, where there is one; else the one that all share."""
    own = f"{objective}_{name}"
    return own if own in hparams else name


def make_optimiser(
    objective: str, settings: Settings, hparams: Hparams, progress: Array | float = 0.0
) -> optax.GradientTransformation:
    """The optimiser of one objective at one step.

    Args:
      objective: its name.
      settings: `optimiser`, `schedule` and `clip` (whether gradients are clipped to a global norm of `clip_norm`).
      hparams: traced scalars; `<objective>_<name>` comes before `<name>`.
      progress: steps done over steps in all, in [0, 1).
    """
    hp = {name: hparams[own_name(objective, name, hparams)] for name in active_hparams(settings)}
    schedule = SCHEDULES[settings["schedule"]][0]
    learning_rate = hp["learning_rate"] * schedule(jnp.asarray(progress, jnp.float32), hp)
    return optax.chain(
        optax.clip_by_global_norm(hp["clip_norm"]) if settings["clip"] else optax.identity(),
        OPTIMISERS[settings["optimiser"]][0](hp),
        optax.scale(-learning_rate),
    )


def _kernels(params: Params) -> Params:
    return jax.tree_util.tree_map_with_path(lambda path, _: is_kernel(path), params)
