"""How far a cohort of trials has come: what changes about it, and by which of its states a trial is judged."""

import math
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from genjax.models import FAMILIES
from genjax.runs import stopping
from genjax.sweeps.plan import Trial
from genjax.sweeps.programs import stack_traced
from genjax.types import Hparams, TrainState

Rows = dict[str, np.ndarray]


class Cohort(NamedTuple):
    """Trials that one program trains together.

    Attributes:
      number: among the cohorts of a batch.
      config: the configuration of the first trial; the others share all of it that is static.
      trials: T of them.
    """

    number: int
    config: ConfigDict
    trials: list[Trial]


class CohortState(NamedTuple):
    """Everything about a cohort that changes, after a chunk.

    Attributes:
      step: of every trial that is still trained.
      alive: `[A]`, the numbers within the cohort of the trials that the program holds. Those that have stopped early
        stay among them until they are half of them.
      states: of those, on the devices, with copies of the last one up to a multiple of the devices.
      hparams: of those, `{name: [A]}`: a population changes them.
      rows: `{"step": [R], "train/loss": [R, T], ...}`, NaN where a trial was not measured.
      steps: `[T]`, how many steps each has been through.
      seconds: `[T]`, each trial's part of its cohort's time.
      diverged_at: `[T]`, -1 for a trial whose gradients are finite.
      test: `{name: [T]}`, once the last step is done.
      moves: a population's history, `{"step": [E], "parent": [E, T], "hparams.<name>": [E, T]}`.
      best_states: `[T, ...]` on the host, of every trial the evaluated state of the least monitored metric; None where
        `train.patience` is 0, and no trial needs another state than its last.
    """

    step: int
    alive: np.ndarray
    states: TrainState
    hparams: dict[str, np.ndarray]
    rows: Rows
    steps: np.ndarray
    seconds: np.ndarray
    diverged_at: np.ndarray
    test: Rows
    moves: Rows
    best_states: TrainState | None = None


class FinishedCohort(NamedTuple):
    """A cohort at the end of a rung.

    Attributes:
      cohort: its trials.
      state: how far it came, without the states of its trials.
      path: of the file that holds everything, the states among it.
    """

    cohort: Cohort
    state: CohortState
    path: Path


def measured_curve(cohort: Cohort, state: CohortState, metric: str) -> np.ndarray:
    """A metric of the validation split at each row, `[R, T]`: NaN where it was not measured.

    What was measured and is not a number is infinite here, so that it is not taken for something that is still to come.
    """
    steps, name = state.rows["step"], f"validation/{metric}"
    curve = state.rows.get(name)
    if curve is None:
        return np.full((len(steps), len(state.steps)), np.nan)
    of_validation = [values for key, values in state.rows.items() if key.startswith("validation/")]
    evaluated = np.any([~np.isnan(values).all(axis=1) for values in of_validation], axis=0)
    evaluated |= (steps % cohort.config.train.evaluate_every == 0) | (steps == cohort.config.train.steps)
    measured = evaluated[:, None] & (steps[:, None] <= state.steps)
    return np.where(measured & np.isnan(curve), np.inf, curve)


def monitor(cohort: Cohort) -> str:
    """The metric of the validation split that early stopping follows."""
    settings = cohort.config.model
    return FAMILIES[settings.family].monitor(settings)


def follow_patience(cohort: Cohort, state: CohortState) -> tuple[stopping.Course, np.ndarray]:
    """The course of each trial's monitored metric, and `[T]`, whether the trial has stopped early.

    The rule counts the evaluations that a single run has: those that a rung adds are left out.
    """
    train, steps = cohort.config.train, state.rows["step"]
    scheduled = (steps % train.evaluate_every == 0) & (steps < train.steps)
    course = stopping.follow(train, steps[scheduled], measured_curve(cohort, state, monitor(cohort))[scheduled])
    return course, stopping.is_over(train, course) & (state.diverged_at < 0)


def has_stopped(cohort: Cohort, state: CohortState) -> np.ndarray:
    """Which trials have stopped early, `[T]`; a trial is stopped at the step where its single run would be."""
    return follow_patience(cohort, state)[1] if cohort.config.train.patience else np.zeros(len(state.steps), bool)


def reported_steps(cohort: Cohort, state: CohortState, until: float = math.inf) -> np.ndarray:
    """The step of the state that each trial is judged by, `[T]`, among those up to a step.

    It is the last one, or with `train.patience` the best one, as of a run: that of the least monitored metric, and of
    equals the last.
    """
    if not cohort.config.train.patience:
        return np.minimum(state.steps, until)
    steps = state.rows["step"]
    curve = np.where(steps[:, None] <= until, measured_curve(cohort, state, monitor(cohort)), np.nan)
    values = np.where(np.isfinite(curve), curve, np.inf)
    is_best = ~np.isnan(curve) & (values == values.min(axis=0, initial=np.inf))
    return np.where(is_best, steps[:, None], 0).max(axis=0, initial=0)


def finishers(cohort: Cohort, state: CohortState) -> np.ndarray:
    """The numbers within the cohort of the trials that have come to their end: the last step, or an early one."""
    return np.flatnonzero((state.steps >= cohort.config.train.steps) | has_stopped(cohort, state))


def final_state(cohort: Cohort, state: CohortState, i: int) -> tuple[TrainState, Hparams]:
    """The state that trial i is judged by, and its hyperparameters there.

    Args:
      cohort: the trials.
      state: whose states are on the host.
      i: one of `finishers`.
    """
    if state.best_states is not None:
        hparams = stack_traced(cohort.trials)[0]
        return jax.tree.map(lambda leaf: leaf[i], state.best_states), {name: v[i] for name, v in hparams.items()}
    place = int(np.flatnonzero(state.alive == i)[0])
    own = jax.tree.map(lambda leaf: leaf[place], state.states)
    return own, {name: values[place] for name, values in state.hparams.items()}
