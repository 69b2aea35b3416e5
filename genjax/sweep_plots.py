"""Pictures of a sweep: what each hyperparameter did, how the trials learned, what the best and the worst of them made.

Drawn as in `plots`. The darker, the better; a point is a setting of all axes, and its seeds are its trials. One
trial that is a million times off is marked at the edge, and the others stay readable.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from genjax.plots import BLUE, GAP, INK, ORANGE, StrPath, centres_of, drawing, enlarge, enlargement, image_grid, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure

FEW = 16  # distinct values of an axis that are named one by one
LEGEND = ("trial", "mean ± s.d. of a point", "point", "median of the points", "beyond the axis", "diverged")


class Results(NamedTuple):
    """T trials of a sweep. Those that differ in their seed alone share one of P points."""

    axes: dict[str, list]  # T values of each, without the seed: numbers, strings, bools or tuples
    point: np.ndarray  # [T] int
    values: np.ndarray  # [T] the objective; nan if diverged or never evaluated
    diverged: np.ndarray  # [T] bool
    metric: str
    goal: str  # "min" or "max"


class Points(NamedTuple):
    """The points of a sweep, each over its seeds."""

    of: np.ndarray  # [T] the point of each trial, from 0
    first: np.ndarray  # [P] one trial of each
    mean: np.ndarray  # [P] over the finite values; nan if there are none
    spread: np.ndarray  # [P] standard deviation; nan with fewer than two
    rank: np.ndarray  # [P] 1 is the best, 0 has no mean
    diverged: np.ndarray  # [P] bool: a trial diverged, and there is no mean


class Scale(NamedTuple):
    """The values of an axis, laid along [0, 1]."""

    kind: str  # "linear", "log" or "categorical"
    places: np.ndarray  # [T]
    distinct: np.ndarray  # [D] the places that there are, in order
    ticks: np.ndarray  # [K] the same where they are few, else of round numbers
    labels: list[str]  # K
    ends: list[str]  # the first and the last value, in words


class View(NamedTuple):
    """What is shown of an objective: from `low` to `high`, log where the values are positive and span 1.5 decades."""

    low: float
    high: float
    log: bool

    def place(self, values: np.ndarray) -> np.ndarray:
        """Values laid along [0, 1] from low to high, and beyond."""
        low, high, laid = (np.log(v) if self.log else np.asarray(v) for v in (self.low, self.high, values))
        return (laid - low) / (high - low)


def points_of(results: Results) -> Points:
    """The mean, spread and rank of each point."""
    _, first, of = np.unique(results.point, return_index=True, return_inverse=True)
    seeds = [results.values[(of == p) & np.isfinite(results.values)] for p in range(len(first))]
    mean = np.array([s.mean() if len(s) else np.nan for s in seeds])
    spread = np.array([s.std(ddof=1) if len(s) > 1 else np.nan for s in seeds])
    rank = np.empty(len(first), int)
    rank[np.argsort(mean if results.goal == "min" else -mean, stable=True)] = 1 + np.arange(len(first))
    diverged = np.isnan(mean) & (np.bincount(of, results.diverged) > 0)
    return Points(of, first, mean, spread, np.where(np.isnan(mean), 0, rank), diverged)


def limits(values: np.ndarray, slack: float = 0) -> tuple[float, float]:
    """The least and the greatest of the values that lie within 12 median deviations, or the slack, of the median."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0, 1
    distance = np.abs(values - np.median(values))
    fence = max(12 * float(np.median(distance)), slack or float(np.abs(np.median(values))) / 2)
    kept = values[distance <= fence] if fence else values
    return float(kept.min()), float(kept.max())


def view(values: np.ndarray) -> View:
    """What to show of an objective's values, of any shape."""
    values = values[np.isfinite(values)]
    low, high = limits(values)
    if log := bool(len(values) and values.min() > 0 and high > 10**1.5 * low):
        least, greatest = limits(np.log10(values), slack=1.5)
        shown = values[(np.log10(values) >= least) & (np.log10(values) <= greatest)]
        low, high = float(shown.min()), float(shown.max())
    if low == high:
        low, high = low - (abs(low) or 1) / 20, high + (abs(high) or 1) / 20
    return View(low, high, log)


