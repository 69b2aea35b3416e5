"""The contracts that every floor shares: what a model, a training state and a data set's description are."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

Array: TypeAlias = jax.Array
Key: TypeAlias = jax.Array
Params: TypeAlias = Mapping[str, Any]  # {part: tree of arrays}, such as {"encoder": ..., "decoder": ...}
Hparams: TypeAlias = Mapping[str, Any]  # {name: traced scalar}; the step adds "step", the number of updates so far
Settings: TypeAlias = Mapping[str, Any]  # static configuration: whatever changes a shape or the program


class InputError(Exception):
    """The user's input cannot be used. The message is one line; a command prints it and exits with 2."""


class Modes(NamedTuple):
    """A known mixture of isotropic Gaussians: `centres: [K, D]` and one standard deviation."""

    centres: np.ndarray
    sigma: float


class DataSpec(NamedTuple):
    """What training may know of its data before it sees a batch.

    Attributes:
      shape: of one example, `(height, width, channels)` for images, `(dimensions,)` for points.
      bounded: whether values lie in [0, 1] (images) or anywhere on the real line (points).
      scale: a stored value times `scale` is a model's value: 1/255 for grey uint8, 1 for binary or float data.
      mean: `[*shape]`, the training split's mean in a model's values.
      variance: the training split's, averaged over the dimensions.
      dynamic_binarisation: whether a batch's pixels are drawn anew, as Bernoulli variables, each time they are seen.
      modes: the mixture that points were drawn from, where it is known; evaluation alone uses it.
    """

    shape: tuple[int, ...]
    bounded: bool
    scale: float
    mean: np.ndarray
    variance: float = 1.0
    dynamic_binarisation: bool = False
    modes: Modes | None = None


class Objective(NamedTuple):
    """One player: a loss and the parts of the parameters that it moves.

    Attributes:
      trains: the parts of params that this objective updates.
      loss: `(params, batch, rng) -> (scalar, {name: scalar})`, differentiated by the parts in `trains`.
      repeats: updates per training step, each on a batch of its own (static).
    """

    trains: tuple[str, ...]
    loss: Callable[[Params, Array, Key], tuple[Array, dict[str, Array]]]
    updates: int = 1


class Model(NamedTuple):
    """A family bound to its data and hyperparameters, made by `models.make(settings, spec, hparams)`.

    Attributes:
      init: `(rng, batch) -> params`.
      objectives: `{name: Objective}`, in the order of update.
      evaluate: `(params, batch, rng) -> {name: [b]}`, per-example values on a batch; lower or higher is the metric's.
      monitor: the validation metric whose least value marks the best checkpoint.
      decode: `(params, z) -> [n, *shape]`, the data that codes `z: [n, latent]` stand for.
      latent: the number of code dimensions.
      encode: `(params, batch) -> [b, latent]`, or None for a family without an encoder.
      reconstruct: `(params, batch, rng) -> [b, *shape]`, or None.
      sample: `(params, rng, n) -> [n, *shape]`, or None for a family that defines no distribution.
      posterior: `(params, batch) -> (mean, log_var)`, `[b, latent]` each, of a Gaussian q(z|x) under the prior N(0, I),
        or None.
      log_weights: `(params, batch, rng, k) -> [k, b]`, log p(x, z) - log q(z|x) at k draws of z from q(z|x), in nats:
        the mean of their exponentials is p(x) in expectation. None for a family without a likelihood.
      averaged: the parts of params whose exponential moving average evaluation and sampling use.
    """

    init: Callable[[Key, Array], Params]
    objectives: dict[str, Objective]
    evaluate: Callable[[Params, Array, Key], dict[str, Array]]
    monitor: str
    decode: Callable[[Params, Array], Array]
    latent: int
    encode: Callable[[Params, Array], Array] | None = None
    reconstruct: Callable[[Params, Array, Key], Array] | None = None
    sample: Callable[[Params, Key, int], Array] | None = None
    posterior: Callable[[Params, Array], tuple[Array, Array]] | None = None
    log_weights: Callable[[Params, Array, Key, int], Array] | None = None
    averaged: tuple[str, ...] = ()


class Family(NamedTuple):
    """A kind of model, as `models.FAMILIES` lists it: everything about it that the rest of the house asks for.

    Attributes:
      settings: the static settings and their defaults.
      choices: `{setting: names it may take}`, for the settings that are a choice by name.
      hparams: the traced hyperparameters and their defaults.
      objectives: the names of the objectives, in the order of update.
      reads: `(settings) -> names of the hyperparameters that act` under these settings.
      make: `(settings, spec, hparams) -> Model`; raises InputError where the settings do not fit the data.
      idle: `(settings) -> names of the settings that nothing reads` under these; they cannot be changed.
    """

    settings: dict[str, Any]
    choices: dict[str, Collection[str]]
    hparams: dict[str, float]
    objectives: tuple[str, ...]
    active_hparams: Callable[[Settings], set[str]]
    make: Callable[[Settings, DataSpec, Hparams], Model]
    unused_settings: Callable[[Settings], set[str]] = lambda settings: set()


class TrainState(NamedTuple):
    """All that a run carries from step to step: arrays only, so that it can be mapped, sharded and saved.

    Attributes:
      step: int32 scalar, the number of steps done.
      params: `{part: tree}`.
      opt_state: `{objective: optimiser state}`.
      average: `{part: tree}`, moving averages of `Model.averaged`.
      diverged_at: int32 scalar, the step whose gradients were not finite, or -1. The state is frozen from there on.
    """

    step: Array
    params: Params
    opt_state: dict[str, Any]
    average: Params
    diverged_at: Array
