"""Files that are whole or not there, and one reader for each kind of small file: its content or one line."""

import io
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genjax.system.messages import first_line
from genjax.types import InputError

# What a damaged file makes the readers of JSON and of arrays raise.
DAMAGES = (ValueError, KeyError, EOFError, RecursionError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a whole file or nothing: whoever opens `path` sees the old content or the new.

    The unfinished file has a name that nobody can foresee, in the same folder, and a link is never followed: neither
    there, nor at `path`, where a link is replaced and what it names stays as it is.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)
        unfinished.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a small JSON file whole or not at all."""
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


def remove_unfinished(folder: Path) -> None:
    """Removes what a killed `write_atomically` left in a folder that nobody else writes to."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def read_object(path: Path) -> dict[str, Any] | None:
    """The object that a JSON file holds, or None where there is no file.

    Raises:
      InputError: the file cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, *DAMAGES) as error:
        raise InputError(f"{path} cannot be read: {describe_damage(error)}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} cannot be read: it holds no JSON object")
    return content


def read_arrays(path: Path, content: bytes | None = None) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file, `{name: array}`; nothing in it is executed.

    Args:
      path: of the file.
      content: of it, where it was read already.

    Raises:
      InputError: the file cannot be read.
    """
    try:
        file = np.load(io.BytesIO(path.read_bytes() if content is None else content), allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("it holds one array, and no names")
        arrays = {name: file[name] for name in file.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("it holds something that is no array")
        return arrays
    except (OSError, *DAMAGES) as error:
        raise InputError(f"{path} cannot be read: {describe_damage(error)}") from error


def describe_damage(error: BaseException) -> str:
    """Why a file could not be read, in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "it holds no JSON"
    return "it is nested too deeply" if isinstance(error, RecursionError) else first_line(error)
