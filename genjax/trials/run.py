"""A sweep from its configuration to its table: the host's loop around programs of many trials, and its side effects."""

import json
import signal
import sys
import time
from pathlib import Path
from typing import TextIO

import numpy as np
from ml_collections import ConfigDict

from genjax import compiler, hosts
from genjax.interrupts import stopping
from genjax.run import FINISHED, STOPPED
from genjax.search import axes, plan, settings
from genjax.search.study import open_study
from genjax.trials import batches, export, outcome, pictures, programs, ranking, standing
from genjax.trials.batches import Ask, Batch, Job, Tell
from genjax.trials.standing import Cohort, Ended, Move, Standing
from genjax.trials.watch import silent, watch
from genjax.workdir import claim

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
    shown = watch(stream) if hosts.first() else silent()
    with claim(workdir, config), stopping(shown.say) as signals:
        finished = hosts.any_of(hosts.first() and (workdir / outcome.TABLE).exists())
        if finished:
            shown.say(f"{workdir} is finished")
        job = Job(config, workdir, batches.maker(), signals, shown, programs.memory(config.memory_bytes))
        try:
            ended = [] if finished and not best else _train(job, *_searcher(config, finished))
        finally:
            shown.close()
        if ended is None:
            return STOPPED
        if not finished:
            pictures.draw(job, ended)
            outcome.write(job, ended)
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
    study = open_study(config) if hosts.first() else None

    def ask(number: int) -> tuple[list[plan.Point], list[int]]:
        return json.loads(hosts.from_first(json.dumps(study.ask()).encode() if study else b""))

    return ask, study.tell if study else unheard


def _train(job: Job, ask: Ask, tell: Tell) -> list[Ended] | None:
    """What became of every cohort, batch after batch; None if a signal stopped it."""
    ended: list[Ended] = []
    for batch in batches.batches(job, ask):
        found = _run(job, batch, ended)
        if found is None:
            return None
        ended += found
        for asked, place in zip(batch.asked, outcome.places(job.config, outcome.rows(job.config, found)), strict=False):
            tell(asked, place.mean, place.stopped_at)
    return ended


def _run(job: Job, batch: Batch, before: list[Ended]) -> list[Ended] | None:
    """A batch to its last rung; None if a signal stopped it."""
    point = np.concatenate([[trial.point for trial in cohort.trials] for cohort in batch.cohorts])
    surviving, found = np.unique(point), list[Ended]()
    for rung in range(len(ranking.rungs(job.config, batch.cohorts[0].config.train.steps))):
        found = []
        for cohort in batch.cohorts:
            here = _advanced(job, batch, cohort, surviving, rung, [*before, *found])
            if here is None:
                return None
            found.append(Ended(cohort, here, _path(batch, cohort)))
        ends = [ranking.rungs(job.config, cohort.config.train.steps)[rung] for cohort in batch.cohorts]
        values = np.concatenate([outcome.objective(job.config, *at) for at in zip(found, ends, strict=True)])
        among = np.isin(point, surviving)
        surviving = ranking.survivors(values[among], point[among], job.config.objective.goal, job.config.halving.eta)
    return found


def _path(batch: Batch, cohort: Cohort) -> Path:
    return batch.folder / f"cohort-{cohort.number:03d}.npz"


def _advanced(
    job: Job, batch: Batch, cohort: Cohort, surviving: np.ndarray, rung: int, before: list[Ended]
) -> Standing | None:
    """A cohort at the end of a rung, without its states: from its file, or trained to there."""
    path, steps = _path(batch, cohort), cohort.config.train.steps
    end = ranking.rungs(job.config, steps)[rung]
    mine = np.flatnonzero(np.isin([trial.point for trial in cohort.trials], surviving))
    chosen = batches.mode(job)
    made = job.programs(cohort.config, max(1, len(mine)), chosen)
    now = standing.load(path, made.like, job.watch.say)
    if now is not None and (len(mine) == 0 or now.step > end or (now.step == end and (end < steps or now.test))):
        return now._replace(states=None)
    now = start = standing.begin(cohort, made) if now is None else standing.kept(made, now, mine)
    every = job.config.population.every if job.config.stopping == "population" else 0
    saved, cost = time.monotonic(), 0.0
    for now in standing.chunks(made, cohort, start, end, every, _move(job, cohort)):
        stop = hosts.any_of(bool(job.signals)) and now.step < end
        _show(job, batch, cohort, now, before)
        if stop or hosts.any_of(time.monotonic() - saved > PATIENCE * cost):
            began = time.monotonic()
            standing.save(path, now)
            saved, cost = time.monotonic(), time.monotonic() - began
        if stop:
            job.watch.say(f"stopped by {_names(job)} after step {now.step:,}; run again to go on")
            return None
    now = standing.tested(made, cohort, now) if end == steps else now
    standing.save(path, now)
    return now._replace(states=None)


def _names(job: Job) -> str:
    return signal.Signals(job.signals[0]).name if job.signals else "another process"


def _move(job: Job, cohort: Cohort) -> Move:
    """A population's step: the worst go on from copies of the best, with traced settings changed."""
    objective, population = job.config.objective, job.config.population
    ranges = {
        name.removeprefix("hparams."): (min(axis.of), max(axis.of))
        for axis in job.config.axes
        if axis.setting.startswith("hparams.")
        for name in axes.targets(axis.setting, job.config.base)
    }

    def move(now: Standing) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        rng = np.random.default_rng([job.config.draw_seed, cohort.trials[0].number, now.step])
        curve = now.rows[f"validation/{objective.metric}"]
        values = ranking.objective(curve, now.diverged_at >= 0, "last", objective.goal)[now.alive]
        source = ranking.exploited(values, objective.goal, population.share, rng)
        return source, ranking.explored(now.hparams, source, ranges, population.factor, rng)

    return move


def _show(job: Job, batch: Batch, cohort: Cohort, now: Standing, before: list[Ended]) -> None:
    """Steps over all trials of the batch, how many trials live, and the best so far."""
    here = [one for one in before if one.path.parent == batch.folder and one.cohort.number != cohort.number]
    standings = [*(one.standing for one in here), now]
    done = int(sum(one.steps.sum() for one in standings))
    everybody = [*before, Ended(cohort, now, _path(batch, cohort))]
    living = int(sum((one.diverged_at[one.alive] < 0).sum() for one in standings))
    waiting = sum(len(c.trials) for c in batch.cohorts) - sum(len(one.steps) for one in standings)
    said = [f"{living + waiting} trials alive"]
    if best := outcome.leader(job.config, everybody):
        said.append(best)
    job.watch.show(done, max(done, _planned(job, batch)), "  ".join(said))


def _planned(job: Job, batch: Batch) -> int:
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
