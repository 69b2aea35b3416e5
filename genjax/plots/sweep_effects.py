"""Pictures of a sweep: what each hyperparameter did, how the trials learned, what the best and the worst of them made.

Drawn as in `plots`. The darker, the better; a point is a setting of all axes, and its seeds are its trials. One
trial that is a million times off is marked at the edge, and the others stay readable.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from genjax.plots.figure import BLUE, GAP, GREY, INK, ORANGE, StrPath, drawing, picture
from genjax.plots.images import centres_of, enlarge, enlargement, image_grid
from genjax.plots.sweep_scales import (
    Points,
    Results,
    Scale,
    View,
    dodged,
    limits,
    numerals,
    points_of,
    scale,
    short_names,
    thinned,
    view,
    wrapped,
)
from genjax.plots.ticks import rank_ticks, tick_counts, tick_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

LEGEND = ("trial", "mean ± s.d. of a point", "point", "median of the points", "beyond the axis", "diverged")


def objective_label(results: Results, height: float) -> str:
    """The label of an axis so many inches high."""
    words, width = f"({'lower' if results.goal == 'min' else 'higher'} is better)", int(12 * (height + 0.6))
    name = named_metric(results)
    together = len(name) + len(words) < width
    return wrapped(f"{name} {words}", width) if together else f"{wrapped(name, width)}\n{words}"


def named_metric(results: Results) -> str:
    """The metric and its unit."""
    return f"{results.metric}, {results.unit}" if results.unit else results.metric


def _say(axes: "Axes", results: Results) -> None:
    text = "every trial diverged" if results.diverged.all() else "no finite value"
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center")


def shades_of_rank() -> "ListedColormap":
    """From the best to the worst; in order for colour-blind readers and in grey too."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["YlGnBu"](np.linspace(1, 0.25, 256)))


def rank_colours(figure: "Figure", axes: "Axes", count: int) -> np.ndarray:
    """A colour for each rank `[count + 1, 4]`, that of rank 0 last of all, and a colour bar if there are two ranks."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    shades = ScalarMappable(Normalize(1, max(count, 2)), shades_of_rank())
    if count > 1:
        bar = figure.colorbar(shades, ax=axes, label="rank", ticks=rank_ticks(count), aspect=30, pad=0.02)
        bar.ax.invert_yaxis()
        bar.outline.set_visible(False)  # pyright: ignore
    return np.asarray(shades.to_rgba(np.arange(count + 1)))


def _show(axes: "Axes", span: View, below: float, above: float, values: np.ndarray) -> None:
    """Sets the y axis of an objective's values, with margins in parts of its height."""
    ends = np.array([span.low, span.high])
    low, high = (np.log(ends) if span.log else ends).tolist()
    low, high = low - below * (high - low), high + above * (high - low)
    if span.log:
        axes.set_yscale("log")
        low, high = math.exp(low), math.exp(high)
        log_ticks(axes, span)
    else:
        tick_counts(axes.yaxis, values)
    axes.set_ylim(low, high)


def log_ticks(axes: "Axes", span: View) -> None:
    """Readable numbers on a logarithmic y axis."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if span.high < 300 * span.low else (1,)))
    axes.yaxis.set_major_formatter(lambda v, _: numerals(np.array([v]))[0])
    axes.yaxis.set_minor_formatter(NullFormatter())


def axis_effects(path: StrPath, results: Results) -> None:
    """Saves the objective against each axis: trials, their points, and the points' median at each value."""
    points, panels = points_of(results), short_names(results)
    columns = 2 if len(panels) == 4 else min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    span = view(results.values)
    low, high = (bool((results.values < span.low).any()), bool((results.values > span.high).any()))
    worst = (
        bool(results.diverged.any()) and results.goal == "max",
        bool(results.diverged.any()) and results.goal == "min",
    )
    with drawing(path, max(4, 0.5 + 2.7 * columns), 0.7 + 2.4 * rows) as figure:
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        _show(
            grid[0],
            _with_bars(span, points),
            0.06 + 0.08 * (low + worst[0]),
            0.06 + 0.08 * (high + worst[1]),
            results.values,
        )
        for axes, (name, values) in zip(grid, panels.items(), strict=False):
            _effect(axes, scale(values), results, points, span)
            axes.set_xlabel(wrapped(name, 36))
        for axes in grid[len(panels) :]:
            axes.remove()
        handles = {str(h.get_label()): h for axes in grid for h in axes.get_legend_handles_labels()[0]}
        handles = {label: handles[label] for label in LEGEND if label in handles}
        figure.legend(list(handles.values()), list(handles), loc="outside upper right", ncols=(2, 3, 5)[columns - 1])
        figure.supylabel(objective_label(results, 2.4 * rows))
        if not np.isfinite(results.values).any():
            _say(grid[0], results)
            grid[0].set_yticks([])


