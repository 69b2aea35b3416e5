"""A run from its configuration to its pictures: the host's loop around compiled chunks, and all of its side effects.

Where several processes train together, all go through the same loop, and the first alone writes.
"""

import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import jax
from ml_collections import ConfigDict

from genjax import config as configs
from genjax import data
from genjax.runs import feeding, logs, pictures, start, stopping, trackers, watches
from genjax.runs.checkpoints import has_checkpoints
from genjax.runs.chunks import Chunk, schedule
from genjax.runs.folder import (
    check_data,
    check_folder,
    claim,
    record_data,
    record_environment,
    record_plugins,
)
from genjax.runs.load import load_data
from genjax.runs.logs import Log
from genjax.runs.programs import RunPrograms, make_run_programs
from genjax.runs.saving import CheckpointWriter, open_checkpoints
from genjax.system import compiler, environment, processes
from genjax.system.files import read_object, write_json
from genjax.system.progress import print_line
from genjax.system.signals import collect_stop_signals
from genjax.training.step import averaged_params
from genjax.types import InputError, Model, TrainState

FINISHED, DIVERGED, STOPPED = 0, 3, 4  # exit codes; 2 is for input that cannot be used


def train(config: ConfigDict, workdir: Path | str, stream: TextIO | None = None, data_source: str = "") -> int:
    """Trains, evaluates and draws, going on from the newest checkpoint where there is one.

    Nothing is written before the configuration, the folder, the data, the devices and the model fit one another.

    Args:
      config: of the run.
      workdir: where everything about the run is kept; made if it does not exist.
      stream: for progress; standard error by default.
      data_source: where the data are now, if they were moved since the run began.

    Returns:
      The exit code: 0 finished, 3 gradients stopped being finite, 4 stopped by a signal after saving.

    Raises:
      InputError: the configuration, the data or the folder cannot be used.
    """
    out = stream or sys.stderr

    def say(line: str) -> None:
        if processes.is_primary():
            print_line(out, line)

    configs.check(config)
    workdir = Path(workdir)
    source = data_source or config.data.source
    config = configs.with_absolute_source(config)
    compiler.ask_for_determinism(config.train.deterministic)
    compiler.keep_programs()
    with processes.raise_together():
        dataset = load_data(source)
        unresolved, config = config, configs.resolve(config, data.describe(dataset, config.data.dynamic_binarisation))
        configs.check_resolved(unresolved, config)
    check_folder(workdir, config)
    fingerprints = {config.data.source: data.fingerprint(dataset)}
    check_data(workdir, fingerprints)
    trackers.check_installed(config.train.trackers)
    if processes.any_of(processes.is_primary() and bool(finished := _describe_finished(workdir, config.train.steps))):
        say(f"{workdir} is finished: {finished}")
        return FINISHED
    # A run that goes on has its parameters in its checkpoints.
    goes_on = processes.any_of(processes.is_primary() and has_checkpoints(workdir / "checkpoints"))
    with processes.raise_together():
        weights = None if goes_on else start.read_weights(config.train.init_from, config.train.init_parts)
        programs = make_run_programs(config, dataset, adapt=partial(start.starting_from, start=weights))
    start.check_start(workdir, weights)
    for line in configs.describe_resolved(unresolved, config):
        say(line)
    with claim(workdir, config), collect_stop_signals(say) as signals:
        record_environment(workdir)
        record_data(workdir, fingerprints)
        start.record_start(workdir, weights)
        for line in record_plugins(workdir, config):
            say(line)
        say(_describe_start(dataset, programs))
        code = _train_in_folder(config, programs, dataset, workdir, signals, out)
        if code == FINISHED:
            say(f"pictures and evaluation.json are in {workdir}")
    return code


