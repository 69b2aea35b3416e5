"""Binary sprites drawn over a full grid of known factors."""

import itertools

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from genjax.data.assemble import assemble
from genjax.data.dataset import Dataset, Split

# 24,576 images, one for each combination: {factor: number of its values}.
FACTORS = {"shape": 3, "scale": 4, "orientation": 8, "x": 16, "y": 16}
SHAPES = ("square", "ellipse", "heart")
RADII = (0.12, 0.16, 0.20, 0.24)  # of the circle around a sprite, in image widths


def load(source: str = "sprites") -> Dataset:
    """64x64 sprites; the targets' columns are the indices of `FACTORS`."""
    return _draw_sprites(source, size=64)


def load32(source: str = "sprites32") -> Dataset:
    """The same sprites at 32x32."""
    return _draw_sprites(source, size=32)


def inside(shape: str, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Whether the points (u, v), v upwards, lie in a shape whose own circle has radius 1."""
    if shape == "square":
        return np.maximum(abs(u), abs(v)) <= np.sqrt(0.5)
    if shape == "ellipse":
        return u**2 + (2 * v) ** 2 <= 1
    u, v = 1.26 * u, 1.26 * v + 0.25  # the heart (u^2 + v^2 - 1)^3 = u^2 v^3 lies within 1.26 of (0, 0.25)
    return (u**2 + v**2 - 1) ** 3 <= u**2 * v**3


def draw(size: int) -> np.ndarray:
    """Every sprite, `[shape, scale, orientation, x, y, size, size]`, uint8 in {0, 1}; x grows rightwards, y downwards.

    Orientation k of 8 turns a sprite anticlockwise by k/8 of a right angle. The square's symmetry ends the range there:
    a full turn would draw each square four times and each ellipse twice, under different factors.
    """
    step = size // 32  # positions are whole pixels apart, so each sprite is drawn once and then shifted
    canvas = size + step * (FACTORS["x"] - 1)
    right = (np.arange(canvas) - (canvas - 1) / 2) / size
    images = np.empty((*FACTORS.values(), size, size), np.uint8)
    for (i, shape), (j, radius), k in itertools.product(
        enumerate(SHAPES), enumerate(RADII), range(FACTORS["orientation"])
    ):
        turn = np.exp(-0.5j * np.pi * k / FACTORS["orientation"]) / radius
        place = (right[None, :] - 1j * right[:, None]) * turn  # [canvas, canvas], in the sprite's own axes
        sprite = inside(shape, place.real, place.imag)
        windows = sliding_window_view(sprite, (size, size))[::-step, ::-step]  # [y, x, size, size]
        images[i, j, k] = windows.swapaxes(0, 1)
    return images


def _draw_sprites(source: str, size: int) -> Dataset:
    counts = tuple(FACTORS.values())
    factors = np.stack(np.unravel_index(np.arange(np.prod(counts)), counts), axis=1)
    images = draw(size).reshape(-1, size, size)
    return assemble(source, {"train": Split(images, factors)}, 1.0, tuple(FACTORS))
