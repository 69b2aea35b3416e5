"""Configurations: defaults, files, overrides from a command line, and the checks that turn a mistake into one line.

A configuration is an `ml_collections.ConfigDict` with `seed`, `data`, `model`, `optim` (one group per objective),
`hparams`, `schedules` and `train`. All of it is static but `hparams`, a flat group of numbers that are traced.
"""

import ast
import hashlib
import json
import math
import runpy
import traceback
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from genjax.models import FAMILIES
from genjax.system.messages import nearest_name
from genjax.training import optimisers, schedules
from genjax.types import Family, InputError

TRAIN = {
    "batch_size": 128,
    "steps": 5000,
    "log_every": 100,
    "evaluate_every": 1000,
    "checkpoint_every": 1000,
    "evaluate_batch_size": 500,
    "devices": 0,
    "deterministic": False,
}

DATA = {"source": "digits", "dynamic_binarisation": False, "resident_bytes": 2**32}


def default(family: str) -> ConfigDict:
    """The default configuration of a family, for a config file to edit.

    Settings of `train`: `log_every` steps make one compiled chunk, and `evaluate_every` and `checkpoint_every` are
    multiples of it; `devices` is the number over which a batch is split (0: all); `deterministic` asks the GPU's
    compiler for operations that give the same bits each time. Settings of `data`: a training split larger than
    `resident_bytes` stays on the host and is sent chunk by chunk. `schedules` is empty: `config.schedules.beta =
    "linear"` gives a hyperparameter one of `training.schedules.WEIGHTS`, whose numbers are hyperparameters too
    (`hparams.beta_duration`).

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


def load(path: Path) -> ConfigDict:
    """The configuration that a file's `get_config()` returns, or that a run's `config.json` holds.

    Raises:
      InputError: no such file, no `get_config`, or an error in it, with its line.
    """
    try:
        if not path.is_file():
            raise InputError("no such config file")
        if path.suffix == ".json":
            return from_json(path.read_text())
        get_config = runpy.run_path(str(path)).get("get_config")
        config = get_config() if callable(get_config) else None
    except Exception as error:  # whatever the user's own code raises
        raise InputError(f"{_place(path, error)}: {_one_line(error)}") from error
    if not isinstance(config, ConfigDict):
        raise InputError(f"{path} defines no get_config() that returns a ConfigDict")
    return config


def override(config: ConfigDict, assignments: Mapping[str, str]) -> ConfigDict:
    """A copy with some settings replaced by values as they were typed: `{"hparams.beta": "4"}`.

    Raises:
      InputError: an unknown setting, with the nearest right one, or a value of another type.
    """
    settings = setting_defaults(config) | flatten(config)
    values = {
        name: parse(name, text, settings[nearest_name("setting", name, settings)]) for name, text in assignments.items()
    }
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(values)
    return changed


def check(config: ConfigDict) -> None:
    """Refuses a configuration that cannot be run, or that holds a setting that would not act.

    Raises:
      InputError: what is wrong, in one line.
    """
    check_values(config)
    _refuse_unused(config, unused(config))


def check_values(config: ConfigDict) -> None:
    """Refuses a configuration that cannot be run: a setting is missing or unknown, or its value cannot be used.

    Raises:
      InputError: what is wrong, in one line.
    """
    values, defaults = flatten(config), setting_defaults(config)
    for name, value in values.items():
        check_type(name, value, defaults[nearest_name("setting", name, defaults)])
    for name in sorted(flatten(default(values["model.family"])).keys() - values.keys()):
        raise InputError(f"setting {name} is missing")
    if not 0 <= config["seed"] < 2**32:
        raise InputError(f"seed = {config['seed']} must be at least 0 and less than 2**32")
    _check_choices(config, FAMILIES[values["model.family"]])
    _check_hparams(config["hparams"], FAMILIES[values["model.family"]])
    _check_train(config["train"])


def drop_unused(config: ConfigDict, typed: Collection[str] = ()) -> tuple[ConfigDict, list[str]]:
    """Gives the settings that do not act their defaults again, but for those that the user typed.

    Args:
      config: from a file, with the typed settings in it.
      typed: dotted names; such a setting has to act.

    Returns:
      A configuration that `check` accepts, and one line about each setting that changed. An objective's own
      hyperparameter, such as `hparams.generator_b1`, has no default and is removed.

    Raises:
      InputError: the configuration cannot be run, or a typed setting would not act.
    """
    check_values(config)
    names = unused(config)
    _refuse_unused(config, names.intersection(typed))
    if not names:
        return config, []
    values, defaults = flatten(config), flatten(default(config["model"]["family"]))
    notices = [
        f"{name} = {values[name]!r} of the configuration file does not act under these settings; "
        + ("its default is used" if name in defaults else "it is left out")
        for name in sorted(names)
    ]
    return with_defaults(config, names), notices


def with_defaults(config: ConfigDict, names: Collection[str]) -> ConfigDict:
    """Returns a copy in which some settings have their defaults; those without a default are removed."""
    defaults, changed = flatten(default(config["model"]["family"])), config.copy_and_resolve_references()
    with changed.unlocked():
        for name in names:
            group, _, setting = name.rpartition(".")
            if name in defaults:
                changed[group][setting] = defaults[name]
            else:
                del changed[group][setting]
    return changed


def unused(config: ConfigDict) -> set[str]:
    """The settings of `model`, `hparams` and `schedules` that differ from their defaults, and that nothing reads."""
    family = config["model"]["family"]
    values, defaults = flatten(config), flatten(default(family))
    names = {f"hparams.{name}" for name in config["hparams"].keys() - active(config).keys()}
    names |= {f"schedules.{name}" for name in config["schedules"].keys() - active(config).keys()}
    names |= {f"model.{name}" for name in FAMILIES[family].unused_settings(config["model"])}
    return {name for name in names if values[name] != defaults.get(name)}


def _refuse_unused(config: ConfigDict, names: Collection[str]) -> None:
    for name in sorted(names):
        value = flatten(config)[name]
        raise InputError(f"{name} = {value!r} would not act: nothing under these settings reads it")


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
    for objective, settings in config["optim"].items():
        names |= {optimisers.resolve_name(objective, name, hparams) for name in optimisers.active_hparams(settings)}
    weights = {weight: name for weight, name in config["schedules"].items() if weight in names}
    knobs = schedules.knob_names(weights)
    return {name: hparams[name] if name in hparams else knobs[name] for name in sorted(names | knobs.keys())}


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"hparams.beta": 1.0, ...}`: every setting by its dotted name."""
    flat = {}
    for name, value in config.items():
        flat |= (
            flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping | ConfigDict) else {prefix + name: value}
        )
    return flat


