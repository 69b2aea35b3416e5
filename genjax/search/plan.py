"""From axes to trials, and from trials to groups: one program each."""

import itertools
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.search import axes
from genjax.search.axes import Axis
from genjax.types import InputError

Point = dict[str, Any]  # {setting: value}, without the seed
LARGEST = 100_000


class Trial(NamedTuple):
    """One run of a sweep.

    Attributes:
      number: from 0, in the order of the plan.
      point: the number of its point: trials of one point differ in their seeds alone.
      settings: `{setting: value}` of every axis.
      config: its whole configuration, as a single run would have it.
    """

    number: int
    point: int
    settings: Point
    config: ConfigDict


def points(sweep: ConfigDict) -> list[Point]:
    """Every point of a sweep whose strategy needs nobody else's answers; the same ones each time.

    Raises:
      InputError: the axes do not combine.
    """
    swept = [axis for axis in sweep.axes if axis.setting != "seed"]
    if sweep.strategy == "zip":
        lengths = {axis.setting: len(axes.options(axis)) for axis in swept}
        if len(set(lengths.values())) > 1:
            raise InputError(f"a zip needs lists of one length, and there are {lengths}")
        return [dict(zip(lengths, step, strict=True)) for step in zip(*map(axes.options, swept), strict=True)] or [{}]
    drawn = [] if sweep.strategy == "grid" else [axis for axis in swept if axis.kind != "values"]
    crossed = [axis for axis in swept if axis not in drawn]
    count = sweep.points if drawn else 1
    if sweep.strategy != "grid" and not drawn:
        raise InputError(f"strategy {sweep.strategy!r} has nothing to draw: every axis lists its values")
    size = count * int(np.prod([len(axes.options(axis)) for axis in crossed], dtype=np.float64))
    if size > LARGEST:
        raise InputError(f"the axes make {size:,} points: more than {LARGEST:,}")
    draws = [
        {axis.setting: axes.at(axis, u) for axis, u in zip(drawn, row, strict=True)} for row in _unit(sweep, drawn)
    ]
    grid = [
        dict(zip([a.setting for a in crossed], at, strict=True))
        for at in itertools.product(*map(axes.options, crossed))
    ]
    return [_ordered(sweep, {**draw, **at}) for draw in draws for at in grid]


def _unit(sweep: ConfigDict, drawn: Sequence[Axis]) -> np.ndarray:
    """`[points, axes]` in [0, 1): from NumPy's generator, or scipy's scrambled Sobol sequence."""
    if not drawn:
        return np.zeros((1, 0))
    if sweep.strategy == "random":
        return np.random.default_rng(sweep.draw_seed).random((sweep.points, len(drawn)))
    from scipy.stats import qmc

    sequence = qmc.Sobol(len(drawn), rng=np.random.default_rng(sweep.draw_seed))
    whole = 1 << (sweep.points - 1).bit_length()  # a sequence keeps its balance at powers of two
    return sequence.random(whole)[: sweep.points]


def _ordered(sweep: ConfigDict, point: Point) -> Point:
    return {axis.setting: point[axis.setting] for axis in sweep.axes if axis.setting in point}


def trials(sweep: ConfigDict, planned: Sequence[Point], first_trial: int = 0, first_point: int = 0) -> list[Trial]:
    """Every point with each of the seeds.

    Raises:
      InputError: a trial's configuration cannot be run; the line says which.
    """
    seeds = next((axes.options(axis) for axis in sweep.axes if axis.setting == "seed"), (sweep.base.seed,))
    found = []
    for number, (i, seed) in enumerate(itertools.product(range(len(planned)), seeds), first_trial):
        settings = {**planned[i], "seed": seed}
        try:
            found.append(Trial(number, first_point + i, settings, _configured(sweep.base, settings)))
        except InputError as error:
            raise InputError(f"trial {number} ({told(settings)}): {error}") from error
    return found


def _configured(base: ConfigDict, settings: Point) -> ConfigDict:
    known = configs.known(base)
    typed = {name: float(v) if type(known[name]) is float and type(v) is int else v for name, v in settings.items()}
    config = base.copy_and_resolve_references()
    for name, value in typed.items():
        configs.same_type(name, value, known[name])
    config.update_from_flattened_dict(typed)
    configs.check(config)
    return config


def program_of(config: ConfigDict) -> str:
    """What names the program that trains a configuration: all of it but the seed and the traced numbers."""
    static = {name: v for name, v in configs.flatten(config).items() if not name.startswith("hparams.")}
    del static["seed"]
    return json.dumps([static, sorted(configs.active(config))], sort_keys=True)


def groups(planned: Sequence[Trial]) -> list[list[Trial]]:
    """The trials that one program can train, in the order of the plan."""
    found: dict[str, list[Trial]] = {}
    for trial in planned:
        found.setdefault(program_of(trial.config), []).append(trial)
    return list(found.values())


def told(settings: Point) -> str:
    """`beta=4 learning_rate=0.001`: a point in short."""
    return " ".join(f"{name.split('.')[-1]}={short(value)}" for name, value in settings.items())


def short(value: Any) -> str:
    """A value of a setting as a person would write it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