def _with_bars(span: View, points: Points) -> View:
    """The span of an axis with the standard deviations of the means that it shows; a logarithmic one stays."""
    if span.log:
        return span
    within = (points.mean >= span.low) & (points.mean <= span.high)
    mean, std = points.mean[within], np.nan_to_num(points.std[within])
    low, high = (mean - std).min(initial=span.low), (mean + std).max(initial=span.high)
    return View(float(low), float(high), log=False)


def _effect(axes: "Axes", axis: Scale, results: Results, points: Points, span: View) -> None:
    positions = dodged(axis.places[points.first], 0.6)
    x, y = dodged(positions[points.of], 0.25), results.values  # the seeds of a point side by side
    if seeds := bool(np.isfinite(points.std).any()):
        axes.scatter(x, y, s=9, color=BLUE, alpha=0.35, linewidths=0, label=LEGEND[0])
    within = (points.mean >= span.low) & (points.mean <= span.high)
    if within.any():
        bars = {"fmt": "o", "markersize": 3.5, "elinewidth": 0.9, "label": LEGEND[1] if seeds else LEGEND[2]}
        axes.errorbar(positions[within], points.mean[within], points.std[within] if seeds else None, color=BLUE, **bars)
    distinct = axis.distinct
    if len(distinct) <= 12 and within.any():
        at = [points.mean[(axis.places[points.first] == d) & (points.rank > 0)] for d in distinct]
        medians = [np.median(m) if len(m) else np.nan for m in at]
        style = {"linestyle": "none", "marker": "_", "markersize": 16} if axis.kind == "categorical" else {}
        axes.plot(distinct, medians, color=INK, label=LEGEND[3], **style)
    down = results.goal == "max"
    marks = {"transform": axes.get_xaxis_transform(), "clip_on": False, "zorder": 3}
    bad = results.diverged & np.isnan(y)
    for selected, marker, edge, colour, label in (
        (y < span.low, "v", 0.03 + 0.06 * (down and bad.any()), INK, LEGEND[4]),
        (y > span.high, "^", 0.97 - 0.06 * (not down and bad.any()), INK, LEGEND[4]),
        (bad, "x", 0.03 if down else 0.97, ORANGE, LEGEND[5]),
    ):
        if selected.any():
            axes.scatter(
                x[selected], np.full(selected.sum(), edge), s=18, marker=marker, c=colour, label=label, **marks
            )
    name_values(axes, axis)
    axes.set_xlim(min(-0.05, positions.min() - 0.04), max(1.05, positions.max() + 0.04))


def name_values(axes: "Axes", axis: Scale) -> None:
    """Names the values of a sweep's axis along x, those that have the room."""
    wide = axis.kind == "categorical" and sum(map(len, axis.labels)) + 2 * len(axis.labels) > 36
    labelled = thinned(axis.ticks, 0.05 if wide else 0.08 if axis.kind == "categorical" else 0.19)
    turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if wide else {}
    axes.set_xticks(axis.ticks[labelled], [wrapped(axis.labels[i], 99) for i in labelled], **turned)