def numerals(values: np.ndarray) -> list[str]:
    """Numbers as short as they may be: whole, or with three digits, or as many as tell them apart."""
    texts = []
    for digits in range(3, 17):
        texts = [
            f"{v:g}" if v == round(v) and abs(v) < 1e5 else f"{v:.{digits}g}"
            for v in (np.unique(values) + 0.0).tolist()
        ]
        if len(set(texts)) == len(texts):
            break
    texts = [t.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e") for t in texts]
    texts = [t.replace("-", "\N{MINUS SIGN}") for t in texts]
    return [texts[i] for i in np.searchsorted(np.unique(values), values)]


def scale(values: Sequence[Any]) -> Scale:
    """Lays an axis' T values along [0, 1]: numbers by their size or logarithm, all else in order."""
    values = [tuple(v) if isinstance(v, list) else v for v in values]
    if not all(isinstance(v, Real) and not isinstance(v, bool) and math.isfinite(v) for v in values):
        distinct = list(dict.fromkeys(values))
        if len({type(v) for v in distinct}) == 1:
            distinct.sort()
        ticks = np.linspace(0, 1, len(distinct)) if len(distinct) > 1 else np.array([0.5])
        labels = [v if len(v) <= 24 else v[:23] + "\N{HORIZONTAL ELLIPSIS}" for v in map(str, distinct)]
        places = ticks[[distinct.index(v) for v in values]]
        return Scale("categorical", places, ticks, ticks, labels, [labels[0], labels[-1]])
    numbers, of = np.unique(np.array(values, float), return_inverse=True)
    kind = "log" if spans_decades(numbers) else "linear"
    marks = numbers if len(numbers) <= FEW else round_numbers(*numbers[[0, -1]].tolist(), log=kind == "log")
    zero = numbers[1] ** 2 / numbers[2] if len(numbers) > 2 else 1  # where it stands on a log scale
    laid = [np.log(np.where(v > 0, v, zero)) if kind == "log" else v for v in (numbers, marks)]
    span = laid[0][-1] - laid[0][0]
    distinct, ticks = ((v - laid[0][0]) / span if span else v * 0 + 0.5 for v in laid)
    return Scale(kind, distinct[of], distinct, ticks, numerals(marks), numerals(numbers[[0, -1]]))


def spans_decades(numbers: np.ndarray) -> bool:
    """Whether distinct numbers in order ask for a log scale: positive ones, the greatest 30 times the least.

    Few may begin with a zero, which then stands one step below. Of many, half must be small beside the greatest, for
    uniform draws near zero ask for no decades.
    """
    few = len(numbers) <= FEW
    positive = numbers[1:] if few and len(numbers) > 2 and numbers[0] == 0 else numbers
    small = few or np.median(positive) < 0.3 * positive[-1]
    return bool(positive[0] > 0 and positive[-1] >= 30 * positive[0] and small)


def round_numbers(least: float, greatest: float, log: bool) -> np.ndarray:
    """The powers of ten between two positive numbers, or a few round numbers between any two."""
    from matplotlib.ticker import MaxNLocator

    if log:
        steps = (1,) if greatest > 300 * least else (1, 2, 5)
        decades = range(math.floor(math.log10(least)), math.ceil(math.log10(greatest)) + 1)
        marks = np.array([float(f"{s}e{d}") for d in decades for s in steps])
    else:
        marks = np.asarray(MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(least, greatest))
    return marks[(marks >= least) & (marks <= greatest)]


def thinned(places: np.ndarray, gap: float) -> list[int]:
    """Which of ordered places stay, so that `gap` is between neighbours: the first, the last, and what fits."""
    kept = [0] if len(places) else []
    for i, place in enumerate(places[:-1]):
        if place - places[kept[-1]] >= gap and places[-1] - place >= gap:
            kept.append(i)
    return [*kept, len(places) - 1] if len(places) > 1 else kept


def dodged(places: np.ndarray, width: float) -> np.ndarray:
    """Places `[P]`, with those that coincide side by side over `width` of the smallest gap between places."""
    distinct, of, counts = np.unique(places, return_inverse=True, return_counts=True)
    room = width * float(np.diff(distinct).min() if len(distinct) > 1 else 1)
    turn = np.argsort(np.argsort(of, stable=True), stable=True) - (np.cumsum(counts) - counts)[of]
    return places + room * (turn - (counts[of] - 1) / 2) / np.maximum(counts[of] - 1, 4)


def short_names(results: Results) -> dict[str, list]:
    """The axes without the first part of their names, where the rest tells them apart; seeds alone are one axis."""
    short = {name.split(".", 1)[-1]: values for name, values in results.axes.items()}
    return (short if len(short) == len(results.axes) else results.axes) or {"point": results.point.tolist()}


def wrapped(text: str, width: int, lines: int = 3) -> str:
    """Text in lines of `width` characters, also broken after an underscore, and without mathematics."""
    words = text.replace("$", r"\$").replace("_", "_ ")
    kept = textwrap.wrap(words, width, max_lines=lines, placeholder="\N{HORIZONTAL ELLIPSIS}")
    return "\n".join(line.replace("_ ", "_") for line in kept)


def _objective(results: Results, height: float) -> str:
    """The label of an axis so many inches high."""
    text = f"{results.metric} ({'lower' if results.goal == 'min' else 'higher'} is better)"
    return wrapped(text, int(12 * (height + 0.6)))


def _say(axes: "Axes", results: Results) -> None:
    text = "every trial diverged" if results.diverged.all() else "no finite value"
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center")


def _shades() -> "ListedColormap":
    """From the best to the worst; in order for colour-blind readers and in grey too."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["YlGnBu"](np.linspace(1, 0.25, 256)))


def _rank_colours(figure: "Figure", axes: "Axes", count: int) -> np.ndarray:
    """A colour for each rank `[count + 1, 4]`, that of rank 0 last of all, and a colour bar if there are two ranks."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    shades = ScalarMappable(Normalize(1, max(count, 2)), _shades())
    if count > 1:
        ticks = np.unique(np.linspace(1, count, 5).round())
        bar = figure.colorbar(shades, ax=axes, label="rank", ticks=ticks, aspect=30, pad=0.02)
        bar.ax.invert_yaxis()
        bar.outline.set_visible(False)  # pyright: ignore
    return np.asarray(shades.to_rgba(np.arange(count + 1)))


def _show(axes: "Axes", seen: View, below: float, above: float) -> None:
    """Sets the y axis, with margins in parts of its height."""
    low, high = (np.log([seen.low, seen.high]) if seen.log else np.array([seen.low, seen.high])).tolist()
    low, high = low - below * (high - low), high + above * (high - low)
    if seen.log:
        axes.set_yscale("log")
        low, high = math.exp(low), math.exp(high)
        _log_ticks(axes, seen)
    axes.set_ylim(low, high)


def _log_ticks(axes: "Axes", seen: View) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if seen.high < 300 * seen.low else (1,)))
    axes.yaxis.set_major_formatter(lambda v, _: numerals(np.array([v]))[0])
    axes.yaxis.set_minor_formatter(NullFormatter())


