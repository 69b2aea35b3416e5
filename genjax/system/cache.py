"""The folder in which results are kept that are computed once: decoded data and compiled programs."""

import os
from pathlib import Path


def root() -> Path:
    """`$GENJAX_CACHE`, or else `genjax` in `$XDG_CACHE_HOME` or in `~/.cache`."""
    if folder := os.environ.get("GENJAX_CACHE"):
        return expand(folder, "GENJAX_CACHE")
    return expand(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "GENJAX_CACHE") / "genjax"


def expand(path: str, name: str) -> Path:
    """A path with `~` for the home of a user.

    Raises:
      InputError: there is no such user; the line begins with the name of what the path was given for.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        from genjax.types import InputError

        raise InputError(f"{name}: {path} has no home folder; give a path without '~'") from error
