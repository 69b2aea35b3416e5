"""How far a cohort of trials has come: what is kept of it, in one file, and how it goes on chunk by chunk."""

import io
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from genjax.sweeps.plan import Trial
from genjax.sweeps.programs import CohortPrograms, traced
from genjax.system import processes
from genjax.system.files import write_atomically
from genjax.types import TrainState

Rows = dict[str, np.ndarray]


class Cohort(NamedTuple):
    """Trials that one program trains together.

    Attributes:
      number: among the cohorts of a batch.
      config: what its trials share; of the first of them.
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
      states: of those, on the devices, filled up.
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
    """A cohort, how far it came (its states are in the file alone), and the file."""

    cohort: Cohort
    standing: CohortState
    path: Path


def begin(cohort: Cohort, programs: CohortPrograms) -> CohortState:
    """Every trial before its first step."""
    hparams, seeds = traced(cohort.trials)
    count = len(cohort.trials)
    states = programs.initial(programs.put(hparams), programs.keys(seeds))
    rows, moves = {"step": np.zeros(0, np.int64)}, {"step": np.zeros(0, np.int64)}
    return CohortState(
        0, np.arange(count), states, hparams, rows, np.zeros(count, int), np.zeros(count), np.full(count, -1), {}, moves
    )


Move = Callable[[CohortState], tuple[np.ndarray, dict[str, np.ndarray]]]


def chunks(
    programs: CohortPrograms,
    cohort: Cohort,
    standing: CohortState,
    until: int,
    every: int = 0,
    move: Move | None = None,
) -> Iterator[CohortState]:
    """Goes on to a step, chunk by chunk; the states that come out are gone when the next ones do.

    Args:
      programs: of as many trials as are alive.
      cohort: whose they are.
      standing: to go on from.
      until: the step at which to stop; there the trials are evaluated.
      every: steps after which a population moves (0: never).
      move: `(standing) -> (whom each goes on from, hparams)`.
    """
    train, seeds = cohort.config.train, traced(cohort.trials)[1][standing.alive]
    rngs = programs.keys(seeds)
    while standing.step < until:
        began, hparams = time.perf_counter(), programs.put(standing.hparams)
        length = min(train.log_every - standing.step % train.log_every, until - standing.step)
        states, metrics = programs.advance(standing.states, hparams, rngs, length)
        row = {
            f"train/{name}": value.mean(axis=1, dtype=np.float64) for name, value in processes.gather(metrics).items()
        }
        step = standing.step + length
        moves = bool(every) and step % every == 0 and step < train.steps
        if moves or step % train.evaluate_every == 0 or step == until:
            measured = processes.gather(programs.evaluate(states, hparams, rngs, "validation"))
            row |= {f"validation/{name}": value.astype(np.float64) for name, value in measured.items()}
        diverged_at = standing.diverged_at.copy()
        diverged_at[standing.alive] = processes.gather(states.diverged_at)[: len(standing.alive)]
        standing = _told(_at(standing, step)._replace(states=states, diverged_at=diverged_at), row, began)
        if moves and move is not None:
            standing = _moved(programs, standing, *move(standing))
        if (standing.diverged_at[standing.alive] >= 0).all():
            standing = _at(standing, until)  # nothing would change any more
        yield standing


def _at(standing: CohortState, step: int) -> CohortState:
    steps = standing.steps.copy()
    steps[standing.alive] = step
    return standing._replace(step=step, steps=steps)


def _told(standing: CohortState, row: Mapping[str, np.ndarray], began: float) -> CohortState:
    """With one more row, in which a trial that has diverged has no values."""
    alive, count = standing.alive, len(standing.seconds)
    before = len(standing.rows["step"])
    rows = {"step": np.append(standing.rows["step"], standing.step)}
    for name in {**standing.rows, **row}:
        if name != "step":
            values = np.full(count, np.nan)
            if name in row:
                values[alive] = np.where(standing.diverged_at[alive] < 0, row[name][: len(alive)], np.nan)
            rows[name] = np.concatenate([standing.rows.get(name, np.full((before, count), np.nan)), values[None]])
    seconds = standing.seconds.copy()
    seconds[alive] += (time.perf_counter() - began) / len(alive)
    return standing._replace(rows=rows, seconds=seconds)


def _moved(
    programs: CohortPrograms, standing: CohortState, source: np.ndarray, hparams: dict[str, np.ndarray]
) -> CohortState:
    """The trials of `source` in the places of all, with other hyperparameters, and a line in the history."""
    alive, count = standing.alive, len(standing.seconds)
    states = programs.take(standing.states, source)
    event: Rows = {"step": np.array([standing.step]), "parent": np.full((1, count), -1)}
    event["parent"][0, alive] = alive[source]
    for name, values in hparams.items():
        event[f"hparams.{name}"] = np.full((1, count), np.nan)
        event[f"hparams.{name}"][0, alive] = values
    moves = {
        name: np.concatenate([standing.moves[name], v]) if name in standing.moves else v for name, v in event.items()
    }
    diverged_at = standing.diverged_at.copy()
    diverged_at[alive] = standing.diverged_at[alive][source]
    return standing._replace(states=states, hparams=hparams, moves=moves, diverged_at=diverged_at)


def kept(programs: CohortPrograms, standing: CohortState, alive: np.ndarray) -> CohortState:
    """The survivors moved together, so that no work is done for the others.

    Args:
      programs: of as many trials as survive.
      standing: whose states are on the host, as `load` leaves them.
      alive: `[A]`, a part of `standing.alive`.
    """
    places = np.flatnonzero(np.isin(standing.alive, alive))
    states = programs.put(jax.tree.map(lambda leaf: leaf[places], standing.states))
    hparams = {name: values[places] for name, values in standing.hparams.items()}
    return standing._replace(alive=standing.alive[places], states=states, hparams=hparams)


def tested(programs: CohortPrograms, cohort: Cohort, standing: CohortState) -> CohortState:
    """With the metrics of the test split, of the trials that have not diverged."""
    rngs = programs.keys(traced(cohort.trials)[1][standing.alive])
    measured = processes.gather(programs.evaluate(standing.states, programs.put(standing.hparams), rngs, "test"))
    test = {name: np.full(len(standing.seconds), np.nan) for name in measured}
    for name, values in measured.items():
        sound = standing.diverged_at[standing.alive] < 0
        test[name][standing.alive] = np.where(sound, values[: len(standing.alive)], np.nan)
    return standing._replace(test=test)


GROUPS = ("hparams", "rows", "test", "moves")  # the fields that are dictionaries of arrays


def save(path: Path, standing: CohortState) -> None:
    """Writes everything in one file, whole or not at all; on many hosts the first process does, and all must call."""
    states = jax.tree.map(lambda leaf: leaf[: len(standing.alive)], processes.gather(standing.states))
    arrays = {f"states|{i}": leaf for i, leaf in enumerate(jax.tree.leaves(states))}
    arrays |= {f"{group}|{name}": v for group in GROUPS for name, v in getattr(standing, group).items()}
    arrays |= {
        name: np.asarray(getattr(standing, name)) for name in ("step", "alive", "steps", "seconds", "diverged_at")
    }
    if processes.is_primary():
        np.savez(buffer := io.BytesIO(), **arrays)  # pyright: ignore[reportArgumentType]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())


def load(path: Path, like: TrainState, say: Callable[[str], None]) -> CohortState | None:
    """What `save` wrote, its states on the host; None where there is nothing, or where it cannot be read whole.

    Args:
      path: of the file; on many hosts the first process reads it for all.
      like: a state of any number of trials.
      say: is told of a file that cannot be read.
    """
    content = processes.broadcast_bytes(path.read_bytes() if processes.is_primary() and path.exists() else b"")
    if not content:
        return None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        leaves = [arrays.pop(f"states|{i}") for i in range(len(jax.tree.leaves(like)))]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        say(f"{path} cannot be read ({error}): its trials start again")
        return None
    groups: dict[str, dict[str, np.ndarray]] = {group: {} for group in GROUPS}
    for name in [name for name in arrays if "|" in name]:
        group, _, key = name.partition("|")
        groups[group][key] = arrays.pop(name)
    states = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return CohortState(**{**arrays, **groups, "step": int(arrays["step"]), "states": states})  # pyright: ignore
