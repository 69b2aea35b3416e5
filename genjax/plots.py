"""Pictures of data, samples, codes and learning curves: from NumPy arrays to PNG files, the same bytes every time.

Images are floats in [0, 1], `[..., H, W, C]` with one channel or three. Every picture is drawn without pyplot and
without the user's matplotlib settings, is written atomically, and is kept small.
"""

import io
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from genjax.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

StrPath: TypeAlias = str | os.PathLike[str]
LARGEST = 300_000  # bytes
DPI = 144
GAP = 4  # pixels between tiles
INK, BLUE, ORANGE = "#333333", "#0072b2", "#d55e00"
# For colour-blind readers too, after Paul Tol's "muted" scheme; class names are written beside the colours as well.
CLASSES = ("#332288", "#88ccee", "#117733", "#ddcc77", "#cc6677", "#44aa99", "#aa4499", "#999933", "#882255", "#777777")
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so it is the same everywhere
    "figure.dpi": DPI,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    **dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize", "figure.labelsize"), 9),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 8),
    **dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 0.6),
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as bytes, rounded; what lies outside is clipped, and NaN is black."""
    return np.rint(np.clip(np.nan_to_num(images), 0, 1) * 255).astype(np.uint8)


def enlarge(images: np.ndarray, factor: int) -> np.ndarray:
    """`[..., H, W, C] -> [..., H * factor, W * factor, C]`: each pixel becomes a square."""
    return images.repeat(factor, axis=-3).repeat(factor, axis=-2)


def image_grid(images: np.ndarray, columns: int = 8, gap: int = 1) -> np.ndarray:
    """Tiles images row by row, with thin white gaps between them.

    Args:
      images: `[N, H, W, C]`.
      columns: of the grid; no more than N.
      gap: pixels between neighbours. A last row that is not full is filled with white.

    Returns:
      `[rows * (H + gap) - gap, columns * (W + gap) - gap, C]`.
    """
    n, height, width, channels = images.shape
    across = min(n, columns)
    down = math.ceil(n / across)
    cells = np.ones((down * across, height + gap, width + gap, channels), np.float32)
    cells[:n, :height, :width] = images
    cells = cells.reshape(down, across, height + gap, width + gap, channels).swapaxes(1, 2)
    grid = cells.reshape(down * (height + gap), across * (width + gap), channels)
    return grid[: grid.shape[0] - gap, : grid.shape[1] - gap]


def samples(path: StrPath, images: np.ndarray, columns: int = 8, width: int = 800) -> None:
    """Saves `[N, H, W, C]` images as a grid of enlarged tiles."""
    tiles = enlarge(images, enlargement(images.shape[-2], min(len(images), columns), width))
    _write_png(path, to_uint8(image_grid(tiles, columns, GAP)))


def enlargement(tile: int, columns: int, width: int = 800) -> int:
    """How many times tiles so wide may be enlarged, so that so many fill `width` pixels."""
    return max(1, width // (tile * columns))


def _write_png(path: StrPath, pixels: np.ndarray) -> None:
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.save(buffer := io.BytesIO(), format="png", optimize=True)
    for colours in (256, 64, 16):
        if buffer.tell() > LARGEST:
            image.quantize(colours).save(buffer := io.BytesIO(), format="png", optimize=True)
    write_atomically(Path(path), buffer.getvalue())


@contextmanager
def drawing(path: StrPath, width: float, height: float, layout: Any = "constrained") -> Iterator["Figure"]:
    """An empty figure of `width` by `height` inches; saved, cropped to what was drawn, when the block ends."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=(width, height), layout=layout)
        canvas = FigureCanvasAgg(figure)
        yield figure
        canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        left, bottom, right, top = np.rint(figure.get_tightbbox().extents * DPI).astype(int)
        rows = slice(max(0, len(pixels) - top - 12), len(pixels) - max(0, bottom - 12))
        _write_png(path, pixels[rows, max(0, left - 12) : right + 12])


