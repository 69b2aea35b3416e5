"""What a sweep shows while it trains: which trial leads, how many are trained, and how many steps remain."""

from collections.abc import Callable

import numpy as np

from genjax.sweeps import cohorts, plan, ranking, results
from genjax.sweeps.batches import PointBatch, SweepContext
from genjax.sweeps.cohorts import Cohort, CohortState, FinishedCohort
from genjax.system.messages import numbered

Show = Callable[[FinishedCohort], None]


def display(
    context: SweepContext,
    batch: PointBatch,
    cohort: Cohort,
    rung: int,
    surviving: np.ndarray,
    others: list[FinishedCohort],
) -> Show:
    """Returns a function that shows how far the sweep is, of a state of the cohort that is trained.

    Args:
      context: of the sweep.
      batch: that is trained.
      cohort: of it, that is trained.
      rung: to which it is trained.
      surviving: the points that halving has not dropped.
      others: the other cohorts, as far as they have come: those of this batch, and of earlier ones.
    """
    states = {member.cohort.number: member.state for member in others if member.path.parent == batch.folder}
    siblings = [part for part in batch.cohorts if part.number != cohort.number]
    counts = [_count(context, part, states.get(part.number), rung, surviving) for part in siblings]
    later = _steps_of_later_rungs(context, batch, rung, len(surviving))
    leader = results.find_leader(context.config, others)

    def show(current: FinishedCohort) -> None:
        own = _count(context, cohort, current.state, rung, surviving)
        done, remaining, alive = (sum(column) for column in zip(*counts, own, strict=True))
        candidates = [*([leader[0]] if leader else []), current]
        text = _describe(context, results.find_leader(context.config, candidates), alive)
        context.progress.show(done, done + remaining + later, text)

    return show


def _describe(context: SweepContext, leader: tuple[FinishedCohort, int, float] | None, alive: int) -> str:
    """`best elbo -23.4 (trial 7)  12 trials alive  beta=1 seed=0`: what is last is left out of a narrow terminal."""
    count = f"{numbered(alive, 'trial')} alive"
    if leader is None:
        return count
    finished, i, value = leader
    trial = finished.cohort.trials[i]
    best = f"best {context.config.objective.metric} {value:.4g} (trial {trial.number})"
    return f"{best}  {count}  {plan.describe(trial.settings)}"


def _count(
    context: SweepContext, cohort: Cohort, state: CohortState | None, rung: int, surviving: np.ndarray
) -> tuple[int, int, int]:
    """Of the trials of a cohort: the steps that are done and that remain in a rung, and how many trials are alive."""
    end = ranking.rungs(context.config, cohort.config.train.steps)[rung]
    going_on = np.isin([trial.point for trial in cohort.trials], surviving)
    if state is None:
        return 0, end * int(going_on.sum()), int(going_on.sum())
    going_on &= ~cohorts.has_stopped(cohort, state)
    in_program = np.isin(np.arange(len(going_on)), state.alive)  # a trial that has diverged mostly stays there
    remaining = np.maximum(end - state.steps, 0)[going_on & in_program]
    return int(state.steps.sum()), int(remaining.sum()), int((going_on & (state.diverged_at < 0)).sum())


def _steps_of_later_rungs(context: SweepContext, batch: PointBatch, rung: int, points: int) -> int:
    """Steps over all trials after a rung, as if none stopped early."""
    trials, total = [trial for cohort in batch.cohorts for trial in cohort.trials], 0
    seeds = len(trials) // len({trial.point for trial in trials})
    ends = ranking.rungs(context.config, trials[0].config.train.steps)
    for begin, end in zip(ends[rung:], ends[rung + 1 :], strict=False):
        points = max(1, points // context.config.halving.eta)
        total += points * seeds * (end - begin)
    return total
