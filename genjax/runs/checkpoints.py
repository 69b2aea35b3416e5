"""Checkpoints of a training state: the newest three and the best, written in the background, verified when read.

The first process alone writes and reads them. The others call the same methods, to give and to be given the arrays.
"""

import errno
import gc
import hashlib
import logging
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from genjax.system import processes
from genjax.system.files import read_object
from genjax.system.messages import first_line
from genjax.types import InputError, TrainState

if TYPE_CHECKING:  # orbax takes seconds to import
    import orbax.checkpoint as ocp

KEPT = 3
LATE_SECONDS = 0.5  # within which the readers of a damaged checkpoint that are still at work report


@contextmanager
def open_checkpoints(directory: Path) -> Iterator["Checkpoints"]:
    """Opens a folder of checkpoints to write in; leaving the block waits for what is still being written.

    Args:
      directory: made on the first process if it is not there.
    """
    if not processes.is_primary():
        yield Checkpoints(None, None)
        return
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.glob("*/metrics/metrics"):
        if _read_monitor(path) is None:  # orbax could not open the folder: this checkpoint is merely not the best
            path.unlink()
    import orbax.checkpoint as ocp
    from orbax.checkpoint import checkpoint_managers as managers

    def monitor(metrics: dict[str, float]) -> float:
        return metrics["monitor"]

    best = managers.BestN(get_metric_fn=monitor, reverse=True, n=1, keep_checkpoints_without_metrics=False)
    options = ocp.CheckpointManagerOptions(
        best_fn=monitor,  # without it orbax would not write the metrics, and a resumed run would not know its best
        best_mode="min",
        preservation_policy=managers.AnyPreservationPolicy([_Newest(), best]),
        cleanup_tmp_directories=True,
        enable_async_checkpointing=False,  # a disk that is full leaves orbax's own threads waiting for ever
        create=False,  # orbax makes no folder for one process of several
        multiprocessing_options=ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0}),
    )
    with (
        ocp.CheckpointManager(directory.absolute(), options=options) as manager,
        ThreadPoolExecutor(1) as writer,
    ):
        checkpoints = Checkpoints(manager, writer)
        yield checkpoints
        checkpoints.wait()


@contextmanager
def read_checkpoints(directory: Path) -> Iterator["Checkpoints"]:
    """Opens a folder of checkpoints and changes nothing in it: another process may be writing there."""
    if not processes.is_primary():
        yield Checkpoints(None, None)
        return
    import orbax.checkpoint as ocp

    own = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler(), multiprocessing_options=own) as reader:
        yield Checkpoints(_Folder(directory.absolute(), reader), None)


def has_checkpoints(directory: Path) -> bool:
    """Whether a folder has a checkpoint; one whose writing was broken off has another name."""
    return directory.is_dir() and any(path.name.isdigit() for path in directory.iterdir())


class _Folder(NamedTuple):
    """What is read of a folder of checkpoints, under the names of orbax's manager, which would write there too."""

    directory: Path
    reader: "ocp.Checkpointer"

    def all_steps(self) -> list[int]:
        return sorted(int(path.name) for path in self.directory.iterdir() if path.name.isdigit())

    def latest_step(self) -> int | None:
        return max(self.all_steps(), default=None)

    def best_step(self) -> int | None:
        """The newest of the steps whose monitor is the least; a monitor that cannot be read is passed over."""
        paths = {step: self.directory / str(step) / "metrics" / "metrics" for step in self.all_steps()}
        monitors = {step: monitor for step, path in paths.items() if (monitor := _read_monitor(path)) is not None}
        return min(sorted(monitors, reverse=True), key=lambda step: monitors[step], default=None)

    def restore(self, step: int, args: Any) -> Any:
        return self.reader.restore(self.directory / str(step), args=args)


class _Newest:
    """Keeps the newest checkpoints of the schedule, and the newest of all.

    One that a stop asked for lasts until the next of the schedule: a run that was stopped keeps what any other does.
    """

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        del context
        scheduled = [i for i, checkpoint in enumerate(checkpoints) if (checkpoint.metrics or {}).get("scheduled", True)]
        return [i in scheduled[-KEPT:] or i == len(checkpoints) - 1 for i in range(len(checkpoints))]


