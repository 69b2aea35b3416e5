"""A sweep's configuration: its defaults, and the checks that turn a mistake into one line."""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from genjax import config as configs
from genjax.models import FAMILIES
from genjax.sweeps import axes, plan
from genjax.sweeps.axes import CONTINUOUS, KINDS, LISTED, Axis
from genjax.sweeps.programs import MODES
from genjax.system.messages import nearest_name
from genjax.types import Family, InputError

STRATEGIES = ("grid", "zip", "random", "sobol", "optuna")
DRAWN = ("random", "sobol", "optuna")
EXECUTIONS = ("auto", *MODES)
STOPPINGS = ("none", "halving", "population")
LARGEST = 100_000  # trials

# Settings that all trials of a sweep share. No result depends on them, but for the family, which decides what the
# other settings are.
FIXED = (
    "model.family",
    "data.resident_bytes",
    "train.log_every",
    "train.checkpoint_every",
    "train.devices",
    "train.deterministic",
)

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

# For docs/models.md, and for `genjax sweep --config NAME --help`.
ABOUT = {
    "axes": "the settings that vary: `values`, `together`, `choice`, `uniform`, `log_uniform`, `integers` make them",
    "strategy": "how axes combine: grid (all combinations), zip (the first values, the second ones, ...), or drawn:"
    " random, sobol (scrambled), optuna",
    "points": "how many are drawn",
    "draw_seed": "of what is drawn",
    "objective.metric": "of the validation split, by which trials are ranked",
    "objective.goal": "min or max",
    "objective.of": "the last value or the best one; with train.patience the last is that of the best state",
    "execution": "trials side by side (vmap), likewise with convolutions as batched products on every platform"
    " (vmap_products), one after another inside the program (map), or the fastest of these, which is measured (auto)",
    "memory_bytes": "that a program may take; 0: a share of what the device has",
    "stopping": "none, halving or population",
    "halving.first": "steps after which the first points are stopped",
    "halving.eta": "one point in so many goes on, to so many times the steps",
    "population.every": "steps between moves",
    "population.share": "of the trials, the worst, which go on from copies of the best",
    "population.factor": "by which the numbers of a copy are multiplied or divided",
    "optuna.storage": "the address of the storage that workers share",
    "optuna.study": "its name in the storage",
    "optuna.batch": "how many points are asked for at a time",
}


def default(base: Path | str) -> ConfigDict:
    """A sweep over a base configuration, for a config file to edit; `ABOUT` says what each setting is.

    Args:
      base: the file of a configuration of a run, or the name of one that comes with the package.
    """
    sweep = ConfigDict({"base": configs.load(configs.find(str(base))), **SWEEP})
    sweep.objective.metric = FAMILIES[sweep.base.model.family].monitor(sweep.base.model)
    return sweep


def override(sweep: ConfigDict, assignments: Mapping[str, str]) -> ConfigDict:
    """A copy with settings replaced as they were typed: `{"points": "4", "base.train.steps": "100"}`.

    Raises:
      InputError: an unknown setting, with the nearest right one, or a value of another type.
    """
    _check_is_a_sweep(sweep)
    of_base = configs.setting_defaults(sweep.base)
    defaults = configs.flatten(SWEEP) | {f"base.{name}": value for name, value in of_base.items()}
    swept = {
        f"base.{name}"
        for axis in sweep.get("axes") or ()
        if isinstance(axis, Axis) and isinstance(axis.setting, str)
        for name in axes.targets(axis.setting, sweep.base)
    }
    values = {}
    for name, text in assignments.items():
        like = defaults[nearest_name("setting of a sweep", name, defaults)]
        if name == "axes":
            raise InputError("axes are written in the config file, not on the command line")
        if name in swept:
            raise InputError(f"{name} = {text} would not act: an axis says what it is")
        values[name] = configs.parse(name, text, like)
    changed = sweep.copy_and_resolve_references()
    changed.update_from_flattened_dict(values)
    return changed


def check(sweep: ConfigDict) -> None:
    """Refuses a sweep that cannot be run, or that holds a setting that would not act.

    Raises:
      InputError: what is wrong, in one line.
    """
    _check_values(sweep)
    for name in sorted(set.intersection(*plan.unused_in_base(sweep))):
        value = configs.flatten(sweep.base)[name]
        raise InputError(f"{name} = {value!r} would not act: nothing under these settings reads it")


