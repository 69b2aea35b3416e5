"""What tells a data set from another one of the same shape."""

import hashlib
from typing import Any

from genjax.data.dataset import Dataset, Split
from genjax.rng import evenly_spaced

WHOLE = 2**28  # bytes of a split that are hashed whole; of a larger one, rows from all over it
ROWS = 10_000


def fingerprint(dataset: Dataset) -> dict[str, Any]:
    """Shape, type and scale of the data, and of each split how many examples there are and a hash of what they hold.

    Returns:
      An object for JSON; `digest` names all of it in sixteen hexadecimal digits. A hash is over all examples of a split
      or, where that would take long, over the `hashed_rows` that are evenly spaced in it.

    Example:
      >>> from genjax.data import load
      >>> fingerprint(load("digits"))["splits"]["test"]["examples"]
      179
    """
    splits = {name: _of_split(getattr(dataset, name)) for name in ("train", "validation", "test")}
    x = dataset.train.x
    content = {"shape": list(dataset.shape), "type": str(x.dtype), "scale": dataset.scale, "splits": splits}
    return {**content, "digest": hashlib.sha256(repr(content).encode()).hexdigest()[:16]}


def _of_split(split: Split) -> dict[str, Any]:
    index = slice(None) if split.x.nbytes <= WHOLE else evenly_spaced(ROWS, len(split.x))
    rows = split.x[index]
    content = hashlib.sha256(rows.tobytes())
    if split.y is not None:
        content.update(split.y[index].tobytes())
    return {"examples": len(split.x), "hashed_rows": len(rows), "sha256": content.hexdigest()}
