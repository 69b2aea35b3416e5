"""Deterministic splits for the sources that lack them."""

from collections.abc import Iterable, Mapping

import numpy as np

from genjax.types import InputError

PARTS = ("train", "validation", "test")
NAMES = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}
SEED = 20130612


def find_parts(where: str, names: Iterable[str]) -> dict[str, str]:
    """Says which of some names are splits, `{split: name}`, in the order of `PARTS`; `val` is `validation` as well.

    Raises:
      InputError: two names are the same split.
    """
    parts: dict[str, str] = {}
    for name in names:
        part = NAMES.get(name)
        if part in parts:
            raise InputError(f"{where}: {parts[part]!r} and {name!r} are the same split; leave one out")
        if part is not None:
            parts[part] = name
    return {part: parts[part] for part in PARTS if part in parts}


def assign(name: str, counts: Mapping[str, int]) -> dict[str, tuple[str, np.ndarray]]:
    """Says which of a source's examples make up each split.

    A missing split is held out of training by a fixed permutation: a tenth of training, or as many examples as the
    split beside it has if those are fewer. A source without splits is thus divided 80/10/10.

    Args:
      name: the source as the user wrote it.
      counts: the number of examples in each split that the source has; `train` is one of them.

    Returns:
      `{split: (the source's split, indices into it in ascending order)}` for train, validation and test.

    Raises:
      InputError: a split would be empty.
    """
    # A bit generator's stream is frozen for all versions of NumPy; a Generator's permutation is not.
    order = np.argsort(np.random.PCG64(SEED).random_raw(counts["train"]), kind="stable")
    size = min([max(len(order) // 10, 1), *counts.values()])
    held_out = {}
    for part in ("test", "validation"):
        if part in counts:
            held_out[part] = (part, np.arange(counts[part]))
        else:
            held_out[part], order = ("train", np.sort(order[:size])), order[size:]
    assigned = {"train": ("train", np.sort(order)), "validation": held_out["validation"], "test": held_out["test"]}
    if empty := [part for part, (_, index) in assigned.items() if not len(index)]:
        raise InputError(f"{name}: too few examples, its {empty[0]} split would be empty (it has {dict(counts)})")
    return assigned