class Checkpoints:
    """The checkpoints of a run; see `open_checkpoints`.

    Every method but `restore` may be called on every process; `restore` reads, and so is for the first process.
    """

    def __init__(self, manager: "ocp.CheckpointManager | _Folder | None", writer: Executor | None):
        self._manager, self._writer = manager, writer
        self._written: Future | None = None  # of the last save
        self.restored_log = ""  # what the log was when the state was saved that was read last

    def save(self, state: TrainState, monitor: float | None = None, log: str = "", scheduled: bool = True) -> None:
        """Starts to write a state as the checkpoint of its step, once the one before is written.

        Args:
          state: the next chunk may be donated it at once: the values are copied before this returns.
          monitor: the validation metric by which the best checkpoint is the least, where it was measured.
          log: a digest of the log up to this step.
          scheduled: whether an uninterrupted run would save here too.

        Raises:
          OSError: the one before could not be written.
        """
        arrays = _to_host(state)
        with processes.raise_together():
            self.wait()
        if self._writer is not None and not isinstance(self._manager, _Folder | None):
            ranked_by = math.inf if monitor is None or not math.isfinite(monitor) else monitor
            metrics = {"monitor": ranked_by, "scheduled": scheduled}
            self._written = self._writer.submit(_write, self._manager, arrays, metrics, log)

    def wait(self) -> None:
        """Waits until the last save is written.

        Raises:
          OSError: it could not be written.
        """
        if self._written is not None:
            written, self._written = self._written, None
            written.result()

    def latest_step(self) -> int | None:
        """The step of the newest checkpoint; None where there is none, and on the other processes."""
        self.wait()
        return None if self._manager is None else self._manager.latest_step()

    def best_step(self) -> int | None:
        """The step of the checkpoint whose monitored metric is the least; None as for `latest_step`."""
        self.wait()
        return None if self._manager is None else self._manager.best_step()

    def restore(self, step: int, like: TrainState) -> TrainState:
        """Reads the state that was saved at a step, onto the default device.

        Args:
          step: of a checkpoint.
          like: a state of the right structure, shapes and types.

        Raises:
          ValueError: the arrays are not the ones that were saved, or do not fit `like`; a damaged file may raise any
            other exception.
        """
        assert self._manager is not None
        self.wait()
        import orbax.checkpoint as ocp

        target = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in _flatten(like).items()}
        items = ocp.args.Composite(
            arrays=ocp.args.StandardRestore(target),  # pyright: ignore[reportCallIssue]
            digest=ocp.args.JsonRestore(),
        )
        with _late_reports_silenced():
            content = self._manager.restore(step, args=items)
        arrays = {name: np.asarray(leaf) for name, leaf in content["arrays"].items()}
        if _digest(arrays) != content["digest"]["sha256"]:
            raise ValueError("its contents are not what was written")
        if any(arrays[name].shape != leaf.shape or arrays[name].dtype != leaf.dtype for name, leaf in target.items()):
            raise ValueError("its arrays are of other shapes or types")
        self.restored_log = str(content["digest"].get("log", ""))
        return jax.tree.unflatten(jax.tree.structure(like), [jax.numpy.array(arrays[name]) for name in _flatten(like)])

    def restore_newest(self, like: TrainState, report: Callable[[str], None]) -> TrainState | None:
        """Reads the newest checkpoint that can be read whole; None if there is no checkpoint.

        Args:
          like: a state of the right structure, shapes and types.
          report: receives one line for each checkpoint that was skipped. Where the folder is open to write in, it is
            moved aside and can be written anew.

        Raises:
          InputError: there are checkpoints, and none can be read: nothing is moved, and the run does not start again.
        """
        state = None
        with processes.raise_together():
            if self._manager is not None:
                state = self._restore_newest(self._manager, like, report)
        return processes.broadcast_tree(state, like)

    def restore_best(self, like: TrainState) -> TrainState | None:
        """Reads the checkpoint whose monitored metric is the least; None if there is no checkpoint.

        Raises:
          InputError: it cannot be read.
        """
        state = None
        with processes.raise_together():
            if self._manager is not None and (step := self.best_step()) is not None:
                try:
                    state = self.restore(step, like)
                except Exception as error:  # whatever a damaged file makes the reader raise
                    reason = f"checkpoint {step} in {self._manager.directory} cannot be read: {first_line(error)}"
                    raise InputError(reason) from error
        return processes.broadcast_tree(state, like)

    def _restore_newest(
        self, manager: "ocp.CheckpointManager | _Folder", like: TrainState, report: Callable[[str], None]
    ) -> TrainState | None:
        self.wait()
        damaged: dict[int, str] = {}
        for step in sorted(manager.all_steps(), reverse=True):
            try:
                state = self.restore(step, like)
            except Exception as error:  # whatever a damaged file makes the reader raise
                damaged[step] = first_line(error)
                continue
            if not isinstance(manager, _Folder):
                _move_aside(manager, damaged, report)
                return state
            for number, reason in damaged.items():
                report(f"checkpoint {number} cannot be read: skipped ({reason})")
            return state
        if damaged:
            reason = next(iter(damaged.values()))
            raise InputError(
                f"no checkpoint in {manager.directory} can be read ({reason}); move them away to start anew"
            )
        return None


