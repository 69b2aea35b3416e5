"""How far a cohort of trials has come: what is kept of it, in one file, and how it goes on chunk by chunk."""

import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.runs.chunks import schedule
from genjax.sweeps.plan import Trial
from genjax.sweeps.programs import CohortPrograms, stack_traced
from genjax.system import processes
from genjax.system.files import read_arrays, write_atomically
from genjax.types import InputError, TrainState

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
      alive: `[A]`, the numbers within the cohort of the trials that are still trained.
      states: of those, on the devices, with copies of the last one up to a multiple of the devices.
      hparams: of those, `{name: [A]}`: a population changes them.
      rows: `{"step": [R], "train/loss": [R, T], ...}`, NaN where a trial was not measured.
      steps: `[T]`, how many steps each has been through.
      seconds: `[T]`, each trial's part of its cohort's time.
      diverged_at: `[T]`, -1 for a trial whose gradients are finite.
      test: `{name: [T]}`, once the last step is done.
      moves: a population's history, `{"step": [E], "parent": [E, T], "hparams.<name>": [E, T]}`.
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


# `(state) -> (the trial that each one goes on from, [A]; the hyperparameters that they go on with)`
Move = Callable[[CohortState], tuple[np.ndarray, dict[str, np.ndarray]]]


def begin(cohort: Cohort, programs: CohortPrograms) -> CohortState:
    """Makes the state in which no trial has done a step."""
    hparams, seeds = stack_traced(cohort.trials)
    count = len(cohort.trials)
    return CohortState(
        step=0,
        alive=np.arange(count),
        states=programs.initial(programs.put(hparams), programs.keys(seeds)),
        hparams=hparams,
        rows={"step": np.zeros(0, np.int64)},
        steps=np.zeros(count, int),
        seconds=np.zeros(count),
        diverged_at=np.full(count, -1),
        test={},
        moves={"step": np.zeros(0, np.int64)},
    )


def train_chunks(
    programs: CohortPrograms,
    cohort: Cohort,
    state: CohortState,
    end: int,
    move_every: int = 0,
    move: Move | None = None,
) -> Iterator[CohortState]:
    """Goes on to a step, chunk by chunk; the states that come out are gone when the next ones do.

    Args:
      programs: for as many trials as are alive.
      cohort: the trials.
      state: to go on from.
      end: the step at which to stop; there the trials are evaluated.
      move_every: steps after which a population moves (0: never).
      move: what it does then.
    """
    rngs = programs.keys(stack_traced(cohort.trials)[1][state.alive])
    for chunk in schedule(cohort.config.train, state.step, end, evaluate_also_every=move_every):
        started_at, hparams = time.perf_counter(), programs.put(state.hparams)
        states, metrics = programs.advance(state.states, hparams, rngs, chunk.length)
        row = {
            f"train/{name}": value.mean(axis=1, dtype=np.float64) for name, value in processes.gather(metrics).items()
        }
        if chunk.evaluate:
            metrics = processes.gather(programs.evaluate(states, hparams, rngs, "validation"))
            row |= {f"validation/{name}": value.astype(np.float64) for name, value in metrics.items()}
        diverged_at = state.diverged_at.copy()
        diverged_at[state.alive] = processes.gather(states.diverged_at)[: len(state.alive)]
        state = _set_step(state, chunk.step)._replace(states=states, diverged_at=diverged_at)
        state = _append_row(state, row, started_at)
        if move is not None and move_every and chunk.step % move_every == 0 and chunk.step < cohort.config.train.steps:
            state = _apply_move(programs, state, *move(state))
        if (state.diverged_at[state.alive] >= 0).all():  # nothing would change any more
            yield _set_step(state, end)
            return
        yield state


def _set_step(state: CohortState, step: int) -> CohortState:
    steps = state.steps.copy()
    steps[state.alive] = step
    return state._replace(step=step, steps=steps)


def _append_row(state: CohortState, row: Mapping[str, np.ndarray], started_at: float) -> CohortState:
    """With one more row, in which a trial that has diverged has no values."""
    alive, count = state.alive, len(state.seconds)
    earlier = len(state.rows["step"])
    rows = {"step": np.append(state.rows["step"], state.step)}
    for name in {**state.rows, **row}:
        if name != "step":
            values = np.full(count, np.nan)
            if name in row:
                values[alive] = np.where(state.diverged_at[alive] < 0, row[name][: len(alive)], np.nan)
            rows[name] = np.concatenate([state.rows.get(name, np.full((earlier, count), np.nan)), values[None]])
    seconds = state.seconds.copy()
    seconds[alive] += (time.perf_counter() - started_at) / len(alive)
    return state._replace(rows=rows, seconds=seconds)


