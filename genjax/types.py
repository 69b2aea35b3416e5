"""The contracts that every layer shares: batches, objectives, models, families and the state of training."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from genjax.ranges import Range

Array: TypeAlias = jax.Array
Key: TypeAlias = jax.Array
Params: TypeAlias = Mapping[str, Any]  # {part: tree of arrays}, such as {"encoder": ..., "decoder": ...}
Hparams: TypeAlias = Mapping[str, Any]  # {name: traced scalar}; a model also sees "step" and "progress", see `Family`
Settings: TypeAlias = Mapping[str, Any]  # static configuration: whatever changes a shape or the program


class InputError(Exception):
    """The user's input cannot be used. The message is one line; a command prints it and exits with 2.

    Example:
      >>> from genjax.data import load
      >>> try:
      ...     load("digit")
      ... except InputError as error:
      ...     print(error)
      no data source 'digit': the nearest is 'digits'
    """


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
      binary: whether every stored value is 0 or 1.
      classes: how many classes the labels have; 0 where there are no labels, or several for each example.
      examples: how many the training split has; 0 where that is not known.
      levels: how many values a value may have, evenly spaced in [0, 1]: 256 for bytes, 2 for binary data; 0 for the
        real line.
      dynamic_binarisation: whether a batch's pixels are drawn anew, as Bernoulli variables, each time they are seen.
      modes: the mixture that points were drawn from, where it is known; evaluation alone uses it.
      sample_metrics: names in `metrics.samples.SAMPLE_METRICS` that suit these data, measured at every evaluation.

    Example:
      >>> DataSpec(shape=(2,), bounded=False, scale=1.0, mean=np.zeros(2)).classes
      0
    """

    shape: tuple[int, ...]
    bounded: bool
    scale: float
    mean: np.ndarray
    variance: float = 1.0
    dynamic_binarisation: bool = False
    modes: Modes | None = None
    binary: bool = False
    classes: int = 0
    sample_metrics: tuple[str, ...] = ()
    examples: int = 0
    levels: int = 0


class Batch(NamedTuple):
    """Examples and what a source knows of each; a pytree, whose fields are None where they are not there.

    The same type holds a whole split as it is stored, `[n, ...]`, one batch as a model sees it, `[b, ...]`, and several
    batches, `[batches, b, ...]`. Only a family that asks for labels (`Family.labelled`) is given them.

    Attributes:
      x: `[b, *shape]`, the examples: uint8 or float32 as stored, float32 as a model sees them.
      label: `[b]` int32, classes from 0 to `DataSpec.classes - 1`, or None.

    Example:
      >>> import jax.numpy as jnp
      >>> batch = Batch(jnp.zeros((4, 28, 28, 1)), label=jnp.array([3, 1, 4, 1]))
      >>> batch.x.shape, batch.label.shape
      ((4, 28, 28, 1), (4,))
    """

    x: Any
    label: Any = None


class Aux(NamedTuple):
    """What a loss returns beside its value.

    Attributes:
      metrics: `{name: scalar}`, for the log. No two objectives of a model may use one name.
      state: `{part: tree}`, parts of params that the objective overwrites without a gradient: a codebook's moving
        averages, the vectors of a power iteration. They are no part of `Objective.trains`, keep their structure, and
        must be finite, as gradients must: a step that makes either infinite or NaN changes nothing, and freezes the run
        or the trial.

    Example:
      >>> import jax.numpy as jnp
      >>> Aux({"loss": jnp.float32(1.5)}).state
      {}
    """

    metrics: dict[str, Array]
    state: Params = {}  # noqa: RUF012 (no code writes into it)


class Objective(NamedTuple):
    """One player: a loss, the parts of the parameters that it moves, and its updates per step.

    Attributes:
      trains: the parts of params that this objective moves by gradient.
      loss: `(params, batch, rng) -> (scalar, Aux)`, differentiated by the parts in `trains`.
      updates: how many updates of the optimiser a step makes, each on batches of its own (static).
      batches: how many batches an update sees (static). With more than one the loss sees them stacked, a `Batch` of
        `[batches, b, ...]`, or, with `accumulate`, one after another.
      accumulate: whether the loss sees one batch at a time, and an update takes the mean of the `batches` gradients:
        the effect of a batch that is `batches` times as large, in the memory of one. State in `Aux` passes from each to
        the next.
      project: `(trained parts) -> the same`, applied after each update, such as the clipping of weights.

    Example:
      >>> import jax.numpy as jnp
      >>> def loss(params, batch, rng):
      ...     error = jnp.mean(jnp.square(batch.x - params["mean"]["value"]))
      ...     return error, Aux({"error": error})
      >>> Objective(("mean",), loss).updates
      1
    """

    trains: tuple[str, ...]
    loss: Callable[[Params, Batch, Key], tuple[Array, Aux]]
    updates: int = 1
    batches: int = 1
    accumulate: bool = False
    project: Callable[[Params], Params] | None = None


