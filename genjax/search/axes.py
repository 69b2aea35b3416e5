"""The axes of a sweep: a setting, and what it may be."""

import math
from typing import Any, NamedTuple

from genjax.types import InputError


class Axis(NamedTuple):
    """A setting by its dotted name and its range.

    Attributes:
      setting: such as `hparams.beta`, `model.latent` or `seed`.
      kind: a name of `KINDS`.
      of: the listed values, or the least and the greatest.
    """

    setting: str
    kind: str
    of: tuple[Any, ...]


def values(setting: str, *options: Any) -> Axis:
    """Every one of the listed values: crossed with the other axes, whatever the strategy."""
    return Axis(setting, "values", options)


def choice(setting: str, *options: Any) -> Axis:
    """One of the listed values, each as likely, where points are drawn; all of them in a grid."""
    return Axis(setting, "choice", options)


def uniform(setting: str, low: float, high: float) -> Axis:
    """A number between two others, drawn evenly."""
    return Axis(setting, "uniform", (low, high))


def log_uniform(setting: str, low: float, high: float) -> Axis:
    """A positive number whose logarithm is drawn evenly."""
    return Axis(setting, "log_uniform", (low, high))


def integers(setting: str, low: int, high: int) -> Axis:
    """A whole number from the least to the greatest, both included; all of them in a grid."""
    return Axis(setting, "integers", (low, high))


LISTED = ("values", "choice")
CONTINUOUS = ("uniform", "log_uniform")
KINDS = (*LISTED, *CONTINUOUS, "integers")


def options(axis: Axis) -> tuple[Any, ...]:
    """Everything that an axis which is not continuous may be."""
    return axis.of if axis.kind in LISTED else tuple(range(axis.of[0], axis.of[1] + 1))


def at(axis: Axis, u: float) -> Any:
    """The value at u in [0, 1): the inverse of the axis's distribution function."""
    if axis.kind == "uniform":
        return axis.of[0] + u * (axis.of[1] - axis.of[0])
    if axis.kind == "log_uniform":
        low, high = (math.log(end) for end in axis.of)
        return min(max(math.exp(low + u * (high - low)), axis.of[0]), axis.of[1])
    listed = options(axis)
    return listed[int(u * len(listed))]


def check(axis: Axis) -> None:
    """Refuses an axis that holds nothing.

    Raises:
      InputError: what is wrong, in one line.
    """
    if axis.kind not in KINDS:
        raise InputError(f"axis {axis.setting}: no kind {axis.kind!r}: there are {', '.join(KINDS)}")
    if axis.kind in LISTED:
        if not axis.of:
            raise InputError(f"axis {axis.setting} has no values")
        if len({repr(value) for value in axis.of}) < len(axis.of):
            raise InputError(f"axis {axis.setting} lists a value twice")
        return
    number = int if axis.kind == "integers" else (int, float)
    if len(axis.of) != 2 or any(isinstance(end, bool) or not isinstance(end, number) for end in axis.of):
        raise InputError(f"axis {axis.setting} needs the least and the greatest number, and has {axis.of}")
    low, high = axis.of
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"axis {axis.setting} goes from {low} to {high}: the least must come first")
    if axis.kind == "log_uniform" and low <= 0:
        raise InputError(f"axis {axis.setting} begins at {low}: a logarithm needs positive numbers")
