"""The default of every setting, by family."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from genjax.models import FAMILIES
from genjax.system.messages import nearest_name
from genjax.training import optimisers, schedules
from genjax.types import DataSpec

TRAIN = {
    "batch_size": 128,
    "steps": 5000,
    "log_every": 100,
    "evaluate_every": 1000,
    "checkpoint_every": 1000,
    "evaluate_batch_size": 500,
    "devices": 0,
    "deterministic": False,
    "matmul_precision": "default",
    "gradient_norms": False,
    "trackers": ("tensorboard",),
    "init_from": "",
    "init_parts": (),
    "patience": 0,
    "least_steps": 0,
    "smallest_change": 0.0,
}

TRACKERS = ("tensorboard", "wandb", "mlflow")
DATA = {"source": "digits", "dynamic_binarisation": False, "resident_bytes": 2**32}


def default(family: str) -> ConfigDict:
    """The default configuration of a family, for a config file to edit.

    Settings of `train`: `log_every` steps make one compiled chunk, and `evaluate_every` and `checkpoint_every` are
    multiples of it; `devices` is the number over which a batch is split (0: all); `deterministic` asks the GPU's
    compiler for operations that give the same bits each time; `matmul_precision` is that of products and
    convolutions on an accelerator, `default`, `high` or `highest` (`training.precision`); `gradient_norms` logs the
    norm of each objective's gradient; `trackers` are names in `runs.trackers.TRACKERS`; `patience` evaluations
    without a better value of the monitored metric stop a run (0: never), `runs.stopping`. Settings of `data`: a
    training split larger than `resident_bytes` stays on the host and is sent chunk by chunk. `schedules` is empty:
    `config.schedules.beta = "linear"` gives a hyperparameter one of `training.schedules.WEIGHTS`, whose numbers are
    hyperparameters too (`hparams.beta_duration`).

    Example:
      >>> config = default("vae")
      >>> config.model.latent, config.hparams.beta = 2, 4.0
      >>> config.optim.elbo.optimiser
      'adam'
    """
    kind = FAMILIES[nearest_name("model.family", family, FAMILIES)]
    hparams = {**optimisers.HPARAMS, **kind.hparams}
    shared = {
        name
        for name in optimisers.HPARAMS
        if any(optimisers.resolve_name(objective, name, hparams) == name for objective in kind.objectives)
    }
    return ConfigDict(
        {
            "seed": 0,
            "data": DATA,
            "model": {"family": family, **kind.settings},
            "optim": {objective: dict(optimisers.SETTINGS) for objective in kind.objectives},
            "hparams": {
                name: float(value)
                for name, value in hparams.items()
                if name not in optimisers.HPARAMS or name in shared
            },
            "schedules": {},
            "train": TRAIN,
        }
    )


def active_objectives(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The objectives that a model has under the static settings.

    Example:
      >>> config = default("vae")
      >>> active_objectives(config)
      ('elbo',)
      >>> config.model.regulariser = "factor"
      >>> active_objectives(config)
      ('elbo', 'discriminator')
    """
    kind = FAMILIES[config["model"]["family"]]
    if kind.active_objectives is None:
        return kind.objectives
    names = kind.active_objectives(config["model"])
    return tuple(name for name in kind.objectives if name in names)


def resolve(config: ConfigDict, spec: DataSpec) -> ConfigDict:
    """A copy in which the settings that say `auto` are what suits the data; the configuration itself if none does.

    A setting that nothing reads goes on to say `auto`.

    Example:
      >>> from genjax.data import describe, load
      >>> resolve(default("vae"), describe(load("digits"))).model.likelihood
      'gaussian_shared'
    """
    kind = FAMILIES[config.model.family]
    settings = kind.resolve(config.model, spec)
    names = {name for name, value in settings.items() if value != config.model[name]} - kind.unused_settings(settings)
    if not names:
        return config
    resolved = config.copy_and_resolve_references()
    resolved.model.update({name: settings[name] for name in names})
    return resolved


def describe_resolved(config: ConfigDict, resolved: ConfigDict) -> list[str]:
    """A line for each setting that said `auto`: `model.likelihood is 'bernoulli' for these data (auto)`."""
    return [
        f"model.{name} is {resolved.model[name]!r} for these data (auto)"
        for name in config.model
        if config.model[name] == "auto" != resolved.model[name]
    ]


def active(config: Mapping[str, Any]) -> dict[str, float]:
    """The hyperparameters that act under the static settings, `{name: value}`.

    Example:
      >>> config = default("vae")
      >>> config.schedules.beta = "linear"
      >>> {name: value for name, value in active(config).items() if name.startswith("beta")}
      {'beta': 1.0, 'beta_duration': 0.1, 'beta_start': 0.0}
    """
    kind, hparams = FAMILIES[config["model"]["family"]], config["hparams"]
    names = set(kind.active_hparams(config["model"]))
    for objective in active_objectives(config):
        settings = config["optim"][objective]
        names |= {optimisers.resolve_name(objective, name, hparams) for name in optimisers.active_hparams(settings)}
    weights = {weight: name for weight, name in config["schedules"].items() if weight in names}
    knobs = schedules.knob_names(weights)
    return {name: hparams[name] if name in hparams else knobs[name] for name in sorted(names | knobs.keys())}


def setting_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """The default of every setting that a configuration of this family may hold.

    An objective's own hyperparameters, the schedule of each hyperparameter and the numbers of that schedule are among
    them.
    """
    values = flatten(config)
    family = str(values.get("model.family", ""))
    base, kind = default(family), FAMILIES[family]
    of_objectives = {
        optimisers.own_name(objective, name): value
        for objective in kind.objectives
        for name, value in optimisers.HPARAMS.items()
    }
    hparams = {**of_objectives, **base.hparams}
    weights = {name: values.get(f"schedules.{name}") for name in hparams}
    names = {name: schedule if schedule in schedules.WEIGHTS else "cyclical" for name, schedule in weights.items()}
    knobs = schedules.knob_names(dict.fromkeys(hparams, "cyclical")) | schedules.knob_names(names)
    return {
        **{f"hparams.{name}": value for name, value in (knobs | hparams).items()},
        **{f"schedules.{name}": "constant" for name in hparams},
        **flatten(base),
    }


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"hparams.beta": 1.0, ...}`: every setting by its dotted name."""
    flat = {}
    for name, value in config.items():
        flat |= (
            flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping | ConfigDict) else {prefix + name: value}
        )
    return flat