@contextmanager
def picture(path: StrPath, image: np.ndarray, room: int = 180) -> Iterator["Axes"]:
    """Axes that show an image `[H, W, C]` pixel for pixel, with `room` pixels for labels on each side."""
    height, width = image.shape[0] + 2 * room, image.shape[1] + 2 * room
    with drawing(path, (width + 0.5) / DPI, (height + 0.5) / DPI, layout="none") as figure:
        box = np.array([room, room, image.shape[1], image.shape[0]]) / np.tile(figure.bbox.size, 2)
        axes = figure.add_axes(tuple(box))
        axes.imshow(to_uint8(np.broadcast_to(image, (*image.shape[:2], 3))), interpolation="none", aspect="auto")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set(xticks=[], yticks=[])
        yield axes


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
    tiles = np.concatenate([upper, np.ones_like(upper[:, :GAP]), lower], axis=1)  # [N, 2H + GAP, W, C]
    rows = math.ceil(len(tiles) / columns)
    first = centres_of(rows, 2 * height + GAP, 3 * GAP) - (height + GAP) / 2
    with picture(path, image_grid(tiles, columns, 3 * GAP)) as axes:
        axes.set_yticks([*first, *(first + height + GAP)], [names[0]] * rows + [names[1]] * rows)


def traversal(path: StrPath, images: np.ndarray, values: np.ndarray, labels: Sequence[str] | None = None) -> None:
    """Saves what the decoder makes of one latent dimension at a time.

    Args:
      path: of the PNG.
      images: `[D, K, H, W, C]`, dimension d at its k-th value, the others fixed.
      values: `[K]`, written along the top.
      labels: D names of the rows; by default z with the dimension's number, from 1.
    """
    d, k, height, width, channels = images.shape
    tiles = enlarge(images.reshape(d * k, height, width, channels), enlargement(width, k))
    height, width = tiles.shape[1:3]
    labels = [f"$z_{{{i + 1}}}$" for i in range(d)] if labels is None else labels
    every = math.ceil(44 / (width + GAP))  # a number needs about 44 pixels
    with picture(path, image_grid(tiles, k, GAP)) as axes:
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.set_xticks(centres_of(k, width, GAP)[::every], _numbers(values[::every]))
        axes.set_yticks(centres_of(d, height, GAP), labels)


