"""Arrays that are computed once and memory-mapped from then on."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genjax.data.assemble import assemble
from genjax.data.dataset import Dataset, Split
from genjax.data.splits import PARTS
from genjax.system.cache import root
from genjax.system.files import DAMAGES
from genjax.system.troubles import is_trouble
from genjax.types import InputError

WHOLE = 2**28  # bytes, a fifth of a second
BLOCK, BLOCKS = 2**20, 128  # of a larger file, of which this many are read

PARTIAL, A_DAY = ".partial-", 86_400.0  # begins the name of a folder that is being written; seconds

Entry = tuple[dict[str, np.ndarray], dict[str, Any]]  # arrays by name, and notes


def cached_dataset(name: str, key: str, build: Callable[[], Dataset]) -> Dataset:
    """Returns the data set kept under `key`, after building it if it is not there whole.

    Args:
      name: the source as the user wrote it.
      key: as that of `cached`.
      build: makes the data set.
    """
    arrays, notes = cached(key, lambda folder: _save(build(), folder))
    splits = {part: Split(arrays[f"{part}_x"], arrays.get(f"{part}_y")) for part in PARTS}
    return assemble(name, splits, notes["scale"], tuple(notes["target_names"]))


def _save(dataset: Dataset, folder: Path) -> dict[str, Any]:
    for part in PARTS:
        x, y = getattr(dataset, part)
        np.save(folder / f"{part}_x.npy", x)
        if y is not None:
            np.save(folder / f"{part}_y.npy", y)
    return {"scale": dataset.scale, "target_names": dataset.target_names}


def cached(key: str, build: Callable[[Path], dict[str, Any]]) -> Entry:
    """Returns the arrays kept under `key`, after building them if they are not there whole.

    Each file is moved into place when it is complete, the manifest last, so a reader finds all or nothing, and two
    processes that build the same entry at once replace equal files by equal files.

    Args:
      key: a relative path that changes whenever the content would.
      build: writes `<name>.npy` files into the folder that it is given, and returns the notes (JSON).

    Returns:
      `({name: read-only memory map}, notes)`.

    Raises:
      InputError: the cache is no folder.
      OSError: the machine cannot write it, or cannot read what is decoded.
    """
    folder = root() / key
    entry = _read(folder)
    if entry is None:
        try:
            _write(folder, build)
        except OSError as error:
            if error.filename is not None and not Path(error.filename).is_relative_to(root()):
                raise  # of what is decoded
            reason = f"{error.strerror or error}; set GENJAX_CACHE to a folder"
            if is_trouble(error):
                raise OSError(error.errno, reason, str(root())) from error
            raise InputError(f"cannot write {root()}: {reason}") from error
        entry = _read(folder)
    if entry is None:
        raise InputError(f"{folder} cannot be read back; delete it, or set GENJAX_CACHE to another folder")
    return entry


def _read(folder: Path) -> Entry | None:
    """The entry, or None if it is absent, truncated or damaged.

    Files up to `WHOLE` bytes are compared with their checksums whole, larger ones in blocks from all over them.
    """
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        checksums = manifest["checksums"]
        if any(checksum(folder / f"{name}.npy") != expected for name, expected in checksums.items()):
            return None
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in checksums}
        return arrays, manifest["notes"]
    except (OSError, TypeError, AttributeError, *DAMAGES):
        return None


def _write(folder: Path, build: Callable[[Path], dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{PARTIAL}*"):  # by a process that was killed; another may be at work on a younger one
        if time.time() - left.stat().st_mtime > A_DAY:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=folder) as temporary:
        notes = build(Path(temporary))
        paths = sorted(Path(temporary).iterdir())
        manifest = Path(temporary) / "manifest.json"
        manifest.write_text(json.dumps({"notes": notes, "checksums": {path.stem: checksum(path) for path in paths}}))
        for path in [*paths, manifest]:
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(folder / path.name)


def checksum(path: Path) -> str:
    """The size of a file, and the SHA-256 of its content or, of a large file, of evenly spaced blocks of it."""
    size = path.stat().st_size
    starts = [0] if size <= WHOLE else [i * (size - BLOCK) // (BLOCKS - 1) for i in range(BLOCKS)]
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for start in starts:
            file.seek(start)
            digest.update(file.read() if len(starts) == 1 else file.read(BLOCK))
    return f"{size} {digest.hexdigest()}"
