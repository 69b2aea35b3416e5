"""The handwritten digits that scikit-learn ships."""

import importlib.util
from pathlib import Path

import numpy as np

from genjax.data.assemble import assemble
from genjax.data.dataset import Dataset, Split


def load(source: str = "digits") -> Dataset:
    """1,797 grey images of 8x8 pixels, values 0 to 16, ten classes."""
    rows = _read_rows()  # [1797, 64 + 1]
    splits = {"train": Split(rows[:, :64].reshape(-1, 8, 8), rows[:, 64].astype(np.int64))}
    return assemble(source, splits, 1 / 16, tuple(map(str, range(10))))


def _read_rows() -> np.ndarray:
    """Pixels and label of each image, uint8: from the file alone, since importing scikit-learn takes seconds."""
    package = importlib.util.find_spec("sklearn")
    folders = [Path(folder) for folder in (package.submodule_search_locations or [])] if package else []
    for folder in folders:
        path = folder / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return np.loadtxt(path, delimiter=",", dtype=np.uint8)
    from sklearn.datasets import load_digits  # a version that keeps the file elsewhere

    x, y = load_digits(return_X_y=True)
    return np.column_stack([np.asarray(x), np.asarray(y)]).astype(np.uint8)
