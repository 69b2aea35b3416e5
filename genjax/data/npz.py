"""The user's own arrays, `npz:<path>`."""

from pathlib import Path

import numpy as np

from genjax.data.assemble import assemble
from genjax.data.dataset import Dataset, Split
from genjax.data.splits import PARTS
from genjax.system.messages import describe_unknown
from genjax.types import InputError

KEYS = ("x", "y", *(f"{axis}_{part}" for part in PARTS for axis in "xy"))


def load(source: str) -> Dataset:
    """Reads an archive of `x`, or of `x_train` and, if it has them, `x_validation` and `x_test`; `y...` likewise.

    `assemble` says what the arrays may be. Any other key is refused, since it may be a misspelt split.
    """
    arrays = _read(source)
    if unknown := sorted(arrays.keys() - set(KEYS)):
        raise InputError(f"{source}: {describe_unknown('key', unknown[0], KEYS)}")
    if ("x" in arrays) == ("x_train" in arrays):
        raise InputError(f"{source}: needs either 'x' or 'x_train'; it has {', '.join(sorted(arrays)) or 'nothing'}")
    if arrays.keys() & {"x", "y"} and len(arrays.keys() - {"x", "y"}):
        raise InputError(f"{source}: 'x' and 'y' stand alone; beside other splits call them 'x_train' and 'y_train'")
    names = {"train": ("x", "y")} if "x" in arrays else {part: (f"x_{part}", f"y_{part}") for part in PARTS}
    for x, y in names.values():
        if y in arrays and x not in arrays:
            raise InputError(f"{source}: has {y!r} but no {x!r}")
    return assemble(source, {part: Split(arrays[x], arrays.get(y)) for part, (x, y) in names.items() if x in arrays})


def _read(source: str) -> dict[str, np.ndarray]:
    path = Path(source.removeprefix("npz:")).expanduser()
    if not path.is_file():
        raise InputError(f"{source}: no such file")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except MemoryError:
        raise
    except Exception as error:  # a damaged archive fails in zip, zlib, struct or NumPy, each with errors of its own
        reason = " ".join(str(error).split())
        raise InputError(f"{source}: not an npz archive of plain, equal-sized arrays ({reason})") from error
    if strange := [key for key, value in arrays.items() if not isinstance(value, np.ndarray)]:
        raise InputError(f"{source}: member {strange[0]!r} is no array")
    return arrays
