"""Pictures of points in the plane: codes, data and samples."""

from collections.abc import Sequence

import numpy as np

from genjax.plots.figure import BLUE, CLASSES, INK, ORANGE, StrPath, drawing
from genjax.plots.ticks import latent_name


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
        axes.set(xlabel=latent_name(0), ylabel=latent_name(1), aspect="equal")
        if labels is None or len(np.unique(classes)) > 2 * len(palette):
            return  # too many to name them
        for c in np.unique(classes):
            name = str(label_names[c] if len(label_names) else c)
            x, y = np.median(codes[classes == c], axis=0)
            halo = [withStroke(linewidth=3, foreground="white")]
            axes.text(x, y, name, weight="bold", ha="center", va="center", path_effects=halo)
            axes.scatter([], [], s=24, c=palette[c % len(palette)], label=name)
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, handletextpad=0.2)


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
