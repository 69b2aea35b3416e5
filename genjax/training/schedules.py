"""Schedules: how a number changes along a run, as a factor of what the configuration says.

A schedule is a pure function of the progress of a run, steps done over steps in all, and of numbers that may be traced,
so it has no state, a sweep maps over its numbers, and a run that is resumed is where it was. Learning rates have
schedules of their own (`LEARNING_RATES`, chosen by `optim.<objective>.schedule`). Every hyperparameter may have one of
`WEIGHTS`, chosen by `schedules.<hyperparameter>`: the code of a family sees the scheduled value and does not know.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from genjax.types import Array, Hparams


class Schedule(NamedTuple):
    """A factor along a run.

    Attributes:
      factor: `(progress, knobs) -> factor`; progress in [0, 1).
      knobs: `{name: default}` of the numbers that it reads.
    """

    factor: Callable[[Array, Hparams], Array]
    knobs: Mapping[str, float]


def constant(progress: Array, knobs: Hparams) -> Array:
    """1."""
    return jnp.ones_like(progress)


def warmup_cosine(progress: Array, knobs: Hparams) -> Array:
    """A line from 0 to 1 over the first `warmup`, then a half cosine to `final_factor` (Loshchilov & Hutter 2017)."""
    rising = progress / jnp.maximum(knobs["warmup"], jnp.finfo(jnp.float32).tiny)
    fall = jnp.clip((progress - knobs["warmup"]) / jnp.maximum(1 - knobs["warmup"], 1e-6), 0.0, 1.0)
    falling = knobs["final_factor"] + (1 - knobs["final_factor"]) * 0.5 * (1 + jnp.cos(jnp.pi * fall))
    return jnp.where(progress < knobs["warmup"], rising, falling)


def decay(progress: Array, knobs: Hparams) -> Array:
    """`final_factor ** progress`: from 1 down to `final_factor` at the end of the run."""
    return jnp.power(knobs["final_factor"], progress)


def burda(progress: Array, knobs: Hparams) -> Array:
    """Eight stages; stage i = 0 ... 7 lasts 3^i of 3,280 parts of the run, at 10^(-i/7) as the authors round it.

    Burda et al. 2016, section 5: 1e-4 round(10^(1 - i/7), 1), which is 1e-3 times the factor here.
    """
    ends = np.cumsum(3.0 ** np.arange(8)) / 3280
    factors = np.round(10 ** (1 - np.arange(8) / 7), 1) / 10
    return jnp.asarray(factors, jnp.float32)[jnp.minimum(jnp.sum(progress >= ends), 7)]


def linear(progress: Array, knobs: Hparams) -> Array:
    """From `start` to 1 along a line over the first `duration` of the run (Sonderby et al. 2016)."""
    return knobs["start"] + (1 - knobs["start"]) * _share(progress, knobs["duration"])


def cosine(progress: Array, knobs: Hparams) -> Array:
    """From `start` to 1 along a half cosine over the first `duration` of the run."""
    return knobs["start"] + (1 - knobs["start"]) * 0.5 * (1 - jnp.cos(jnp.pi * _share(progress, knobs["duration"])))


def exponential(progress: Array, knobs: Hparams) -> Array:
    """From `start`, a positive number, to 1 in equal ratios over the first `duration` of the run."""
    start = jnp.maximum(knobs["start"], jnp.finfo(jnp.float32).tiny)
    return jnp.power(start, 1 - _share(progress, knobs["duration"]))


def cyclical(progress: Array, knobs: Hparams) -> Array:
    """In each of `cycles` parts of the run `linear`, over the first `duration` of the part (Fu et al. 2019)."""
    return linear(jnp.mod(progress * knobs["cycles"], 1.0), knobs)


def _share(progress: Array, duration: Array) -> Array:
    """How much of a part of the run is over, in [0, 1]; all of a part without length."""
    return jnp.clip(progress / jnp.maximum(duration, jnp.finfo(jnp.float32).tiny), 0.0, 1.0)


FALL = {"warmup": 0.05, "final_factor": 0.01}
LEARNING_RATES: dict[str, Schedule] = {
    "constant": Schedule(constant, {}),
    "warmup_cosine": Schedule(warmup_cosine, FALL),
    "exponential": Schedule(decay, {"final_factor": FALL["final_factor"]}),
    "burda": Schedule(burda, {}),
}

WEIGHTS: dict[str, Schedule] = {
    "constant": Schedule(constant, {}),
    "linear": Schedule(linear, {"start": 0.0, "duration": 0.1}),
    "cosine": Schedule(cosine, {"start": 0.0, "duration": 0.1}),
    "exponential": Schedule(exponential, {"start": 0.01, "duration": 0.1}),
    "cyclical": Schedule(cyclical, {"start": 0.0, "duration": 0.5, "cycles": 4.0}),
}


def knob_names(schedules: Mapping[str, str]) -> dict[str, float]:
    """`{"beta_start": 0.0, "beta_duration": 0.1}`: the hyperparameters that schedules read, and their defaults.

    Args:
      schedules: `{hyperparameter: a name of WEIGHTS}`.
    """
    return {
        f"{weight}_{knob}": default
        for weight, name in schedules.items()
        for knob, default in WEIGHTS[name].knobs.items()
    }


def scheduled(schedules: Mapping[str, str], hparams: Hparams, progress: Array) -> Hparams:
    """The hyperparameters at one moment of a run: those that have a schedule times its factor, the others as they are.

    Args:
      schedules: `{hyperparameter: a name of WEIGHTS}`.
      hparams: traced scalars, those of `knob_names(schedules)` among them.
      progress: steps done over steps in all.
    """
    values = dict(hparams)
    for weight, name in schedules.items():
        schedule = WEIGHTS[name]
        knobs = {knob: hparams[f"{weight}_{knob}"] for knob in schedule.knobs}
        values[weight] = hparams[weight] * schedule.factor(progress, knobs)
    return values
