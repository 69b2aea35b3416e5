"""The checkpoints of a training state, to read: verified by their digests, and left as they are.

`saving` writes them. The first process alone reads. The others call the same methods, to be given the arrays.
"""

import gc
import hashlib
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from genjax.system import processes
from genjax.system.files import read_object
from genjax.system.messages import first_line
from genjax.types import InputError, TrainState

if TYPE_CHECKING:  # orbax takes seconds to import
    import orbax.checkpoint as ocp

MONITOR = "metrics/metrics"  # of a checkpoint's folder: the file of its monitor
LATE_SECONDS = 0.5  # within which the readers of a damaged checkpoint that are still at work report


@contextmanager
def read_checkpoints(directory: Path) -> Iterator["Checkpoints"]:
    """Opens a folder of checkpoints and changes nothing in it: another process may be writing there."""
    if not processes.is_primary():
        yield Checkpoints(directory, None)
        return
    with open_reader() as reader:
        yield Checkpoints(directory, reader)


@contextmanager
def open_reader() -> Iterator["ocp.Checkpointer"]:
    """Opens what reads a checkpoint's arrays, on the first process alone."""
    import orbax.checkpoint as ocp

    own = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler(), multiprocessing_options=own) as reader:
        yield reader


def has_checkpoints(directory: Path) -> bool:
    """Whether a folder has a checkpoint; one whose writing was broken off has another name."""
    return directory.is_dir() and any(path.name.isdigit() for path in directory.iterdir())


class Checkpoints:
    """The checkpoints of a folder; see `read_checkpoints`.

    Every method but `restore` may be called on every process; `restore` reads, and so is for the first process.
    """

    def __init__(self, directory: Path, reader: "ocp.Checkpointer | None"):
        self.directory, self._reader = directory.absolute(), reader
        self.restored_log = ""  # what the log was when the state was saved that was read last

    def wait(self) -> None:
        """Waits until nothing is being written here by this object: a reader has nothing to wait for."""

    def latest_step(self) -> int | None:
        """The step of the newest checkpoint; None where there is none, and on the other processes."""
        return max(self._steps(), default=None)

    def best_step(self) -> int | None:
        """The step of the checkpoint whose monitor is the least, the newest of several; None as for `latest_step`.

        A monitor that cannot be read is passed over.
        """
        read = {step: read_monitor(self.directory / str(step) / MONITOR) for step in self._steps()}
        monitors = {step: monitor for step, monitor in read.items() if monitor is not None}
        return min(sorted(monitors, reverse=True), key=lambda step: monitors[step], default=None)

    def restore(self, step: int, like: TrainState) -> TrainState:
        """Reads the state that was saved at a step, onto the default device.

        Args:
          step: of a checkpoint.
          like: a state of the right structure, shapes and types.

        Raises:
          ValueError: the arrays are not the ones that were saved, or do not fit `like`; a damaged file may raise any
            other exception.
        """
        assert self._reader is not None
        self.wait()
        import orbax.checkpoint as ocp

        target = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in flatten(like).items()}
        items = ocp.args.Composite(
            arrays=ocp.args.StandardRestore(target),  # pyright: ignore[reportCallIssue]
            digest=ocp.args.JsonRestore(),
        )
        with late_reports_silenced():
            content = self._reader.restore(self.directory / str(step), args=items)
        arrays = {name: np.asarray(leaf) for name, leaf in content["arrays"].items()}
        if digest(arrays) != content["digest"]["sha256"]:
            raise ValueError("its contents are not what was written")
        if any(arrays[name].shape != leaf.shape or arrays[name].dtype != leaf.dtype for name, leaf in target.items()):
            raise ValueError("its arrays are of other shapes or types")
        self.restored_log = str(content["digest"].get("log", ""))
        return jax.tree.unflatten(jax.tree.structure(like), [jax.numpy.array(arrays[name]) for name in flatten(like)])

    def restore_newest(self, like: TrainState, report: Callable[[str], None]) -> TrainState | None:
        """Reads the newest checkpoint that can be read whole; None if there is no checkpoint.

        Args:
          like: a state of the right structure, shapes and types.
          report: receives one line for each checkpoint that was skipped.

        Raises:
          InputError: there are checkpoints, and none can be read: nothing is moved, and the run does not start again.
        """
        state = None
        with processes.raise_together():
            if self._reader is not None:
                state = self._restore_newest(like, report)
        return processes.broadcast_tree(state, like)

    def restore_best(self, like: TrainState) -> TrainState | None:
        """Reads the checkpoint whose monitored metric is the least; None if there is no checkpoint.

        Raises:
          InputError: it cannot be read.
        """
        state = None
        with processes.raise_together():
            if (step := self.best_step()) is not None:
                try:
                    state = self.restore(step, like)
                except Exception as error:  # whatever a damaged file makes the reader raise
                    reason = f"checkpoint {step} in {self.directory} cannot be read: {first_line(error)}"
                    raise InputError(reason) from error
        return processes.broadcast_tree(state, like)

    def _steps(self) -> list[int]:
        """Of all checkpoints, the newest first; of none on the other processes."""
        self.wait()
        if self._reader is None:
            return []
        return sorted((int(path.name) for path in self.directory.iterdir() if path.name.isdigit()), reverse=True)

    def _restore_newest(self, like: TrainState, report: Callable[[str], None]) -> TrainState | None:
        damaged: dict[int, str] = {}
        for step in self._steps():
            try:
                state = self.restore(step, like)
            except Exception as error:  # whatever a damaged file makes the reader raise
                damaged[step] = first_line(error)
                continue
            self._skip(damaged, report)
            return state
        if damaged:
            reason = next(iter(damaged.values()))
            raise InputError(f"no checkpoint in {self.directory} can be read ({reason}); move them away to start anew")
        return None

    def _skip(self, damaged: Mapping[int, str], report: Callable[[str], None]) -> None:
        """Reports the checkpoints that could not be read, `{step: reason}`."""
        for step, reason in damaged.items():
            report(f"checkpoint {step} cannot be read: skipped ({reason})")


def flatten(state: TrainState) -> dict[str, Any]:
    """`{path: array}`: a form that depends on no optimiser's own types."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of arrays with their names, types and shapes."""
    sha256 = hashlib.sha256()
    for name in sorted(arrays):
        sha256.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        sha256.update(np.ascontiguousarray(arrays[name]).tobytes())
    return sha256.hexdigest()


@contextmanager
def late_reports_silenced() -> Iterator[None]:
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


def read_monitor(path: Path) -> float | None:
    """The number by which a checkpoint may be the best; None where the file cannot be read."""
    try:
        monitor = (read_object(path) or {}).get("monitor")
    except InputError:
        return None
    return monitor if isinstance(monitor, int | float) else None
