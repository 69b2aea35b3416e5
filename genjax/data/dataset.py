"""The one shape that every data source has."""

from typing import NamedTuple

import numpy as np

from genjax.types import Batch, DataSpec, InputError, Modes

AT_ONCE = 1000  # examples in double precision


class Split(NamedTuple):
    """Examples `x: [N, *shape]`, uint8, uint16 or float32, and targets `y`: labels `[N]`, factors `[N, F]`, or None."""

    x: np.ndarray
    y: np.ndarray | None = None


class Dataset(NamedTuple):
    """Three splits and what they share.

    Attributes:
      name: the source as the user wrote it.
      train, validation, test: the splits.
      shape: of one example, `(height, width, channels)` for images, `(dimensions,)` for points.
      bounded: images, with values in [0, 1] after scaling; False for points.
      scale: stored value times `scale` is a model's value.
      target_names: class names, or the names of the columns of the factors; empty where there are none.
      modes: the mixture that the points were drawn from, where it is known.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    shape: tuple[int, ...]
    bounded: bool
    scale: float
    target_names: tuple[str, ...] = ()
    modes: Modes | None = None


def describe(dataset: Dataset, dynamic_binarisation: bool = False) -> DataSpec:
    """The part of a data set that a model is built from; the mean is the training split's, `[*shape]`.

    Example:
      >>> from genjax.data import load
      >>> spec = describe(load("digits"))
      >>> spec.shape, spec.classes
      ((8, 8, 1), 10)
    """
    x = dataset.train.x
    mean = x.mean(axis=0, dtype=np.float64)
    squares = sum(float(np.square(x[i : i + AT_ONCE] - mean).sum()) for i in range(0, len(x), AT_ONCE))
    return DataSpec(
        shape=dataset.shape,
        bounded=dataset.bounded,
        scale=dataset.scale,
        mean=(mean * dataset.scale).astype(np.float32),
        variance=squares / x.size * dataset.scale**2,  # centred first: E x^2 - mean^2 loses digits far from zero
        dynamic_binarisation=dynamic_binarisation,
        modes=dataset.modes,
        binary=x.dtype == np.uint8 and dataset.scale == 1,
        classes=class_count(dataset),
        sample_metrics=() if dataset.modes is None else ("modes",),
        examples=len(x),
        levels=2 if dynamic_binarisation else _count_levels(x, dataset.scale),
    )


def _count_levels(x: np.ndarray, scale: float) -> int:
    return round(1 / scale) + 1 if np.issubdtype(x.dtype, np.integer) else 0


def class_count(dataset: Dataset) -> int:
    """How many classes the labels have; 0 where there are no labels `[N]`, one for each example of every split."""
    labels = [split.y for split in (dataset.train, dataset.validation, dataset.test) if split.y is not None]
    if len(labels) < 3 or labels[0].ndim > 1:
        return 0
    return max(len(dataset.target_names), 1 + max(int(label.max()) for label in labels))


def stored_batch(dataset: Dataset, split: Split, labelled: bool) -> Batch:
    """All examples of a split, `[N, ...]` as stored on the host, with labels where the model reads them.

    Raises:
      InputError: the model reads labels, and the data set has none.
    """
    if not labelled:
        return Batch(split.x)
    if not class_count(dataset):
        raise InputError(f"the model reads labels, and {dataset.name} has none, one for each example")
    return Batch(split.x, split.y)