def latent_grid(path: StrPath, images: np.ndarray, extent: tuple[float, float, float, float]) -> None:
    """Saves the data that a 2-D latent space stands for, as a map of it.

    Args:
      path: of the PNG.
      images: `[R, C, H, W, ch]`; the first row is decoded from the greatest z2, the first column from the least z1.
      extent: least and greatest z1, least and greatest z2, at the middles of the outermost tiles.
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
            axis.set_ticks(np.linspace(middles[0], middles[-1], 5), _numbers(np.linspace(*ends, 5)))
        axes.set(xlabel="$z_1$", ylabel="$z_2$")


def latent_plane(
    path: StrPath, codes: np.ndarray, labels: np.ndarray | None = None, label_names: Sequence[str] = ()
) -> None:
    """Saves a scatter of codes `[N, 2]`, coloured by their class.

    Args:
      path: of the PNG.
      codes: `[N, 2]`.
      labels: `[N]`, classes from 0, or None.
      label_names: of the classes; by default their numbers.
    """
    from matplotlib.patheffects import withStroke

    order = np.random.default_rng(0).permutation(len(codes))  # so that no class hides another
    classes = np.zeros(len(codes), int) if labels is None else np.asarray(labels, int)
    palette = np.array([BLUE] if labels is None else CLASSES)
    colours = palette[classes % len(palette)]  # [N]
    size = float(np.clip(12_000 / max(1, len(codes)), 2, 14))
    with drawing(path, 6.2, 5.4) as figure:
        axes = figure.subplots()
        axes.scatter(*codes[order].T, s=size, c=colours[order], alpha=0.75, linewidths=0)
        axes.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal")
        if labels is None or len(np.unique(classes)) > 2 * len(palette):
            return  # no room to name them
        for c in np.unique(classes):
            name = str(label_names[c] if len(label_names) else c)
            x, y = np.median(codes[classes == c], axis=0)
            halo = [withStroke(linewidth=3, foreground="white")]
            axes.text(x, y, name, weight="bold", ha="center", va="center", path_effects=halo)
            axes.scatter([], [], s=24, c=palette[c % len(palette)], label=name)
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, handletextpad=0.2)


def curves(path: StrPath, rows: Sequence[Mapping[str, Any]]) -> None:
    """Saves the learning curves in rows of metrics: one panel a name, training and validation over each other."""
    names = list(dict.fromkeys(k.split("/", 1)[1] for row in rows for k in row if "/" in k))
    columns = min(3, max(1, len(names)))
    height = math.ceil(len(names) / columns)
    with drawing(path, max(4, 2.9 * columns), 0.4 + 2.1 * max(1, height)) as figure:
        for i, name in enumerate(names):
            axes = figure.add_subplot(height, columns, i + 1)
            axes.set_title(name)
            _curve(axes, rows, name)
        handles = {str(line.get_label()): line for axes in figure.axes for line in axes.lines}
        figure.legend(list(handles.values()), list(handles), loc="outside upper right", ncols=2)
        figure.supxlabel("step")


def _curve(axes: "Axes", rows: Sequence[Mapping[str, Any]], name: str) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    drawn = []
    for split, colour in (("train", BLUE), ("validation", ORANGE)):
        key = f"{split}/{name}"
        line = np.array([(row["step"], row[key]) for row in rows if key in row], float).reshape(-1, 2)
        if len(line):
            marks = {"marker": "o", "markersize": 2.5} if len(line) < 30 else {}
            axes.plot(*line.T, color=colour, label=split, linewidth=0.8 if len(line) > 200 else 1.2, **marks)
            drawn.append(line[:, 1])
    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > 10 * np.median(values):  # the first would flatten the rest
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlim(0, 1.03 * max(row["step"] for row in rows) or 1)


def points(path: StrPath, data: np.ndarray, samples: np.ndarray, centres: np.ndarray | None = None) -> None:
    """Saves 2-D data beside a model's samples and the samples' density, on the same axes.

    Args:
      path: of the PNG.
      data: `[N, 2]`, which sets the axes; the title says how many samples lie outside them.
      samples: `[M, 2]`.
      centres: `[K, 2]`, the middles of the data's modes where they are known; marked by rings.
    """
    from matplotlib.colors import LinearSegmentedColormap
    from scipy.ndimage import gaussian_filter

    middle = (data.min(axis=0) + data.max(axis=0)) / 2
    half = 0.62 * float(np.ptp(data, axis=0).max() or 1)
    box = np.stack([middle - half, middle + half], axis=1)  # [2, 2]: x and y from, to
    outside = int((~((samples >= box[:, 0]) & (samples <= box[:, 1])).all(axis=1)).sum())
    density, *_ = np.histogram2d(*samples.T, bins=200, range=box)
    with drawing(path, 9, 3.3) as figure:
        left, centre, right = figure.subplots(1, 3, sharex=True, sharey=True)
        for axes, title, xy, colour in ((left, "data", data, INK), (centre, "samples", samples, BLUE)):
            axes.scatter(*xy.T, s=float(np.clip(6_000 / max(1, len(xy)), 1.5, 12)), c=colour, alpha=0.4, linewidths=0)
            axes.set_title(title)
        if outside:
            centre.set_title(f"samples ({outside:,} of {len(samples):,} outside)")
        shades = LinearSegmentedColormap.from_list("", ["white", BLUE, "#00263d"])
        right.imshow(np.sqrt(gaussian_filter(density.T, 3)), extent=box.ravel(), origin="lower", cmap=shades)
        right.set_title("density of the samples (square root)")
        for axes in (left, centre, right):
            axes.set(xlim=box[0], ylim=box[1], aspect="equal")
            if centres is not None:
                axes.scatter(*centres.T, s=60, facecolors="none", edgecolors=ORANGE, linewidths=0.8)
