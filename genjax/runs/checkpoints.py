"""Checkpoints of a training state: the newest three and the best, written in the background, verified when read.

The first process alone writes and reads them. The others call the same functions, to give and to be given the arrays.
"""

import hashlib
import json
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from genjax.system import processes
from genjax.system.messages import first_line
from genjax.types import InputError, TrainState

KEEP = 3


@contextmanager
def opened(directory: Path) -> Iterator[Any]:
    """An orbax manager of a folder of checkpoints, or None where this is not the first process.

    It is asynchronous and keeps the newest three and the best. Leaving the block waits for what is still being written.
    """
    if not processes.is_primary():
        yield None
        return
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.glob("*/metrics/metrics"):
        if _monitor(path) is None:  # orbax could not open the folder: this checkpoint is merely not the best
            path.unlink()
    import orbax.checkpoint as ocp
    from orbax.checkpoint import checkpoint_managers as managers

    def monitor(metrics: dict[str, float]) -> float:
        return metrics["monitor"]

    best = managers.BestN(get_metric_fn=monitor, reverse=True, n=1, keep_checkpoints_without_metrics=False)
    options = ocp.CheckpointManagerOptions(
        best_fn=monitor,  # without it orbax would not write the metrics, and a resumed run would not know its best
        best_mode="min",
        preservation_policy=managers.AnyPreservationPolicy([managers.LatestN(KEEP), best]),
        cleanup_tmp_directories=True,
        create=False,  # orbax makes no folder for one process of several
        multiprocessing_options=ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0}),
    )
    with _late_reads_unheard(), ocp.CheckpointManager(directory.absolute(), options=options) as manager:
        yield manager


def save(manager: Any, state: TrainState, monitor: float | None = None) -> None:
    """Starts to write a state as the checkpoint of its step.

    Args:
      manager: of `opened`.
      state: the next chunk may be donated it at once: the values are copied before this returns.
      monitor: the validation metric by which the best checkpoint is the least, where it was measured.
    """
    arrays = _to_host(state)
    if manager is None:
        return
    import orbax.checkpoint as ocp

    args = ocp.args.Composite(
        arrays=ocp.args.StandardSave(arrays), digest=ocp.args.JsonSave({"sha256": _digest(arrays)})
    )
    measured = math.inf if monitor is None or not math.isfinite(monitor) else monitor
    manager.save(int(arrays["step"]), args=args, metrics={"monitor": measured}, force=True)


def restore_newest(manager: Any, like: TrainState, report: Callable[[str], None]) -> TrainState | None:
    """The newest checkpoint that can be read whole, or None if there is none.

    Args:
      manager: of `opened`.
      like: a state of the right structure, shapes and types.
      report: told, in one line, of each checkpoint that was skipped; it is moved aside, so that it can be written anew.

    Raises:
      InputError: there are checkpoints, and none can be read: nothing is moved, and the run does not start again.
    """
    found = None
    with processes.raise_together():
        if manager is not None:
            found = _restore_newest(manager, like, report)
    return processes.broadcast_tree(found, like)


def _restore_newest(manager: Any, like: TrainState, report: Callable[[str], None]) -> TrainState | None:
    damaged: dict[int, str] = {}
    for step in sorted(manager.all_steps(), reverse=True):
        try:
            state = restore(manager, step, like)
        except Exception as error:  # whatever a damaged file makes the reader raise
            damaged[step] = first_line(error)
            continue
        _move_aside(manager, damaged, report)
        return state
    if damaged:
        reason = next(iter(damaged.values()))
        raise InputError(f"no checkpoint in {manager.directory} can be read ({reason}); move them away to start anew")
    return None


def _move_aside(manager: Any, damaged: dict[int, str], report: Callable[[str], None]) -> None:
    for step, reason in damaged.items():
        aside = Path(manager.directory) / f"damaged-{step}-{time.time_ns()}"
        (Path(manager.directory) / str(step)).rename(aside)
        report(f"checkpoint {step} cannot be read: skipped, and moved to {aside.name} ({reason})")
    manager.reload()  # forgets what was moved


def restore(manager: Any, step: int, like: TrainState) -> TrainState:
    """The state saved at a step, on the default device.

    Raises:
      ValueError: the arrays are not the ones that were saved, or do not fit `like`.
    """
    import orbax.checkpoint as ocp

    target = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in _flat(like).items()}
    args = ocp.args.Composite(arrays=ocp.args.StandardRestore(target), digest=ocp.args.JsonRestore())
    found = manager.restore(step, args=args)
    arrays = {name: np.asarray(leaf) for name, leaf in found["arrays"].items()}
    if _digest(arrays) != found["digest"]["sha256"]:
        raise ValueError("its contents are not what was written")
    if any(arrays[name].shape != leaf.shape or arrays[name].dtype != leaf.dtype for name, leaf in target.items()):
        raise ValueError("its arrays are of other shapes or types")
    return jax.tree.unflatten(jax.tree.structure(like), [jax.numpy.array(arrays[name]) for name in _flat(like)])


def _flat(state: TrainState) -> dict[str, Any]:
    """`{path: array}`: a form that depends on no optimiser's own types."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


def _to_host(state: TrainState) -> dict[str, np.ndarray]:
    return {name: np.array(leaf) for name, leaf in _flat(processes.gather(state)).items()}


def _digest(arrays: dict[str, np.ndarray]) -> str:
    whole = hashlib.sha256()
    for name in sorted(arrays):
        whole.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        whole.update(np.ascontiguousarray(arrays[name]).tobytes())
    return whole.hexdigest()


@contextmanager
def _late_reads_unheard() -> Iterator[None]:
    """Where one array cannot be read, the readers of the others call back too late, each with its own traceback."""
    hook, log = sys.unraisablehook, logging.getLogger("asyncio")
    sys.unraisablehook = lambda late: None if str(late.exc_value) == "Event loop is closed" else hook(late)
    log.disabled = True
    try:
        yield
    finally:
        sys.unraisablehook, log.disabled = hook, False


def _monitor(path: Path) -> float | None:
    try:
        monitor = json.loads(path.read_bytes())["monitor"]
    except (ValueError, KeyError, TypeError):
        return None
    return monitor if isinstance(monitor, int | float) else None
