"""Checkpoints of a training state, to write: the newest three and the best, written in the background.

The first process alone writes. The others call the same methods, to give the arrays.
"""

import errno
import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from genjax.runs.checkpoints import (
    MONITOR,
    Checkpoints,
    digest,
    flatten,
    late_reports_silenced,
    open_reader,
    read_monitor,
)
from genjax.system import processes
from genjax.types import TrainState

if TYPE_CHECKING:  # orbax takes seconds to import
    import orbax.checkpoint as ocp

KEPT = 3


@contextmanager
def open_checkpoints(directory: Path) -> Iterator["CheckpointWriter"]:
    """Opens a folder of checkpoints to write in; leaving the block waits for what is still being written.

    Args:
      directory: made on the first process if it is not there.
    """
    if not processes.is_primary():
        yield CheckpointWriter(directory, None, None)
        return
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.glob(f"*/{MONITOR}"):
        if read_monitor(path) is None:  # orbax could not open the folder: this checkpoint is merely not the best
            path.unlink()
    with _open_manager(directory) as manager, open_reader() as reader, ThreadPoolExecutor(1) as thread:
        checkpoints = CheckpointWriter(directory, reader, _Backend(manager, thread))
        yield checkpoints
        checkpoints.wait()


def _open_manager(directory: Path) -> "ocp.CheckpointManager":
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
    return ocp.CheckpointManager(directory.absolute(), options=options)


class _Newest:
    """Keeps the newest checkpoints of the schedule, and the newest of all.

    One that a stop asked for lasts until the next of the schedule: a run that was stopped keeps what any other does.
    """

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        del context
        scheduled = [i for i, checkpoint in enumerate(checkpoints) if (checkpoint.metrics or {}).get("scheduled", True)]
        return [i in scheduled[-KEPT:] or i == len(checkpoints) - 1 for i in range(len(checkpoints))]


class _Backend(NamedTuple):
    """What writes, on the first process."""

    manager: "ocp.CheckpointManager"
    thread: Executor


class CheckpointWriter(Checkpoints):
    """Checkpoints that can be written too; see `open_checkpoints`. It reads what is there once that is written whole.

    A damaged checkpoint that `restore_newest` skips is moved aside, and can be written anew.
    """

    def __init__(self, directory: Path, reader: "ocp.Checkpointer | None", backend: _Backend | None):
        super().__init__(directory, reader)
        self._backend = backend
        self._written: Future | None = None  # of the last save

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
        arrays = {name: np.array(leaf) for name, leaf in flatten(processes.gather(state)).items()}
        with processes.raise_together():
            self.wait()
        if self._backend is not None:
            ranked_by = math.inf if monitor is None or not math.isfinite(monitor) else monitor
            metrics = {"monitor": ranked_by, "scheduled": scheduled}
            self._written = self._backend.thread.submit(_write, self._backend.manager, arrays, metrics, log)

    def wait(self) -> None:
        """Waits until the last save is written.

        Raises:
          OSError: it could not be written.
        """
        if self._written is not None:
            written, self._written = self._written, None
            written.result()

    def _skip(self, damaged: Mapping[int, str], report: Callable[[str], None]) -> None:
        assert self._backend is not None
        for step, reason in damaged.items():
            aside = self.directory / f"damaged-{step}-{time.time_ns()}"
            (self.directory / str(step)).rename(aside)
            report(f"checkpoint {step} cannot be read: skipped, and moved to {aside.name} ({reason})")
        self._backend.manager.reload()  # forgets what was moved


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
        digest=ocp.args.JsonSave({"sha256": digest(arrays), "log": log}),  # pyright: ignore[reportCallIssue]
    )
    step = int(arrays["step"])
    try:
        with late_reports_silenced():
            manager.save(step, args=items, metrics=metrics, force=True)
    except Exception as error:  # tensorstore has errors of its own, in which the system's number is text
        logging.getLogger("asyncio").disabled = True  # other arrays' writers report when the process ends
        number = re.search(r"os_error_code='(\d+)'", str(error))
        code = error.errno if isinstance(error, OSError) and error.errno else int(number[1]) if number else errno.EIO
        raise OSError(code, os.strerror(code), str(Path(manager.directory) / str(step))) from error
