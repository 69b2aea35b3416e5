"""The folder of a run: whose it is, and that one process at a time writes to it."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from genjax import config as configs
from genjax.system import processes
from genjax.system.files import write_atomically
from genjax.types import InputError


@contextmanager
def claim(workdir: Path, config: Mapping[str, Any]) -> Iterator[None]:
    """Makes the folder this configuration's and this run's own for the length of the block.

    Of several processes that were started together the first holds it, and all are told what is in the way.

    Raises:
      InputError: another run holds it, it belongs to another configuration, or the processes were given several.
    """
    ours = configs.to_json(config)
    theirs = processes.broadcast_bytes(ours.encode()).decode()
    with ExitStack() as held:
        with processes.raise_together():
            if differing := configs.differences(ours, theirs):
                raise InputError(f"the processes have different settings; the first has {'; '.join(differing)}")
            if processes.is_primary():
                held.enter_context(_hold(workdir, ours))
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
        _match(workdir / "config.json", ours)
        yield


def _match(path: Path, ours: str) -> None:
    """The folder's configuration is ours, or the same with fewer steps: then it has ours from now on."""
    if not path.exists() or _goes_on(path, ours):
        write_atomically(path, ours.encode())
        return
    try:
        differing = configs.differences(ours, path.read_text())
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is not a configuration; delete it or choose another folder") from error
    if differing:
        raise InputError(f"{path.parent} belongs to another configuration; it has {'; '.join(differing)}")


def _goes_on(path: Path, ours: str) -> bool:
    before, after = path.read_bytes(), json.loads(ours)
    try:
        steps = json.loads(before)["train.steps"]
        return steps < after["train.steps"] and json.loads(before) == {**after, "train.steps": steps}
    except (ValueError, KeyError, TypeError):
        return False


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a small JSON file whole or not at all."""
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