def axis_effects(path: StrPath, results: Results) -> None:
    """Saves the objective against each axis: trials, their points, and the points' median at each value."""
    points, panels = points_of(results), short_names(results)
    columns = 2 if len(panels) == 4 else min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    seen = view(results.values)
    low, high = (bool((results.values < seen.low).any()), bool((results.values > seen.high).any()))
    worst = (
        bool(results.diverged.any()) and results.goal == "max",
        bool(results.diverged.any()) and results.goal == "min",
    )
    with drawing(path, max(4, 0.5 + 2.7 * columns), 0.7 + 2.4 * rows) as figure:
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        _show(grid[0], seen, 0.06 + 0.08 * (low + worst[0]), 0.06 + 0.08 * (high + worst[1]))
        for axes, (name, values) in zip(grid, panels.items(), strict=False):
            _effect(axes, scale(values), results, points, seen)
            axes.set_xlabel(wrapped(name, 36))
        for axes in grid[len(panels) :]:
            axes.remove()
        handles = {str(h.get_label()): h for axes in grid for h in axes.get_legend_handles_labels()[0]}
        handles = {label: handles[label] for label in LEGEND if label in handles}
        figure.legend(list(handles.values()), list(handles), loc="outside upper right", ncols=(2, 3, 5)[columns - 1])
        figure.supylabel(_objective(results, 2.4 * rows))
        if not np.isfinite(results.values).any():
            _say(grid[0], results)
            grid[0].set_yticks([])


