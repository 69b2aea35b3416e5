"""Processes on many hosts that work as one: they join, share data and errors, and leave.

With one process nothing is exchanged, and nobody is waited for.
"""

import importlib.util
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from genjax.system.messages import first_line
from genjax.types import InputError

FORCED = "xla_force_host_platform_device_count"
JOIN_SECONDS = 300  # within which all processes must have started
LONGEST = 1000  # bytes of a message that all processes are told


def start(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    """Joins the other processes, if there are any; called before anything asks JAX for its devices.

    Args:
      coordinator: `host:port` of process 0, which listens there.
      num_processes: how many there are.
      process_id: which of them this is, from 0. With none of the three, the environment tells whether JAX can find
        them itself.

    Raises:
      InputError: only some of the three are given, or they contradict one another, or JAX does not find the others.
        Where they do not come in time the process ends with the same line and exit code.
    """
    arguments = {"coordinator_address": coordinator, "num_processes": num_processes, "process_id": process_id}
    is_single_process = all(value is None for value in arguments.values())
    if is_single_process and not in_cluster(os.environ):
        return
    if not is_single_process:
        _check(coordinator, num_processes, process_id)
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM from `interrupts`
    waiting = threading.Timer(JOIN_SECONDS, _give_up, [coordinator])
    waiting.start()
    try:
        jax.distributed.initialize(**arguments, initialization_timeout=2 * JOIN_SECONDS)
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(f"cannot join the other processes: {first_line(error)}") from error
    finally:
        waiting.cancel()


def _give_up(coordinator: str | None) -> None:
    """Ends the process as an InputError does: at its own time limit JAX would abort it, with a trace of its stack."""
    where = "" if coordinator is None else f" at {coordinator}"
    print(f"error: not all processes have met{where} within {JOIN_SECONDS} seconds", file=sys.stderr, flush=True)
    os._exit(2)


def _check(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    if coordinator is None or num_processes is None or process_id is None:
        raise InputError("--coordinator, --num-processes and --process-id are given together or not at all")
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise InputError(f"--coordinator={coordinator} is not of the form HOST:PORT")
    if not 0 <= process_id < num_processes:
        raise InputError(f"--process-id={process_id} is not one of {num_processes} processes, numbered from 0")


def in_cluster(environment: Mapping[str, str]) -> bool:
    """Whether `jax.distributed.initialize` would find other processes, told by the environment alone.

    JAX itself asks a server on some machines, and takes the variables of a job for those of its parallel step. A TPU's
    variables are those that importing JAX sets.
    """

    def number(name: str) -> int:
        value = environment.get(name, "")
        return int(value) if value.isdecimal() else 0

    if number("SLURM_STEP_NUM_TASKS") > 1 or number("OMPI_COMM_WORLD_SIZE") > 1:
        return True
    if "TPU_ML_PLATFORM" in environment:
        names = environment.get("TPU_PROCESS_ADDRESSES", environment.get("TPU_WORKER_HOSTNAMES"))
        if names is None:
            return "TPU_SKIP_MDS_QUERY" not in environment  # a TPU VM, whose metadata name its pod's workers
        return "," in names or number("MEGASCALE_NUM_SLICES") > 1
    indexed = "KUBERNETES_SERVICE_HOST" in environment and "JOB_COMPLETION_INDEX" in environment
    return indexed and importlib.util.find_spec("kubernetes") is not None


def use_cores_as_devices() -> None:
    """Makes a device of each core of this host, where its processor is what computes and nobody has said how many."""
    if jax.config.jax_num_cpu_devices < 1 and FORCED not in os.environ.get("XLA_FLAGS", ""):  # pyright: ignore
        jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))


def finish() -> None:
    """Leaves together with the others, if there are any: whoever left before them would be taken for dead."""
    jax.distributed.shutdown()


def is_single_process() -> bool:
    """Whether no other processes were joined; asks no device, unlike `jax.process_count`."""
    return not jax.distributed.is_initialized()


def is_primary() -> bool:
    """Whether this is the process that writes."""
    return is_single_process() or jax.process_index() == 0


def broadcast_bytes(content: bytes | None) -> bytes:
    """Process 0's bytes, on every process; what the others pass is not looked at."""
    if is_single_process():
        assert content is not None
        return content
    buffer = np.frombuffer(content or b"", np.uint8)
    length = int(multihost_utils.broadcast_one_to_all(np.uint32(len(buffer))))
    buffer = buffer if is_primary() else np.zeros(length, np.uint8)
    return multihost_utils.broadcast_one_to_all(buffer).tobytes()


def broadcast_tree(tree: Any, like: Any) -> Any:
    """Process 0's tree of arrays, to the bit, or its None, on every process.

    Args:
      tree: what the other processes pass is not looked at.
      like: a tree of the same structure, shapes and types, on every process.
    """
    if is_single_process():
        return tree
    content = broadcast_bytes(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)))
    if not content:
        return None
    leaves, structure = jax.tree.flatten(like)
    ends = np.cumsum([leaf.size * leaf.dtype.itemsize for leaf in leaves])
    parts = np.split(np.frombuffer(content, np.uint8), ends[:-1])
    arrays = [part.view(leaf.dtype).reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    return jax.tree.unflatten(structure, arrays)


def any_of(flag: bool) -> bool:
    """Whether it is set on any process."""
    return flag if is_single_process() else bool(multihost_utils.process_allgather(np.array([flag])).any())


def gather(tree: Any) -> Any:
    """A tree of global arrays, sharded or not, as NumPy arrays: whole on every process."""

    def to_numpy(leaf: Any) -> np.ndarray:
        if isinstance(leaf, jax.Array) and not (leaf.is_fully_addressable or leaf.is_fully_replicated):
            return multihost_utils.process_allgather(leaf, tiled=True)
        return np.asarray(leaf)

    return jax.tree.map(to_numpy, tree)


@contextmanager
def raise_together() -> Iterator[None]:
    """A block whose InputError on any process is every process's; inside it no process may wait for another."""
    if is_single_process():
        yield
        return
    own_message = b""
    try:
        yield
    except InputError as error:
        own_message = str(error).encode()[:LONGEST]
    padded = np.frombuffer(own_message.ljust(LONGEST, b"\0"), np.uint8)
    messages = [row.tobytes().rstrip(b"\0") for row in multihost_utils.process_allgather(padded)]
    if message := next(filter(None, messages), b""):
        raise InputError(message.decode(errors="replace"))
