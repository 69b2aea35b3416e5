"""Pictures of a sweep over several axes at once: a map of two or three, and parallel lines over all."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from genjax.plots.figure import INK, ORANGE, StrPath, drawing
from genjax.plots.sweep_effects import (
    log_ticks,
    name_values,
    named_metric,
    objective_label,
    rank_colours,
    shades_of_rank,
)
from genjax.plots.sweep_scales import (
    Points,
    Results,
    Scale,
    View,
    cell_means,
    chosen_axes,
    dodged,
    is_sparse,
    numerals,
    points_of,
    scale,
    scattered_axes,
    short_names,
    thinned,
    view,
    wrapped,
)
from genjax.plots.ticks import tick_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure


def heat(path: StrPath, results: Results) -> bool:
    """Saves the mean objective over the two axes that matter most; False where fewer than two axes vary.

    Axes of few values that are crossed are a heat map, and where most of its cells would be empty, points.
    """
    points = points_of(results)
    scales = {name: scale(values) for name, values in short_names(results).items()}
    names = chosen_axes(scales, points, results.goal)
    if names and not is_sparse(scales[names[0]], scales[names[1]], points):
        _heat_map(path, results, points, {name: scales[name] for name in names})
    elif names := scattered_axes(scales, points, results.goal):
        _scatter(path, results, points, {name: scales[name] for name in names})
    return bool(names)


def _heat_map(path: StrPath, results: Results, points: Points, scales: dict[str, Scale]) -> None:
    names, (x, y, *panel_axes) = list(scales), scales.values()
    group = panel_axes[0] if panel_axes else scale([""] * len(results.values))
    side = min(0.8, max(0.3, 11 / (len(x.distinct) * len(group.labels))))  # a cell's width in inches
    span, width = view(points.mean), 1.9 + len(group.labels) * (0.2 + side * len(x.distinct))
    height = 0.42 * len(y.distinct)
    with drawing(path, max(4, width), 1.1 + height) as figure:
        panels = figure.subplots(1, len(group.labels), sharey=True, squeeze=False)[0]
        for axes, label, place in zip(panels, group.labels, group.distinct, strict=True):
            means, lost = cell_means(x, y, points, group.places[points.first] == place)
            _cells(axes, means, lost, span, results.goal, side)
            axes.set_title(wrapped(f"{names[2]}: {label}", int(12 * side * len(x.labels))) if panel_axes else "")
            long = max(map(len, x.labels)) * 0.07 > 0.9 * side
            turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
            axes.set_xticks(np.arange(len(x.labels)) + 0.5, x.labels, **turned)
        if any(axes.patches for axes in panels):
            handles = next(axes.patches for axes in panels if axes.patches)[:1]
            figure.legend(handles, ["every trial diverged"], loc="outside upper right")
        panels[0].set_yticks(np.arange(len(y.labels)) + 0.5, y.labels)
        panels[0].set_ylabel(wrapped(names[1], 30))
        figure.supxlabel(names[0])
        _colour_bar(figure, list(panels), panels[0].collections[0], span, points, results, height)


def _scatter(path: StrPath, results: Results, points: Points, scales: dict[str, Scale]) -> None:
    """Draws the points over two axes, those that coincide side by side."""
    (along, x), (up, y) = scales.items()
    span, rows = view(points.mean), y.places[points.first]
    columns = x.places[points.first].astype(float)
    for row in np.unique(rows):
        columns[rows == row] = dodged(columns[rows == row], 0.5)
    ranked = points.rank > 0
    norm, shades = _colours(span, results.goal)
    with drawing(path, 5.6, 4) as figure:
        axes = figure.subplots()
        size = float(np.clip(2_000 / len(columns), 14, 55))
        style = {"s": size, "norm": norm, "cmap": shades, "edgecolors": INK, "linewidths": 0.5, "zorder": 3}
        dots = axes.scatter(columns[ranked], rows[ranked], c=points.mean[ranked], **style)
        if points.diverged.any():
            crosses = {"s": 35, "marker": "x", "color": ORANGE, "label": "every trial diverged"}
            axes.scatter(columns[points.diverged], rows[points.diverged], **crosses)
            figure.legend(loc="outside upper right")
        name_values(axes, x)
        labelled = thinned(y.ticks, 0.06)
        axes.set_yticks(y.ticks[labelled], [wrapped(y.labels[i], 99) for i in labelled])
        axes.set(xlabel=wrapped(along, 50), ylabel=wrapped(up, 36), ylim=(-0.08, 1.08))
        axes.set_xlim(min(0, columns.min()) - 0.08, max(1, columns.max()) + 0.08)
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        _colour_bar(figure, [axes], dots, span, points, results, 3.4)


def _colours(span: View, goal: str) -> tuple["Normalize", "Colormap"]:
    """From values of the objective to colours: the darker, the better."""
    from matplotlib.colors import LogNorm, Normalize

    shades = shades_of_rank() if goal == "min" else shades_of_rank().reversed()
    return (LogNorm if span.log else Normalize)(span.low, span.high), shades


def _colour_bar(
    figure: "Figure",
    panels: list["Axes"],
    coloured: "ScalarMappable",
    span: View,
    points: Points,
    results: Results,
    height: float,
) -> None:
    """Draws the bar of the objective, `height` inches high, where a point has a mean."""
    if not (points.rank > 0).any():
        return
    extend = ("neither", "min", "max", "both")[(points.mean < span.low).any() + 2 * (points.mean > span.high).any()]
    bar = figure.colorbar(coloured, ax=panels, label=objective_label(results, height), extend=extend, pad=0.02)
    bar.outline.set_visible(False)  # pyright: ignore
    if span.log:
        log_ticks(bar.ax, span)
    else:
        tick_counts(bar.ax.yaxis, results.values)


def _cells(axes: "Axes", means: np.ndarray, lost: np.ndarray, span: View, goal: str, side: float) -> None:
    from matplotlib.patches import Rectangle

    norm, shades = _colours(span, goal)
    mesh = axes.pcolormesh(np.ma.masked_invalid(means), norm=norm, cmap=shades, edgecolors="white", linewidth=1.5)
    decimals = max(0, 2 - math.floor(math.log10(span.high - span.low)))
    for row, column in np.ndindex(*means.shape):
        if lost[row, column]:
            style = {"hatch": "xxxx", "facecolor": "white", "edgecolor": ORANGE, "linewidth": 0}
            axes.add_patch(Rectangle((column + 0.04, row + 0.04), 0.92, 0.92, **style))
        value = float(means[row, column])
        text = numerals(np.array([value]))[0] if span.log else f"{round(value, decimals) + 0.0:.{decimals}f}"
        text = text if len(text) < 8 else numerals(np.array([value]))[0]
        if math.isfinite(value) and 0.055 * len(text) + 0.06 < side:
            dark = np.dot(mesh.to_rgba(np.array([value]))[0, :3], (0.3, 0.6, 0.1)) < 0.55
            style = {"size": 7, "ha": "center", "va": "center", "color": "white" if dark else INK}
            axes.text(column + 0.5, row + 0.5, text.replace("-", "\N{MINUS SIGN}"), **style)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def parallel_coordinates(path: StrPath, results: Results) -> None:
    """Saves one line for each point over all axes, to its mean objective at the right; the best on top."""
    points, panels = points_of(results), short_names(results)
    order = np.argsort(np.where(points.rank > 0, -points.rank, -len(points.rank) - 1), stable=True)
    order = order[(points.rank > 0)[order] | points.diverged[order]]  # from the worst to the best
    span, scales = view(points.mean), [scale(values) for values in panels.values()]
    names = [wrapped(name, 18) for name in [*panels, named_metric(results)]]
    at = [0.0]  # of each axis, in inches
    for left, right, axis in zip(names[:-1], names[1:], [*scales[1:], None], strict=True):
        label = 0.5 + 0.07 * max(map(len, axis.labels + axis.ends)) if axis else 0
        at.append(at[-1] + max(1.3, label, 0.042 * sum(max(map(len, n.split("\n"))) for n in (left, right)) + 0.1))
    with drawing(path, at[-1] + 3, 3.8) as figure:
        axes = figure.subplots()
        colours = rank_colours(figure, axes, int(points.rank.max()))
        lines = [_upright(axes, x, axis, order, points) for x, axis in zip(at, scales, strict=False)]
        outcomes = span.place(points.mean[order])
        outcomes = outcomes if results.goal == "max" else 1 - outcomes
        outcomes = np.where(points.rank[order] > 0, np.clip(outcomes, 0, 1), -0.15)
        for p, line in zip(order.tolist(), np.stack([*lines, outcomes], axis=1), strict=True):
            lost = {"color": ORANGE, "linestyle": "--", "linewidth": 0.7}
            axes.plot(at, line, **(_line(colours, int(points.rank[p])) if points.rank[p] else lost))
        for x, name in zip(at, names, strict=True):
            axes.text(x, 1.08, name, ha="center", va="bottom", size=9)
        _outcome(axes, at[-1], span, results, points)
        axes.set(xlim=(at[0] - 0.05, at[-1] + 0.05), ylim=(-0.2 if points.diverged.any() else -0.1, 1.08))
        axes.axis("off")


def _line(colours: np.ndarray, rank: int) -> dict[str, Any]:
    """How a ranked line is drawn: the best one and the few behind it stand out."""
    return {"color": colours[rank], "linewidth": 2 if rank == 1 else 1, "alpha": 1 if rank <= 5 else 0.8}


def _upright(axes: "Axes", x: float, axis: Scale, order: np.ndarray, points: Points) -> np.ndarray:
    """Draws one axis at x with its values in words, and says at which height each point in order crosses it."""
    places = axis.places[points.first[order]]
    few = axis.kind == "categorical" or len(axis.distinct) <= 8
    ticks, words = (axis.ticks, axis.labels) if few and len(axis.labels) <= 8 else (np.array([0, 1]), axis.ends)
    heights = dodged(places, 0.35) if len(axis.distinct) <= 12 else places
    low, high = min(0, heights.min(initial=0)), max(1, heights.max(initial=1))
    labelled = thinned(ticks, 0.07)
    for tick in labelled:
        _word(axes, x - 0.07, (ticks[tick] - low) / (high - low), words[tick], ha="right")
    if axis.kind == "log":
        _word(axes, x, -0.06, "log", ha="center", style="italic")
    axes.plot([x, x], [0, 1], color=INK, linewidth=0.8, zorder=3)
    return (heights - low) / (high - low)


def _outcome(axes: "Axes", x: float, span: View, results: Results, points: Points) -> None:
    """Draws the axis of the objective, its best value on top, and where the points end that have none."""
    ends = np.array([span.low, span.high] if results.goal == "max" else [span.high, span.low])
    means = points.mean[points.rank > 0]
    if len(means):
        beyond = (means > span.high).any() if results.goal == "min" else (means < span.low).any()
        axes.plot([x, x], [0, 1], color=INK, linewidth=0.8, zorder=3)
        constant = means.min() == means.max()
        at, texts = ([0.5], numerals(means[:1])) if constant else ([0, 1], numerals(ends))
        for y, text in zip(at, texts, strict=True):
            _word(axes, x + 0.07, y, text + (" or worse" if beyond and y == 0 else ""), ha="left")
        if span.log:
            _word(axes, x, -0.06, "log", ha="center", style="italic")
    if points.diverged.any():
        _word(axes, x + 0.07, -0.15, "diverged", ha="left", color=ORANGE)


def _word(axes: "Axes", x: float, y: float, text: str, **style: Any) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    axes.text(x, y, text.replace("$", r"\$"), va="center", size=8, zorder=4, path_effects=halo, **style)