def _effect(axes: "Axes", axis: Scale, results: Results, points: Points, seen: View) -> None:
    places = dodged(axis.places[points.first], 0.6)
    x, y = places[points.of], results.values
    if seeds := bool(np.isfinite(points.spread).any()):
        axes.scatter(x, y, s=9, color=BLUE, alpha=0.35, linewidths=0, label=LEGEND[0])
    shown = (points.mean >= seen.low) & (points.mean <= seen.high)
    if shown.any():
        bars = {"fmt": "o", "markersize": 3.5, "elinewidth": 0.9, "label": LEGEND[1] if seeds else LEGEND[2]}
        axes.errorbar(places[shown], points.mean[shown], points.spread[shown] if seeds else None, color=BLUE, **bars)
    distinct = axis.distinct
    if len(distinct) <= 12 and shown.any():
        at = [points.mean[(axis.places[points.first] == d) & (points.rank > 0)] for d in distinct]
        medians = [np.median(m) if len(m) else np.nan for m in at]
        style = {"linestyle": "none", "marker": "_", "markersize": 16} if axis.kind == "categorical" else {}
        axes.plot(distinct, medians, color=INK, label=LEGEND[3], **style)
    down = results.goal == "max"
    marks = {"transform": axes.get_xaxis_transform(), "clip_on": False, "zorder": 3}
    bad = results.diverged & np.isnan(y)
    for chosen, marker, edge, colour, label in (
        (y < seen.low, "v", 0.03 + 0.06 * (down and bad.any()), INK, LEGEND[4]),
        (y > seen.high, "^", 0.97 - 0.06 * (not down and bad.any()), INK, LEGEND[4]),
        (bad, "x", 0.03 if down else 0.97, ORANGE, LEGEND[5]),
    ):
        if chosen.any():
            axes.scatter(x[chosen], np.full(chosen.sum(), edge), s=18, marker=marker, c=colour, label=label, **marks)
    _ticks(axes, axis)
    axes.set_xlim(min(-0.05, places.min() - 0.04), max(1.05, places.max() + 0.04))


