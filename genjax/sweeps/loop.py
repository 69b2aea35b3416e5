"""A sweep from its configuration to its table: the host's loop around programs of many trials, and its side effects."""

import json
import signal
import sys
import time
from pathlib import Path
from typing import TextIO

import numpy as np
from ml_collections import ConfigDict

from genjax.runs.folder import claim
from genjax.runs.loop import FINISHED, STOPPED
from genjax.sweeps import axes, batches, cohorts, export, pictures, plan, programs, ranking, results, settings
from genjax.sweeps.batches import Ask, Batch, SweepContext, Tell
from genjax.sweeps.cohorts import Cohort, CohortState, FinishedCohort, Move
from genjax.sweeps.study import open_study
from genjax.sweeps.watch import silent, watch
from genjax.system import compiler, processes
from genjax.system.signals import stopping

PATIENCE = 20  # saving may take one part in so many of the time


def sweep(config: ConfigDict, workdir: Path, best: int = 0, stream: TextIO = sys.stderr) -> int:
    """Trains every trial, ranks them and draws, going on from where it was stopped.

    Args:
      config: of the sweep.
      workdir: where everything about it is kept; made if it does not exist.
      best: how many of the best trials to write as folders of single runs.
      stream: for progress.

    Returns:
      The exit code: 0 finished, 4 stopped by a signal after saving.

    Raises:
      InputError: the configuration, the data or the folder cannot be used.
    """
    settings.check(config)
    if config.strategy != "optuna":
        plan.trials(config, plan.points(config))  # a mistake in one trial is told before anything is written
    compiler.ask_for_determinism(config.base.train.deterministic)
    compiler.keep_programs()
    shown = watch(stream) if processes.is_primary() else silent()
    with claim(workdir, config), stopping(shown.say) as signals:
        finished = processes.any_of(processes.is_primary() and (workdir / results.TABLE).exists())
        if finished:
            shown.say(f"{workdir} is finished")
        job = SweepContext(config, workdir, batches.maker(), signals, shown, programs.memory(config.memory_bytes))
        try:
            ended = [] if finished and not best else _train(job, *_searcher(config, finished))
        finally:
            shown.close()
        if ended is None:
            return STOPPED
        if not finished:
            pictures.draw(job, ended)
            results.write(job, ended)
            shown.say(f"the table, the ranking and the pictures are in {workdir}")
        if best:
            export.best(job, ended, best)
    return FINISHED


def _searcher(config: ConfigDict, finished: bool) -> tuple[Ask, Tell]:
    """Who says what to try next, and hears what became of it."""

    def unheard(number: int, value: float | None, stopped_at: int | None) -> None:
        pass

    if finished:
        return lambda number: ([], []), unheard
    if config.strategy != "optuna":
        return lambda number: ([] if number else plan.points(config), []), unheard
    study = open_study(config) if processes.is_primary() else None

    def ask(number: int) -> tuple[list[plan.Point], list[int]]:
        return json.loads(processes.broadcast_bytes(json.dumps(study.ask()).encode() if study else b""))

    return ask, study.tell if study else unheard


def _train(job: SweepContext, ask: Ask, tell: Tell) -> list[FinishedCohort] | None:
    """What became of every cohort, batch after batch; None if a signal stopped it."""
    ended: list[FinishedCohort] = []
    for batch in batches.batches(job, ask):
        found = _run(job, batch, ended)
        if found is None:
            return None
        ended += found
        for asked, place in zip(batch.asked, results.places(job.config, results.rows(job.config, found)), strict=False):
            tell(asked, place.mean, place.stopped_at)
    return ended


def _run(job: SweepContext, batch: Batch, before: list[FinishedCohort]) -> list[FinishedCohort] | None:
    """A batch to its last rung; None if a signal stopped it."""
    point = np.concatenate([[trial.point for trial in cohort.trials] for cohort in batch.cohorts])
    surviving, found = np.unique(point), list[FinishedCohort]()
    for rung in range(len(ranking.rungs(job.config, batch.cohorts[0].config.train.steps))):
        found = []
        for cohort in batch.cohorts:
            here = _advanced(job, batch, cohort, surviving, rung, [*before, *found])
            if here is None:
                return None
            found.append(FinishedCohort(cohort, here, _path(batch, cohort)))
        ends = [ranking.rungs(job.config, cohort.config.train.steps)[rung] for cohort in batch.cohorts]
        values = np.concatenate([results.objective(job.config, *at) for at in zip(found, ends, strict=True)])
        surviving_trials = np.isin(point, surviving)
        surviving = ranking.survivors(
            values[surviving_trials], point[surviving_trials], job.config.objective.goal, job.config.halving.eta
        )
    return found