def drop_unused(sweep: ConfigDict, typed: Collection[str] = ()) -> tuple[ConfigDict, list[str]]:
    """Gives the base's settings that act in no trial their defaults again, but for those that the user typed.

    A setting that acts in some of the trials stays in the base; `plan.make_trials` leaves it out of the others.

    Args:
      sweep: from a file, with the typed settings in it.
      typed: dotted names, such as `base.model.hidden`; such a setting has to act in every trial.

    Returns:
      A copy, which `check` accepts, and one line about each setting that does not act in every trial.

    Raises:
      InputError: the sweep cannot be run, or a typed setting would not act.
    """
    _check_values(sweep)
    unused = plan.unused_in_base(sweep)
    in_all, in_some, values = set.intersection(*unused), set.union(*unused), configs.flatten(sweep.base)
    for name in sorted(in_some & {name.removeprefix("base.") for name in typed}):
        where = "under these settings" if name in in_all else "in some of the trials"
        raise InputError(f"base.{name} = {values[name]!r} would not act: nothing {where} reads it")
    defaults, notices = configs.flatten(configs.default(sweep.base.model.family)), []
    for name in sorted(in_some):
        outcome = "its default is used" if name in defaults else "it is left out"
        where = "under these settings; " if name in in_all else "in some of the trials; there "
        notices.append(f"base.{name} = {values[name]!r} of the configuration file does not act {where}{outcome}")
    changed = sweep.copy_and_resolve_references()
    with changed.unlocked():
        changed.base = configs.with_defaults(sweep.base, in_all)
    return changed, notices


def _check_values(sweep: ConfigDict) -> None:
    """Refuses a sweep that cannot be run, but not yet for what its base holds in vain."""
    _check_is_a_sweep(sweep)
    configs.check_values(sweep.base)
    defaults = configs.flatten(SWEEP)
    values = {name: value for name, value in configs.flatten(sweep).items() if not name.startswith("base.")}
    for name, value in values.items():
        configs.check_type(name, value, defaults[nearest_name("setting of a sweep", name, defaults)])
    for name in sorted(defaults.keys() - values.keys()):
        raise InputError(f"setting {name} is missing")
    for name, names in {
        "strategy": STRATEGIES,
        "execution": EXECUTIONS,
        "stopping": STOPPINGS,
        "objective.goal": ("min", "max"),
        "objective.of": ("last", "best"),
    }.items():
        nearest_name(name, values[name], names)
    _check_axes(sweep)
    _check_numbers(sweep, values)
    _check_combination(sweep)
    _check_single_run_settings(sweep)
    for name in sorted(_idle(sweep)):
        if values[name] != defaults[name]:
            raise InputError(f"{name} = {values[name]!r} would not act: nothing under these settings reads it")


def _check_single_run_settings(sweep: ConfigDict) -> None:
    """Refuses what acts in single runs alone, or in trials that are never replaced."""
    swept = {axis.setting for axis in sweep.axes}
    if sweep.stopping == "population" and (sweep.base.train.patience or "train.patience" in swept):
        raise InputError("train.patience and stopping 'population' do not go together: a population replaces its worst")
    if "train.trackers" in swept or set(sweep.base.train.trackers) - {"tensorboard"}:
        raise InputError("train.trackers acts in single runs; the trials of a sweep are in trials.csv and curves.npz")


def _check_is_a_sweep(sweep: ConfigDict) -> None:
    if not isinstance(sweep.get("base"), ConfigDict):
        raise InputError("this configuration is a single run's: start it with genjax train")


def _check_axes(sweep: ConfigDict) -> None:
    if not sweep.axes:
        raise InputError("the sweep has no axes")
    defaults, swept_settings = configs.setting_defaults(sweep.base), set[str]()
    for axis in sweep.axes:
        if not (isinstance(axis, Axis) and isinstance(axis.setting, str) and isinstance(axis.of, tuple)):
            raise InputError(f"axes hold a {type(axis).__name__}: an axis is made by {', '.join(KINDS)}")
        targets = axes.targets(axis.setting, sweep.base)
        like = defaults[targets[0]]
        if twice := swept_settings.intersection(targets):
            raise InputError(f"there are two axes over {twice.pop()}")
        if axis.setting in FIXED:
            raise InputError(f"there is no axis over {axis.setting}: all trials of a sweep share it")
        axes.check(axis)
        _check_ends(axis, targets, FAMILIES[sweep.base.model.family])
        _check_kind(axis, sweep.strategy)
        named = [value for value in axis.of if value is not None] or axis.of
        if len(named) < len(axis.of) and (sweep.strategy != "zip" or axis.setting == "seed"):
            raise InputError(f"axis {axis.setting} leaves a value out, which only a zip of settings can")
        values = [axes.typed(axis.setting, value, like) for value in named]
        if len(set(values)) < len(values) and (sweep.strategy != "zip" or axis.setting == "seed"):
            raise InputError(f"axis {axis.setting} lists a value twice")
        swept_settings.update(targets)


