"""The folder of a run: which configuration it belongs to, and that one process at a time writes to it."""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from genjax import config as configs
from genjax.config import plugins
from genjax.data.source import make_absolute
from genjax.system import environment, processes
from genjax.system.files import read_object, remove_unfinished, write_atomically, write_json
from genjax.types import InputError

DATA = "data.json"  # fingerprints of the data


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
        # A link is not followed, and nothing is cut off.
        lock = os.fdopen(os.open(workdir / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b")
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError(f"{workdir / '.lock'} is a link; delete it") from error
        raise InputError(f"cannot write in the folder {workdir}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{workdir} is in use by another process") from error
        remove_unfinished(workdir)
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
        theirs = _with_later_settings(path.read_text(), ours)
        differing = [] if _has_fewer_steps(theirs, ours) else configs.differences(ours, theirs)
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise InputError(f"{path} is not a configuration; delete it or choose another folder") from error
    if differing:
        raise InputError(f"{path.parent} belongs to another configuration; it has {'; '.join(differing)}")


def _with_later_settings(theirs: str, ours: str) -> str:
    """A folder's settings with the defaults of those that did not exist yet when it was written."""
    before, after = json.loads(theirs), json.loads(ours)
    prefix = "" if "model.family" in after else "base."  # of a run, or of a sweep
    defaults = json.loads(configs.to_json(configs.default(after[f"{prefix}model.family"])))
    later = {f"{prefix}{name}": value for name, value in defaults.items() if f"{prefix}{name}" not in before}
    settings = {**{name: value for name, value in later.items() if name in after}, **before}
    if isinstance(source := settings.get(f"{prefix}data.source"), str):
        settings[f"{prefix}data.source"] = make_absolute(source)  # it was written as the user did
    return json.dumps(settings)


def _has_fewer_steps(theirs: str, ours: str) -> bool:
    """Whether the configurations differ in `train.steps` alone, and ours has more."""
    before, after = json.loads(theirs), json.loads(ours)
    try:
        steps = before["train.steps"]
        return steps < after["train.steps"] and before == {**after, "train.steps": steps}
    except (KeyError, TypeError):
        return False


def check_data(workdir: Path, fingerprints: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuses data that are not those which the folder has worked with so far; writes nothing.

    Args:
      workdir: the folder.
      fingerprints: of `data.fingerprint`, by the sources.

    Raises:
      InputError: a source holds other data than it did, or the record of it cannot be read.
    """
    with processes.raise_together():
        recorded = (read_object(workdir / DATA) or {}) if processes.is_primary() else {}
        by_place = {make_absolute(source): theirs for source, theirs in recorded.items()}
        for source, ours in fingerprints.items():
            theirs = by_place.get(make_absolute(source), ours)
            if not isinstance(theirs, dict) or theirs.get("digest") != ours["digest"]:
                raise InputError(f"{source} holds other data than {workdir} was made with: {_difference(ours, theirs)}")


def _difference(ours: Mapping[str, Any], theirs: Any) -> str:
    """Where two fingerprints differ, in a few words."""
    if not isinstance(theirs, dict):
        return f"{DATA} has no fingerprint of it"
    for name in ("shape", "type", "scale"):
        if ours[name] != theirs.get(name):
            return f"its {name} is {ours[name]}, and was {theirs.get(name)}"
    splits = theirs.get("splits")
    for name, split in ours["splits"].items():
        was = splits.get(name, {}) if isinstance(splits, dict) else {}
        if split != was:
            same_size = split["examples"] == was.get("examples")
            return f"its {name} split has {'other values' if same_size else split['examples']}" + (
                "" if same_size else f" examples, and had {was.get('examples')}"
            )
    return f"{DATA} was edited"


def record_data(workdir: Path, fingerprints: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes `data.json`: the fingerprints of the data that the folder works with, by their sources."""
    if processes.is_primary():
        write_json(workdir / DATA, {**(read_object(workdir / DATA) or {}), **fingerprints})


def record_plugins(workdir: Path, config: Mapping[str, Any]) -> list[str]:
    """Writes `plugins.json`: the plugins that the configuration needs; a line for each that has changed since then."""
    return plugins.record(workdir, config) if processes.is_primary() else []


def record_environment(workdir: Path) -> None:
    """Writes `environment.json`: versions, devices and the commit with which the folder was last gone on with."""
    if processes.is_primary():
        write_json(workdir / "environment.json", environment.describe())
