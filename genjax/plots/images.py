"""Pictures made of tiles: samples, reconstructions, traversals and maps of a latent space.

Images are floats in [0, 1], `[..., H, W, C]` with one channel or three.
"""

import math
from collections.abc import Sequence

import numpy as np

from genjax.plots.figure import GAP, GREY, StrPath, encode_png, picture, to_uint8, write_png
from genjax.plots.sweep_scales import round_numbers
from genjax.plots.ticks import latent_name

DENSITY = 80  # squares along each side of a picture of points


def enlarge(images: np.ndarray, factor: int) -> np.ndarray:
    """`[..., H, W, C] -> [..., H * factor, W * factor, C]`: each pixel becomes a square."""
    return images.repeat(factor, axis=-3).repeat(factor, axis=-2)


def image_grid(images: np.ndarray, columns: int = 8, gap: int = 1) -> np.ndarray:
    """Tiles images row by row, with thin gaps between them, grey because images may be white or black at their edges.

    Args:
      images: `[N, H, W, C]`.
      columns: of the grid; no more than N.
      gap: pixels between neighbours. A last row that is not full is filled with grey.

    Returns:
      `[rows * (H + gap) - gap, columns * (W + gap) - gap, C]`.
    """
    n, height, width, channels = images.shape
    across = min(n, columns)
    down = math.ceil(n / across)
    cells = np.full((down * across, height + gap, width + gap, channels), GREY, np.float32)
    cells[:n, :height, :width] = images
    cells = cells.reshape(down, across, height + gap, width + gap, channels).swapaxes(1, 2)
    grid = cells.reshape(down * (height + gap), across * (width + gap), channels)
    return grid[: grid.shape[0] - gap, : grid.shape[1] - gap]


def samples(path: StrPath, images: np.ndarray, columns: int = 8, width: int = 800) -> None:
    """Saves `[N, H, W, C]` images as a grid of enlarged tiles."""
    tiles = enlarge(images, enlargement(images.shape[-2], min(len(images), columns), width))
    write_png(path, to_uint8(image_grid(tiles, columns, GAP)))


def thumbnail(samples: np.ndarray, width: int = 600) -> bytes:
    """A small PNG of images `[N, H, W, C]` side by side, or of how densely points `[N, 2]` lie.

    Args:
      samples: images in [0, 1], or points.
      width: in pixels, at most where images are enlarged.

    Example:
      >>> thumbnail(np.zeros((3, 8, 8, 1)))[1:4]
      b'PNG'
    """
    if samples.ndim == 4:
        tiles = enlarge(samples, enlargement(samples.shape[2], len(samples), width))
        return encode_png(to_uint8(image_grid(tiles, len(samples), GAP)))
    finite = samples[np.isfinite(samples).all(axis=1)]
    low, high = np.quantile(finite, [0.01, 0.99], axis=0) if len(finite) else (np.zeros(2), np.ones(2))
    margin = 0.1 * (high - low).max() + 1e-6
    ranges = [(low[d] - margin, high[d] + margin) for d in range(2)]
    counts, _, _ = np.histogram2d(finite[:, 0], finite[:, 1], bins=DENSITY, range=ranges)
    shades = 1 - np.sqrt(counts.T[::-1, :, None] / max(1, counts.max()))  # up is the second dimension
    return encode_png(to_uint8(enlarge(shades, 2)))


def enlargement(tile: int, columns: int, width: int = 800) -> int:
    """How many times tiles so wide may be enlarged, so that so many fill `width` pixels."""
    return max(1, width // (tile * columns))


def centres_of(count: int, tile: int, gap: int) -> np.ndarray:
    """Where the middles of so many tiles lie, in pixels, along one side of a grid."""
    return np.arange(count) * (tile + gap) + (tile - 1) / 2


def _numbers(values: np.ndarray) -> list[str]:
    return [f"{round(float(v), 6) + 0.0:.3g}".replace("-", "\N{MINUS SIGN}") for v in values]


def pairs(path: StrPath, upper: np.ndarray, lower: np.ndarray, names: tuple[str, str], columns: int = 12) -> None:
    """Saves images `[N, H, W, C]`, each over its partner, with the names of the two rows."""
    columns = min(columns, len(upper))
    factor = enlargement(upper.shape[2], columns)
    upper, lower = enlarge(upper, factor), enlarge(lower, factor)
    height = upper.shape[1]
    tiles = np.concatenate([upper, np.full_like(upper[:, :GAP], GREY), lower], axis=1)  # [N, 2H + GAP, W, C]
    rows = math.ceil(len(tiles) / columns)
    first = centres_of(rows, 2 * height + GAP, 3 * GAP) - (height + GAP) / 2
    with picture(path, image_grid(tiles, columns, 3 * GAP)) as axes:
        axes.set_yticks([*first, *(first + height + GAP)], [names[0]] * rows + [names[1]] * rows)


def traversal(
    path: StrPath, images: np.ndarray, values: np.ndarray, dimensions: Sequence[int] | np.ndarray, label: str = ""
) -> None:
    """Saves what the decoder makes of one latent dimension at a time.

    Args:
      path: of the PNG.
      images: `[D, K, H, W, C]`, dimension d at its k-th value, the others fixed.
      values: `[K]`, written along the top.
      dimensions: D numbers of the latent dimensions, from 0; each names its row.
      label: what the values are.
    """
    d, k, height, width, channels = images.shape
    tiles = enlarge(images.reshape(d * k, height, width, channels), enlargement(width, k))
    height, width = tiles.shape[1:3]
    stride = math.ceil(44 / (width + GAP))  # a number needs about 44 pixels
    with picture(path, image_grid(tiles, k, GAP)) as axes:
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.tick_params(length=0)
        axes.set_xticks(centres_of(k, width, GAP)[::stride], _numbers(values[::stride]))
        axes.set_yticks(centres_of(d, height, GAP), [latent_name(int(dimension)) for dimension in dimensions])
        axes.set_xlabel(label)


def latent_grid(path: StrPath, images: np.ndarray, extent: tuple[float, float, float, float]) -> None:
    """Saves the data that a 2-D latent space stands for, as a map of it.

    Args:
      path: of the PNG.
      images: `[R, C, H, W, ch]`; the first row is decoded from the greatest z1, the first column from the least z0.
      extent: least and greatest z0, least and greatest z1, at the middles of the outermost tiles.
    """
    rows, columns, height, width, channels = images.shape
    tiles = enlarge(images.reshape(rows * columns, height, width, channels), enlargement(width, columns))
    height, width = tiles.shape[1:3]
    left, right, bottom, top = extent
    with picture(path, image_grid(tiles, columns, GAP // 2)) as axes:
        axes.tick_params(length=3)
        for axis, ends, middles in (
            (axes.xaxis, (left, right), centres_of(columns, width, GAP // 2)),
            (axes.yaxis, (top, bottom), centres_of(rows, height, GAP // 2)),
        ):
            marks = round_numbers(min(ends), max(ends), log=False)
            places = middles[0] + (marks - ends[0]) / ((ends[1] - ends[0]) or 1) * (middles[-1] - middles[0])
            axis.set_ticks(places, _numbers(marks))
        axes.set(xlabel=latent_name(0), ylabel=latent_name(1))
