"""Three grey images as the channels of one, `stacked:<source>`: a thousand modes out of ten classes."""

import numpy as np

from genjax.data.assemble import assemble
from genjax.data.dataset import Dataset, Split
from genjax.data.splits import PARTS
from genjax.types import InputError

SEED = 20171010


def stack(name: str, single: Dataset) -> Dataset:
    """Stacked MNIST, from any labelled grey images (Metz et al. 2017).

    Each split has as many triples as it had images, drawn from itself with replacement, always the same ones. The label
    of channels of classes a, b and c is C^2 a + C b + c: for ten classes the three digits side by side.

    Args:
      name: the source as the user wrote it.
      single: `[N, H, W, 1]` images with labels.

    Raises:
      InputError: there are no labels, or other than one channel.
    """
    if len(single.shape) != 3 or single.shape[-1] != 1:
        raise InputError(f"{name}: only grey images are stacked; {single.name} has examples of shape {single.shape}")
    labels = [split.y for split in (single.train, single.validation, single.test) if split.y is not None]
    if len(labels) < len(PARTS) or labels[0].ndim > 1:
        raise InputError(f"{name}: {single.name} has no labels, one for each image, to make a label of")
    classes = max(len(single.target_names), 1 + max(int(y.max()) for y in labels))
    splits = {
        part: _triples(split, classes, SEED + number)
        for number, (part, split) in enumerate(zip(PARTS, (single.train, single.validation, single.test), strict=True))
    }
    return assemble(name, splits, single.scale)


def _triples(split: Split, classes: int, seed: int) -> Split:
    assert split.y is not None
    n = len(split.x)
    # A bit generator's stream is frozen for all versions of NumPy; a Generator's integers are not.
    indices = (np.random.PCG64(seed).random_raw(3 * n) % n).astype(np.int64).reshape(n, 3)
    x = np.stack([split.x[channel, ..., 0] for channel in indices.T], axis=-1)  # [n, H, W, 3]
    return Split(x, split.y.astype(np.int64)[indices] @ np.array([classes**2, classes, 1]))
