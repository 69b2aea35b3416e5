"""A sweep from its configuration to its table: the host's loop around programs of many trials, and its side effects."""

import signal
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.data import fingerprint
from genjax.runs import start
from genjax.runs.folder import check_data, check_folder, claim, record_data, record_environment, record_plugins
from genjax.runs.load import load_data
from genjax.runs.loop import FINISHED, STOPPED
from genjax.sweeps import axes, batches, cohorts, export, pictures, plan, programs, ranking, results, settings
from genjax.sweeps.batches import PointBatch, SweepContext
from genjax.sweeps.cohorts import Cohort, CohortState, FinishedCohort, Move
from genjax.sweeps.study import Study, fixed_study, make_study
from genjax.system import compiler, environment, processes
from genjax.system.progress import open_progress, silent
from genjax.system.signals import collect_stop_signals
from genjax.types import InputError

SAVING_SHARE = 1 / 20  # of the time, which saving may take
SECONDS_BETWEEN_LINES = 5.0  # of progress, in a pipe


def sweep(config: ConfigDict, workdir: Path, best: int = 0, stream: TextIO | None = None) -> int:
    """Trains every trial, ranks them and draws, going on from where it was stopped.

    Nothing is written before the configuration, the folder, the data, the devices and the models fit one another.

    Args:
      config: of the sweep.
      workdir: where everything about it is kept; made if it does not exist.
      best: how many of the best trials to write as folders of single runs.
      stream: for progress; standard error by default.

    Returns:
      The exit code: 0 finished, 4 stopped by a signal after saving.

    Raises:
      InputError: the configuration, the data or the folder cannot be used; or trials are to be written whose states
        were deleted.
    """
    settings.check(config)
    config = config.copy_and_resolve_references()
    config.base = configs.with_absolute_source(config.base)
    # Optuna's points are not known yet, but every program that they may need is.
    points = plan.static_points(config) if config.strategy == "optuna" else plan.make_points(config)
    trials = plan.make_trials(config, points)
    compiler.ask_for_determinism(config.base.train.deterministic)
    compiler.keep_programs()
    check_folder(workdir, config)
    progress = open_progress(stream or sys.stderr, SECONDS_BETWEEN_LINES) if processes.is_primary() else silent()
    fingerprints: dict[str, Any] = {}
    finished = processes.any_of(processes.is_primary() and (workdir / results.TABLE).exists())
    load, read_weights = cache(load_data), cache(start.read_weights)
    resolve, make_programs = batches.trial_resolver(config, load), batches.program_maker(load, read_weights)
    weights = None if finished else read_weights(config.base.train.init_from, config.base.train.init_parts)
    if finished:
        progress.say(f"{workdir} is finished")
        if not best:
            return FINISHED
    else:
        with processes.raise_together():
            batches.check_fit(config, resolve(trials), make_programs)
        fingerprints = {source: fingerprint(load(source)) for source in {trial.config.data.source for trial in trials}}
        check_data(workdir, fingerprints)
        start.check_start(workdir, weights)
    study = fixed_study([]) if finished else make_study(config, points, workdir)
    with claim(workdir, config), collect_stop_signals(progress.say) as signals:
        if not finished:
            record_environment(workdir)
            record_data(workdir, fingerprints)
            start.record_start(workdir, weights)
            for line in record_plugins(workdir, config):
                progress.say(line)
            batches.write_on_primary(workdir / results.BASE, configs.flatten(config.base))
        memory = programs.available_memory(config.memory_bytes)
        context = SweepContext(config, workdir, resolve, make_programs, signals, progress, memory)
        return _run(context, study, finished, best)


def _run(context: SweepContext, study: Study, finished: bool, best: int) -> int:
    """Trains, and writes the table and the pictures. Returns the exit code."""
    try:
        ended = _train_batches(context, study)
    finally:
        context.progress.close()
    if ended is None:
        return STOPPED
    if not ended and finished:
        raise InputError(f"{context.workdir / 'batches'} is gone, and with it the trials' states: nothing to export")
    if not ended:
        context.progress.say(f"study {context.config.optuna.study!r} has no points left: nothing was trained")
        return FINISHED
    if not finished:
        pictures.draw(context, ended)
        results.write(context, ended)
        context.progress.say(f"the table, the ranking and the pictures are in {context.workdir}")
    if best:
        export.export_best(context, ended, best)
    return FINISHED


def _train_batches(context: SweepContext, study: Study) -> list[FinishedCohort] | None:
    """What became of every cohort, batch after batch; None if a signal stopped it."""
    ended: list[FinishedCohort] = []
    for batch in batches.point_batches(context, study):
        finished = _train_batch(context, batch, ended)
        if finished is None:
            return None
        ended += finished
        summaries = results.summarise_points(context.config, results.table_rows(context.config, finished))
        for number, summary in zip(batch.study_numbers, summaries, strict=False):
            study.tell(number, summary.mean, summary.stopped_at)
    return ended


def _train_batch(
    context: SweepContext, batch: PointBatch, earlier: list[FinishedCohort]
) -> list[FinishedCohort] | None:
    """Trains a batch to its last rung; None if a signal stopped it."""
    config = context.config
    point = np.concatenate([[trial.point for trial in cohort.trials] for cohort in batch.cohorts])
    surviving, finished = np.unique(point), list[FinishedCohort]()
    for rung in range(len(ranking.rungs(config, batch.cohorts[0].config.train.steps))):
        finished = []
        for cohort in batch.cohorts:
            state = _train_to_rung(context, batch, cohort, surviving, rung, [*earlier, *finished])
            if state is None:
                return None
            finished.append(FinishedCohort(cohort, state, _path(batch, cohort)))
        ends = [ranking.rungs(config, cohort.config.train.steps)[rung] for cohort in batch.cohorts]
        values = np.concatenate(
            [results.objective_values(config, member, end) for member, end in zip(finished, ends, strict=True)]
        )
        alive = np.isin(point, surviving)
        surviving = ranking.survivors(values[alive], point[alive], config.objective.goal, config.halving.eta)
    return finished


