"""Arrays as users hold them, made into the values that a model sees, or refused in one line."""

from typing import Any

import numpy as np

from genjax.types import DataSpec, InputError


def model_values(spec: DataSpec, x: Any) -> np.ndarray:
    """Examples as float32 values of the model, `[n, *shape]`.

    The type says which values an array holds. Integers are stored values, such as bytes, and are scaled. Floats are
    the model's own; those of images lie in [0, 1]. Grey images may lack the last axis.

    Raises:
      InputError: the shape is another one, values are not finite, or they are out of the range of their type.

    Example:
      >>> spec = DataSpec(shape=(1, 2, 1), bounded=True, scale=1 / 255, mean=np.zeros((1, 2, 1)), levels=256)
      >>> stored = np.array([[[0, 255]]], np.uint8)
      >>> model_values(spec, stored).ravel(), model_values(spec, stored / 255).ravel()
      (array([0., 1.], dtype=float32), array([0., 1.], dtype=float32))
      >>> model_values(spec, stored.astype(float))
      Traceback (most recent call last):
      genjax.types.InputError: x holds floats from 0 to 255: floats of images lie in [0, 1], integers are stored values
    """
    x = _shaped(spec.shape, np.asarray(x))
    if x.dtype == bool:
        return x.astype(np.float32)
    if np.issubdtype(x.dtype, np.integer):
        return _scaled(spec, x)
    if not np.issubdtype(x.dtype, np.floating):
        raise InputError(f"x holds {x.dtype} values: a model takes integers or floats")
    if not np.isfinite(x).all():
        raise InputError("x holds NaN or infinite values")
    if spec.bounded and x.size and (x.min() < 0 or x.max() > 1):
        raise InputError(
            f"x holds floats from {x.min():g} to {x.max():g}: "
            "floats of images lie in [0, 1], integers are stored values"
        )
    return x.astype(np.float32)


def _shaped(shape: tuple[int, ...], x: np.ndarray) -> np.ndarray:
    if shape[-1:] == (1,) and x.ndim == len(shape) > 1 and x.shape[1:] == shape[:-1]:
        x = x[..., None]
    if x.shape[1:] != shape or x.ndim != len(shape) + 1:
        raise InputError(f"x has shape {list(x.shape)}; this model takes [n, {', '.join(map(str, shape))}]")
    return x


def _scaled(spec: DataSpec, x: np.ndarray) -> np.ndarray:
    """Stored integers times the scale of the data."""
    if spec.bounded and x.size:
        largest = round(1 / spec.scale)
        if x.min() < 0 or x.max() > largest:
            raise InputError(
                f"x holds integers from {x.min()} to {x.max()}; the data of this model are stored from 0 to {largest}"
            )
    return (x.astype(np.float64) * spec.scale).astype(np.float32)


def labels(classes: int, label: Any, n: int) -> np.ndarray:
    """Classes as int32 `[n]`; a single one is that of all.

    Raises:
      InputError: the data have no classes, or these are others.

    Example:
      >>> labels(10, 3, 2)
      array([3, 3], dtype=int32)
    """
    label = np.asarray(label)
    if not classes:
        raise InputError("the data of this model have no classes, so a label says nothing")
    if not np.issubdtype(label.dtype, np.integer) or label.shape not in ((), (n,)):
        raise InputError(f"label is one class, or {n} of them, as integers; its shape is {list(label.shape)}")
    if label.size and (label.min() < 0 or label.max() >= classes):
        raise InputError(f"label holds {label.min()} to {label.max()}; the classes are 0 to {classes - 1}")
    return np.broadcast_to(label, (n,)).astype(np.int32)
