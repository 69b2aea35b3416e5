"""The one shape that every data source has."""

from typing import NamedTuple

import numpy as np

from genjax.types import DataSpec, Modes


class Split(NamedTuple):
    """Examples `x: [N, *shape]`, uint8 or float32, and targets `y`: labels `[N]`, factors `[N, F]`, or None."""

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
    """The part of a data set that a model is built from; the mean is the training split's, `[*shape]`."""
    x = dataset.train.x
    mean = x.mean(axis=0, dtype=np.float64) * dataset.scale
    flat = x.reshape(-1)
    power = np.einsum("i,i->", flat, flat, dtype=np.float64) / x.size * dataset.scale**2  # the mean of x^2
    return DataSpec(
        shape=dataset.shape,
        bounded=dataset.bounded,
        scale=dataset.scale,
        mean=mean.astype(np.float32),
        variance=float(power - np.mean(np.square(mean))),
        dynamic_binarisation=dynamic_binarisation,
        modes=dataset.modes,
    )