def _train_in_folder(
    config: ConfigDict, programs: RunPrograms, dataset: data.Dataset, workdir: Path, signals: list[int], out: TextIO
) -> int:
    """Trains from the newest checkpoint to the end, and evaluates there; the folder is ours. Returns the exit code."""
    path = workdir / "metrics.jsonl"
    with open_checkpoints(workdir / "checkpoints") as checkpoints:
        state = programs.init()
        restored = checkpoints.restore_newest(state, partial(print_line, out))
        with _open_log(workdir, 0 if restored is None else int(restored.step), config, out) as log:
            if restored is not None:
                state = programs.replicate(restored)
                log.say(f"{workdir} goes on from step {int(restored.step):,}")
                if checkpoints.restored_log not in ("", log.digest()):
                    log.say(f"{path} is not as the checkpoint knows it: rows are lost or edited")
            rows = logs.read_metrics(path) if processes.is_primary() else []
            code, state = _train_chunks(config, programs, state, checkpoints, log, rows, signals)
            if code == FINISHED:
                if processes.is_primary():
                    (workdir / "diverged.json").unlink(missing_ok=True)  # of a start with other numbers
                _finish(config, programs, dataset, state, checkpoints, log, workdir)
    if code == DIVERGED and processes.is_primary():
        write_json(workdir / "diverged.json", {"diverged_at": int(state.diverged_at)})
    return code


def _describe_start(dataset: data.Dataset, programs: RunPrograms) -> str:
    """What is trained on and where, before the compiler takes its seconds."""
    devices = f"{len(programs.devices)} x {programs.devices[0].device_kind}"
    return f"{len(dataset.train.x):,} training examples of {dataset.name} on {devices}; compiling"


def _describe_finished(workdir: Path, steps: int) -> str:
    """How the folder's run ended; nothing if it has not come so far, or if the file that says so is damaged."""
    with suppress(InputError):
        content = read_object(workdir / "evaluation.json") or {}
        if isinstance(reason := content.get("stopped_early"), str):
            return f"it stopped early, because {reason}"
        last_step = content.get("trained_steps", content.get("step"))
        return f"{steps:,} steps" if isinstance(last_step, int) and last_step >= steps else ""
    return ""


@contextmanager
def _open_log(workdir: Path, step: int, config: ConfigDict, stream: TextIO) -> Iterator[Log]:
    """The run's log on the first process, and one that keeps nothing on the others."""
    with ExitStack() as stack:
        log: Log = logs.NullLog()
        with processes.raise_together():
            if processes.is_primary():
                log = stack.enter_context(logs.open_log(workdir, step, configs.flatten(config), stream))
        yield log


def _train_chunks(
    config: ConfigDict,
    programs: RunPrograms,
    state: TrainState,
    checkpoints: CheckpointWriter,
    log: Log,
    rows: list[dict[str, Any]],
    signals: list[int],
) -> tuple[int, TrainState]:
    """Chunk after chunk to the last step. Returns the exit code, and the state there.

    `rows` are those that the log holds already; the run's own are added.
    """
    model, last_step = programs.model(state), config.train.steps
    for name, objective in model.objectives.items():
        if objective.updates > 1:
            log.say(f"{name}: {objective.updates} updates a step; the log shows the metrics of the last one")
    if reason := _stop_reason(config, model, rows):  # it was killed before its last evaluation
        log.say(f"stopped early: {reason}")
        return FINISHED, state
    for chunk in schedule(config.train, int(state.step), last_step):
        started_at = time.perf_counter()
        state, metrics = programs.advance(state, chunk.length)
        row = feeding.means("train", processes.gather(metrics))
        seconds = time.perf_counter() - started_at
        if int(state.diverged_at) >= 0:
            log.say(_describe_divergence(int(state.diverged_at), checkpoints.latest_step()))
            return DIVERGED, state
        row |= _evaluate_chunk(programs, state, chunk, log)
        speed = {"seconds": seconds, "examples_per_second": chunk.length * programs.examples / seconds}
        log.write({"step": chunk.step, **row, **speed})
        rows.append({"step": chunk.step, **row})
        if chunk.evaluate:
            for warning in watches.find_warnings(model.watches, model.monitor, rows):
                if warning["step"] == chunk.step:
                    log.say(watches.describe_warning(warning))
        stop = processes.any_of(bool(signals))  # read once: a signal after the save is the next chunk's
        if stop or chunk.save:
            checkpoints.save(state, row.get(f"validation/{model.monitor}"), log.digest(), chunk.save)
        if chunk.evaluate and chunk.step < last_step and (reason := _stop_reason(config, model, rows)):
            log.say(f"stopped early: {reason}")
            return FINISHED, state
        if stop and chunk.step < last_step:
            sender = signal.Signals(signals[0]).name if signals else "a signal to another process"
            log.say(f"stopped by {sender} after step {chunk.step:,}; to go on: {environment.command()}")
            return STOPPED, state
    return FINISHED, state