def _write(
    manager: "ocp.CheckpointManager", arrays: dict[str, np.ndarray], metrics: dict[str, float], log: str
) -> None:
    """Writes arrays with their digest, the digest of the log, and what decides which checkpoints are kept.

    Raises:
      OSError: the disk is full, or something else of the machine.
    """
    import orbax.checkpoint as ocp

    items = ocp.args.Composite(
        arrays=ocp.args.StandardSave(arrays),  # pyright: ignore[reportCallIssue]
        digest=ocp.args.JsonSave({"sha256": _digest(arrays), "log": log}),  # pyright: ignore[reportCallIssue]
    )
    step = int(arrays["step"])
    try:
        with _late_reports_silenced():
            manager.save(step, args=items, metrics=metrics, force=True)
    except Exception as error:  # tensorstore has errors of its own, in which the system's number is text
        logging.getLogger("asyncio").disabled = True  # other arrays' writers report when the process ends
        number = re.search(r"os_error_code='(\d+)'", str(error))
        code = error.errno if isinstance(error, OSError) and error.errno else int(number[1]) if number else errno.EIO
        raise OSError(code, os.strerror(code), str(Path(manager.directory) / str(step))) from error


def _move_aside(manager: "ocp.CheckpointManager", damaged: dict[int, str], report: Callable[[str], None]) -> None:
    for step, reason in damaged.items():
        aside = Path(manager.directory) / f"damaged-{step}-{time.time_ns()}"
        (Path(manager.directory) / str(step)).rename(aside)
        report(f"checkpoint {step} cannot be read: skipped, and moved to {aside.name} ({reason})")
    manager.reload()  # forgets what was moved


def _flatten(state: TrainState) -> dict[str, Any]:
    """`{path: array}`: a form that depends on no optimiser's own types."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def _to_host(state: TrainState) -> dict[str, np.ndarray]:
    return {name: np.array(leaf) for name, leaf in _flatten(processes.gather(state)).items()}


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


@contextmanager
def _late_reports_silenced() -> Iterator[None]:
    """Silences the readers or writers of other arrays, which still report once one array has failed."""
    hook, logs = sys.unraisablehook, [logging.getLogger(name) for name in ("asyncio", "absl")]
    sys.unraisablehook = lambda late: None if str(late.exc_value) == "Event loop is closed" else hook(late)
    for log in logs:
        log.disabled = True
    try:
        yield
    except Exception:
        time.sleep(LATE_SECONDS)
        gc.collect()
        raise
    finally:
        sys.unraisablehook = hook
        for log in logs:
            log.disabled = False


def _read_monitor(path: Path) -> float | None:
    try:
        monitor = (read_object(path) or {}).get("monitor")
    except InputError:
        return None
    return monitor if isinstance(monitor, int | float) else None
