"""Figures as PNG files: the same bytes every time, atomically written and kept small.

Every figure is drawn without pyplot and without the user's matplotlib settings.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from genjax.system.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

StrPath: TypeAlias = str | os.PathLike[str]
LARGEST = 300_000  # bytes
DPI = 144
GAP = 4  # pixels between tiles
GREY = 0.8  # of the gaps
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


def write_png(path: StrPath, pixels: np.ndarray) -> None:
    """Writes `[H, W, C]` bytes as `encode_png` makes them."""
    write_atomically(Path(path), encode_png(pixels))


def encode_png(pixels: np.ndarray) -> bytes:
    """`[H, W, C]` bytes, C one or three, as a PNG, with fewer colours where it would be larger than `LARGEST`.

    Example:
      >>> encode_png(np.zeros((8, 8, 1), np.uint8))[1:4]
      b'PNG'
    """
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.save(buffer := io.BytesIO(), format="png", optimize=True)
    for colours in (256, 64, 16):
        if buffer.tell() > LARGEST:
            image.quantize(colours).save(buffer := io.BytesIO(), format="png", optimize=True)
    return buffer.getvalue()


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
        write_png(path, pixels[rows, max(0, left - 12) : right + 12])


@contextmanager
def picture(path: StrPath, image: np.ndarray, margin: int = 180) -> Iterator["Axes"]:
    """Axes that show an image `[H, W, C]` pixel for pixel, with `margin` pixels for labels on each side."""
    height, width = image.shape[0] + 2 * margin, image.shape[1] + 2 * margin
    with drawing(path, (width + 0.5) / DPI, (height + 0.5) / DPI, layout="none") as figure:
        box = np.array([margin, margin, image.shape[1], image.shape[0]]) / np.tile(figure.bbox.size, 2)
        axes = figure.add_axes(tuple(box))
        axes.imshow(to_uint8(np.broadcast_to(image, (*image.shape[:2], 3))), interpolation="none", aspect="auto")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set(xticks=[], yticks=[])
        yield axes