def _stop_reason(config: ConfigDict, model: Model, rows: list[dict[str, Any]]) -> str:
    """Why the run stops early; of many processes the first one decides."""
    if not config.train.patience:
        return ""
    reason = stopping.find_reason(config.train, model.monitor, rows)
    return processes.broadcast_bytes(reason.encode()).decode()


def _describe_divergence(diverged_at: int, latest_step: int | None) -> str:
    remains = (
        "before the first checkpoint" if latest_step is None else f"the checkpoint of step {latest_step:,} is kept"
    )
    return f"step {diverged_at:,}: gradients are not finite; stopped ({remains})"


def _evaluate_chunk(programs: RunPrograms, state: TrainState, chunk: Chunk, log: Log) -> dict[str, float]:
    """The metrics of the validation split, and pictures in the log, where the state after a chunk is evaluated."""
    if not chunk.evaluate:
        return {}
    metrics = _evaluate(programs, state, "validation")
    trained = _trained_model(programs, state)
    if processes.is_primary():
        log.images(chunk.step, pictures.snapshots(trained, programs.stored("validation")))
    return metrics


def _evaluate(programs: RunPrograms, state: TrainState, split: str) -> dict[str, float]:
    return feeding.means(split, processes.gather(programs.evaluate(state, split)))


def _trained_model(programs: RunPrograms, state: TrainState) -> pictures.TrainedModel:
    """The model on this process's own devices, so that the first process can draw without the others' help."""
    local = state if processes.is_single_process() else jax.device_put(processes.gather(state))
    return pictures.TrainedModel(programs.model(local), averaged_params(local), programs.spec, programs.rng)


def _finish(
    config: ConfigDict,
    programs: RunPrograms,
    dataset: data.Dataset,
    state: TrainState,
    checkpoints: CheckpointWriter,
    log: Log,
    workdir: Path,
) -> None:
    """Draws the pictures, and last of all writes the test metrics, whose file marks a run as complete.

    Of a run that may stop early it is the best state that is evaluated.
    """
    trained_steps = int(state.step)
    if config.train.patience:
        best = checkpoints.restore_best(state)
        assert best is not None, "a run that watches its monitor saves the state of each evaluation"
        state = programs.replicate(best)
    metrics = _evaluate(programs, state, "validation") | _evaluate(programs, state, "test")
    trained = _trained_model(programs, state)
    if not processes.is_primary():
        return
    rows = logs.read_metrics(workdir / "metrics.jsonl")
    units = configs.metric_units(configs.flatten(config))
    pictures.draw(workdir, trained, dataset, programs.stored("validation"), rows, units)
    numbers = {name: value if math.isfinite(value) else str(value) for name, value in metrics.items()}
    path, model = workdir / "evaluation.json", trained.model
    warnings = watches.find_warnings(model.watches, model.monitor, rows)
    said: dict[str, Any] = {"warnings": warnings} if warnings else {}
    if config.train.patience:
        reason = stopping.find_reason(config.train, model.monitor, rows) if trained_steps < config.train.steps else ""
        said |= {"trained_steps": trained_steps, **({"stopped_early": reason} if reason else {})}
    log.finish(metrics)
    write_json(path, {**_earlier_results(path), "step": int(state.step), **numbers, **said})


def _earlier_results(path: Path) -> dict[str, Any]:
    """What the evaluator measured at earlier steps, each result with its own step."""
    with suppress(InputError):  # a damaged file is written anew
        return {name: value for name, value in (read_object(path) or {}).items() if name == "results"}
    return {}
