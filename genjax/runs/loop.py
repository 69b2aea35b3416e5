"""A run from its configuration to its pictures: the host's loop around compiled chunks, and all of its side effects.

Where several processes train together, all go through the same loop, and the first alone writes.
"""

import json
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TextIO

import jax
from ml_collections import ConfigDict

from genjax import config as configs
from genjax import data
from genjax.runs import checkpoints, feeding, logs, pictures
from genjax.runs.folder import claim, write_json
from genjax.runs.programs import RunPrograms, make_run_programs
from genjax.system import compiler, processes
from genjax.system.signals import stopping
from genjax.training.step import averaged_params
from genjax.types import Model, Params, TrainState

FINISHED, DIVERGED, STOPPED = 0, 3, 4  # exit codes; 2 is for input that cannot be used


def train(config: ConfigDict, workdir: Path, stream: TextIO = sys.stderr) -> int:
    """Trains, evaluates and draws, going on from the newest checkpoint where there is one.

    Args:
      config: of the run.
      workdir: where everything about the run is kept; made if it does not exist.
      stream: for progress.

    Returns:
      The exit code: 0 finished, 3 gradients stopped being finite, 4 stopped by a signal after saving.

    Raises:
      InputError: the configuration, the data or the folder cannot be used.
    """

    def say(line: str) -> None:
        if processes.is_primary():
            print(line, file=stream, flush=True)

    configs.check(config)
    compiler.ask_for_determinism(config.train.deterministic)
    compiler.keep_programs()
    with claim(workdir, config), stopping(say) as signals:
        if processes.any_of(processes.is_primary() and _evaluated(workdir) >= config.train.steps):
            say(f"{workdir} is finished: {config.train.steps:,} steps")
            return FINISHED
        with processes.raise_together():
            dataset = data.load(config.data.source)
            programs = make_run_programs(config, dataset)
        with checkpoints.opened(workdir / "checkpoints") as manager:
            state = _start(programs, manager, workdir, say)
            with _logs(workdir, int(state.step), config.train.steps, stream) as log:
                code, state = _loop(config, programs, dataset, state, manager, log, signals)
        if code == DIVERGED and processes.is_primary():
            write_json(workdir / "diverged.json", {"diverged_at": int(state.diverged_at)})
        if code == FINISHED:
            _finish(programs, dataset, state, workdir)
            say(f"pictures and evaluation.json are in {workdir}")
    return code


def _evaluated(workdir: Path) -> int:
    """The steps after which the folder's run was finished; 0 if it was not."""
    path = workdir / "evaluation.json"
    return json.loads(path.read_text()).get("step", 0) if path.exists() else 0


def _measured_before(workdir: Path) -> dict[str, Any]:
    """What the evaluator found at earlier steps, each result with its own step."""
    path = workdir / "evaluation.json"
    held = json.loads(path.read_text()) if path.exists() else {}
    return {name: value for name, value in held.items() if name == "results"}


def _start(programs: RunPrograms, manager: Any, workdir: Path, say: Callable[[str], None]) -> TrainState:
    """The newest state that was saved, or the first."""
    first = programs.init()
    restored = checkpoints.restore_newest(manager, first, say)
    if restored is None:
        return first
    say(f"{workdir} goes on from step {int(restored.step):,}")
    return programs.replicate(restored)


@contextmanager
def _logs(workdir: Path, step: int, total_steps: int, stream: TextIO) -> Iterator[Any]:
    """The run's logs, and for the other processes something that keeps nothing."""
    with ExitStack() as opened:
        log = SimpleNamespace(write=lambda row: None, images=lambda step, pictures: None, say=lambda message: None)
        with processes.raise_together():
            if processes.is_primary():
                log = opened.enter_context(logs.open_logs(workdir, step, total_steps, stream))
        yield log


def _loop(
    config: ConfigDict,
    programs: RunPrograms,
    dataset: data.Dataset,
    state: TrainState,
    manager: Any,
    log: Any,
    signals: list[int],
) -> tuple[int, TrainState]:
    """Chunk after chunk to the last step. The exit code, and the state there."""
    every, step, monitor = config.train, int(state.step), programs.model(state).monitor
    while step < every.steps:
        length = min(every.log_every - step % every.log_every, every.steps - step)
        began = time.perf_counter()
        state, metrics = programs.advance(state, length)
        row = feeding.means("train", processes.gather(metrics))
        seconds = time.perf_counter() - began
        if (failed := int(state.diverged_at)) >= 0:
            kept = None if manager is None else manager.latest_step()
            where = "before the first checkpoint" if kept is None else f"the checkpoint of step {kept:,} is kept"
            log.say(f"step {failed:,}: gradients are not finite; stopped ({where})")
            return DIVERGED, state
        step += length
        evaluated = step % every.evaluate_every == 0 or step == every.steps
        if evaluated:
            row |= _figures("validation", programs, dataset, state)
            log.images(step, _snapshots(programs, dataset, state))
        log.write(
            {"step": step, **row, "seconds": seconds, "examples_per_second": length * programs.examples / seconds}
        )
        stop = processes.any_of(bool(signals))  # read once: a signal after the save is the next chunk's
        if evaluated or stop or step % every.checkpoint_every == 0:
            checkpoints.save(manager, state, row.get(f"validation/{monitor}"))
        if stop and step < every.steps:
            by = signal.Signals(signals[0]).name if signals else "a signal to another process"
            log.say(f"stopped by {by} after step {step:,}; run again to go on")
            return STOPPED, state
    return FINISHED, state


def _figures(split: str, programs: RunPrograms, dataset: data.Dataset, state: TrainState) -> dict[str, float]:
    return feeding.means(split, processes.gather(programs.evaluate(state, split)))


def _here(programs: RunPrograms, state: TrainState) -> tuple[Model, Params]:
    """The model and its parameters on this process's own device: what the first draws needs no other's help."""
    whole = state if processes.is_single_process() else jax.device_put(processes.gather(state))
    return programs.model(whole), averaged_params(whole)


def _snapshots(programs: RunPrograms, dataset: data.Dataset, state: TrainState) -> dict:
    model, params = _here(programs, state)
    if not processes.is_primary():
        return {}
    trained = pictures.TrainedModel(model, params, programs.spec, programs.rng)
    return pictures.snapshots(trained, programs.stored("validation"))


def _finish(programs: RunPrograms, dataset: data.Dataset, state: TrainState, workdir: Path) -> None:
    """The pictures, and last of all the figures on the test split, whose file marks a run as complete."""
    figures = _figures("validation", programs, dataset, state) | _figures("test", programs, dataset, state)
    model, params = _here(programs, state)
    if not processes.is_primary():
        return
    rows = logs.read_metrics(workdir / "metrics.jsonl")
    trained = pictures.TrainedModel(model, params, programs.spec, programs.rng)
    pictures.draw(workdir, trained, dataset, programs.stored("validation"), rows)
    finite = {name: value if math.isfinite(value) else str(value) for name, value in figures.items()}
    write_json(workdir / "evaluation.json", {**_measured_before(workdir), "step": int(state.step), **finite})