def _ticks(axes: "Axes", axis: Scale) -> None:
    wide = axis.kind == "categorical" and sum(map(len, axis.labels)) + 2 * len(axis.labels) > 36
    kept = thinned(axis.ticks, 0.05 if wide else 0.08 if axis.kind == "categorical" else 0.19)
    turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if wide else {}
    axes.set_xticks(axis.ticks[kept], [wrapped(axis.labels[i], 99) for i in kept], **turned)


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
    ranks = points.rank[points.of]  # [T]
    with drawing(path, 6.4, 3.8) as figure:
        axes = figure.subplots()
        colours = _rank_colours(figure, axes, count)
        for t in np.argsort(np.where(ranks == 0, count + 1, ranks), stable=True)[::-1]:
            known = np.isfinite(curves[t])
            lost = {"color": ORANGE, "linestyle": "--", "linewidth": 0.8, "label": "diverged"}
            style = {"color": colours[ranks[t]], "linewidth": 1 + (ranks[t] == 1)} if ranks[t] else lost
            axes.plot(steps[known], curves[t, known], **style)
            if known.any() and not known[-1]:
                axes.plot(steps[known][-1], curves[t, known][-1], "o", markersize=3, color=style["color"], zorder=3)
        axes.set(xlabel="step", ylabel=_objective(results, 3.4))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        _show(axes, view(curves), 0.04, 0.04)
        if (np.isfinite(curves).any(axis=1) & ~np.isfinite(curves[:, -1]) & (ranks > 0)).any():
            axes.plot([], [], "o", color=INK, markersize=3, label="ended early")
        handles = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
        axes.legend(list(handles.values()), list(handles)) if handles else None
        if not np.isfinite(curves).any():
            _say(axes, results)


def chosen_axes(scales: Mapping[str, Scale], points: Points, goal: str) -> list[str]:
    """The axes of a heat map: along, up and, where there is one, the axis that has a panel for each value.

    Those of 2 to 16 values count, by the variance of the objective's mean at each value; what diverged is the worst.
    An axis with panels is categorical, and has at most 4 values and two others beside it.
    """
    low, high = limits(points.mean)
    means = np.nan_to_num(np.clip(points.mean, low, high), nan=high if goal == "min" else low)
    effects = {}
    for name, axis in scales.items():
        _, of = np.unique(axis.places[points.first], return_inverse=True)
        if 2 <= of.max(initial=0) + 1 <= 16:
            effects[name] = np.var(np.bincount(of, means) / np.bincount(of))
    order = sorted(effects, key=lambda name: -effects[name])
    few = [n for n in order if scales[n].kind == "categorical" and len(scales[n].distinct) <= 4]
    panel = few[:1] if len(order) > 2 else []
    pair = [n for n in order if n not in panel][:2]
    pair.sort(key=lambda n: (scales[n].kind == "categorical", -len(scales[n].distinct)))
    return pair + panel if len(pair) == 2 else []


def heat(path: StrPath, results: Results) -> bool:
    """Saves the mean objective over the two axes that matter most, where there are two of few values; else False."""
    points = points_of(results)
    scales = {name: scale(values) for name, values in short_names(results).items()}
    if not (names := chosen_axes(scales, points, results.goal)):
        return False
    x, y, *rest = (scales[name] for name in names)
    group = rest[0] if rest else scale([""] * len(results.values))
    side = min(0.8, max(0.3, 11 / (len(x.distinct) * len(group.labels))))  # a cell's width in inches
    seen, width = view(points.mean), 1.9 + len(group.labels) * (0.2 + side * len(x.distinct))
    height = 0.42 * len(y.distinct)
    with drawing(path, max(4, width), 1.1 + height) as figure:
        panels = figure.subplots(1, len(group.labels), sharey=True, squeeze=False)[0]
        for axes, label, place in zip(panels, group.labels, group.distinct, strict=True):
            means, lost = cell_means(x, y, points, group.places[points.first] == place)
            _cells(axes, means, lost, seen, results.goal, side)
            axes.set_title(wrapped(f"{names[2]}: {label}", int(12 * side * len(x.labels))) if rest else "")
            long = max(map(len, x.labels)) * 0.07 > 0.9 * side
            turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if long else {}
            axes.set_xticks(np.arange(len(x.labels)) + 0.5, x.labels, **turned)
        if any(axes.patches for axes in panels):
            handles = next(axes.patches for axes in panels if axes.patches)[:1]
            figure.legend(handles, ["every trial diverged"], loc="outside upper right")
        panels[0].set_yticks(np.arange(len(y.labels)) + 0.5, y.labels)
        panels[0].set_ylabel(wrapped(names[1], 30))
        figure.supxlabel(names[0])
        if (points.rank > 0).any():
            extend = ("neither", "min", "max", "both")[
                (points.mean < seen.low).any() + 2 * (points.mean > seen.high).any()
            ]
            style = {"label": _objective(results, height), "extend": extend, "pad": 0.02}
            bar = figure.colorbar(panels[0].collections[0], ax=list(panels), **style)
            bar.outline.set_visible(False)  # pyright: ignore
            if seen.log:
                _log_ticks(bar.ax, seen)
    return True


