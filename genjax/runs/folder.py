"""The folder of a run: which configuration it belongs to, and that one process at a time writes to it."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from genjax import config as configs
from genjax.system import environment, processes
from genjax.system.files import write_atomically
from genjax.types import InputError


def check_folder(workdir: Path, config: Mapping[str, Any]) -> None:
    """Refuses a folder that cannot be used; writes nothing.

    Of several processes that were started together the first one looks, and all of them raise what it finds.

    Raises:
      InputError: the folder belongs to another configuration, or the processes were given several configurations.
    """
    ours = configs.to_json(config)
    of_primary = processes.broadcast_bytes(ours.encode()).decode()
    with processes.raise_together():
        if differing := configs.differences(ours, of_primary):
            raise InputError(f"the processes have different settings; the first has {'; '.join(differing)}")
        if processes.is_primary():
            _check_config(workdir / "config.json", ours)


@contextmanager
def claim(workdir: Path, config: Mapping[str, Any]) -> Iterator[None]:
    """Makes the folder this configuration's and this process's own for the length of the block.

    Call it after everything else that can be refused: it writes. Of several processes the first one holds the folder.

    Raises:
      InputError: another process holds it, it cannot be written, or it belongs to another configuration.
    """
    with ExitStack() as stack:
        with processes.raise_together():
            if processes.is_primary():
                stack.enter_context(_hold(workdir, configs.to_json(config)))
        yield


@contextmanager
def _hold(workdir: Path, ours: str) -> Iterator[None]:
    """The lock is the kernel's, so a killed process leaves none behind."""
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        lock = (workdir / ".lock").open("w")
    except OSError as error:
        raise InputError(f"cannot write in the folder {workdir}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{workdir} is in use by another process") from error
        path = workdir / "config.json"
        _check_config(path, ours)
        if not path.exists() or path.read_text() != ours:
            write_atomically(path, ours.encode())
        yield


def _check_config(path: Path, ours: str) -> None:
    """Refuses a folder whose configuration is another one; the same with fewer steps is ours from now on."""
    if not path.exists():
        return
    try:
        theirs = path.read_text()
        differing = [] if _has_fewer_steps(theirs, ours) else configs.differences(ours, theirs)
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is not a configuration; delete it or choose another folder") from error
    if differing:
        raise InputError(f"{path.parent} belongs to another configuration; it has {'; '.join(differing)}")


def _has_fewer_steps(theirs: str, ours: str) -> bool:
    """Whether the configurations differ in `train.steps` alone, and ours has more."""
    before, after = json.loads(theirs), json.loads(ours)
    try:
        steps = before["train.steps"]
        return steps < after["train.steps"] and before == {**after, "train.steps": steps}
    except (KeyError, TypeError):
        return False


def record_environment(workdir: Path) -> None:
    """Writes `environment.json`: versions, devices and the commit with which the folder was last gone on with."""
    if processes.is_primary():
        write_json(workdir / "environment.json", environment.describe())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a small JSON file whole or not at all."""
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
