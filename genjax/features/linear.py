"""`pixels` and `pca:<k>`: features that need no training but the data's own."""

import hashlib
import math
import re

import jax.numpy as jnp
import numpy as np

from genjax.features.extractor import Features
from genjax.rng import evenly_spaced
from genjax.types import Array, InputError

FITTED = 10_000  # the most examples that components are fitted on
DECIMALS = 4  # of a digest: linear algebra's last bits differ from machine to machine


def pixels(name: str, x: np.ndarray) -> Features:
    """The values themselves; `x: [n, *shape]` are any examples of the data."""
    return Features(name, "", math.prod(x.shape[1:]), lambda images: images.reshape(images.shape[0], -1))


def pca(name: str, x: np.ndarray) -> Features:
    """The first k principal components of at most 10,000 examples, evenly spaced among `x: [n, *shape]`.

    The features are (x - mean) V, not whitened: distances among them are those of the data's own space. A component
    beyond the data's rank is any direction in which they do not vary.

    Raises:
      InputError: k is no number from 1 to min(n, dimensions).
    """
    n = min(FITTED, len(x))
    largest, typed = min(n, math.prod(x.shape[1:])), name.removeprefix("pca:")
    k = int(typed) if re.fullmatch("[1-9][0-9]{0,8}", typed) else 0
    if not 1 <= k <= largest:
        raise InputError(f"{name}: the number of components is from 1 to {largest} here, not {typed!r}")
    mean, components = principal(x[evenly_spaced(FITTED, len(x))].reshape(n, -1), k)
    digest = hashlib.sha256(rounded(np.vstack([mean, components.T]))).hexdigest()[:16]
    centre, axes = mean.astype(np.float32)[None, :], components.astype(np.float32)  # [1, D], [D, k]

    def extract(images: Array) -> Array:
        return jnp.matmul(images.reshape(images.shape[0], -1) - centre, jnp.asarray(axes), precision="highest")

    return Features(name, digest, k, extract)


def principal(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean `[D]` of rows `[n, D]` and their first k principal directions `[D, k]`, in float64.

    The eigenvectors of the covariance with the largest eigenvalues, the largest first; the entry of largest size is
    positive, since an eigenvector's sign is free.
    """
    from scipy.linalg import eigh

    mean = x.mean(axis=0, dtype=np.float64)
    centred = x - mean  # [n, D]
    d = len(mean)
    _, vectors = eigh(centred.T @ centred / len(x), subset_by_index=(d - k, d - 1))  # [D, k], the smallest first
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(k)]
    return mean, (vectors * np.sign(largest))[:, ::-1]


def rounded(values: np.ndarray) -> bytes:
    """The values to four decimals, as bytes."""
    return (values.round(DECIMALS) + 0.0).tobytes()  # adding 0 makes 0 of -0