def _path(batch: Batch, cohort: Cohort) -> Path:
    return batch.folder / f"cohort-{cohort.number:03d}.npz"


def _advanced(
    job: SweepContext, batch: Batch, cohort: Cohort, surviving: np.ndarray, rung: int, before: list[FinishedCohort]
) -> CohortState | None:
    """A cohort at the end of a rung, without its states: from its file, or trained to there."""
    path, steps = _path(batch, cohort), cohort.config.train.steps
    end = ranking.rungs(job.config, steps)[rung]
    mine = np.flatnonzero(np.isin([trial.point for trial in cohort.trials], surviving))
    chosen = batches.mode(job)
    made = job.programs(cohort.config, max(1, len(mine)), chosen)
    now = cohorts.load(path, made.like, job.watch.say)
    if now is not None and (len(mine) == 0 or now.step > end or (now.step == end and (end < steps or now.test))):
        return now._replace(states=None)
    now = start = cohorts.begin(cohort, made) if now is None else cohorts.kept(made, now, mine)
    every = job.config.population.every if job.config.stopping == "population" else 0
    saved, cost = time.monotonic(), 0.0
    for now in cohorts.chunks(made, cohort, start, end, every, _move(job, cohort)):
        stop = processes.any_of(bool(job.signals)) and now.step < end
        _show(job, batch, cohort, now, before)
        if stop or processes.any_of(time.monotonic() - saved > PATIENCE * cost):
            began = time.monotonic()
            cohorts.save(path, now)
            saved, cost = time.monotonic(), time.monotonic() - began
        if stop:
            job.watch.say(f"stopped by {_names(job)} after step {now.step:,}; run again to go on")
            return None
    now = cohorts.tested(made, cohort, now) if end == steps else now
    cohorts.save(path, now)
    return now._replace(states=None)


def _names(job: SweepContext) -> str:
    return signal.Signals(job.signals[0]).name if job.signals else "another process"


def _move(job: SweepContext, cohort: Cohort) -> Move:
    """A population's step: the worst go on from copies of the best, with traced settings changed."""
    objective, population = job.config.objective, job.config.population
    ranges = {
        name.removeprefix("hparams."): (min(axis.of), max(axis.of))
        for axis in job.config.axes
        if axis.setting.startswith("hparams.")
        for name in axes.targets(axis.setting, job.config.base)
    }

    def move(now: CohortState) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        rng = np.random.default_rng([job.config.draw_seed, cohort.trials[0].number, now.step])
        curve = now.rows[f"validation/{objective.metric}"]
        values = ranking.objective(curve, now.diverged_at >= 0, "last", objective.goal)[now.alive]
        source = ranking.exploited(values, objective.goal, population.share, rng)
        return source, ranking.explored(now.hparams, source, ranges, population.factor, rng)

    return move


def _show(job: SweepContext, batch: Batch, cohort: Cohort, now: CohortState, before: list[FinishedCohort]) -> None:
    """Steps over all trials of the batch, how many trials live, and the best so far."""
    here = [one for one in before if one.path.parent == batch.folder and one.cohort.number != cohort.number]
    standings = [*(one.standing for one in here), now]
    done = int(sum(one.steps.sum() for one in standings))
    everybody = [*before, FinishedCohort(cohort, now, _path(batch, cohort))]
    living = int(sum((one.diverged_at[one.alive] < 0).sum() for one in standings))
    waiting = sum(len(c.trials) for c in batch.cohorts) - sum(len(one.steps) for one in standings)
    said = [f"{living + waiting} trials alive"]
    if best := results.leader(job.config, everybody):
        said.append(best)
    job.watch.show(done, max(done, _planned(job, batch)), "  ".join(said))


def _planned(job: SweepContext, batch: Batch) -> int:
    """Steps over all trials that a batch takes, as far as that is known beforehand."""
    trials = [trial for cohort in batch.cohorts for trial in cohort.trials]
    if job.config.stopping != "halving":
        return sum(trial.config.train.steps for trial in trials)
    points, before, total = len({trial.point for trial in trials}), 0, 0
    seeds = len(trials) // points
    for step in ranking.rungs(job.config, trials[0].config.train.steps):
        total += points * seeds * (step - before)
        points, before = max(1, points // job.config.halving.eta), step
    return total