class Likelihood(NamedTuple):
    """What the log p(x|z) of a model is.

    Attributes:
      name: such as `bernoulli`.
      unit: such as `nats`, per example.
      density: whether it is the logarithm of a density, whose value depends on the unit of x, and not of a probability.

    Example:
      >>> Likelihood("bernoulli", "nats", density=False).unit
      'nats'
    """

    name: str
    unit: str
    density: bool


class DiscreteCodes(NamedTuple):
    """The discrete codes of a model: a map of numbers for each example.

    Attributes:
      grid: shape of a map, such as `(7, 7)`.
      size: how many codes there are; a number lies in [0, size).
      encode: `(params, batch) -> [b, *grid]` int32.
      decode: `(params, numbers: [n, *grid]) -> [n, *shape]`.

    Example:
      >>> from genjax.models import FAMILIES
      >>> family = FAMILIES["autoencoder"]
      >>> spec = DataSpec(shape=(28, 28, 1), bounded=True, scale=1.0, mean=np.zeros((28, 28, 1)))
      >>> settings = {**family.settings, "network": "dcgan", "bottleneck": "fsq", "levels": (8, 5)}
      >>> codes = family.make(settings, spec, family.hparams).discrete
      >>> codes.grid, codes.size
      ((7, 7), 40)
    """

    grid: tuple[int, ...]
    size: int
    encode: Callable[[Params, Batch], Array]
    decode: Callable[[Params, Array], Array]


class Watch(NamedTuple):
    """A state of training that a person should hear of, once.

    Attributes:
      name: such as `collapsed posterior`; a table of a sweep shows it.
      holds: `({metric: value}) -> bool` of the validation metrics of one evaluation, by their names in
        `Model.evaluate`, and of the training metrics beside it, as `train/<metric>`.
      advice: a sentence with the cause and the remedy.

    Example:
      >>> watch = Watch("collapsed posterior", lambda metrics: metrics["kl"] < 0.05, "Lower hparams.beta.")
      >>> watch.holds({"kl": 0.0001})
      True
    """

    name: str
    holds: Callable[[Mapping[str, float]], bool]
    advice: str


class Model(NamedTuple):
    """A family bound to its data and hyperparameters, made by `Family.make(settings, spec, hparams)`.

    Everything after `monitor` is optional: None says that the family has no such thing. Whoever measures or draws a
    model asks for the functions that it needs, never for the name of a family.

    Attributes:
      init: `(rng, batch) -> params`.
      objectives: `{name: Objective}`, in the order of update.
      evaluate: `(params, batch, rng) -> {name: [b]}`, per-example values on a batch; whether low or high is good
        depends on the metric.
      monitor: the validation metric whose least value marks the best checkpoint.
      sample: `(params, rng, n) -> [n, *shape]`, draws from the model; of images the mean of p(x|z).
      encode: `(params, batch) -> [b, latent]`, one code for each example, without chance.
      decode: `(params, z) -> [n, *shape]`, the data that codes `z: [n, latent]` stand for.
      latent: the number of dimensions of a code.
      reconstruct: `(params, batch, rng) -> [b, *shape]`.
      prior: `(params, rng, n) -> [n, latent]`, draws of codes from the prior p(z).
      infer: `(params, batch, rng) -> [b, latent]`, a draw of each example's code from the posterior q(z|x).
      log_weights: `(params, batch, rng, k) -> [k, b]`, log p(x, z) - log q(z|x) at k draws of z from q(z|x), in nats:
        the mean of their exponentials is p(x) in expectation.
      log_prob: `(params, batch) -> [b]`, log p(x) itself in nats, where it can be computed.
      rates: `(params, batch, rng) -> [b, groups]`, the KL of each group of latent variables, in nats; their sum is the
        rate.
      likelihood: what the decoder's log p(x|z), or the model's log p(x), is.
      sample_class: `(params, rng, label) -> [n, *shape]`, draws of the classes `label: [n]` from a conditional model.
      simulate: `(params, rng, n) -> (Batch, z)`, n exact draws of x and of all latent variables `z: [n, d]` together;
        x is drawn, and is not the mean of p(x|z).
      log_densities: `(params, batch, z) -> (log p(z), log p(x|z))`, each `[b]` in nats, at `z: [b, d]` as `simulate`
        draws it. It is differentiable by z.
      discrete: the discrete codes of examples, where the model has such.
      watches: what a person should hear of while the model trains.
      averaged: the parts of params whose exponential moving average a <- d a + (1 - d) w evaluation and sampling use.
      average_decay: `(images of a step) -> d` at the model's step; there where `averaged` names a part.
      sample_metrics: names in `metrics.samples.SAMPLE_METRICS`, measured at every evaluation beside those of the data.

    Example:
      >>> import jax.numpy as jnp
      >>> def loss(params, batch, rng):
      ...     error = jnp.mean(jnp.square(batch.x - params["mean"]["value"]))
      ...     return error, Aux({"error": error})
      >>> model = Model(
      ...     init=lambda rng, batch: {"mean": {"value": jnp.zeros(batch.x.shape[1:])}},
      ...     objectives={"mean": Objective(("mean",), loss)},
      ...     evaluate=lambda params, batch, rng: {"error": jnp.square(batch.x[:, 0] - params["mean"]["value"][0])},
      ...     monitor="error",
      ... )
      >>> model.sample is None  # it defines no distribution
      True
    """

    init: Callable[[Key, Batch], Params]
    objectives: dict[str, Objective]
    evaluate: Callable[[Params, Batch, Key], dict[str, Array]]
    monitor: str
    sample: Callable[[Params, Key, int], Array] | None = None
    encode: Callable[[Params, Batch], Array] | None = None
    decode: Callable[[Params, Array], Array] | None = None
    latent: int | None = None
    reconstruct: Callable[[Params, Batch, Key], Array] | None = None
    prior: Callable[[Params, Key, int], Array] | None = None
    infer: Callable[[Params, Batch, Key], Array] | None = None
    log_weights: Callable[[Params, Batch, Key, int], Array] | None = None
    log_prob: Callable[[Params, Batch], Array] | None = None
    rates: Callable[[Params, Batch, Key], Array] | None = None
    likelihood: Likelihood | None = None
    sample_class: Callable[[Params, Key, Array], Array] | None = None
    simulate: Callable[[Params, Key, int], tuple[Batch, Array]] | None = None
    log_densities: Callable[[Params, Batch, Array], tuple[Array, Array]] | None = None
    discrete: DiscreteCodes | None = None
    watches: tuple[Watch, ...] = ()
    averaged: tuple[str, ...] = ()
    average_decay: Callable[[int], Array] | None = None
    sample_metrics: tuple[str, ...] = ()


