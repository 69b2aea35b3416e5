"""Two mixtures of Gaussians in the plane, the field's usual test of whether a generator finds every mode."""

import numpy as np

from genjax.data.assemble import assemble
from genjax.data.dataset import Dataset, Modes, Split

SIZES = {"train": 10_000, "validation": 2_500, "test": 2_500}


def ring8(source: str = "ring8") -> Dataset:
    """Eight modes on the unit circle, standard deviation 0.01; labels are the modes' indices."""
    angle = 2 * np.pi * np.arange(8) / 8
    return _draw_mixture(source, np.stack([np.cos(angle), np.sin(angle)], axis=1), sigma=0.01)


def grid25(source: str = "grid25") -> Dataset:
    """Twenty-five modes at {-4, -2, 0, 2, 4}^2, standard deviation 0.05; labels are the modes' indices."""
    side = np.arange(-4.0, 5.0, 2.0)
    return _draw_mixture(source, np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2), sigma=0.05)


def _draw_mixture(source: str, centres: np.ndarray, sigma: float) -> Dataset:
    splits = {}
    for seed, (part, n) in enumerate(SIZES.items()):
        rng = np.random.default_rng(seed)
        mode = rng.integers(len(centres), size=n)
        splits[part] = Split(centres[mode] + sigma * rng.standard_normal((n, 2)), mode)
    return assemble(source, splits, modes=Modes(centres.astype(np.float32), sigma))
