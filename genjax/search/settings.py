"""A sweep's configuration: its defaults, and the checks that turn a mistake into one line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from genjax import config as configs
from genjax.search import axes
from genjax.search.axes import CONTINUOUS, LISTED
from genjax.types import InputError

STRATEGIES = ("grid", "zip", "random", "sobol", "optuna")
DRAWN = ("random", "sobol", "optuna")
EXECUTIONS = ("auto", "vmap", "map")
STOPPINGS = ("none", "halving", "population")

# Settings that belong to a whole sweep: a trial's results do not depend on them, or another would be another model.
FIXED = ("model.family", "train.log_every", "train.checkpoint_every", "train.devices", "train.deterministic")

SWEEP = {
    "axes": (),
    "strategy": "grid",
    "points": 0,
    "draw_seed": 0,
    "objective": {"metric": "loss", "goal": "min", "of": "last"},
    "execution": "auto",
    "memory_bytes": 0,
    "stopping": "none",
    "halving": {"first": 1000, "eta": 3},
    "population": {"every": 1000, "share": 0.25, "factor": 1.2},
    "optuna": {"storage": "", "study": "", "batch": 8},
}


def default(base: Path) -> ConfigDict:
    """A sweep over a base configuration, for a config file to edit.

    Settings: `base`, what every trial has; `axes`; `strategy`: axes combine as `grid` (every combination), `zip` (the
    first values, the second ones ...), or in `points` that are drawn: `random`, `sobol` (scrambled) or by `optuna`;
    `draw_seed`, of what is drawn; `objective`: the `last` or the `best` of a validation `metric`, `min` or `max`;
    `execution`: trials side by side (`vmap`), one after another inside the program (`map`), or what a measurement
    says (`auto`); `memory_bytes` for a program (0: what the device has free). `stopping`: `halving` keeps one point
    in `eta` after `first` steps, after `eta` times as many, and so on; `population` lets, every so many steps, the
    worst `share` of the trials go on from copies of the best, with traced settings times or over `factor`.
    `optuna`: the `storage` and the `study` that workers share, and how many points are asked for at a time.

    Args:
      base: the file of a configuration for `scripts/train.py`.
    """
    return ConfigDict({"base": configs.load(base), **SWEEP})


def override(sweep: ConfigDict, assignments: Mapping[str, str]) -> ConfigDict:
    """A copy with settings replaced as they were typed: `{"points": "4", "base.train.steps": "100"}`.

    Raises:
      InputError: an unknown setting, with the nearest right one, or a value of another type.
    """
    inner = {name.removeprefix("base."): text for name, text in assignments.items() if name.startswith("base.")}
    known = {name: value for name, value in configs.flatten(SWEEP).items() if name != "axes"}
    outer = {
        name: configs.parse(name, text, known[configs.nearest_name("setting of a sweep", name, known)])
        for name, text in assignments.items()
        if not name.startswith("base.")
    }
    changed = sweep.copy_and_resolve_references()
    changed.update_from_flattened_dict(outer)
    changed.base = configs.override(changed.base, inner)
    return changed


def check(sweep: ConfigDict) -> None:
    """Refuses a sweep that cannot be run, or that holds a setting that would not act.

    Raises:
      InputError: what is wrong, in one line.
    """
    if "base" not in sweep:
        raise InputError("this configuration is a single run's: start it with scripts/train.py")
    configs.check(sweep.base)
    known = configs.flatten(SWEEP)
    values = {name: value for name, value in configs.flatten(sweep).items() if not name.startswith("base.")}
    for name, value in values.items():
        configs.same_type(name, value, known[configs.nearest_name("setting of a sweep", name, known)])
    for name in sorted(known.keys() - values.keys()):
        raise InputError(f"setting {name} is missing")
    for name, names in {
        "strategy": STRATEGIES,
        "execution": EXECUTIONS,
        "stopping": STOPPINGS,
        "objective.goal": ("min", "max"),
        "objective.of": ("last", "best"),
    }.items():
        configs.nearest_name(name, values[name], names)
    _check_axes(sweep)
    _check_numbers(sweep, values)
    for name in sorted(_idle(sweep)):
        if values[name] != known[name]:
            raise InputError(f"{name} = {values[name]!r} would not act: nothing under these settings reads it")


def _check_axes(sweep: ConfigDict) -> None:
    if not sweep.axes:
        raise InputError("the sweep has no axes")
    known = configs.known(sweep.base)
    for i, axis in enumerate(sweep.axes):
        axes.check(axis)
        configs.nearest_name("setting", axis.setting, known)
        if axis.setting in [other.setting for other in sweep.axes[:i]]:
            raise InputError(f"there are two axes over {axis.setting}")
        if axis.setting in FIXED:
            raise InputError(f"there is no axis over {axis.setting}: all trials of a sweep share it")
        traced = axis.setting.startswith("hparams.")
        if axis.kind in CONTINUOUS and not traced:
            raise InputError(f"{axis.setting} is static, a program for each value: list its values instead of a range")
        if axis.kind not in LISTED and sweep.strategy == "zip":
            raise InputError(f"axis {axis.setting} is a range, and a zip needs lists")
        if axis.kind in CONTINUOUS and sweep.strategy == "grid":
            raise InputError(f"axis {axis.setting} is a range, and a grid needs lists")
        if axis.setting == "seed" and axis.kind not in ("values", "integers"):
            raise InputError("axis seed needs `values` or `integers`: every point is trained with each seed")
        if axis.kind == "values" and axis.setting != "seed" and sweep.strategy == "optuna":
            raise InputError(f"axis {axis.setting} lists values: with optuna, which picks them, write `choice`")


def _check_numbers(sweep: ConfigDict, values: Mapping[str, Any]) -> None:
    for name, least in {
        "draw_seed": 0,
        "memory_bytes": 0,
        "halving.first": 1,
        "halving.eta": 2,
        "optuna.batch": 1,
    }.items():
        if values[name] < least:
            raise InputError(f"{name} = {values[name]} must be at least {least}")
    if sweep.strategy in DRAWN and sweep.points < 1:
        raise InputError(f"strategy {sweep.strategy!r} needs points: how many to draw")
    if sweep.strategy == "optuna" and not (sweep.optuna.storage and sweep.optuna.study):
        raise InputError("strategy 'optuna' needs optuna.storage and optuna.study")
    if not 0 < sweep.population.share <= 0.5:
        raise InputError(f"population.share = {sweep.population.share} must be above 0 and at most 0.5")
    if not sweep.population.factor > 1:
        raise InputError(f"population.factor = {sweep.population.factor} must be above 1")
    every = {"halving": "halving.first", "population": "population.every"}.get(sweep.stopping)
    if every and (values[every] < 1 or values[every] % sweep.base.train.log_every):
        raise InputError(f"{every} = {values[every]} must be a multiple of base.train.log_every")
    if every and "train.steps" in [axis.setting for axis in sweep.axes]:
        raise InputError(f"stopping {sweep.stopping!r} compares trials at the same step: no axis over train.steps")
    if sweep.stopping == "population" and not any(a.setting.startswith("hparams.") for a in sweep.axes):
        raise InputError("stopping 'population' explores traced settings, and there is no axis over hparams")


def _idle(sweep: ConfigDict) -> set[str]:
    """The settings that nothing reads under the others."""
    drawn = sweep.strategy in DRAWN
    acts = {
        "points": drawn,
        "draw_seed": drawn or sweep.stopping == "population",
        **dict.fromkeys(("halving.first", "halving.eta"), sweep.stopping == "halving"),
        **{f"population.{name}": sweep.stopping == "population" for name in ("every", "share", "factor")},
        **{f"optuna.{name}": sweep.strategy == "optuna" for name in ("storage", "study", "batch")},
    }
    return {name for name, reads in acts.items() if not reads}
