"""The checks that turn a mistake into one line, and what becomes of settings that would not act."""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from genjax.config.defaults import (
    TRACKERS,
    active,
    active_objectives,
    default,
    describe_resolved,
    flatten,
    setting_defaults,
)
from genjax.models import FAMILIES
from genjax.ranges import NOT_NEGATIVE
from genjax.system.messages import nearest_name
from genjax.training import optimisers, precision, schedules
from genjax.types import Family, InputError


def check(config: ConfigDict) -> None:
    """Refuses a configuration that cannot be run, or that holds a setting that would not act.

    Raises:
      InputError: what is wrong, in one line.
    """
    check_values(config)
    _refuse_unused(config, unused(config))


def check_resolved(config: ConfigDict, resolved: ConfigDict) -> None:
    """Refuses a configuration in which a setting acts under `auto`, but not under what `auto` became.

    Args:
      config: that `check` accepts.
      resolved: the same, once the data are known (`resolve`).

    Raises:
      InputError: what is wrong and what `auto` became, in one line.
    """
    if resolved is config:
        return
    try:
        check(resolved)
    except InputError as error:
        raise InputError("; ".join([str(error), *describe_resolved(config, resolved)])) from error


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
    if config["data"]["resident_bytes"] < 0:
        raise InputError(f"data.resident_bytes = {config['data']['resident_bytes']} must be at least 0")


def plain(value: Any) -> Any:
    """Python's own numbers for NumPy's: a configuration holds no others."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def check_type(name: str, value: Any, like: Any) -> None:
    """Refuses a value of another type than `like`, and one that is not finite."""
    if type(value) is not type(like):
        raise InputError(f"{name} = {value!r} is not of type {type(like).__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} = {value!r} is not finite")


def check_hparam(name: str, value: float, kind: Family) -> None:
    """Refuses a hyperparameter beyond float32 or its range. An objective's own has the range of all objectives'."""
    names = (name, *(name.removeprefix(optimisers.own_name(objective, "")) for objective in kind.objectives))
    ranges = {**optimisers.RANGES, **kind.ranges}
    allowed = next((ranges[candidate] for candidate in names if candidate in ranges), NOT_NEGATIVE)
    if not allowed.minimum <= value <= allowed.maximum:
        raise InputError(f"hparams.{name} = {value} {allowed.words}")
    if abs(value) > float(np.finfo(np.float32).max):
        raise InputError(f"hparams.{name} = {value} must not be beyond float32")


def unused(config: ConfigDict) -> set[str]:
    """The settings of all groups but `train` and `data` that differ from their defaults, and that nothing reads."""
    family = config["model"]["family"]
    values, defaults = flatten(config), flatten(default(family))
    names = {f"hparams.{name}" for name in config["hparams"].keys() - active(config).keys()}
    names |= {f"schedules.{name}" for name in config["schedules"].keys() - active(config).keys()}
    names |= {
        f"optim.{objective}.{name}"
        for objective in set(config["optim"]) - set(active_objectives(config))
        for name in config["optim"][objective]
    }
    names |= {f"model.{name}" for name in FAMILIES[family].unused_settings(config["model"])}
    return {name for name in names if values[name] != defaults.get(name)}


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
            if name in defaults:
                changed.update_from_flattened_dict({name: defaults[name]})
            else:  # an objective's own hyperparameter, or a schedule
                group, _, setting = name.partition(".")
                del changed[group][setting]
    return changed


def _refuse_unused(config: ConfigDict, names: Collection[str]) -> None:
    for name in sorted(names):
        value = flatten(config)[name]
        raise InputError(f"{name} = {value!r} would not act: nothing under these settings reads it")


def _check_choices(config: ConfigDict, kind: Family) -> None:
    for name, names in kind.choices.items():
        value = config["model"][name]
        for choice in value if isinstance(value, tuple) else (value,):
            _check_name(f"model.{name}", choice, names)
    for name, value in config["model"].items():
        if not isinstance(value, str | bool) and name not in kind.choices:
            _check_numbers(name, value, kind)
    for weight, name in config["schedules"].items():
        nearest_name(f"schedules.{weight}", name, schedules.WEIGHTS)
    for objective, settings in config["optim"].items():
        nearest_name(f"optim.{objective}.optimiser", settings["optimiser"], optimisers.OPTIMISERS)
        nearest_name(f"optim.{objective}.schedule", settings["schedule"], schedules.LEARNING_RATES)


def _check_name(setting: str, name: Any, names: Iterable[str]) -> None:
    if not isinstance(name, str):
        raise InputError(f"{setting} holds {name!r}, and takes names")
    nearest_name(setting, name, names)


def _check_numbers(name: str, value: Any, kind: Family) -> None:
    """Refuses a static setting that holds no numbers of its kind, or one that is less than its family allows."""
    default_value = kind.settings[name]
    like = default_value[0] if isinstance(default_value, tuple) and default_value else default_value
    numeric, kind_of_numbers = (float, "numbers") if isinstance(like, float) else (int, "whole numbers")
    minimum = kind.minimums.get(name, 1)
    for number in value if isinstance(value, tuple) else (value,):
        if type(number) is not numeric or number < minimum:
            raise InputError(f"model.{name} = {value!r} must hold {kind_of_numbers} from {minimum:g} on")


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
    for name in train["trackers"]:
        _check_name("train.trackers", name, TRACKERS)
    if train["init_parts"] and not train["init_from"]:
        raise InputError(f"train.init_parts = {train['init_parts']!r} would not act: train.init_from is empty")
    for name in ("patience", "least_steps", "smallest_change"):
        if not 0 <= train[name] < 2**31:
            raise InputError(f"train.{name} = {train[name]} must be at least 0 and less than 2**31")
        if train[name] and not train["patience"]:
            raise InputError(f"train.{name} = {train[name]} would not act: train.patience is 0")
    nearest_name("train.matmul_precision", train["matmul_precision"], precision.PRECISIONS)
    if train["devices"] < 0:
        raise InputError(f"train.devices = {train['devices']} must be 0 (all) or a number of devices")
