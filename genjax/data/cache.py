"""Arrays that are computed once and memory-mapped from then on."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genjax.system.cache import root
from genjax.system.files import DAMAGES
from genjax.types import InputError

Entry = tuple[dict[str, np.ndarray], dict[str, Any]]  # arrays by name, and notes


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
      InputError: the cache cannot be written.
    """
    folder = root() / key
    entry = _read(folder)
    if entry is None:
        try:
            _write(folder, build)
        except OSError as error:
            raise InputError(
                f"cannot write {root()} ({error.strerror or error}); set GENJAX_CACHE to a folder"
            ) from error
        entry = _read(folder)
    if entry is None:
        raise InputError(f"{folder} cannot be read back; delete it, or set GENJAX_CACHE to another folder")
    return entry


def _read(folder: Path) -> Entry | None:
    """The entry, or None if it is absent, truncated or damaged."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        sizes = manifest["bytes"]
        if any((folder / f"{name}.npy").stat().st_size != size for name, size in sizes.items()):
            return None
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in sizes}
        return arrays, manifest["notes"]
    except (OSError, TypeError, AttributeError, *DAMAGES):
        return None


def _write(folder: Path, build: Callable[[Path], dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder) as temporary:
        notes = build(Path(temporary))
        paths = sorted(Path(temporary).iterdir())
        manifest = Path(temporary) / "manifest.json"
        manifest.write_text(json.dumps({"notes": notes, "bytes": {path.stem: path.stat().st_size for path in paths}}))
        for path in [*paths, manifest]:
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(folder / path.name)
