"""What a sweep shows while it trains: which trial leads, how many are trained, and how many steps remain."""

from collections.abc import Callable

import numpy as np

from genjax.sweeps import cohorts, ranking, results
from genjax.sweeps.batches import PointBatch, SweepContext
from genjax.sweeps.cohorts import Cohort, CohortState, FinishedCohort
from genjax.system.messages import numbered

Show = Callable[[FinishedCohort], None]


def display(
    context: SweepContext, batch: PointBatch, rung: int, surviving: np.ndarray, others: list[FinishedCohort]
) -> Show:
    """Returns a function that shows how far the sweep is, of the cohort that is trained.

    Args:
      context: of the sweep.
      batch: that is trained.
      rung: to which it is trained.
      surviving: the points that halving has not dropped.
      others: the other cohorts, as far as they have come: those of this batch, and of earlier ones.
    """

    def show(current: FinishedCohort) -> None:
        members = [*(member for member in others if member.path.parent == batch.folder), current]
        states = {member.cohort.number: member.state for member in members}
        steps_done = int(sum(state.steps.sum() for state in states.values()))
        remaining = sum(_remaining_steps(context, part, states, rung, surviving) for part in batch.cohorts)
        remaining += _steps_of_later_rungs(context, batch, rung, len(surviving))
        alive = sum(_is_alive(part, states.get(part.number), surviving).sum() for part in batch.cohorts)
        leader = results.find_leader(context.config, [*others, current])
        text = f"{numbered(alive, 'trial')} alive"
        text = text if leader is None else f"{leader.value}  {text}  {leader.settings}"
        context.progress.show(steps_done, steps_done + remaining, text)

    return show


def _is_alive(cohort: Cohort, state: CohortState | None, surviving: np.ndarray) -> np.ndarray:
    """Which trials of a cohort have neither diverged nor stopped, `[T]`."""
    alive = np.isin([trial.point for trial in cohort.trials], surviving)
    return alive if state is None else alive & (state.diverged_at < 0) & ~cohorts.has_stopped(cohort, state)


def _remaining_steps(
    context: SweepContext, cohort: Cohort, states: dict[int, CohortState], rung: int, surviving: np.ndarray
) -> int:
    """Steps over the trials of a cohort that it will be through until the end of a rung."""
    end, state = ranking.rungs(context.config, cohort.config.train.steps)[rung], states.get(cohort.number)
    going_on = np.isin([trial.point for trial in cohort.trials], surviving)
    if state is None:
        return end * int(going_on.sum())
    in_program = np.isin(np.arange(len(going_on)), state.alive)  # one that has diverged stays there
    going_on &= in_program & ~cohorts.has_stopped(cohort, state)
    return int(np.maximum(end - state.steps[going_on], 0).sum())


def _steps_of_later_rungs(context: SweepContext, batch: PointBatch, rung: int, points: int) -> int:
    """Steps over all trials after a rung, as if none stopped early."""
    trials, total = [trial for cohort in batch.cohorts for trial in cohort.trials], 0
    seeds = len(trials) // len({trial.point for trial in trials})
    ends = ranking.rungs(context.config, trials[0].config.train.steps)
    for begin, end in zip(ends[rung:], ends[rung + 1 :], strict=False):
        points = max(1, points // context.config.halving.eta)
        total += points * seeds * (end - begin)
    return total
