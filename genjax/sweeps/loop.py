"""A sweep from its configuration to its table: the host's loop around programs of many trials, and its side effects."""

import signal
import sys
import time
from functools import cache
from pathlib import Path
from typing import TextIO

import numpy as np
from ml_collections import ConfigDict

from genjax import config as configs
from genjax.data import fingerprint
from genjax.runs import start
from genjax.runs.folder import check_data, check_folder, claim, record_data, record_environment, record_plugins
from genjax.runs.load import load_data
from genjax.runs.loop import FINISHED, STOPPED
from genjax.sweeps import (
    axes,
    batches,
    cohort_files,
    cohort_training,
    cohorts,
    export,
    pictures,
    plan,
    ranking,
    results,
    settings,
    standing,
)
from genjax.sweeps.batches import PointBatch, SweepContext
from genjax.sweeps.cohort_training import Move
from genjax.sweeps.cohorts import Cohort, CohortState, FinishedCohort
from genjax.sweeps.memory import available_memory
from genjax.sweeps.programs import CohortPrograms
from genjax.sweeps.study import Study, fixed_study, make_study
from genjax.system import compiler, environment, processes
from genjax.system.progress import open_progress, silent
from genjax.system.signals import collect_stop_signals
from genjax.types import InputError

SAVING_SHARE = 1 / 20  # of the time, which saving may take
SECONDS_BETWEEN_LINES = 5.0  # of progress, in a pipe


def sweep(config: ConfigDict, workdir: Path | str, best: int = 0, stream: TextIO | None = None) -> int:
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
    workdir = Path(workdir)
    config = config.copy_and_resolve_references()
    config.base = configs.with_absolute_source(config.base)
    # Optuna's points are not known yet, but every program that they may need is.
    points = plan.static_points(config) if config.strategy == "optuna" else plan.make_points(config)
    trials = plan.make_trials(config, points)
    compiler.ask_for_determinism(config.base.train.deterministic)
    compiler.keep_programs()
    check_folder(workdir, config)
    progress = open_progress(stream or sys.stderr, SECONDS_BETWEEN_LINES) if processes.is_primary() else silent()
    finished = processes.any_of(processes.is_primary() and (workdir / results.TABLE).exists())
    load, read_weights = cache(load_data), cache(start.read_weights)
    resolve, make_programs = batches.trial_resolver(config, load), batches.program_maker(load, read_weights)
    weights = None if finished else read_weights(config.base.train.init_from, config.base.train.init_parts)
    if finished:
        progress.say(f"{workdir} is finished")
        if not best:
            return FINISHED
    if not finished:
        with processes.raise_together():
            batches.check_fit(config, resolve(trials), make_programs)
    fingerprints = {source: fingerprint(load(source)) for source in {trial.config.data.source for trial in trials}}
    check_data(workdir, fingerprints)
    if not finished:
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
        memory = available_memory(config.memory_bytes)
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
    surviving, members = np.unique(point), dict[int, FinishedCohort]()
    for rung in range(len(ranking.rungs(config, batch.cohorts[0].config.train.steps))):
        for cohort in batch.cohorts:
            others = [member for number, member in members.items() if number != cohort.number]
            show = standing.display(context, batch, cohort, rung, surviving, [*earlier, *others])
            state = _train_to_rung(context, batch, cohort, surviving, rung, show)
            if state is None:
                return None
            members[cohort.number] = FinishedCohort(cohort, state, _path(batch, cohort))
        ends = [ranking.rungs(config, cohort.config.train.steps)[rung] for cohort in batch.cohorts]
        values = np.concatenate(
            [results.objective_values(config, member, end) for member, end in zip(members.values(), ends, strict=True)]
        )
        alive = np.isin(point, surviving)
        surviving = ranking.survivors(values[alive], point[alive], config.objective.goal, config.halving.eta)
    return list(members.values())


def _path(batch: PointBatch, cohort: Cohort) -> Path:
    return batch.folder / f"cohort-{cohort.number:03d}.npz"


def _train_to_rung(
    context: SweepContext, batch: PointBatch, cohort: Cohort, surviving: np.ndarray, rung: int, show: standing.Show
) -> CohortState | None:
    """A cohort at the end of a rung, without its states: from its file, or trained to there; None if it was stopped."""
    path, steps, mode = _path(batch, cohort), cohort.config.train.steps, batches.execution_mode(context)
    end = ranking.rungs(context.config, steps)[rung]
    survivors = np.flatnonzero(np.isin([trial.point for trial in cohort.trials], surviving))
    everyone = context.programs(cohort.config, len(cohort.trials), mode)
    state = cohort_files.load(path, cohort, everyone.like, context.progress.say)
    state = cohort_training.begin(cohort, everyone) if state is None else state
    trained_to = state.step
    while state.step < end and len(trials := cohort_training.choose_trials(cohort, state, survivors)):
        compiled = context.programs(cohort.config, len(trials), mode)
        state = state._replace(states=processes.gather(state.states))
        state = cohort_training.keep_trials(compiled, state, trials)
        state = _train_chunks(context, cohort, compiled, state, end, path, show)
        if state is None:
            return None
    state, finishers = state._replace(states=processes.gather(state.states)), cohorts.finishers(cohort, state)
    untested = end == steps and len(finishers) > 0 and not state.test
    if untested:
        compiled = context.programs(cohort.config, len(finishers), mode)
        state = cohort_training.evaluate_test(compiled, cohort, state)
    if untested or state.step > trained_to:
        cohort_files.save(path, cohort, state)
    return state._replace(states=None, best_states=None)


def _train_chunks(
    context: SweepContext,
    cohort: Cohort,
    compiled: CohortPrograms,
    state: CohortState,
    end: int,
    path: Path,
    show: standing.Show,
) -> CohortState | None:
    """A cohort as far as a program takes it, saved now and then; None if a signal stopped it after saving."""
    move_every = context.config.population.every if context.config.stopping == "population" else 0
    saved_at, seconds_to_save = time.monotonic(), 0.0
    chunks = cohort_training.train_chunks(compiled, cohort, state, end, move_every, _make_move(context, cohort))
    for state in chunks:
        stop = processes.any_of(bool(context.signals)) and state.step < end
        show(FinishedCohort(cohort, state, path))
        if stop or processes.any_of((time.monotonic() - saved_at) * SAVING_SHARE > seconds_to_save):
            started_at = time.monotonic()
            cohort_files.save(path, cohort, state)
            saved_at, seconds_to_save = time.monotonic(), time.monotonic() - started_at
        if stop:
            reason = f"stopped by {_sender(context)} after step {state.step:,}"
            context.progress.say(f"{reason}; to go on: {environment.command()}")
            return None
    return state


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
