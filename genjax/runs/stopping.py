"""When a run, or a trial of a sweep, has learnt what it will: early stopping by the monitored metric.

The rule reads nothing but the measured values, so what is resumed stops at the same step.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from genjax.system.progress import short


class Course(NamedTuple):
    """How far a metric has come, of a run or of many trials: each field is a number, or `[T]`.

    Attributes:
      best: the value that the later ones have to improve on; infinite before there is one.
      best_step: where it was measured.
      waited: evaluations since then.
      last_step: of the last evaluation.
    """

    best: np.ndarray
    best_step: np.ndarray
    waited: np.ndarray
    last_step: np.ndarray


def follow(train: Mapping[str, Any], steps: np.ndarray, curve: np.ndarray) -> Course:
    """Follows a metric whose least value is the best through its evaluations.

    Args:
      train: the group `train` of a configuration.
      steps: `[E]`.
      curve: `[E]` or `[E, T]`, NaN where it was not measured; infinite where it was and is no number.
    """
    shape = curve.shape[1:]
    course = Course(np.full(shape, math.inf), *(np.zeros(shape, int) for _ in range(3)))
    for step, value in zip(steps, curve, strict=True):
        measured, better = ~np.isnan(value), value < course.best - train["smallest_change"]
        course = Course(
            best=np.where(better, value, course.best),
            best_step=np.where(better, step, course.best_step),
            waited=np.where(better, 0, course.waited + measured),
            last_step=np.where(measured, step, course.last_step),
        )
    return course


def is_over(train: Mapping[str, Any], course: Course) -> np.ndarray:
    """Whether the last `train.patience` evaluations were no better than the best before them, in a shape of `course`.

    Better is what is less by more than `train.smallest_change`. Before `train.least_steps` steps nothing is over.
    """
    waited_enough = (course.waited >= train["patience"]) & (train["patience"] > 0)
    return waited_enough & (course.last_step >= train["least_steps"])


def describe(monitor: str, course: Course) -> str:
    """Why a run stops, in words."""
    waited = int(course.waited)
    evaluations = f"{waited} evaluation{'s' if waited > 1 else ''}"
    best = f"{short(float(course.best))} at step {int(course.best_step):,}"
    return f"validation {monitor} has not improved on {best} in {evaluations}"


def find_reason(train: Mapping[str, Any], monitor: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Why a run stops after the last of its rows, in words; nothing where it goes on.

    Args:
      train: the group `train` of a configuration.
      monitor: the metric whose least value is the best.
      rows: of the log; those without an evaluation are left out.

    Example:
      >>> train = {"patience": 2, "least_steps": 0, "smallest_change": 0.1}
      >>> curve = ((10, 3.0), (20, 2.0), (30, 1.95), (40, 2.1))
      >>> rows = [{"step": step, "validation/loss": loss} for step, loss in curve]
      >>> find_reason(train, "loss", rows[:3])
      ''
      >>> find_reason(train, "loss", rows)
      'validation loss has not improved on 2 at step 20 in 2 evaluations'
    """
    name = f"validation/{monitor}"
    evaluated = [row for row in rows if name in row]
    values = np.array([row[name] for row in evaluated], float)
    steps = np.array([row["step"] for row in evaluated], int)
    course = follow(train, steps, np.where(np.isnan(values), np.inf, values))
    return describe(monitor, course) if is_over(train, course) else ""