def _check_ends(axis: Axis, targets: Sequence[str], kind: Family) -> None:
    """Refuses a range of a hyperparameter whose ends it may not be; what is listed is checked with each trial."""
    for name, end in itertools.product(targets, axis.of if axis.kind not in LISTED else ()):
        group, _, hparam = name.partition(".")
        if group == "hparams":
            configs.check_hparam(hparam, float(end), kind)


def _check_kind(axis: Axis, strategy: str) -> None:
    """Refuses an axis of a kind that its setting or the strategy cannot have."""
    if axis.setting == "seed":
        if axis.kind not in ("values", "integers"):
            raise InputError("axis seed needs `values` or `integers`: every point is trained with each seed")
        return
    if axis.kind in CONTINUOUS and not axis.setting.startswith("hparams."):
        raise InputError(f"{axis.setting} is static, a program for each value: list its values instead of a range")
    if (axis.kind not in LISTED and strategy == "zip") or (axis.kind in CONTINUOUS and strategy == "grid"):
        raise InputError(f"axis {axis.setting} is a range, and a {strategy} needs lists")
    if axis.kind == "values" and strategy == "optuna":
        raise InputError(f"axis {axis.setting} lists values: with optuna, which picks them, write `choice`")


def _check_combination(sweep: ConfigDict) -> None:
    """Refuses axes that do not combine as the strategy says, or that make too many trials."""
    draws = sweep.strategy in DRAWN
    listed = [axis for axis in sweep.axes if not draws or axis.kind == "values" or axis.setting == "seed"]
    if draws and len(listed) == len(sweep.axes):
        raise InputError(f"strategy {sweep.strategy!r} has nothing to draw: every axis lists its values")
    lengths = {axis.setting: len(axes.options(axis)) for axis in listed}
    seeds = lengths.pop("seed", 1)
    if sweep.strategy == "zip" and len(set(lengths.values())) > 1:
        raise InputError(f"a zip needs lists of one length, and there are {lengths}")
    points = max(lengths.values(), default=1) if sweep.strategy == "zip" else math.prod(lengths.values())
    count = seeds * points * (sweep.points if draws else 1)
    if count > LARGEST:
        raise InputError(f"the axes make {count:,} trials: more than {LARGEST:,}")


def _check_numbers(sweep: ConfigDict, values: Mapping[str, Any]) -> None:
    for name, minimum in {
        "draw_seed": 0,
        "memory_bytes": 0,
        "halving.first": 1,
        "halving.eta": 2,
        "optuna.batch": 1,
    }.items():
        if values[name] < minimum:
            raise InputError(f"{name} = {values[name]} must be at least {minimum}")
    if sweep.strategy in DRAWN and sweep.points < 1:
        raise InputError(f"strategy {sweep.strategy!r} needs points: how many to draw")
    if sweep.strategy == "optuna" and not (sweep.optuna.storage and sweep.optuna.study):
        raise InputError("strategy 'optuna' needs optuna.storage and optuna.study")
    if not 0 < sweep.population.share <= 0.5:
        raise InputError(f"population.share = {sweep.population.share} must be above 0 and at most 0.5")
    if not sweep.population.factor > 1:
        raise InputError(f"population.factor = {sweep.population.factor} must be above 1")
    if sweep.strategy == "optuna" and sweep.stopping == "population":
        raise InputError("stopping 'population' changes the settings that optuna chose: the two do not go together")
    period = {"halving": "halving.first", "population": "population.every"}.get(sweep.stopping)
    if period and (values[period] < 1 or values[period] % sweep.base.train.log_every):
        raise InputError(f"{period} = {values[period]} must be a multiple of base.train.log_every")
    if period and values[period] >= sweep.base.train.steps:
        raise InputError(f"{period} = {values[period]} would not act: base.train.steps = {sweep.base.train.steps}")
    if period and "train.steps" in [axis.setting for axis in sweep.axes]:
        raise InputError(f"stopping {sweep.stopping!r} compares trials at the same step: no axis over train.steps")
    if sweep.stopping == "population" and not any(a.setting.startswith("hparams.") for a in sweep.axes):
        raise InputError("stopping 'population' explores traced settings, and there is no axis over hparams")


def _idle(sweep: ConfigDict) -> set[str]:
    """The settings that nothing reads under the others."""
    draws = sweep.strategy in DRAWN
    acts = {
        "points": draws,
        "draw_seed": sweep.strategy in ("random", "sobol") or sweep.stopping == "population",
        **dict.fromkeys(("halving.first", "halving.eta"), sweep.stopping == "halving"),
        **{f"population.{name}": sweep.stopping == "population" for name in ("every", "share", "factor")},
        **{f"optuna.{name}": sweep.strategy == "optuna" for name in ("storage", "study", "batch")},
    }
    return {name for name, reads in acts.items() if not reads}
