"""How a cohort of trials is trained: chunk by chunk, with those that have stopped early moved out."""

import time
from collections.abc import Callable, Iterator, Mapping

import jax
import numpy as np

from genjax.runs.chunks import schedule
from genjax.sweeps.cohorts import Cohort, CohortState, Rows, finishers, has_stopped, reported_steps
from genjax.sweeps.programs import CohortPrograms, stack_traced
from genjax.system import processes

# `(state) -> (the trial that each one goes on from, [A]; the hyperparameters that they go on with)`
Move = Callable[[CohortState], tuple[np.ndarray, dict[str, np.ndarray]]]


def begin(cohort: Cohort, programs: CohortPrograms) -> CohortState:
    """Makes the state in which no trial has done a step; its arrays are on the host."""
    hparams, seeds = stack_traced(cohort.trials)
    count = len(cohort.trials)
    states = processes.gather(programs.initial(programs.put(hparams), programs.keys(seeds)))
    states = jax.tree.map(lambda leaf: np.array(leaf[:count]), states)
    return CohortState(
        step=0,
        alive=np.arange(count),
        states=states,
        hparams=hparams,
        rows={"step": np.zeros(0, np.int64)},
        steps=np.zeros(count, int),
        seconds=np.zeros(count),
        diverged_at=np.full(count, -1),
        test={},
        moves={"step": np.zeros(0, np.int64)},
        best_states=states if cohort.config.train.patience else None,
    )


def choose_trials(cohort: Cohort, state: CohortState, survivors: np.ndarray) -> np.ndarray:
    """The numbers within the cohort of the trials that the next program is for; none where nothing is left to train.

    Trials that have stopped early make room when they are at least half: every new number of trials is a program to
    compile. The choice depends on the state alone, so it is the same wherever a sweep was interrupted.

    Args:
      cohort: the trials.
      state: to go on from.
      survivors: the trials that halving has not dropped.
    """
    alive = state.alive[np.isin(state.alive, survivors)]
    running = alive[((state.diverged_at < 0) & ~has_stopped(cohort, state))[alive]]
    return running if _makes_room(cohort, running, alive) else alive


def _makes_room(cohort: Cohort, running: np.ndarray, alive: np.ndarray) -> bool:
    return cohort.config.train.patience > 0 and 2 * len(running) <= len(alive)


def train_chunks(
    programs: CohortPrograms,
    cohort: Cohort,
    state: CohortState,
    end: int,
    move_every: int = 0,
    move: Move | None = None,
) -> Iterator[CohortState]:
    """Goes on to a step, chunk by chunk; the states that come out are gone when the next ones do.

    It ends before the step where so many trials have stopped early that a smaller program can take the others on.

    Args:
      programs: for as many trials as are alive.
      cohort: the trials.
      state: to go on from.
      end: the step at which to stop; there the trials are evaluated.
      move_every: steps after which a population moves (0: never).
      move: what it does then.
    """
    rngs = programs.keys(stack_traced(cohort.trials)[1][state.alive])
    trained = state.alive[~has_stopped(cohort, state)[state.alive]]
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
        diverged_at[trained] = processes.gather(states.diverged_at)[np.searchsorted(state.alive, trained)]
        state = _set_step(state, chunk.step, trained)._replace(states=states, diverged_at=diverged_at)
        state = _append_row(state, row, trained, started_at)
        if chunk.evaluate and state.best_states is not None:
            state = _keep_best(cohort, state, trained)
            trained = trained[~has_stopped(cohort, state)[trained]]
        if move is not None and move_every and chunk.step % move_every == 0 and chunk.step < cohort.config.train.steps:
            state = _apply_move(programs, state, *move(state))
        running = trained[state.diverged_at[trained] < 0]
        yield state if len(running) else _set_step(state, end, trained)
        if not len(running) or _makes_room(cohort, running, state.alive):
            return  # nothing would change any more, or a smaller program can go on


def _set_step(state: CohortState, step: int, trained: np.ndarray) -> CohortState:
    steps = state.steps.copy()
    steps[trained] = step
    return state._replace(step=step, steps=steps)


def _keep_best(cohort: Cohort, state: CohortState, trained: np.ndarray) -> CohortState:
    """With the states of those trials that were never better than at this evaluation."""
    improved = trained[reported_steps(cohort, state)[trained] == state.step]
    if not len(improved):
        return state
    places = np.searchsorted(state.alive, improved)

    def replace(best: np.ndarray, leaf: np.ndarray) -> np.ndarray:
        best = best.copy()
        best[improved] = leaf[places]
        return best

    return state._replace(best_states=jax.tree.map(replace, state.best_states, processes.gather(state.states)))


def _append_row(
    state: CohortState, row: Mapping[str, np.ndarray], trained: np.ndarray, started_at: float
) -> CohortState:
    """With one more row, in which a trial that is not trained any more, or has diverged, has no values."""
    places, count = np.searchsorted(state.alive, trained), len(state.seconds)
    earlier = len(state.rows["step"])
    rows = {"step": np.append(state.rows["step"], state.step)}
    for name in {**state.rows, **row}:
        if name != "step":
            values = np.full(count, np.nan)
            if name in row:
                values[trained] = np.where(state.diverged_at[trained] < 0, row[name][places], np.nan)
            rows[name] = np.concatenate([state.rows.get(name, np.full((earlier, count), np.nan)), values[None]])
    seconds = state.seconds.copy()
    seconds[trained] += (time.perf_counter() - started_at) / len(trained)
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
    """Adds the metrics of the test split, of the trials that have come to their end and have not diverged.

    Args:
      programs: for as many trials as there are `finishers`.
      cohort: the trials.
      state: at the end, its arrays on the host; a trial is measured in the state that it is judged by.
    """
    trials, (traced, seeds) = finishers(cohort, state), stack_traced(cohort.trials)
    states, hparams = jax.tree.map(lambda leaf: leaf[: len(trials)], state.states), state.hparams
    if state.best_states is not None:
        states = jax.tree.map(lambda leaf: leaf[trials], state.best_states)
        hparams = {name: values[trials] for name, values in traced.items()}
    rngs = programs.keys(seeds[trials])
    metrics = processes.gather(programs.evaluate(programs.put(states), programs.put(hparams), rngs, "test"))
    test = {name: np.full(len(state.seconds), np.nan) for name in metrics}
    for name, values in metrics.items():
        test[name][trials] = np.where(state.diverged_at[trials] < 0, values[: len(trials)], np.nan)
    return state._replace(test=test)