def _path(batch: PointBatch, cohort: Cohort) -> Path:
    return batch.folder / f"cohort-{cohort.number:03d}.npz"


def _train_to_rung(
    context: SweepContext,
    batch: PointBatch,
    cohort: Cohort,
    surviving: np.ndarray,
    rung: int,
    earlier: list[FinishedCohort],
) -> CohortState | None:
    """A cohort at the end of a rung, without its states: from its file, or trained to there."""
    path, steps = _path(batch, cohort), cohort.config.train.steps
    end = ranking.rungs(context.config, steps)[rung]
    alive = np.flatnonzero(np.isin([trial.point for trial in cohort.trials], surviving))
    compiled = context.programs(cohort.config, max(1, len(alive)), batches.execution_mode(context))
    state = cohorts.load(path, cohort, compiled.like, context.progress.say)
    if state is not None and _is_done(state, alive, end, steps):
        return state._replace(states=None)
    state = start = cohorts.begin(cohort, compiled) if state is None else cohorts.keep_trials(compiled, state, alive)
    move_every = context.config.population.every if context.config.stopping == "population" else 0
    saved_at, seconds_to_save = time.monotonic(), 0.0
    for state in cohorts.train_chunks(compiled, cohort, start, end, move_every, _make_move(context, cohort)):
        stop = processes.any_of(bool(context.signals)) and state.step < end
        _show_progress(context, batch, cohort, state, earlier)
        if stop or processes.any_of((time.monotonic() - saved_at) * SAVING_SHARE > seconds_to_save):
            started_at = time.monotonic()
            cohorts.save(path, cohort, state)
            saved_at, seconds_to_save = time.monotonic(), time.monotonic() - started_at
        if stop:
            reason = f"stopped by {_sender(context)} after step {state.step:,}"
            context.progress.say(f"{reason}; to go on: {environment.command()}")
            return None
    state = cohorts.evaluate_test(compiled, cohort, state) if end == steps else state
    cohorts.save(path, cohort, state)
    return state._replace(states=None)


def _is_done(state: CohortState, alive: np.ndarray, end: int, steps: int) -> bool:
    """Whether a cohort has nothing to do before the end of a rung."""
    at_end = state.step == end and (end < steps or bool(state.test))
    return len(alive) == 0 or state.step > end or at_end


def _sender(context: SweepContext) -> str:
    return signal.Signals(context.signals[0]).name if context.signals else "another process"


def _make_move(context: SweepContext, cohort: Cohort) -> Move:
    """A population's step: the worst go on from copies of the best, with traced settings changed."""
    config = context.config
    base = configs.flatten(config.base)
    numbers = {
        name: [base[name] if value is None else value for value in axis.of]
        for axis in config.axes
        if axis.setting.startswith("hparams.")
        for name in axes.targets(axis.setting, config.base)
    }
    ranges = {name.removeprefix("hparams."): (min(values), max(values)) for name, values in numbers.items()}

    def move(state: CohortState) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        rng = np.random.default_rng([config.draw_seed, cohort.trials[0].number, state.step])
        goal = config.objective.goal
        curve = cohorts.measured_curve(cohort, state, config.objective.metric)
        values = ranking.objective(curve, state.diverged_at >= 0, "last", goal)[state.alive]
        source = ranking.exploit(values, goal, config.population.share, rng)
        return source, ranking.explore(state.hparams, source, ranges, config.population.factor, rng)

    return move


def _show_progress(
    context: SweepContext, batch: PointBatch, cohort: Cohort, state: CohortState, earlier: list[FinishedCohort]
) -> None:
    """Shows the steps over all trials of the batch, how many trials are alive, and the best so far."""
    of_batch = [member for member in earlier if member.path.parent == batch.folder]
    siblings = [member for member in of_batch if member.cohort.number != cohort.number]
    states = [*(member.state for member in siblings), state]
    steps_done = int(sum(part.steps.sum() for part in states))
    started = sum(len(part.steps) for part in states)
    alive = int(sum((part.diverged_at[part.alive] < 0).sum() for part in states))
    waiting = sum(len(part.trials) for part in batch.cohorts) - started
    best = results.describe_best(context.config, [*earlier, FinishedCohort(cohort, state, _path(batch, cohort))])
    text = "  ".join(part for part in (f"{alive + waiting} trials alive", best) if part)
    context.progress.show(steps_done, max(steps_done, _planned_steps(context, batch)), text)


def _planned_steps(context: SweepContext, batch: PointBatch) -> int:
    """Steps over all trials that a batch takes, as far as that is known beforehand."""
    trials = [trial for cohort in batch.cohorts for trial in cohort.trials]
    if context.config.stopping != "halving":
        return sum(trial.config.train.steps for trial in trials)
    points, begin, total = len({trial.point for trial in trials}), 0, 0
    seeds = len(trials) // points
    for end in ranking.rungs(context.config, trials[0].config.train.steps):
        total += points * seeds * (end - begin)
        points, begin = max(1, points // context.config.halving.eta), end
    return total
