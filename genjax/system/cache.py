"""The folder in which results are kept that are computed once: decoded data and compiled programs."""

import os
from pathlib import Path


def root() -> Path:
    """`$GENJAX_CACHE`, or else `genjax` in `$XDG_CACHE_HOME` or in `~/.cache`."""
    if folder := os.environ.get("GENJAX_CACHE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "genjax"
