"""The handwritten digits that scikit-learn ships."""

import numpy as np

from genjax.data.assemble import assemble
from genjax.data.dataset import Dataset, Split


def load(source: str = "digits") -> Dataset:
    """1,797 grey images of 8x8 pixels, values 0 to 16, ten classes."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    images = np.asarray(x).reshape(-1, 8, 8).astype(np.uint8)
    return assemble(source, {"train": Split(images, np.asarray(y))}, 1 / 16, tuple(map(str, range(10))))
