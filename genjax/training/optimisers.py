"""Optimisers from traced hyperparameters, by name.

An optimiser is rebuilt inside the step, from scalars that may be traced; only its state lives from step to step. The
learning rate at a step is `learning_rate` times the factor of its schedule at that moment of the run.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from genjax.losses.regularisers import is_kernel
from genjax.ranges import DECAY
from genjax.training import schedules
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
    **schedules.FALL,
}

RANGES = dict.fromkeys(("b1", "b2", "momentum", "decay"), DECAY)

SETTINGS = {"optimiser": "adam", "schedule": "constant", "clip": False}


def _adam(hp: Hparams) -> optax.GradientTransformation:
    return optax.scale_by_adam(hp["b1"], hp["b2"], hp["eps"])


def _adamw(hp: Hparams) -> optax.GradientTransformation:
    return optax.chain(_adam(hp), optax.add_decayed_weights(hp["weight_decay"], _kernels))


def _sgd(hp: Hparams) -> optax.GradientTransformation:
    return optax.trace(hp["momentum"])


def _rmsprop(hp: Hparams) -> optax.GradientTransformation:
    return optax.scale_by_rms(hp["decay"], hp["eps"])


# name -> (function, the hyperparameters it reads)
OPTIMISERS: dict[str, tuple[Callable[[Hparams], optax.GradientTransformation], tuple[str, ...]]] = {
    "adam": (_adam, ("b1", "b2", "eps")),
    "adamw": (_adamw, ("b1", "b2", "eps", "weight_decay")),
    "sgd": (_sgd, ("momentum",)),
    "rmsprop": (_rmsprop, ("decay", "eps")),
}


def active_hparams(settings: Settings) -> tuple[str, ...]:
    """The names of the hyperparameters that act under an objective's settings."""
    clip = ("clip_norm",) if settings["clip"] else ()
    schedule = schedules.LEARNING_RATES[settings["schedule"]]
    return ("learning_rate", *OPTIMISERS[settings["optimiser"]][1], *schedule.knobs, *clip)


def own_name(objective: str, name: str) -> str:
    """The name of an objective's own hyperparameter: `generator_b1`."""
    return f"{objective}_{name}"


def resolve_name(objective: str, name: str, hparams: Hparams) -> str:
    """The name of the hyperparameter that an objective uses: its own if there is one, else the one that all share."""
    name_of_objective = own_name(objective, name)
    return name_of_objective if name_of_objective in hparams else name


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
    hp = {name: hparams[resolve_name(objective, name, hparams)] for name in active_hparams(settings)}
    schedule = schedules.LEARNING_RATES[settings["schedule"]]
    learning_rate = hp["learning_rate"] * schedule.factor(jnp.asarray(progress, jnp.float32), hp)
    return optax.chain(
        optax.clip_by_global_norm(hp["clip_norm"]) if settings["clip"] else optax.identity(),
        OPTIMISERS[settings["optimiser"]][0](hp),
        optax.scale(-learning_rate),
    )


def _kernels(params: Params) -> Params:
    return jax.tree_util.tree_map_with_path(lambda path, _: is_kernel(path), params)