class Family(NamedTuple):
    """A kind of model, as `models.FAMILIES` lists it: everything about it that the rest of the package asks for.

    Attributes:
      settings: the static settings and their defaults.
      choices: `{setting: names it may take}`, for the settings that are a choice by name.
      hparams: the traced hyperparameters and their defaults.
      objectives: the names of all objectives, in the order of update; each has its group of settings in `optim`.
      active_hparams: `(settings) -> names of the hyperparameters that act` under these settings.
      make: `(settings, spec, hparams) -> Model`; raises InputError where the settings do not fit the data. Its hparams
        hold two more scalars: `step`, the number of steps done, and `progress`, their share of the run, in [0, 1).
      unused_settings: `(settings) -> names of the settings that nothing reads` under these; they cannot be changed.
      active_objectives: `(settings) -> names of the objectives that a model has` under these settings; all if None.
      resolve: `(settings, spec) -> settings`, in which a value that says `auto` is replaced by what suits the data.
        Everything but `choices`, `minimums` and this function sees resolved settings.
      labelled: `(settings) -> whether the losses read labels` under these; a source without labels is then refused.
      minimums: `{setting: the least number it may be}`, for settings that are numbers or tuples of them; 1 for all
        others.
      ranges: `{hyperparameter: what it may be}`; all others are not negative.
      monitor: `(settings) -> the Model.monitor of its models`, by which a sweep ranks trials unless told otherwise.
      units: `(settings) -> {metric: unit}`, for the metrics of its models that have one.
      about: a sentence about each setting, each `setting=choice` and each hyperparameter, for `docs/models.md`.

    Example:
      >>> from genjax.models import FAMILIES
      >>> FAMILIES["gan"].objectives
      ('discriminator', 'generator')
      >>> sorted(FAMILIES["vae"].active_hparams({**FAMILIES["vae"].settings, "likelihood": "gaussian_fixed"}))
      ['beta', 'decoder_variance']
    """

    settings: dict[str, Any]
    choices: dict[str, Collection[str]]
    hparams: dict[str, float]
    objectives: tuple[str, ...]
    active_hparams: Callable[[Settings], set[str]]
    make: Callable[[Settings, DataSpec, Hparams], Model]
    unused_settings: Callable[[Settings], set[str]] = lambda settings: set()
    active_objectives: Callable[[Settings], Collection[str]] | None = None
    resolve: Callable[[Settings, DataSpec], Settings] = lambda settings, spec: settings
    labelled: Callable[[Settings], bool] = lambda settings: False
    minimums: Mapping[str, float] = {}
    ranges: Mapping[str, Range] = {}
    monitor: Callable[[Settings], str] = lambda settings: "loss"
    units: Callable[[Settings], Mapping[str, str]] = lambda settings: {}
    about: Mapping[str, str] = {}


class TrainState(NamedTuple):
    """All that a run carries from step to step: arrays only, so that it can be mapped, sharded and saved.

    Attributes:
      step: int32 scalar, the number of steps done.
      params: `{part: tree}`, those that objectives train and those that they overwrite as state.
      opt_state: `{objective: optimiser state}`.
      average: `{part: tree}`, moving averages of `Model.averaged`.
      diverged_at: int32 scalar, the step whose gradients or state were not finite, or -1. The state is frozen from
        there on.
    """

    step: Array
    params: Params
    opt_state: dict[str, Any]
    average: Params
    diverged_at: Array
