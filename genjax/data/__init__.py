"""Every source of data, each as one `Dataset`."""

import difflib

from genjax.data import digits, folder, mixtures, npz, sprites, stacked, tfds
from genjax.data.dataset import Dataset, Modes, Split, describe, stored_batch
from genjax.types import InputError

__all__ = ["SOURCES", "Dataset", "Modes", "Split", "describe", "load", "stored_batch"]

# What stands in angle brackets is the user's to fill in.
SOURCES = {
    "digits": digits.load,
    "ring8": mixtures.ring8,
    "grid25": mixtures.grid25,
    "sprites": sprites.load,
    "sprites32": sprites.load32,
    "tfds:<name>": tfds.load,
    "npz:<path>": npz.load,
    "folder:<path>": folder.load,
    "stacked:<source>": lambda source: stacked.stack(source, load(source.removeprefix("stacked:"))),
}


def load(source: str) -> Dataset:
    """Loads a data set by its source: `digits`, `tfds:mnist`, `npz:faces.npz`, `folder:photos`, `stacked:digits`, ...

    Raises:
      InputError: there is no such source, or what it holds cannot be used.

    Example:
      >>> digits = load("digits")
      >>> digits.train.x.shape, digits.train.x.dtype
      ((1439, 8, 8, 1), dtype('uint8'))
    """
    head, colon, rest = source.partition(":")
    loaders = {name.partition("<")[0]: loader for name, loader in SOURCES.items()}
    if head + colon in loaders and bool(colon) == bool(rest):
        return loaders[head + colon](source)
    nearest = difflib.get_close_matches(head + colon, loaders, n=1)
    hint = f"; did you mean {nearest[0] + rest!r}?" if nearest else ""
    raise InputError(f"unknown data source {source!r}{hint} (the sources are {', '.join(SOURCES)})")
