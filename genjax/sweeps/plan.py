"""From axes to trials, and from trials to groups: one program each."""

import contextlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.sweeps import axes
from genjax.system.messages import format_value
from genjax.types import DataSpec, InputError

Point = dict[str, Any]  # {setting: value}, without the seed


class Trial(NamedTuple):
    """One run of a sweep.

    Attributes:
      number: from 0, in the order of the plan.
      point: the number of its point: trials of one point differ in their seeds alone.
      settings: `{setting: value}` of every axis; None where the base's value stays.
      config: its whole configuration, as a single run would have it.
    """

    number: int
    point: int
    settings: Point
    config: ConfigDict


def make_points(sweep: ConfigDict) -> list[Point]:
    """Makes every point of a sweep whose points depend on no result; the same ones each time.

    In the order of the axes, the last one fastest; each draw meets every combination of the axes that list values.
    """
    swept = [axis for axis in sweep.axes if axis.setting != "seed"]
    if sweep.strategy == "zip" and swept:
        rows = zip(*map(axes.options, swept), strict=True)
        return [dict(zip([axis.setting for axis in swept], row, strict=True)) for row in rows]
    random_axes = [axis for axis in swept if sweep.strategy in ("random", "sobol") and axis.kind != "values"]
    crossed_axes = [axis for axis in swept if axis not in random_axes]
    rows = _draw_unit(sweep, len(random_axes))
    draws = [[axes.value_at(axis, u) for axis, u in zip(random_axes, row, strict=True)] for row in rows]
    points = []
    for draw, combination in itertools.product(draws, itertools.product(*map(axes.options, crossed_axes))):
        point = {axis.setting: v for axis, v in zip([*random_axes, *crossed_axes], [*draw, *combination], strict=True)}
        points.append({axis.setting: point[axis.setting] for axis in swept})
    return points


def _draw_unit(sweep: ConfigDict, count: int) -> list[list[float]]:
    """So many numbers in [0, 1) for each draw: from NumPy's generator, or scipy's scrambled Sobol sequence."""
    if not count:
        return [[]]
    rng = np.random.default_rng(sweep.draw_seed)
    if sweep.strategy == "random":
        return rng.random((sweep.points, count)).tolist()
    from scipy.stats import qmc

    length = 1 << (sweep.points - 1).bit_length()  # a sequence keeps its balance at powers of two
    return qmc.Sobol(count, rng=rng).random(length)[: sweep.points].tolist()


def make_trials(sweep: ConfigDict, points: Sequence[Point], first_trial: int = 0, first_point: int = 0) -> list[Trial]:
    """Makes the trials of every point with each of the seeds.

    Raises:
      InputError: a trial's configuration cannot be run; the line says which.
    """
    seeds = next((axes.options(axis) for axis in sweep.axes if axis.setting == "seed"), (sweep.base.seed,))
    defaults, trials = configs.setting_defaults(sweep.base), []
    targets = {name: axes.targets(name, sweep.base) for name in ("seed", *(axis.setting for axis in sweep.axes))}
    for number, (i, seed) in enumerate(itertools.product(range(len(points)), seeds), first_trial):
        settings = {**points[i], "seed": seed}
        try:
            for name, value in _named(settings).items():
                settings[name] = axes.typed(name, value, defaults[targets[name][0]])
            values = {target: value for name, value in _named(settings).items() for target in targets[name]}
            config, _ = configs.drop_unused(_configure(sweep.base, values), values)
        except InputError as error:
            raise InputError(f"trial {number} ({describe(settings)}): {error}") from error
        trials.append(Trial(number, first_point + i, settings, config))
    return trials


def resolve_trials(
    sweep: ConfigDict, trials: Sequence[Trial], describe_data: Callable[[ConfigDict], DataSpec]
) -> list[Trial]:
    """Replaces the settings of trials that say `auto` by what suits their data, in `settings` and in `config`.

    What the base holds and what does not act under the resolved settings has its default again, as in `make_trials`.

    Args:
      sweep: its configuration.
      trials: of `make_trials`.
      describe_data: the description of a configuration's data.

    Raises:
      InputError: an axis would not act under the resolved settings; the line says in which trial.
    """
    targets = {axis.setting: axes.targets(axis.setting, sweep.base) for axis in sweep.axes}
    typed = [[target for name in _named(trial.settings) for target in targets.get(name, ())] for trial in trials]
    return [_resolve_trial(trial, describe_data(trial.config), t) for trial, t in zip(trials, typed, strict=True)]


def _resolve_trial(trial: Trial, spec: DataSpec, typed: Sequence[str]) -> Trial:
    resolved = configs.resolve(trial.config, spec)
    if resolved is trial.config:
        return trial
    try:
        config, _ = configs.drop_unused(resolved, typed)
    except InputError as error:
        reasons = "; ".join([str(error), *configs.describe_resolved(trial.config, resolved)])
        raise InputError(f"trial {trial.number} ({describe(trial.settings)}): {reasons}") from error
    model = {f"model.{name}": value for name, value in config.model.items()}
    settings = trial.settings | {name: model.get(name, value) for name, value in _named(trial.settings).items()}
    return trial._replace(settings=settings, config=config)


def static_points(sweep: ConfigDict) -> list[Point]:
    """Every combination of the axes' static values, with one value of each traced axis.

    Which settings act, and which program trains a trial, depend on the static settings and on which hyperparameters
    there are, but on no hyperparameter's value: one value of a traced axis stands for all of them.
    """
    if sweep.strategy == "zip":
        return make_points(sweep)
    swept = [axis for axis in sweep.axes if axis.setting != "seed"]
    lists = [axis.of[:1] if axis.setting.startswith("hparams.") else axes.options(axis) for axis in swept]
    return [{a.setting: v for a, v in zip(swept, values, strict=True)} for values in itertools.product(*lists)]


def unused_in_base(sweep: ConfigDict) -> list[set[str]]:
    """The settings of the base that do not act, one set for each combination of static values; at least one set.

    A combination that cannot be run is left out here, because `make_trials` refuses it.
    """
    unused, targets = [], {axis.setting: axes.targets(axis.setting, sweep.base) for axis in sweep.axes}
    for point in static_points(sweep):
        values = {target: value for name, value in _named(point).items() for target in targets[name]}
        config = _configure(sweep.base, values)
        with contextlib.suppress(InputError):
            configs.check_values(config)
            unused.append(configs.unused(config) - values.keys())
    return unused or [set()]


def _named(settings: Point) -> Point:
    """The settings that a point changes; one whose value is None stays as the base has it."""
    return {name: value for name, value in settings.items() if value is not None}


def _configure(base: ConfigDict, values: Mapping[str, Any]) -> ConfigDict:
    """A copy of a sweep's base with other values of some settings."""
    config = base.copy_and_resolve_references()
    config.update_from_flattened_dict({n: float(v) if n.startswith("hparams.") else v for n, v in values.items()})
    return config


def program_name(config: ConfigDict) -> str:
    """What names the program that trains a configuration: all of it but the seed and the traced numbers."""
    static = {name: v for name, v in configs.flatten(config).items() if not name.startswith("hparams.")}
    del static["seed"]
    return json.dumps(static, sort_keys=True)


def group_trials(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Groups the trials that one program can train, in the order of the plan."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(program_name(trial.config), []).append(trial)
    return list(groups.values())


def describe(settings: Point) -> str:
    """`beta=4 learning_rate=0.001`: a point in short."""
    return " ".join(f"{name.split('.', 1)[-1]}={format_value(value)}" for name, value in _named(settings).items())