def to_json(config: Mapping[str, Any]) -> str:
    """The canonical text of a configuration: settings sorted by their dotted names."""
    return json.dumps(flatten(config), sort_keys=True, indent=2)


def from_json(text: str) -> ConfigDict:
    """The configuration that `to_json` wrote."""
    flat = json.loads(text)
    if not isinstance(flat, dict) or "model.family" not in flat:
        raise InputError("not the configuration of a run")
    config = default(flat["model.family"])
    with config.unlocked():  # an objective's own hyperparameters are not among the defaults
        config.update_from_flattened_dict({k: tuple(v) if isinstance(v, list) else v for k, v in flat.items()})
    return config


def digest(config: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that name a configuration's values."""
    return hashlib.sha256(to_json(config).encode()).hexdigest()[:8]


def differences(ours: str, theirs: str) -> list[str]:
    """The settings in which two configurations, as `to_json` writes them, differ: `name: theirs, not ours`."""
    first, second = json.loads(ours), json.loads(theirs)
    return [
        f"{name}: {second.get(name)}, not {first.get(name)}"
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    ]


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


def _place(path: Path, error: Exception) -> str:
    """`path, line n`: where in the user's file an error arose, as far as that is known."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _one_line(error: Exception) -> str:
    text = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    return text if isinstance(error, InputError) else f"{type(error).__name__}: {text}"


def parse(name: str, text: str, like: Any) -> Any:
    """A typed value from the command line, of the type of the setting that it replaces."""
    if isinstance(like, str):
        return text
    try:
        value = ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (ValueError, SyntaxError) as error:
        raise InputError(f"{name} = {text!r} is not of type {type(like).__name__}") from error
    if isinstance(like, tuple) and isinstance(value, int | list):
        value = tuple(value) if isinstance(value, list) else (value,)
    if isinstance(like, float) and type(value) is int and abs(value) < 2**128:
        value = float(value)
    check_type(name, value, like)
    return value


def check_type(name: str, value: Any, like: Any) -> None:
    """Refuses a value of another type than `like`, and one that is not finite."""
    if type(value) is not type(like):
        raise InputError(f"{name} = {value!r} is not of type {type(like).__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} = {value!r} is not finite")


def _check_choices(config: ConfigDict, kind: Family) -> None:
    for name, names in kind.choices.items():
        nearest_name(f"model.{name}", config["model"][name], names)
    for name, value in config["model"].items():
        if not isinstance(value, str | bool):
            _check_numbers(name, value, kind)
    for weight, name in config["schedules"].items():
        nearest_name(f"schedules.{weight}", name, schedules.WEIGHTS)
    for objective, settings in config["optim"].items():
        nearest_name(f"optim.{objective}.optimiser", settings["optimiser"], optimisers.OPTIMISERS)
        nearest_name(f"optim.{objective}.schedule", settings["schedule"], schedules.LEARNING_RATES)


def _check_numbers(name: str, value: Any, kind: Family) -> None:
    """Refuses a static setting that holds no numbers of its kind, or one that is less than its family allows."""
    default_value = kind.settings[name]
    like = default_value[0] if isinstance(default_value, tuple) and default_value else default_value
    numeric, kind_of_numbers = (float, "numbers") if isinstance(like, float) else (int, "whole numbers")
    least = kind.least.get(name, 1)
    for number in value if isinstance(value, tuple) else (value,):
        if type(number) is not numeric or number < least:
            raise InputError(f"model.{name} = {value!r} must hold {kind_of_numbers} from {least:g} on")


def check_hparam(name: str, value: float, kind: Family) -> None:
    """Refuses a hyperparameter beyond float32, and a negative one unless its family says that it may be negative."""
    largest = float(np.finfo(np.float32).max)
    if name in kind.signed:
        if not -largest <= value <= largest:
            raise InputError(f"hparams.{name} = {value} must not be beyond float32")
    elif not 0 <= value <= largest:
        raise InputError(f"hparams.{name} = {value} must not be negative or beyond float32")


def _check_hparams(hparams: Mapping[str, float], kind: Family) -> None:
    for name, value in hparams.items():
        check_hparam(name, value, kind)


def _check_train(train: Mapping[str, Any]) -> None:
    for name in ("batch_size", "steps", "log_every", "evaluate_every", "checkpoint_every", "evaluate_batch_size"):
        if not 1 <= train[name] < 2**31:
            raise InputError(f"train.{name} = {train[name]} must be at least 1 and less than 2**31")
    for name in ("evaluate_every", "checkpoint_every"):
        if train[name] % train["log_every"]:
            raise InputError(
                f"train.{name} = {train[name]} must be a multiple of train.log_every = {train['log_every']}"
            )
    if train["devices"] < 0:
        raise InputError(f"train.devices = {train['devices']} must be 0 (all) or a number of devices")