def _apply_move(
    programs: CohortPrograms, state: CohortState, source: np.ndarray, hparams: dict[str, np.ndarray]
) -> CohortState:
    """Puts the trials of `source` in the places of all, with other hyperparameters, and adds a line to the history."""
    alive, count = state.alive, len(state.seconds)
    states = programs.take(state.states, source)
    event: Rows = {"step": np.array([state.step]), "parent": np.full((1, count), -1)}
    event["parent"][0, alive] = alive[source]
    for name, values in hparams.items():
        event[f"hparams.{name}"] = np.full((1, count), np.nan)
        event[f"hparams.{name}"][0, alive] = values
    moves = {
        name: np.concatenate([state.moves[name], values]) if name in state.moves else values
        for name, values in event.items()
    }
    diverged_at = state.diverged_at.copy()
    diverged_at[alive] = state.diverged_at[alive][source]
    return state._replace(states=states, hparams=hparams, moves=moves, diverged_at=diverged_at)


def keep_trials(programs: CohortPrograms, state: CohortState, alive: np.ndarray) -> CohortState:
    """Moves the survivors together, so that no work is done for the others.

    Args:
      programs: for as many trials as survive.
      state: whose states are on the host, as `load` leaves them.
      alive: `[A]`, a part of `state.alive`.
    """
    places = np.flatnonzero(np.isin(state.alive, alive))
    states = programs.put(jax.tree.map(lambda leaf: leaf[places], state.states))
    hparams = {name: values[places] for name, values in state.hparams.items()}
    return state._replace(alive=state.alive[places], states=states, hparams=hparams)


def evaluate_test(programs: CohortPrograms, cohort: Cohort, state: CohortState) -> CohortState:
    """Adds the metrics of the test split, of the trials that have not diverged."""
    rngs = programs.keys(stack_traced(cohort.trials)[1][state.alive])
    metrics = processes.gather(programs.evaluate(state.states, programs.put(state.hparams), rngs, "test"))
    test = {name: np.full(len(state.seconds), np.nan) for name in metrics}
    finite = state.diverged_at[state.alive] < 0
    for name, values in metrics.items():
        test[name][state.alive] = np.where(finite, values[: len(state.alive)], np.nan)
    return state._replace(test=test)


GROUPS = ("hparams", "rows", "test", "moves")  # the fields that are dictionaries of arrays
FIELDS = ("step", "alive", "steps", "seconds", "diverged_at")  # those that are arrays


def save(path: Path, cohort: Cohort, state: CohortState) -> None:
    """Writes everything in one file, whole or not at all; on many hosts the first process does, and all must call."""
    states = jax.tree.map(lambda leaf: leaf[: len(state.alive)], processes.gather(state.states))
    arrays = {f"states|{i}": leaf for i, leaf in enumerate(jax.tree.leaves(states))}
    arrays |= {f"{group}|{name}": values for group in GROUPS for name, values in getattr(state, group).items()}
    arrays |= {name: np.asarray(getattr(state, name)) for name in FIELDS}
    arrays["identity"] = np.asarray(identity(cohort))
    if processes.is_primary():
        np.savez(buffer := io.BytesIO(), **arrays)  # pyright: ignore[reportArgumentType]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())


def identity(cohort: Cohort) -> str:
    """A name of the trials of a cohort and of all their settings, so that no file is taken for another cohort's."""
    settings = [[trial.number, trial.point, configs.to_json(trial.config)] for trial in cohort.trials]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()


def load(path: Path, cohort: Cohort, like: TrainState, say: Callable[[str], None]) -> CohortState | None:
    """Reads what `save` wrote, its states on the host; None where there is no file, or where it cannot be read whole.

    Args:
      path: of the file; on many hosts the first process reads it for all.
      cohort: whose file it should be.
      like: a state of any number of trials.
      say: receives a line about a file that cannot be read, or that is another cohort's.
    """
    content = processes.broadcast_bytes(path.read_bytes() if processes.is_primary() and path.exists() else b"")
    if not content:
        return None
    try:
        arrays = read_arrays(path, content)
        if arrays.pop("identity").item() != identity(cohort):
            raise InputError(f"{path} holds other trials")
        return _from_arrays(arrays, like)
    except (InputError, LookupError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, InputError) else f"{path} is no cohort's file"
        say(f"{reason}: its trials start again")
        return None


def _from_arrays(arrays: dict[str, np.ndarray], like: TrainState) -> CohortState:
    structure = jax.tree.structure(like)
    states = jax.tree.unflatten(structure, [arrays.pop(f"states|{i}") for i in range(structure.num_leaves)])
    groups: dict[str, dict[str, np.ndarray]] = {group: {} for group in GROUPS}
    for name in [name for name in arrays if "|" in name]:
        group, _, key = name.partition("|")
        groups[group][key] = arrays.pop(name)
    fields: dict[str, Any] = {**{name: arrays[name] for name in FIELDS}, **groups, "states": states}
    return CohortState(**{**fields, "step": int(fields["step"])})
