"""The axes of a sweep: a setting, and what it may be."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from genjax import config as configs
from genjax.system.messages import nearest_name
from genjax.types import InputError


class Axis(NamedTuple):
    """A setting by its dotted name and its range.

    Attributes:
      setting: such as `hparams.beta`, `model.latent` or `seed`.
      kind: a name of `KINDS`.
      of: the listed values, or the least and the greatest. In a `zip` None leaves the setting as the base has it.
    """

    setting: str
    kind: str
    of: tuple[Any, ...]


def values(setting: str, *options: Any) -> Axis:
    """Every one of the listed values: crossed with the other axes, whatever the strategy."""
    return Axis(setting, "values", _plain(options))


def together(*cases: Mapping[str, Any]) -> tuple[Axis, ...]:
    """Axes that move together under the strategy `zip`: each case is a point, crossed with the seeds.

    A setting that a case does not name stays as the base has it, so that cases may differ in what they set.

    Examples:
      >>> for axis in together({"model.regulariser": "mmd", "hparams.mmd_weight": 10.0}, {"hparams.beta": 4.0}):
      ...     print(axis.setting, axis.of)
      model.regulariser ('mmd', None)
      hparams.mmd_weight (10.0, None)
      hparams.beta (None, 4.0)
    """
    names = dict.fromkeys(name for case in cases for name in case)
    return tuple(values(name, *(case.get(name) for case in cases)) for name in names)


def choice(setting: str, *options: Any) -> Axis:
    """One of the listed values, each as likely, where points are drawn; all of them in a grid."""
    return Axis(setting, "choice", _plain(options))


def uniform(setting: str, low: float, high: float) -> Axis:
    """A number between two others, drawn evenly."""
    return Axis(setting, "uniform", _plain((low, high)))


def log_uniform(setting: str, low: float, high: float) -> Axis:
    """A positive number whose logarithm is drawn evenly."""
    return Axis(setting, "log_uniform", _plain((low, high)))


def integers(setting: str, low: int, high: int) -> Axis:
    """A whole number from the least to the greatest, both included; all of them in a grid."""
    return Axis(setting, "integers", _plain((low, high)))


LISTED = ("values", "choice")
CONTINUOUS = ("uniform", "log_uniform")
KINDS = (*LISTED, *CONTINUOUS, "integers")
BEYOND = 2**53  # where neighbouring whole numbers are one number to a float


def _plain(numbers: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(map(configs.plain, numbers))


def targets(setting: str, base: ConfigDict) -> tuple[str, ...]:
    """What an axis sets: `hparams.learning_rate` is every player's, where each has a rate of its own.

    Raises:
      InputError: there is no such setting; the line names the nearest.
    """
    defaults = configs.setting_defaults(base)
    if setting not in defaults and (rates := shared_rates(setting, configs.flatten(base))):
        return rates
    return (nearest_name("setting", setting, defaults),)


def shared_rates(setting: str, base: Mapping[str, Any]) -> tuple[str, ...]:
    """The rate of every player, where a setting is none of the base's own and stands for them all; else nothing.

    Args:
      setting: such as `hparams.learning_rate`.
      base: `{dotted name: value}`.

    Example:
      >>> pair = dict.fromkeys(("generator", "discriminator"), 1e-3)
      >>> base = {f"hparams.{player}_learning_rate": rate for player, rate in pair.items()}
      >>> shared_rates("hparams.learning_rate", base | {f"optim.{player}.optimiser": "adam" for player in pair})
      ('hparams.discriminator_learning_rate', 'hparams.generator_learning_rate')
    """
    group, _, name = setting.partition(".")
    players = sorted({name.split(".")[1] for name in base if name.startswith("optim.")})
    rates = tuple(f"hparams.{player}_{name}" for player in players)
    return rates if group == "hparams" and setting not in base and base.keys() >= set(rates) else ()


def options(axis: Axis) -> Sequence[Any]:
    """Everything that an axis which is not continuous may be."""
    return axis.of if axis.kind in LISTED else range(axis.of[0], axis.of[1] + 1)


def value_at(axis: Axis, u: float) -> Any:
    """The value at u in [0, 1): the inverse of the axis's distribution function."""
    if axis.kind not in CONTINUOUS:
        listed = options(axis)
        return listed[int(u * len(listed))]
    low, high = map(float, axis.of)
    if axis.kind == "uniform":
        value = low + u * (high - low)
    else:
        value = math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
    return min(max(value, low), high)


def typed(name: str, value: Any, like: Any) -> Any:
    """A value of a setting, of the type of another; a whole number may stand for a float.

    Raises:
      InputError: it is of another type, or not finite.
    """
    if type(like) is float and type(value) is int and abs(value) < BEYOND:
        value = float(value)
    configs.check_type(name, value, like)
    for item in value if isinstance(value, tuple) else ():
        if not isinstance(item, str):  # a name, which the configuration's own check looks up
            configs.check_type(name, item, 0)
    return value


def check(axis: Axis) -> None:
    """Refuses an axis that holds nothing.

    Raises:
      InputError: what is wrong, in one line.
    """
    if axis.kind not in KINDS:
        raise InputError(f"axis {axis.setting}: no kind {axis.kind!r}: there are {', '.join(KINDS)}")
    if not axis.of:
        raise InputError(f"axis {axis.setting} has no values")
    if axis.kind in LISTED:
        return
    numbers = (int,) if axis.kind == "integers" else (int, float)
    if len(axis.of) != 2 or any(type(end) not in numbers for end in axis.of):
        adjective = "whole " if axis.kind == "integers" else ""
        raise InputError(f"axis {axis.setting} needs the least and the greatest {adjective}number, and has {axis.of}")
    low, high = axis.of
    if not low < high:
        raise InputError(f"axis {axis.setting} goes from {low} to {high}: the least must come first")
    if not max(-low, high) <= BEYOND:
        raise InputError(f"axis {axis.setting} goes from {low} to {high}: no setting is beyond 2**53")
    if axis.kind == "log_uniform" and low <= 0:
        raise InputError(f"axis {axis.setting} begins at {low}: a logarithm needs positive numbers")