def ranked_curves(path: StrPath, steps: np.ndarray, curves: np.ndarray, results: Results) -> None:
    """Saves the trials' learning curves, coloured by the rank of their point, the best on top.

    Args:
      path: of the PNG.
      steps: `[E]`.
      curves: `[T, E]`, nan where a trial had stopped; a dot ends it there.
      results: of the T trials.
    """
    points = points_of(results)
    count = int(points.rank.max())
    ranks, span = points.rank[points.of], view(curves)  # ranks: [T]
    with drawing(path, 6.4, 3.8) as figure:
        axes = figure.subplots()
        colours = rank_colours(figure, axes, count)
        for t in np.argsort(np.where(ranks == 0, count + 1, ranks), stable=True)[::-1]:
            finite = np.isfinite(curves[t])
            lost = {"color": ORANGE, "linestyle": "--", "linewidth": 0.8, "label": "diverged"}
            style = {"color": colours[ranks[t]], "linewidth": 1 + (ranks[t] == 1)} if ranks[t] else lost
            axes.plot(steps[finite], curves[t, finite], **style)
            if finite.any() and not finite[-1]:
                axes.plot(steps[finite][-1], curves[t, finite][-1], "o", markersize=3, color=style["color"], zorder=3)
        axes.set(xlabel="step", ylabel=objective_label(results, 3.4))
        tick_steps(axes.xaxis)
        _show(axes, span, 0.04, 0.04 + 0.08 * bool((curves > span.high).any()), curves)
        _mark_beyond(axes, steps, curves, span)
        if (np.isfinite(curves).any(axis=1) & ~np.isfinite(curves[:, -1:]).any(axis=1) & (ranks > 0)).any():
            axes.plot([], [], "o", color=INK, markersize=3, label="ended early")
        if handles := dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True)):
            axes.legend(list(handles.values()), list(handles))
        if not np.isfinite(curves).any():
            _say(axes, results)


def _mark_beyond(axes: "Axes", steps: np.ndarray, curves: np.ndarray, span: View) -> None:
    """Marks the steps at which curves `[T, E]` are above or below what the y axis shows."""
    marks = {"transform": axes.get_xaxis_transform(), "clip_on": False, "color": INK, "s": 18, "zorder": 3}
    for beyond, marker, edge in ((curves < span.low, "v", 0.03), (curves > span.high, "^", 0.97)):
        if beyond.any():
            at = steps[beyond.any(axis=0)]
            axes.scatter(at, np.full(len(at), edge), marker=marker, label=LEGEND[4], **marks)


def sample_rows(path: StrPath, rows: Sequence[tuple[str, np.ndarray]]) -> None:
    """Saves what some trials made: a row of at most 12 images each, or a scatter each on the first one's axes.

    Args:
      path: of the PNG.
      rows: labels, and images `[N, H, W, C]` in [0, 1] or points `[N, 2]`, all of one kind.
    """
    if rows[0][1].ndim == 2:
        return _scatters(path, rows)
    columns = min(12, max(len(images) for _, images in rows))
    height, width = rows[0][1].shape[1:3]
    factor = enlargement(width, 12)
    cells = np.full((len(rows), columns, height * factor, width * factor, 3), GREY, np.float32)
    for row, (_, images) in zip(cells, rows, strict=True):
        row[: len(images)] = enlarge(images[:columns], factor)
    lines = max(1, height * factor // 20)  # a line needs about 20 pixels
    with picture(path, image_grid(cells.reshape(-1, *cells.shape[2:]), columns, GAP), margin=420) as axes:
        labels = [wrapped(label, 40, lines) for label, _ in rows]
        axes.set_yticks(centres_of(len(rows), height * factor, GAP), labels)
    return None


def _scatters(path: StrPath, rows: Sequence[tuple[str, np.ndarray]]) -> None:
    spans = [limits(rows[0][1][:, d]) for d in range(2)]  # the best: the others may be anywhere
    half = 0.7 * (max(high - low for low, high in spans) or 1)
    box = np.array([[(low + high) / 2 - half, (low + high) / 2 + half] for low, high in spans])  # x and y from, to
    columns = min(4, len(rows))
    down = math.ceil(len(rows) / columns)
    with drawing(path, 0.5 + 2.6 * columns, 3.7 * down) as figure:
        grid = figure.subplots(down, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, (label, xy) in zip(grid, rows, strict=False):
            inside = ((xy >= box[:, 0]) & (xy <= box[:, 1])).all(axis=1)
            axes.scatter(*xy[inside].T, s=float(np.clip(4_000 / max(1, len(xy)), 1.5, 12)), c=BLUE, alpha=0.5, lw=0)
            outside = "" if inside.all() else f" ({(~inside).sum():,} of {len(xy):,} outside)"
            axes.set_title(wrapped(label + outside, 32, lines=5))
            axes.set(xlim=box[0], ylim=box[1], aspect="equal")
        for axes in grid[len(rows) :]:
            axes.remove()
