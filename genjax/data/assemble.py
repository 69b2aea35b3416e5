"""The one gate that every source passes through: splits completed, arrays checked, one `Dataset` out."""

from collections.abc import Mapping

import numpy as np

from genjax.data.dataset import Dataset, Modes, Split
from genjax.data.splits import assign
from genjax.types import InputError


def assemble(
    name: str,
    source_splits: Mapping[str, Split],
    scale: float | None = None,
    target_names: tuple[str, ...] = (),
    modes: Modes | None = None,
) -> Dataset:
    """Makes a data set of the splits that a source has, holding the missing ones out of training.

    Args:
      name: the source as the user wrote it.
      source_splits: `train`, and `validation` and `test` if the source has them. `x` is uint8 or bool images
        `[N, H, W]` or `[N, H, W, C]`, float images of those shapes in [0, 1], or float points `[N, D]`; an image has
        one channel or three. `y` is integer labels `[N]` or factors `[N, F]`, or None throughout.
      scale: what a stored value is multiplied by; `pixel_scale` of the brightest split unless given.
      target_names: names of the classes or of the factors.
      modes: the mixture that points were drawn from.

    Raises:
      InputError: the arrays cannot be used.
    """
    if "train" not in source_splits:
        raise InputError(f"{name}: there is no training split, only {', '.join(source_splits)}")
    splits = {part: _checked(f"{name}: {part}", split) for part, split in source_splits.items()}
    for part, split in splits.items():
        _agree(f"{name}: {part}", split, splits["train"])
    counts = {part: len(split.x) for part, split in splits.items()}
    train, validation, test = (_take(splits[origin], index) for origin, index in assign(name, counts).values())
    shape = train.x.shape[1:]
    scale = min(pixel_scale(split.x) for split in splits.values()) if scale is None else scale
    return Dataset(name, train, validation, test, shape, len(shape) == 3, scale, target_names, modes)


def pixel_scale(x: np.ndarray) -> float:
    """1 for floats and for uint8 that is binary (no value above 1), 1/255 for any other uint8."""
    return 1 / 255 if x.dtype == np.uint8 and x.max() > 1 else 1.0


def _take(split: Split, index: np.ndarray) -> Split:
    """The examples at `index`; the arrays themselves, so that a memory map stays one, where that is all of them."""
    if len(index) == len(split.x):
        return split
    return Split(split.x[index], None if split.y is None else split.y[index])


def _agree(where: str, split: Split, train: Split) -> None:
    if split.x.shape[1:] != train.x.shape[1:] or split.x.dtype != train.x.dtype:
        of_split, of_train = (f"{side.x.dtype} of shape {side.x.shape[1:]}" for side in (split, train))
        raise InputError(f"{where} holds {of_split}, train holds {of_train}; every split must be alike")
    if _columns(split.y) != _columns(train.y):
        raise InputError(f"{where} and train have different kinds of labels; every split must be alike")


def _columns(y: np.ndarray | None) -> tuple[int, ...] | None:
    return None if y is None else y.shape[1:]


def _checked(where: str, split: Split) -> Split:
    x = _examples(where, np.asarray(split.x))
    if split.y is None:
        return Split(x)
    y = _targets(where, np.asarray(split.y))
    if len(y) != len(x):
        raise InputError(f"{where} has {len(x)} examples but {len(y)} labels")
    return Split(x, y)


def _examples(where: str, x: np.ndarray) -> np.ndarray:
    """`[N, H, W, C]` uint8 or float32, or `[N, D]` float32, or an error."""
    if x.dtype == bool:
        x = x.astype(np.uint8)
    floating = np.issubdtype(x.dtype, np.floating)
    if not floating and x.dtype != np.uint8:
        raise InputError(f"{where} holds {x.dtype} values; use uint8, or float in [0, 1] for images, float for points")
    if x.ndim not in ((2, 3, 4) if floating else (3, 4)):
        raise InputError(f"{where} has shape {x.shape}; images are [N, H, W] or [N, H, W, C], points are float [N, D]")
    if not len(x):
        raise InputError(f"{where} is an empty split")
    x = x[..., None] if x.ndim == 3 else x
    if 0 in x.shape or (x.ndim == 4 and x.shape[-1] not in (1, 3)):
        raise InputError(f"{where} has shape {x.shape}; an example cannot be empty, and has 1 or 3 channels, last")
    return _floats(where, x) if floating else x


def _floats(where: str, x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what does not fit float32 becomes infinite, and is refused as such
        x = x.astype(np.float32, copy=False)
    if not np.isfinite(x).all():
        raise InputError(f"{where} holds NaN or infinite values; remove or replace them")
    if x.ndim == 4 and (x.min() < 0 or x.max() > 1):
        raise InputError(f"{where} has values from {x.min():g} to {x.max():g}; float images lie in [0, 1]")
    return x


def _targets(where: str, y: np.ndarray) -> np.ndarray:
    """Labels `[N]` or factors `[N, F]` as int32, or an error; a single column is labels."""
    if not np.issubdtype(y.dtype, np.integer) or y.ndim not in (1, 2):
        raise InputError(f"{where} has {y.dtype} labels of shape {y.shape}; labels are integers, [N] or [N, factors]")
    if y.size and (y.min() < 0 or y.max() > np.iinfo(np.int32).max):
        raise InputError(f"{where} has labels from {y.min()} to {y.max()}; number the classes from 0")
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    return y.astype(np.int32, copy=False)