def cell_means(x: Scale, y: Scale, points: Points, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean `[Y, X]` of the points `[P]` inside, nan without any, and whether all of them diverged `[Y, X]`."""
    means, lost = (
        np.full((len(y.distinct), len(x.distinct)), np.nan),
        np.zeros((len(y.distinct), len(x.distinct)), bool),
    )
    for row, column in np.ndindex(*means.shape):
        here = inside & (y.places[points.first] == y.distinct[row]) & (x.places[points.first] == x.distinct[column])
        known = points.mean[here & (points.rank > 0)]
        means[row, column] = known.mean() if len(known) else np.nan
        lost[row, column] = not len(known) and (here & points.diverged).any()
    return means, lost


def _cells(axes: "Axes", means: np.ndarray, lost: np.ndarray, seen: View, goal: str, side: float) -> None:
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.patches import Rectangle

    shades = _shades() if goal == "min" else _shades().reversed()
    norm = LogNorm(seen.low, seen.high) if seen.log else Normalize(seen.low, seen.high)
    mesh = axes.pcolormesh(np.ma.masked_invalid(means), norm=norm, cmap=shades, edgecolors="white", linewidth=1.5)
    decimals = max(0, 2 - math.floor(math.log10(seen.high - seen.low)))
    for row, column in np.ndindex(*means.shape):
        if lost[row, column]:
            style = {"hatch": "xxxx", "facecolor": "white", "edgecolor": ORANGE, "linewidth": 0}
            axes.add_patch(Rectangle((column + 0.04, row + 0.04), 0.92, 0.92, **style))
        value = float(means[row, column])
        text = numerals(np.array([value]))[0] if seen.log else f"{round(value, decimals) + 0.0:.{decimals}f}"
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
    seen, scales = view(points.mean), [scale(values) for values in panels.values()]
    names = [wrapped(name, 18) for name in [*panels, results.metric]]
    at = [0.0]  # of each axis, in inches
    for left, right, axis in zip(names[:-1], names[1:], [*scales[1:], None], strict=True):
        label = 0.5 + 0.07 * max(map(len, axis.labels + axis.ends)) if axis else 0
        at.append(at[-1] + max(1.3, label, 0.042 * sum(max(map(len, n.split("\n"))) for n in (left, right)) + 0.1))
    with drawing(path, at[-1] + 3, 3.8) as figure:
        axes = figure.subplots()
        colours = _rank_colours(figure, axes, int(points.rank.max()))
        lines = [_upright(axes, x, axis, order, points) for x, axis in zip(at, scales, strict=False)]
        last = seen.place(points.mean[order]) if results.goal == "max" else 1 - seen.place(points.mean[order])
        last = np.where(points.rank[order] > 0, np.clip(last, 0, 1), -0.15)
        for p, line in zip(order.tolist(), np.stack([*lines, last], axis=1), strict=True):
            lost = {"color": ORANGE, "linestyle": "--", "linewidth": 0.7}
            axes.plot(at, line, **(_line(colours, int(points.rank[p])) if points.rank[p] else lost))
        for x, name in zip(at, names, strict=True):
            axes.text(x, 1.08, name, ha="center", va="bottom", size=9)
        _outcome(axes, at[-1], seen, results, points)
        axes.set(xlim=(at[0] - 0.05, at[-1] + 0.05), ylim=(-0.2, 1.08))
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
    kept = thinned(ticks, 0.07)
    for tick in kept:
        _word(axes, x - 0.07, (ticks[tick] - low) / (high - low), words[tick], ha="right")
    if axis.kind == "log":
        _word(axes, x, -0.06, "log", ha="center", style="italic")
    axes.plot([x, x], [0, 1], color=INK, linewidth=0.8, zorder=3)
    return (heights - low) / (high - low)


def _outcome(axes: "Axes", x: float, seen: View, results: Results, points: Points) -> None:
    """Draws the axis of the objective, its best value on top, and where the points end that have none."""
    ends = np.array([seen.low, seen.high] if results.goal == "max" else [seen.high, seen.low])
    known = points.mean[points.rank > 0]
    if len(known):
        beyond = (known > seen.high).any() if results.goal == "min" else (known < seen.low).any()
        axes.plot([x, x], [0, 1], color=INK, linewidth=0.8, zorder=3)
        constant = known.min() == known.max()
        at, texts = ([0.5], numerals(known[:1])) if constant else ([0, 1], numerals(ends))
        for y, text in zip(at, texts, strict=True):
            _word(axes, x + 0.07, y, text + (" or worse" if beyond and y == 0 else ""), ha="left")
        if seen.log:
            _word(axes, x, -0.06, "log", ha="center", style="italic")
    if points.diverged.any():
        _word(axes, x + 0.07, -0.15, "diverged", ha="left", color=ORANGE)


def _word(axes: "Axes", x: float, y: float, text: str, **style: Any) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    axes.text(x, y, text.replace("$", r"\$"), va="center", size=8, zorder=4, path_effects=halo, **style)


def sample_rows(path: StrPath, rows: Sequence[tuple[str, np.ndarray]]) -> None:
    """Saves what some trials made: a row of at most 12 images each, or a scatter each on the same axes.

    Args:
      path: of the PNG.
      rows: labels, and images `[N, H, W, C]` in [0, 1] or points `[N, 2]`, all of one kind.
    """
    if rows[0][1].ndim == 2:
        return _scatters(path, rows)
    columns = min(12, max(len(images) for _, images in rows))
    height, width = rows[0][1].shape[1:3]
    factor = enlargement(width, 12)
    cells = np.ones((len(rows), columns, height * factor, width * factor, 3), np.float32)
    for row, (_, images) in zip(cells, rows, strict=True):
        row[: len(images)] = enlarge(images[:columns], factor)
    lines = max(1, height * factor // 20)  # a line needs about 20 pixels
    with picture(path, image_grid(cells.reshape(-1, *cells.shape[2:]), columns, GAP), room=420) as axes:
        labels = [wrapped(label, 40, lines) for label, _ in rows]
        axes.set_yticks(centres_of(len(rows), height * factor, GAP), labels)
    return None


def _scatters(path: StrPath, rows: Sequence[tuple[str, np.ndarray]]) -> None:
    spans = [limits(np.concatenate([xy[:, d] for _, xy in rows])) for d in range(2)]
    half = 0.55 * (max(high - low for low, high in spans) or 1)
    box = np.array([[(low + high) / 2 - half, (low + high) / 2 + half] for low, high in spans])  # x and y from, to
    columns = min(4, len(rows))
    down = math.ceil(len(rows) / columns)
    with drawing(path, 0.5 + 2.6 * columns, 0.3 + 2.9 * down) as figure:
        grid = figure.subplots(down, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, (label, xy) in zip(grid, rows, strict=False):
            inside = ((xy >= box[:, 0]) & (xy <= box[:, 1])).all(axis=1)
            axes.scatter(*xy[inside].T, s=float(np.clip(4_000 / max(1, len(xy)), 1.5, 12)), c=BLUE, alpha=0.5, lw=0)
            outside = "" if inside.all() else f" ({(~inside).sum():,} of {len(xy):,} outside)"
            axes.set_title(wrapped(label + outside, 32))
            axes.set(xlim=box[0], ylim=box[1], aspect="equal")
        for axes in grid[len(rows) :]:
            axes.remove()
